//! What the generators tell a language model, in our own words.

/// What models are told. `Default` has our own wording of what the original's instruction asks for.
///
/// A model that was never trained to follow instructions wants the beginning of a list instead, which it goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instructions {
    /// Who the model is; no message if it is empty.
    pub system: String,
    /// Asks for a list. `{category}` and `{prompts}` stand for the category and the number of prompts.
    pub list: String,
    /// Asks for a sentence. `{category}` and `{object}` stand for the initials of the two.
    pub sentence: String,
}

const SYSTEM: &str =
    "You are a precise assistant. You do exactly what the instruction asks and add nothing to it.";

/// One or two features with the right prepositions, objects of this category alone, no surroundings, no water and no
/// open land, lower case, eight words, no loose end: the content is that of the original's instruction.
const LIST: &str = "\
Write prompts for a program that models single 3D objects.

Every prompt follows these rules:
1. Its object belongs to the category \"{category}\" and to no other.
2. It names the object and one or two features that set it apart: a colour, a shape, a material, a look or a pose. \
The right prepositions join them, so that the phrase is grammatical.
3. It says how the object looks and nothing else: not where it is, and not what is around it.
4. It is no body of water and no wide open place: no sea, lake, river, sky, desert, meadow, forest or town.
5. It is in lower case, has at most eight words, and differs from every other prompt.
6. Its last word is neither a preposition nor an adjective nor \"and\".

Reply with a numbered list of exactly {prompts} prompts, one on each line, and with nothing before or after the list.";

const SENTENCE: &str = "\
Think of a category of things whose name begins with the letter \"{category}\". Then think of an object in that category \
whose name begins with the letter \"{object}\". It must be something that an artist can model on its own in 3D.

Describe that object in one concise sentence, the way a person would who asks an artist for the model: what it is, what \
it is made of, and one or two details that catch the eye. Say nothing about the place it is in, and give no orders.

Reply with a JSON object that has the fields \"category\", \"object\" and \"prompt\", and with nothing else.";

impl Default for Instructions {
    fn default() -> Self {
        Self { system: SYSTEM.to_owned(), list: LIST.to_owned(), sentence: SENTENCE.to_owned() }
    }
}

impl Instructions {
    /// Asks for a list of so many phrases about objects of one category.
    pub(super) fn list(&self, category: &str, prompts: usize) -> String {
        // The number first: a category may have braces of its own.
        self.list.replace("{prompts}", &prompts.to_string()).replace("{category}", category)
    }

    /// Asks for one sentence about an object of the model's own choice, both initials given.
    pub(super) fn sentence(&self, [category, object]: [char; 2]) -> String {
        self.sentence.replace("{category}", &category.to_string()).replace("{object}", &object.to_string())
    }
}
