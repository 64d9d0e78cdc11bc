//! Prompts without any language model: the endless reserve that keeps a network from running dry.
//!
//! Every category has a few groups of words that go together: how an object looks, what it is, and what sets it
//! apart. Any three of one group make a prompt such as "weathered bronze lion statue on square pedestal". Nothing is
//! stored but the words; prompt `n` is computed.

mod machines;
mod people;
mod places;
mod things;

use alloc::format;
use alloc::string::String;

/// Words that go together, each list separated by commas.
struct Group {
    /// Colours, materials and conditions.
    looks: &'static str,
    /// Nouns.
    objects: &'static str,
    /// What ends the phrase.
    features: &'static str,
}

/// The original generator's categories, and what each is made of.
const CATEGORIES: [(&str, &[Group]); 30] = [
    ("robots", people::ROBOTS),
    ("animals", people::ANIMALS),
    ("fantasy characters", people::FANTASY),
    ("science fiction characters", people::SCIENCE_FICTION),
    ("monsters and mythical creatures", people::MONSTERS),
    ("statues", places::STATUES),
    ("accessories", people::ACCESSORIES),
    ("plants, mushrooms and trees", places::PLANTS),
    ("rocks and minerals", places::ROCKS),
    ("vehicles", machines::VEHICLES),
    ("weapons", machines::WEAPONS),
    ("armor", people::ARMOR),
    ("food and drinks", things::FOOD),
    ("household items", things::HOUSEHOLD),
    ("sports equipment", things::SPORTS),
    ("clothing", people::CLOTHING),
    ("furniture", things::FURNITURE),
    ("spaceships and space stations", machines::SPACESHIPS),
    ("jewelry", people::JEWELRY),
    ("crafting and building tools", things::TOOLS),
    ("musical instruments", things::INSTRUMENTS),
    ("buildings", places::BUILDINGS),
    ("toys and collectables", things::TOYS),
    ("military and war assets", machines::MILITARY),
    ("magic artifacts", machines::MAGIC),
    ("enchanted structures", places::ENCHANTED),
    ("historical artifacts", places::HISTORICAL),
    ("everyday objects", things::EVERYDAY),
    ("factory equipment", machines::FACTORY),
    ("machines and engines", machines::MACHINES),
];

/// The smallest category has so many prompts.
const PER_CATEGORY: usize = 1_120;

/// How many distinct prompts [`nth`] counts through: the same number for every category.
pub const COUNT: usize = PER_CATEGORY * CATEGORIES.len();

/// Fewest characters of a prompt.
pub const CHARS_MIN: usize = 25;
/// Most characters of a prompt.
pub const CHARS_MAX: usize = 74;

/// Steps through a category so that neighbours differ in look, object and feature. Odd, and divisible by none of the
/// lengths of the lists, so that every prompt is met once.
const STRIDE: usize = 409;

/// The thirty categories of the original generator, in its order.
pub fn categories() -> impl ExactSizeIterator<Item = &'static str> {
    CATEGORIES.iter().map(|(name, _)| *name)
}

/// Prompt `n` of [`COUNT`], counted again from the start beyond them: one of each category in turn.
///
/// Equal numbers give equal prompts on every host; different numbers below [`COUNT`] give different ones.
pub fn nth(n: usize) -> String {
    let (_, groups) = CATEGORIES[n % CATEGORIES.len()];
    compose(groups, n / CATEGORIES.len() % PER_CATEGORY)
}

/// The category of prompt `n`.
pub fn category(n: usize) -> &'static str {
    CATEGORIES[n % CATEGORIES.len()].0
}

/// A prompt drawn with even chances by a random number.
pub fn draw(random: u128) -> String {
    let n = random % COUNT as u128;
    nth(usize::try_from(n).unwrap_or_default())
}

/// Prompt `index` of the groups, in mixed order.
fn compose(groups: &[Group], index: usize) -> String {
    let total: usize = groups.iter().map(Group::len).sum();
    let mut index = index * STRIDE % total;
    for group in groups {
        if index < group.len() {
            return group.prompt(index);
        }
        index -= group.len();
    }
    String::new()
}

impl Group {
    fn len(&self) -> usize {
        count(self.looks) * count(self.objects) * count(self.features)
    }

    fn prompt(&self, index: usize) -> String {
        let (looks, objects) = (count(self.looks), count(self.objects));
        let look = pick(self.looks, index % looks);
        let object = pick(self.objects, index / looks % objects);
        let feature = pick(self.features, index / looks / objects);
        format!("{look} {object} {feature}")
    }
}

fn count(list: &str) -> usize {
    list.split(',').count()
}

fn pick(list: &'static str, index: usize) -> &'static str {
    list.split(',').nth(index).unwrap_or_default()
}
