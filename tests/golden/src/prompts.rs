//! The list of prompts and the corpus of raw lines that the tests of `sn17-core` read.
//!
//! The corpus is synthetic: prompts of our own grammar, dressed as language models dress them, and spoilt in known
//! ways. Each line begins with the name of the filter that must refuse it, `repeated`, or `keep`, and a tab. The
//! labels say what was done to the line; no filter runs here.

use std::fmt::Write as _;

use sn17_core::prompts::grammar;

/// Prompts of the list: 200 of each category.
const LIST_PROMPTS: usize = 6_000;
/// Lines of the corpus.
const CORPUS_LINES: usize = 10_000;
const CORPUS_SEED: u64 = 404;

/// The first prompts of the grammar, one a line.
pub(crate) fn list() -> String {
    (0..LIST_PROMPTS).fold(String::new(), |list, n| list + &grammar::nth(n) + "\n")
}

/// Ten thousand labelled lines; always the same.
pub(crate) fn corpus() -> String {
    let mut dice = Dice(CORPUS_SEED);
    let mut kept: Vec<String> = Vec::new();
    let mut corpus = String::new();
    for n in 0..CORPUS_LINES {
        // Every tenth of a prompt's number is its own, so that no two lines come from one prompt by chance.
        let prompt = grammar::nth(n * 3 + dice.below(3));
        let (label, line) = match dice.below(1000) {
            0..620 => {
                kept.push(prompt.clone());
                ("keep", dress(&mut dice, &prompt))
            }
            620..710 if !kept.is_empty() => {
                let earlier = kept[dice.below(kept.len())].clone();
                ("repeated", dress(&mut dice, &earlier))
            }
            620..800 => ("stop_word", with_stop_word(&mut dice, &prompt)),
            800..870 => ("few_words", with_few_words(&mut dice, &prompt)),
            870..910 => ("characters", with_foreign_characters(&mut dice, &prompt)),
            910..950 => ("little_left", with_little_left(&mut dice, &prompt)),
            950..980 => ("too_long", with_too_many(&mut dice, n)),
            980..997 => (
                "too_short",
                dice.pick(&["a an the ox", "The a the a elk", "1. An a the bee", "a the a an"]).to_owned(),
            ),
            _ => ("long_line", format!("{prompt}, ").repeat(1100 / prompt.len())),
        };
        writeln!(corpus, "{label}\t{line}").expect("writing to a string");
    }
    corpus
}

/// What models put around a prompt, and filters take away.
fn dress(dice: &mut Dice, prompt: &str) -> String {
    let dressed = match dice.below(10) {
        0 => prompt.to_owned(),
        1 => prompt.to_uppercase(),
        2 => format!("The {prompt}."),
        3 => format!("{prompt} {}", dice.pick(&["with", "and", "in", "with a", "that", "on the"])),
        4 => format!("{} a {prompt}", dice.pick(&["Create", "generate", "Design", "Imagine", "Craft"])),
        5 => format!("**{prompt}**"),
        6 => format!("\"{prompt}\""),
        7 => prompt.replacen(' ', ", ", 1),
        8 => prompt.replacen(" with ", " with the ", 1).replacen(' ', "  ", 1),
        _ => format!("An {prompt} 🎨"),
    };
    match dice.below(3) {
        0 => format!("{}. {dressed}", dice.below(150) + 1),
        1 => format!("{}) {dressed}", dice.below(150) + 1),
        _ => dressed,
    }
}

fn with_stop_word(dice: &mut Dice, prompt: &str) -> String {
    let places =
        ["in a dark forest", "beside a river", "under the night sky", "on a wall", "in an old city street"];
    match dice.below(6) {
        0 => format!("- {prompt}"),
        1 => format!("Sure! Here are {} prompts:", dice.below(150)),
        2 => format!("{prompt} that looks like new"),
        3 => format!("I can also make a {prompt}"),
        4 => format!("An image of {prompt}"),
        _ => format!("{prompt} {}", dice.pick(&places)),
    }
}

fn with_few_words(dice: &mut Dice, prompt: &str) -> String {
    let words = dice.below(3) + 1;
    let cut: Vec<_> = prompt.split(' ').take(words).collect();
    match dice.below(3) {
        0 => format!("{}. {}", dice.below(150) + 1, cut.join(" ")),
        1 => format!("### {}:", cut.join(" ")),
        _ => format!("{} 3 / 4 — 5", cut.join(" ")),
    }
}

fn with_foreign_characters(dice: &mut Dice, prompt: &str) -> String {
    match dice.below(4) {
        0 => format!("`{prompt}`"),
        1 => format!("{prompt} {}", dice.pick(&["из дерева", "木製", "aus grünem Glas", "façon ancienne"])),
        2 => prompt.replacen('e', "é", 1).replacen('a', "ä", 1).replacen('o', "ø", 1),
        _ => dice
            .pick(&["ржавый робот с длинными руками", "vieux chêne noué à racines", "روبوت صدئ بأذرع طويلة"])
            .to_owned(),
    }
}

/// Four words or more, of which the chain deletes all but three or fewer.
fn with_little_left(dice: &mut Dice, prompt: &str) -> String {
    let words: Vec<_> = prompt.split(' ').take(2).collect();
    let two = words.join(" ");
    match dice.below(4) {
        0 => format!("Create a {two} with"),
        1 => "generate design construct imagine produce".to_owned(),
        2 => format!("{two} and with in of"),
        _ => format!("Design and craft {two}").replacen("and ", "", 1) + " by the",
    }
}

/// Several prompts in one line, above a hundred characters.
fn with_too_many(dice: &mut Dice, n: usize) -> String {
    let mut line = grammar::nth(n);
    while line.len() <= 110 {
        line = format!("{line} beside {}", grammar::nth(dice.below(grammar::COUNT)));
    }
    line
}

/// Numbers that follow from a seed: `SplitMix64` (Steele, Lea and Flood 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("less than a usize")
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_files_are_what_this_program_writes() {
        assert!(list() == include_str!("../../../crates/core/tests/data/prompts.txt"), "the list differs");
        assert!(
            corpus() == include_str!("../../../crates/core/tests/data/raw-lines.tsv"),
            "the corpus differs"
        );
    }
}
