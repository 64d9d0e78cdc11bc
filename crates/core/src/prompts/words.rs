//! The word lists of the filters.
//!
//! The original's README and tests name a part of each list. The rest is our own completion of what the named words
//! have in common, as every list says for itself. Words are separated by single spaces.

/// Whether a list has this very word.
pub fn has(list: &str, word: &str) -> bool {
    list.split(' ').any(|listed| listed == word)
}

/// Dropped wherever they stand, as the original generator does.
pub const ARTICLES: &str = "a the an";

/// A line with one of these words is refused: it speaks of surroundings, or it is talk instead of a prompt.
///
/// The original has about 120 of them. Known are `sky`, `river`, `ocean`, `garden`, `city`, `forest`, `water`,
/// `room`, `i`, `you`, `please`, `is`, `are`, `to`, `like`, `window`, `wall`, `cave` and `-`; the others are chosen
/// here for the same two reasons. Words match whole, so `windows` passes.
pub const STOP_WORDS: [&str; 2] = [SURROUNDINGS, TALK];

/// Water, weather, open land, towns and the inside of houses: an object has no background.
pub const SURROUNDINGS: &str = "sky skies cloud clouds horizon sunset sunrise rain storm fog weather water river ocean sea lake \
     pond stream waterfall waves beach shore coast island swamp garden park meadow prairie farmland \
     forest forests jungle desert tundra valley canyon mountain mountains hills cave cavern landscape \
     scenery background foreground surroundings environment city cityscape town village street \
     highway alley room bedroom kitchen bathroom hallway ceiling wall walls window galaxy universe";

/// What a language model says about its list, asks, or writes in whole sentences.
pub const TALK: &str = "- i me my we us our you your he she it they them this these those here there is are was were be \
     been being am has have had do does will would can could should must may might to like if because \
     but not please sure certainly sorry okay hello prompt prompts list following instruction \
     instructions sentence category categories image picture photo scene";

/// Deleted wherever they stand: orders to the generator. All thirteen are the original's.
pub const COMMANDS: &str =
    "create generate design build imagine make produce example develop paint construct answer craft";

/// Cut from the end of a line, which a model that ran out of tokens leaves in the middle of a phrase.
///
/// Known are `in`, `on`, `at`, `by`, `with`, `and`, `that` and `which`; the other prepositions and conjunctions are
/// added here, but for the particles that rightly end a phrase, as in "curled up" or "folded down".
pub const TRAILING: &str = "in on at by with of from for into onto upon over under above below behind beside between among \
     through across against along near inside outside within without during toward towards and or nor \
     that which while as than whose";
