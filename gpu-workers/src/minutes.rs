//! What a duelist's judge did in each minute, as a line of the log that metric filters read.

use std::sync::Arc;
use std::time::Duration;

use sn17_app::{App, Ground, JudgeFigures, Reply};
use sn17_core::glicko::Outcome;

/// A line is written this often.
const EVERY: Duration = Duration::from_secs(60);

/// What happened between two looks at a judge's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Minute {
    questions: u64,
    answered: u64,
    invalid: u64,
    unavailable: u64,
    throttled: u64,
    /// How long a question took on average; 0 without any.
    question_ms: u64,
    verdicts: u64,
    draws: u64,
    /// Draws since the answers in the two orders disagree.
    orders: u64,
    /// Draws since neutral pictures do not bear a decision out.
    neutral: u64,
    /// Draws since the better picture is of a flat thing.
    sides: u64,
    /// Comparisons that were given up.
    failed: u64,
    canaries_right: u64,
    canaries_wrong: u64,
    canary_accuracy: f64,
    tokens: u64,
}

/// Writes a line every minute, for as long as it is polled.
///
/// The names have no dots, since the selectors of CloudWatch's metric filters take those for nested objects.
pub(crate) async fn log(app: Arc<App>) {
    let mut every = tokio::time::interval(EVERY);
    every.tick().await;
    let mut before = app.judge_figures();
    loop {
        every.tick().await;
        let after = app.judge_figures();
        let minute = Minute::between(&before, &after);
        tracing::info!(
            questions = minute.questions,
            answered = minute.answered,
            invalid = minute.invalid,
            unavailable = minute.unavailable,
            throttled = minute.throttled,
            question_ms = minute.question_ms,
            verdicts = minute.verdicts,
            draws = minute.draws,
            orders = minute.orders,
            neutral = minute.neutral,
            sides = minute.sides,
            failed = minute.failed,
            canaries_right = minute.canaries_right,
            canaries_wrong = minute.canaries_wrong,
            canary_accuracy = minute.canary_accuracy,
            tokens = minute.tokens,
            "a minute of the judge"
        );
        before = after;
    }
}

impl Minute {
    fn between(before: &JudgeFigures, after: &JudgeFigures) -> Self {
        let replies = |reply: Reply| {
            let of = |figures: &JudgeFigures| figures.questions.get(&reply).copied().unwrap_or_default();
            of(after) - of(before)
        };
        let verdicts = |counts: &dyn Fn(Ground, Outcome) -> bool| {
            let of = |figures: &JudgeFigures| -> u64 {
                let counted =
                    figures.verdicts.iter().filter(|((ground, outcome), _)| counts(*ground, *outcome));
                counted.map(|(_, count)| count).sum()
            };
            of(after) - of(before)
        };
        let on = |ground: Ground| verdicts(&|other, _| other == ground);
        let questions = after.asked() - before.asked();
        Self {
            questions,
            answered: replies(Reply::Answered),
            invalid: replies(Reply::Invalid),
            unavailable: replies(Reply::Unavailable),
            throttled: replies(Reply::Throttled),
            question_ms: (after.duration_ms - before.duration_ms).checked_div(questions).unwrap_or_default(),
            verdicts: verdicts(&|ground, _| ground != Ground::Failed),
            draws: verdicts(&|ground, outcome| ground != Ground::Failed && outcome == Outcome::Draw),
            orders: on(Ground::Orders),
            neutral: on(Ground::Neutral),
            sides: on(Ground::Sides),
            failed: on(Ground::Failed),
            canaries_right: after.canaries_right - before.canaries_right,
            canaries_wrong: after.canaries_wrong - before.canaries_wrong,
            canary_accuracy: after.canary_accuracy,
            tokens: after.tokens - before.tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_what_has_been_added() {
        let mut before = JudgeFigures { tokens: 100, duration_ms: 900, ..JudgeFigures::default() };
        before.durations[0] = 1;
        before.questions.insert(Reply::Answered, 1);
        before.verdicts.insert((Ground::Judge, Outcome::Left), 1);
        let mut after =
            JudgeFigures { tokens: 3_100, duration_ms: 2_900, canaries_wrong: 1, ..before.clone() };
        after.canary_accuracy = 0.9;
        after.durations[2] = 4;
        after.questions.insert(Reply::Answered, 4);
        after.questions.insert(Reply::Invalid, 1);
        for (ground, outcome) in
            [(Ground::Judge, Outcome::Draw), (Ground::Orders, Outcome::Draw), (Ground::Failed, Outcome::Draw)]
        {
            after.verdicts.insert((ground, outcome), 1);
        }
        let expected = Minute {
            questions: 4,
            answered: 3,
            invalid: 1,
            question_ms: 500,
            verdicts: 2,
            draws: 2,
            orders: 1,
            failed: 1,
            canaries_wrong: 1,
            canary_accuracy: 0.9,
            tokens: 3_000,
            ..Minute::default()
        };
        assert_eq!(Minute::between(&before, &after), expected);
        let quiet = Minute { canary_accuracy: 0.9, ..Minute::default() };
        assert_eq!(Minute::between(&after, &after), quiet);
    }
}
