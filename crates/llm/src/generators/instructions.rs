//! What the generators tell a language model, in our own words.

/// Who the model is, for both generators.
pub(super) const SYSTEM: &str = "You are a precise assistant. You do exactly what the instruction asks and add \
                                 nothing to it.";

/// Asks for a numbered list of so many phrases about objects of one category.
///
/// The content is that of the original's instruction: one or two features with the right prepositions, objects of
/// this category alone, no surroundings, no water and no open land, lower case, eight words, no loose end.
pub(super) fn list(category: &str, prompts: usize) -> String {
    format!(
        "Write prompts for a program that models single 3D objects.\n\
         \n\
         Every prompt follows these rules:\n\
         1. Its object belongs to the category \"{category}\" and to no other.\n\
         2. It names the object and one or two features that set it apart: a colour, a shape, a material, a look or a \
         pose. The right prepositions join them, so that the phrase is grammatical.\n\
         3. It says how the object looks and nothing else: not where it is, and not what is around it.\n\
         4. It is no body of water and no wide open place: no sea, lake, river, sky, desert, meadow, forest or town.\n\
         5. It is in lower case, has at most eight words, and differs from every other prompt.\n\
         6. Its last word is neither a preposition nor an adjective nor \"and\".\n\
         \n\
         Reply with a numbered list of exactly {prompts} prompts, one on each line, and with nothing before or after \
         the list."
    )
}

/// Asks for one sentence about an object of the model's own choice, both initials given.
pub(super) fn sentence(category_initial: char, object_initial: char) -> String {
    format!(
        "Think of a category of things whose name begins with the letter \"{category_initial}\". Then think of an \
         object in that category whose name begins with the letter \"{object_initial}\". It must be something that an \
         artist can model on its own in 3D.\n\
         \n\
         Describe that object in one concise sentence, the way a person would who asks an artist for the model: what \
         it is, what it is made of, and one or two details that catch the eye. Say nothing about the place it is in, \
         and give no orders.\n\
         \n\
         Reply with a JSON object that has the fields \"category\", \"object\" and \"prompt\", and with nothing else."
    )
}
