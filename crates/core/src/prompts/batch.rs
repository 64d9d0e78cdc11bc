//! Prompts that are collected until there are enough to hand on.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::clean::{Refused, clean, clean_sentence};
use super::rules::PromptRules;
use super::seen::{Seen, key};
use super::statistics::{Origin, Outcome, Statistics};

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A phrase of a list: [`clean`].
    Phrase,
    /// A whole sentence: [`clean_sentence`].
    Sentence,
}

impl Style {
    /// Makes a prompt of a line.
    ///
    /// # Errors
    /// The first filter that refuses it.
    pub fn clean(self, line: &str, rules: &PromptRules) -> Result<String, Refused> {
        match self {
            Self::Phrase => clean(line, rules),
            Self::Sentence => clean_sentence(line, rules),
        }
    }
}

/// Distinct prompts in the order in which they came, and how good the lines were that they came from.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    prompts: Vec<String>,
    keys: BTreeSet<u64>,
    statistics: Statistics,
}

impl Batch {
    /// Takes the prompt of a line in, unless a filter refuses it or it was there before.
    pub fn offer(
        &mut self,
        line: &str,
        style: Style,
        origin: Origin<'_>,
        rules: &PromptRules,
        seen: &mut Seen,
    ) -> Outcome {
        let (prompt, outcome) = match style.clean(line, rules) {
            Ok(prompt) => {
                let outcome = self.place(&prompt, seen);
                (prompt, outcome)
            }
            Err(refused) => (String::new(), Outcome::Refused(refused)),
        };
        self.statistics.count(origin, outcome, &prompt);
        if outcome == Outcome::Kept {
            self.prompts.push(prompt);
        }
        outcome
    }

    /// The prompts so far.
    pub fn prompts(&self) -> &[String] {
        &self.prompts
    }

    /// The figures so far.
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Ends the batch.
    pub fn finish(self) -> (Vec<String>, Statistics) {
        (self.prompts, self.statistics)
    }

    fn place(&mut self, prompt: &str, seen: &mut Seen) -> Outcome {
        let key = key(prompt);
        if self.keys.contains(&key) {
            return Outcome::RepeatedInBatch;
        }
        if !seen.insert_key(key) {
            return Outcome::RepeatedEarlier;
        }
        self.keys.insert(key);
        Outcome::Kept
    }
}
