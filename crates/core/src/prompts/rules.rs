//! The numbers of the filters.

use serde::{Deserialize, Serialize};

use crate::policy::TaskRules;

/// The numbers of the filters for synthetic prompts.
///
/// `Default` has the original generator's, and beyond them what makes the chain settle: a prompt that passed once
/// passes again unchanged, so that generator, collector and network agree about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptRules {
    /// Longest raw line that is looked at, in bytes; the original has no bound.
    pub line_bytes_max: usize,
    /// Fewest words of a line as it came, articles counted: the original's "more than three".
    pub words_min: usize,
    /// Fewest characters of a prompt, before command words and trailing prepositions go.
    pub chars_min: usize,
    /// Most characters of a prompt.
    pub chars_max: usize,
    /// Most characters of a prompt that is a whole sentence, as the second generator writes them; ours.
    pub sentence_chars_max: usize,
    /// How many trailing prepositions are cut; the original cuts one and may leave another, we stop at none.
    pub trailing_cuts_max: usize,
    /// Fewest words that must be left at the end; the original asks nothing and may leave an empty line.
    pub words_left_min: usize,
    /// Fewest characters that must be left at the end: what the network asks of any prompt.
    pub chars_left_min: usize,
}

impl PromptRules {
    /// The original generator's chain to the letter, with our bound on the raw line and the network's own check.
    pub const UPSTREAM: Self = Self {
        line_bytes_max: 1024,
        words_min: 4,
        chars_min: 5,
        chars_max: 100,
        sentence_chars_max: 100,
        trailing_cuts_max: 1,
        words_left_min: 0,
        chars_left_min: 3,
    };

    /// Whether every prompt that passes is one that the network takes.
    pub const fn fits(&self, tasks: &TaskRules) -> bool {
        let chars_max =
            if self.chars_max > self.sentence_chars_max { self.chars_max } else { self.sentence_chars_max };
        self.chars_left_min >= tasks.prompt_chars_min && chars_max <= tasks.prompt_chars_max
    }
}

impl Default for PromptRules {
    fn default() -> Self {
        Self { sentence_chars_max: 240, trailing_cuts_max: 100, words_left_min: 4, ..Self::UPSTREAM }
    }
}
