//! How good the lines of a batch were.

use alloc::collections::BTreeMap;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::clean::Refused;

/// Prompts of so many words or more share the last place of the histogram.
const WORDS_MAX: usize = 63;
/// So many different first words are told apart; later ones are not counted.
const LEADING_MAX: usize = 10_000;
/// So many different categories and models are told apart; what comes later counts as "other".
const ORIGINS_MAX: usize = 256;

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The category that was asked for, or that the model chose.
    pub category: &'a str,
    /// The language model that wrote it.
    pub model: &'a str,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is a prompt of the batch now.
    Kept,
    /// A filter refused it.
    Refused(Refused),
    /// The batch has it already.
    RepeatedInBatch,
    /// An earlier batch had it.
    RepeatedEarlier,
}

/// Lines and prompts of one category or model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Lines that came.
    pub lines: u64,
    /// Prompts that were kept.
    pub kept: u64,
}

/// The quality of a batch in figures.
///
/// `lines` = `kept` + `repeated_in_batch` + `repeated_earlier` + the sum of `refused`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statistics {
    /// Lines that came; empty ones are none.
    pub lines: u64,
    /// Prompts that were kept.
    pub kept: u64,
    /// Lines refused by each filter.
    pub refused: BTreeMap<Refused, u64>,
    /// Lines that the batch had already.
    pub repeated_in_batch: u64,
    /// Lines that an earlier batch had.
    pub repeated_earlier: u64,
    /// Kept prompts by their number of words; 63 stands for more as well.
    pub words: BTreeMap<usize, u64>,
    /// Kept prompts by their first word.
    pub leading: BTreeMap<String, u64>,
    /// Lines and kept prompts by category.
    pub categories: BTreeMap<String, Tally>,
    /// Lines and kept prompts by model.
    pub models: BTreeMap<String, Tally>,
}

impl Statistics {
    /// Counts a line and, if it was kept, the prompt made of it.
    pub(super) fn count(&mut self, origin: Origin<'_>, outcome: Outcome, prompt: &str) {
        self.lines += 1;
        match outcome {
            Outcome::Kept => self.count_prompt(prompt),
            Outcome::Refused(refused) => *self.refused.entry(refused).or_default() += 1,
            Outcome::RepeatedInBatch => self.repeated_in_batch += 1,
            Outcome::RepeatedEarlier => self.repeated_earlier += 1,
        }
        for (tallies, name) in [(&mut self.categories, origin.category), (&mut self.models, origin.model)] {
            let is_known = tallies.contains_key(name) || tallies.len() < ORIGINS_MAX;
            let tally = tallies.entry(String::from(if is_known { name } else { "other" })).or_default();
            tally.lines += 1;
            tally.kept += u64::from(outcome == Outcome::Kept);
        }
    }

    /// Adds the figures of another batch.
    pub fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.kept += other.kept;
        self.repeated_in_batch += other.repeated_in_batch;
        self.repeated_earlier += other.repeated_earlier;
        for (refused, lines) in &other.refused {
            *self.refused.entry(*refused).or_default() += lines;
        }
        for (words, prompts) in &other.words {
            *self.words.entry(*words).or_default() += prompts;
        }
        for (word, prompts) in &other.leading {
            if self.leading.contains_key(word) || self.leading.len() < LEADING_MAX {
                *self.leading.entry(word.clone()).or_default() += prompts;
            }
        }
        add_tallies(&mut self.categories, &other.categories);
        add_tallies(&mut self.models, &other.models);
    }

    /// The share of lines that a filter refused, in 0..=1; 0 without lines.
    pub fn refused_share(&self, refused: Refused) -> f64 {
        share(self.refused.get(&refused).copied().unwrap_or(0), self.lines)
    }

    /// The share of lines that became prompts, in 0..=1; 0 without lines.
    pub fn kept_share(&self) -> f64 {
        share(self.kept, self.lines)
    }

    /// Words of a kept prompt on average; 0 without prompts.
    pub fn words_mean(&self) -> f64 {
        share(self.words.iter().map(|(words, prompts)| *words as u64 * prompts).sum(), self.kept)
    }

    fn count_prompt(&mut self, prompt: &str) {
        self.kept += 1;
        let words = prompt.split(' ').count().min(WORDS_MAX);
        *self.words.entry(words).or_default() += 1;
        let leading = prompt.split(' ').next().unwrap_or_default();
        if let Some(prompts) = self.leading.get_mut(leading) {
            *prompts += 1;
        } else if self.leading.len() < LEADING_MAX {
            self.leading.insert(String::from(leading), 1);
        }
    }
}

fn add_tallies(into: &mut BTreeMap<String, Tally>, from: &BTreeMap<String, Tally>) {
    for (name, tally) in from {
        let is_known = into.contains_key(name) || into.len() < ORIGINS_MAX;
        let sum = into.entry(String::from(if is_known { name.as_str() } else { "other" })).or_default();
        sum.lines += tally.lines;
        sum.kept += tally.kept;
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of lines are far below 2^52")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
