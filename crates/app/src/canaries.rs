//! Questions with known answers, by which a judge that has lost its mind is noticed.
//!
//! The answer is known because one of the two results was made for another prompt: whatever it looks like, it is the
//! worse one. A judge is asked one such question now and then, and nothing is believed of it while it fails them.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use sn17_core::judging::Worst;
use sn17_core::policy::JudgeRules;

use crate::judging::{Judge, JudgeError, Question, Tally};
use crate::scoring::ScoringPrompt;

/// Seconds until a judge that is not believed is asked what is known again.
const DISBELIEF_SECS: u64 = 60;

/// What this process knows of its judge.
#[derive(Debug)]
pub(crate) struct Canaries {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The share of right answers, the latest counting most.
    accuracy: f64,
    /// The last results shown of two different prompts, the latest first, with what they were made for.
    shown: [Option<(ScoringPrompt, Bytes)>; 2],
}

impl Default for Canaries {
    fn default() -> Self {
        Self { state: Mutex::new(State { accuracy: 1.0, shown: [None, None] }) }
    }
}

impl Canaries {
    /// Asks a question with a known answer if it is time for one, as it always is while the judge is not believed.
    ///
    /// # Errors
    /// The judge's own, and `Throttled` while it is not believed: the pair at hand is not at fault, and what is to be
    /// judged is what the judge can show its sanity by.
    pub(crate) async fn check(
        &self,
        prompt: &ScoringPrompt,
        shown: &Bytes,
        random: u128,
        judge: &dyn Judge,
        rules: &JudgeRules,
        tally: &Tally,
    ) -> Result<(), JudgeError> {
        let (stranger, is_believed) = self.meet(prompt, shown, rules);
        let (is_first, lot) = (random & 1 == 0, lot(random >> 1));
        if let Some(stranger) = stranger.filter(|_| !is_believed || lot < rules.canary_share) {
            let (first, second) =
                if is_first { (stranger, shown.clone()) } else { (shown.clone(), stranger) };
            let seed = u64::try_from(random >> 64).unwrap_or_default();
            let question = Question { prompt: prompt.clone(), first, second, seed };
            let worst = judge.ask(&question).await?.worst;
            let is_right = worst == if is_first { Worst::First } else { Worst::Second };
            tally.note_canary(is_right, self.note(is_right, rules.canary_alpha));
        }
        let accuracy = self.lock().accuracy;
        if accuracy >= rules.canary_accuracy_min {
            return Ok(());
        }
        let percent = accuracy * 100.0;
        Err(JudgeError::Throttled {
            retry_after_secs: DISBELIEF_SECS,
            reason: format!("it answers only {percent:.0} % of the questions right whose answer is known"),
        })
    }

    /// A result made for another prompt, and whether the judge is believed. What is shown now is a stranger to later
    /// prompts.
    fn meet(&self, prompt: &ScoringPrompt, shown: &Bytes, rules: &JudgeRules) -> (Option<Bytes>, bool) {
        let mut state = self.lock();
        let is_believed = state.accuracy >= rules.canary_accuracy_min;
        let is_stranger = |(made_for, _): &&(ScoringPrompt, Bytes)| made_for != prompt;
        let stranger = state.shown.iter().flatten().find(is_stranger).cloned();
        state.shown = [Some((prompt.clone(), shown.clone())), stranger.clone()];
        let stranger = stranger.map(|(_, picture)| picture);
        (stranger, is_believed)
    }

    /// Notes an answer; returns the accuracy with it.
    fn note(&self, is_right: bool, alpha: f64) -> f64 {
        let mut state = self.lock();
        state.accuracy = state.accuracy * (1.0 - alpha) + if is_right { alpha } else { 0.0 };
        tracing::info!(
            judge.is_right = is_right,
            judge.accuracy = state.accuracy,
            "a question with a known answer"
        );
        state.accuracy
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lot in 0 to 1, drawn from the lower 32 bits.
fn lot(random: u128) -> f64 {
    f64::from(u32::try_from(random & 0xffff_ffff).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use sn17_core::judging::Answer;

    use super::*;

    /// Sees what was made for another prompt, or is blind.
    struct Sighted(bool);

    #[async_trait]
    impl Judge for Sighted {
        async fn ask(&self, question: &Question) -> Result<Answer, JudgeError> {
            let is_first = question.first == "stranger";
            let worst = match self.0 {
                false => Worst::Neither,
                true if is_first => Worst::First,
                true => Worst::Second,
            };
            Ok(Answer { worst, issues: String::new() })
        }
    }

    #[tokio::test]
    async fn a_judge_that_was_blind_is_believed_again_over_one_and_the_same_pair() {
        let rules = JudgeRules {
            canary_share: 1.0,
            canary_accuracy_min: 0.95,
            canary_alpha: 0.1,
            ..JudgeRules::default()
        };
        let (canaries, tally) = (Canaries::default(), Tally::default());
        let check = async |prompt: &str, shown: &'static str, judge: Sighted| {
            let prompt = ScoringPrompt::Text(prompt.to_owned());
            canaries.check(&prompt, &Bytes::from_static(shown.as_bytes()), 2, &judge, &rules, &tally).await
        };
        assert_eq!(check("another", "stranger", Sighted(true)).await, Ok(()), "nothing is known yet");
        for judge in [Sighted(false), Sighted(true), Sighted(true), Sighted(true), Sighted(true)] {
            let outcome = check("a barn", "barn", judge).await;
            assert!(matches!(outcome, Err(JudgeError::Throttled { .. })), "{outcome:?}");
        }
        let mut looks = 0;
        while check("a barn", "barn", Sighted(true)).await.is_err() {
            looks += 1;
            assert!(looks < 9, "never believed again");
        }
    }
}
