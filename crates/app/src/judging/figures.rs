//! What this process has seen of its judge: how often it was asked, how it answered, what came of it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use sn17_core::UnixMs;
use sn17_core::glicko::Outcome;
use sn17_core::judging::Answer;

use super::{Judge, JudgeError, Question};
use crate::Host;

/// Upper bounds in milliseconds by which questions are counted; a last count has those above. One try may take 20 s, and
/// a question has three.
pub const DURATION_MS_MAX: [u64; 9] = [250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 40_000, 80_000];

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reply {
    /// It was answered as asked.
    Answered,
    /// It was answered with something else.
    Invalid,
    /// It was not answered.
    Unavailable,
    /// It could not be put: too many at once, or no tokens left.
    Throttled,
}

/// What a verdict rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    /// On what the judge has said, as often as it was asked.
    Judge,
    /// The judge's answers in the two orders disagree, so it is a draw.
    Orders,
    /// Neutral pictures do not bear the decision out, so it is a draw.
    Neutral,
    /// The better picture is of a flat thing, so it is a draw.
    Sides,
    /// Both are the same thing, which is a draw.
    Same,
    /// A side has made nothing.
    Missing,
    /// The judge has failed as often as it is asked: a duel ends without a verdict, a client's results draw.
    Failed,
}

/// Counts since the process began.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgeFigures {
    /// Questions by what became of them, those with known answers among them.
    pub questions: BTreeMap<Reply, u64>,
    /// Questions by how long they took, as [`DURATION_MS_MAX`] divides them.
    pub durations: [u64; DURATION_MS_MAX.len() + 1],
    /// How long all of them took.
    pub duration_ms: u64,
    /// Comparisons by what they rest on and their outcome; those that failed count as draws.
    pub verdicts: BTreeMap<(Ground, Outcome), u64>,
    /// Questions with known answers that were answered right.
    pub canaries_right: u64,
    /// Those that were answered wrong.
    pub canaries_wrong: u64,
    /// The share of right answers, 0 to 1, the latest counting most; 1 before the first.
    pub canary_accuracy: f64,
    /// Tokens that answers have cost.
    pub tokens: u64,
}

impl Reply {
    /// What metrics call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
            Self::Throttled => "throttled",
        }
    }

    const fn of(answer: &Result<Answer, JudgeError>) -> Self {
        match answer {
            Ok(_) => Self::Answered,
            Err(JudgeError::Invalid(_)) => Self::Invalid,
            Err(JudgeError::Unavailable(_)) => Self::Unavailable,
            Err(JudgeError::Throttled { .. }) => Self::Throttled,
        }
    }
}

impl Ground {
    /// What metrics call it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Judge => "judge",
            Self::Orders => "orders",
            Self::Neutral => "neutral",
            Self::Sides => "sides",
            Self::Same => "same",
            Self::Missing => "missing",
            Self::Failed => "failed",
        }
    }
}

impl Default for JudgeFigures {
    fn default() -> Self {
        Self {
            questions: BTreeMap::new(),
            durations: [0; DURATION_MS_MAX.len() + 1],
            duration_ms: 0,
            verdicts: BTreeMap::new(),
            canaries_right: 0,
            canaries_wrong: 0,
            canary_accuracy: 1.0,
            tokens: 0,
        }
    }
}

impl JudgeFigures {
    /// Questions in all.
    pub fn asked(&self) -> u64 {
        self.durations.iter().sum()
    }

    fn note_question(&mut self, reply: Reply, duration_ms: u64, tokens: u64) {
        *self.questions.entry(reply).or_default() += 1;
        self.durations[DURATION_MS_MAX.partition_point(|most| *most < duration_ms)] += 1;
        self.duration_ms = self.duration_ms.saturating_add(duration_ms);
        // Of several judges of one process the one that has cost most is shown; there is one.
        self.tokens = self.tokens.max(tokens);
    }
}

/// The figures of a process, which several loops add to.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    figures: Mutex<JudgeFigures>,
}

impl Tally {
    pub(crate) fn figures(&self) -> JudgeFigures {
        self.lock().clone()
    }

    pub(crate) fn note_verdict(&self, ground: Ground, outcome: Outcome) {
        *self.lock().verdicts.entry((ground, outcome)).or_default() += 1;
    }

    pub(crate) fn note_canary(&self, is_right: bool, accuracy: f64) {
        let mut figures = self.lock();
        if is_right {
            figures.canaries_right += 1;
        } else {
            figures.canaries_wrong += 1;
        }
        figures.canary_accuracy = accuracy;
    }

    fn lock(&self) -> MutexGuard<'_, JudgeFigures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A judge whose questions are counted.
pub(crate) struct Counted<'a> {
    pub(crate) judge: &'a dyn Judge,
    pub(crate) tally: &'a Tally,
    pub(crate) host: &'a Host,
}

#[async_trait]
impl Judge for Counted<'_> {
    async fn ask(&self, question: &Question) -> Result<Answer, JudgeError> {
        let now = || -> UnixMs { (self.host.now)() };
        let begun = now();
        let answer = self.judge.ask(question).await;
        let (reply, duration_ms) = (Reply::of(&answer), now().ms_since(begun));
        self.tally.lock().note_question(reply, duration_ms, self.judge.tokens());
        tracing::debug!(judge.reply = reply.label(), duration_ms, "the judge was asked");
        answer
    }

    fn tokens(&self) -> u64 {
        self.judge.tokens()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_by_their_upper_bounds() {
        let mut figures = JudgeFigures::default();
        for duration_ms in [0, 250, 251, 20_000, 80_000, 80_001, u64::MAX] {
            figures.note_question(Reply::Answered, duration_ms, 0);
        }
        assert_eq!(figures.durations, [2, 1, 0, 0, 0, 0, 1, 0, 1, 2]);
        assert_eq!((figures.asked(), figures.duration_ms), (7, u64::MAX));
    }
}
