//! The collector: takes in what generators hand in and serves it in large batches.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::clean::clean_sentence;
use super::rules::PromptRules;
use super::seen::Seen;
use crate::UnixMs;

/// The numbers of the collector and of those who draw from it. `Default` is the original's, with the bounds it lacks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CollectorRules {
    /// Prompts of a batch at most; so many fresh ones are kept, too.
    pub batch_prompts_max: usize,
    /// A received batch of fewer prompts is ignored, and the one before stays in use.
    pub batch_prompts_min: usize,
    /// Prompts of one submission at most; the rest is not looked at. Ours.
    pub submission_prompts_max: usize,
    /// Prompts that are kept after they were fresh, at most. Ours: with those that are fresh, all of them have room in a
    /// function of 256 MB while a batch is made.
    pub archive_prompts_max: usize,
    /// Seconds from one received batch to the next request: "hourly" by the description, 30 minutes in one of the
    /// original's deployments.
    pub refresh_secs: u64,
    /// Seconds from a failed request to the next. Ours.
    pub retry_secs: u64,
    /// The least stake of a validator that gets prompts, in tokens: the original collector's.
    pub stake_min: f64,
}

impl Default for CollectorRules {
    fn default() -> Self {
        Self {
            batch_prompts_max: 100_000,
            batch_prompts_min: 1_000,
            submission_prompts_max: 10_000,
            archive_prompts_max: 200_000,
            refresh_secs: 3600,
            retry_secs: 60,
            stake_min: 1.0,
        }
    }
}

impl CollectorRules {
    /// Whether a received batch of so many prompts replaces the one in use.
    pub const fn takes(&self, prompts: usize) -> bool {
        prompts >= self.batch_prompts_min
    }
}

/// When a batch was last asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refresh {
    /// The last request.
    pub tried_at: Option<UnixMs>,
    /// The last request that brought a batch which [`CollectorRules::takes`].
    pub received_at: Option<UnixMs>,
}

impl Refresh {
    /// Whether it is time to ask again.
    pub fn is_due(&self, now: UnixMs, rules: &CollectorRules) -> bool {
        let passed = |since: Option<UnixMs>, secs| since.is_none_or(|since| now >= since.plus_secs(secs));
        passed(self.received_at, rules.refresh_secs) && passed(self.tried_at, rules.retry_secs)
    }

    /// Notes a request and how many prompts it brought, 0 for a failure; whether they are to be used.
    pub const fn note(&mut self, now: UnixMs, prompts: usize, rules: &CollectorRules) -> bool {
        self.tried_at = Some(now);
        let is_taken = rules.takes(prompts);
        if is_taken {
            self.received_at = Some(now);
        }
        is_taken
    }
}

/// What became of a submission's prompts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Fresh prompts now.
    pub taken: usize,
    /// Refused by a filter.
    pub refused: usize,
    /// Known already.
    pub repeated: usize,
    /// Beyond the size of a submission.
    pub ignored: usize,
}

/// Fresh prompts by submission, and the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collector {
    submissions: VecDeque<Vec<String>>,
    archive: VecDeque<String>,
    seen: Seen,
}

impl Collector {
    /// An empty collector.
    pub fn new(rules: &CollectorRules) -> Self {
        // Twice what a batch may be is the most that stays fresh for a moment, beside the archive.
        let keys_max = rules.archive_prompts_max.saturating_add(2 * rules.batch_prompts_max);
        Self { submissions: VecDeque::new(), archive: VecDeque::new(), seen: Seen::new(keys_max) }
    }

    /// Takes in what a generator hands in.
    ///
    /// Every prompt passes the filters again: a generator may be anyone's who has a key. The oldest submissions go
    /// to the archive, whole, while the rest still fills a batch.
    pub fn submit(&mut self, prompts: &[String], rules: &CollectorRules, filters: &PromptRules) -> Receipt {
        let looked_at = prompts.len().min(rules.submission_prompts_max);
        let mut receipt = Receipt { ignored: prompts.len() - looked_at, ..Receipt::default() };
        let mut fresh = Vec::new();
        for line in &prompts[..looked_at] {
            match clean_sentence(line, filters) {
                Ok(prompt) if self.seen.insert(&prompt) => fresh.push(prompt),
                Ok(_) => receipt.repeated += 1,
                Err(_) => receipt.refused += 1,
            }
        }
        receipt.taken = fresh.len();
        if !fresh.is_empty() {
            self.submissions.push_back(fresh);
        }
        self.retire(rules);
        receipt
    }

    /// A batch: all fresh prompts, or as many of them as fit, filled up from the archive; in an order that follows
    /// from `random`.
    pub fn batch(&self, random: u128, rules: &CollectorRules) -> Vec<&str> {
        let mut dice = Dice::new(random);
        let mut batch: Vec<&str> = self.submissions.iter().flatten().map(String::as_str).collect();
        let missing = rules.batch_prompts_max.saturating_sub(batch.len());
        if missing > 0 {
            let mut archive: Vec<&str> = self.archive.iter().map(String::as_str).collect();
            dice.choose(&mut archive, missing);
            batch.append(&mut archive);
        }
        dice.choose(&mut batch, rules.batch_prompts_max);
        batch
    }

    /// How many prompts are fresh.
    pub fn fresh_len(&self) -> usize {
        self.submissions.iter().map(Vec::len).sum()
    }

    /// How many prompts are in the archive.
    pub fn archive_len(&self) -> usize {
        self.archive.len()
    }

    fn retire(&mut self, rules: &CollectorRules) {
        let mut fresh = self.fresh_len();
        while let Some(oldest) = self.submissions.front()
            && fresh - oldest.len() > rules.batch_prompts_max
        {
            fresh -= oldest.len();
            self.archive.extend(self.submissions.pop_front().unwrap_or_default());
        }
        let surplus = self.archive.len().saturating_sub(rules.archive_prompts_max);
        self.archive.drain(..surplus);
    }
}

/// Numbers that follow from a seed: the stream of BLAKE3.
struct Dice(blake3::OutputReader);

impl Dice {
    fn new(random: u128) -> Self {
        Self(blake3::Hasher::new().update(&random.to_le_bytes()).finalize_xof())
    }

    /// Keeps `count` items, all in an order of chance.
    fn choose<T>(&mut self, items: &mut Vec<T>, count: usize) {
        for place in 0..count.min(items.len()) {
            let other = place + self.below(items.len() - place);
            items.swap(place, other);
        }
        items.truncate(count);
    }

    /// Less than `bound`; the chances differ by less than one in 2^40 for lists of millions.
    fn below(&mut self, bound: usize) -> usize {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % bound.max(1) as u64).unwrap_or_default()
    }
}
