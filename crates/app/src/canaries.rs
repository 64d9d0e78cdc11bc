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

/// How much the latest answer counts.
const ALPHA: f64 = 0.1;

/// What this process knows of its judge.
#[derive(Debug)]
pub(crate) struct Canaries {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The share of right answers, the latest counting most.
    accuracy: f64,
    /// A result shown earlier, and what it was made for.
    stranger: Option<(ScoringPrompt, Bytes)>,
}

impl Default for Canaries {
    fn default() -> Self {
        Self { state: Mutex::new(State { accuracy: 1.0, stranger: None }) }
    }
}

impl Canaries {
    /// Asks a question with a known answer if it is time for one, as it always is while the judge is not believed.
    ///
    /// # Errors
    /// The judge's own, and `Unavailable` while it is not believed.
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
            tally.note_canary(is_right, self.note(is_right));
        }
        let accuracy = self.lock().accuracy;
        if accuracy >= rules.canary_accuracy_min {
            return Ok(());
        }
        let percent = accuracy * 100.0;
        Err(JudgeError::Unavailable(format!(
            "it answers only {percent:.0} % of the questions right whose answer is known"
        )))
    }

    /// A result made for another prompt, and whether the judge is believed. What is shown now is a stranger to later
    /// prompts.
    fn meet(&self, prompt: &ScoringPrompt, shown: &Bytes, rules: &JudgeRules) -> (Option<Bytes>, bool) {
        let mut state = self.lock();
        let is_believed = state.accuracy >= rules.canary_accuracy_min;
        let stranger = match &state.stranger {
            Some((made_for, picture)) if made_for != prompt => Some(picture.clone()),
            Some(_) | None => None,
        };
        state.stranger = Some((prompt.clone(), shown.clone()));
        (stranger, is_believed)
    }

    /// Notes an answer; returns the accuracy with it.
    fn note(&self, is_right: bool) -> f64 {
        let mut state = self.lock();
        state.accuracy = state.accuracy * (1.0 - ALPHA) + if is_right { ALPHA } else { 0.0 };
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
