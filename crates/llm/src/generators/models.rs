//! Which model is asked next: by turns, except for those that rest after a failure.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::chat::{Chat, ChatError};

/// The longest rest after a first failure; it doubles with each further one in a row.
const REST_FIRST: Duration = Duration::from_secs(1);
/// The longest rest that doubling leads to.
const REST_MAX: Duration = Duration::from_secs(300);
/// The rest after a refusal, which only whoever runs the model can end, and after too many fruitless answers.
const REST_REFUSED: Duration = Duration::from_secs(600);
/// No endpoint is obeyed that asks for a longer rest.
const REST_ASKED_MAX: Duration = Duration::from_secs(3_600);

/// The models of a generator; never none.
#[derive(Debug)]
pub(super) struct Models(Vec<Model>);

#[derive(Debug)]
struct Model {
    chat: Arc<Chat>,
    failures: u32,
    fruitless: u32,
    rests_until: Instant,
}

impl Models {
    pub(super) fn new(chats: Vec<Arc<Chat>>) -> Self {
        let rests_until = Instant::now();
        let models = chats.into_iter().map(|chat| Model { chat, failures: 0, fruitless: 0, rests_until });
        Self(models.collect())
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn chat(&self, model: usize) -> &Arc<Chat> {
        &self.0[model].chat
    }

    /// The model whose turn it is, or the next one that does not rest; waits until one is awake.
    pub(super) async fn awake(&self, planned: u64) -> usize {
        let count = self.0.len();
        let planned = usize::try_from(planned % count as u64).unwrap_or(0);
        let now = Instant::now();
        let in_turn = (0..count).map(|step| (planned + step) % count);
        let Some(model) = in_turn.min_by_key(|&model| self.0[model].rests_until.max(now)) else {
            return 0;
        };
        sleep_until(self.0[model].rests_until).await;
        model
    }

    /// Notes an answer and how many new prompts it brought.
    pub(super) fn answered(&mut self, model: usize, kept: usize, fruitless_max: u32) {
        let model = &mut self.0[model];
        model.failures = 0;
        model.fruitless = if kept > 0 { 0 } else { model.fruitless + 1 };
        if model.fruitless >= fruitless_max {
            model.fruitless = 0;
            model.rests_until = Instant::now() + REST_REFUSED;
        }
    }

    /// Notes a failure; for how long the model rests.
    pub(super) fn failed(&mut self, model: usize, error: &ChatError, random: u128) -> Duration {
        let model = &mut self.0[model];
        let rest = rest(model.failures, error, random);
        model.failures = model.failures.saturating_add(1);
        model.rests_until = Instant::now() + rest;
        rest
    }
}

/// How long a model rests after `failures` earlier ones in a row.
///
/// Half of the bound and a random share of the other half, so that models that failed together do not come back
/// together, and none at once.
fn rest(failures: u32, error: &ChatError, random: u128) -> Duration {
    match error {
        ChatError::Throttled { retry_after_secs, .. } => {
            Duration::from_secs(*retry_after_secs).clamp(REST_FIRST, REST_ASKED_MAX)
        }
        ChatError::Refused(_) => REST_REFUSED,
        ChatError::Invalid(_) | ChatError::Unavailable(_) => {
            let bound = REST_FIRST.saturating_mul(1 << failures.min(16)).min(REST_MAX);
            let half_ms = bound.as_millis() / 2;
            // The upper 64 bits as a fraction of one.
            let share_ms = (half_ms * (random >> 64)) >> 64;
            Duration::from_millis(u64::try_from(half_ms + share_ms).expect("at most REST_MAX"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_doubles_with_every_failure_up_to_its_maximum() {
        let error = ChatError::Unavailable(String::new());
        let ms =
            |random: u128| [0, 1, 8, 9, 10, 1_000].map(|failures| rest(failures, &error, random).as_millis());
        assert_eq!(ms(0), [500, 1_000, 128_000, 150_000, 150_000, 150_000]);
        assert_eq!(ms(u128::MAX), [999, 1_999, 255_999, 299_999, 299_999, 299_999]);
    }

    #[test]
    fn an_endpoint_says_when_to_come_back_within_reason() {
        let secs = |retry_after_secs| {
            rest(9, &ChatError::Throttled { retry_after_secs, reason: String::new() }, 0).as_secs()
        };
        assert_eq!([0, 7, 100_000].map(secs), [1, 7, 3_600]);
        assert_eq!(rest(0, &ChatError::Refused(String::new()), 0), REST_REFUSED);
    }
}
