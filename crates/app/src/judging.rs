//! From two results to a judge's verdict that takes effect.

use async_trait::async_trait;
use bytes::Bytes;
use sn17_core::duel::{self, Ruled, Ruling};
use sn17_core::glicko::Outcome;
use sn17_core::judging::{Answer, agreed, confirmed};
use sn17_core::ledger::{Contest, Effect, LoadSpec};
use sn17_core::state::{Duel, DuelNonce, DuelState, Entry, Key, Prompt};
use sn17_core::task::{self, Comparison};
use sn17_core::{Hotkey, TaskId};

use crate::App;
use crate::clients::fetch;
use crate::ports::{Delivery, PortErrorKind, PortResult, transact};
use crate::scoring::{Picture, ScoringPrompt, preview_key};

/// Largest picture that a judge is shown, in bytes.
const GRID_BYTES_MAX: u64 = 16 << 20;

/// One question to a judge: which of two results is the worse one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What both should show.
    pub prompt: ScoringPrompt,
    /// The first result: a PNG grid of four views.
    pub first: Bytes,
    /// The second result, likewise.
    pub second: Bytes,
    /// What a judge that draws lots shall draw them from.
    pub seed: u64,
}

/// Compares two results.
#[async_trait]
pub trait Judge: Send + Sync {
    /// Asks once. Whatever the pictures show, the judge MUST answer one of the three or fail.
    async fn ask(&self, question: &Question) -> Result<Answer, JudgeError>;
}

/// Why a judge has not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JudgeError {
    /// It answered something else than was asked for.
    #[error("the judge's answer cannot be used: {0}")]
    Invalid(String),
    /// It cannot be reached, or does not answer in time.
    #[error("the judge does not answer: {0}")]
    Unavailable(String),
    /// It is asked too often, or its budget is used up.
    #[error("the judge wants to be left alone for {retry_after_secs} s: {reason}")]
    Throttled {
        /// Seconds until it may be asked again.
        retry_after_secs: u64,
        /// Why, in words.
        reason: String,
    },
}

impl JudgeError {
    /// Whether the judge has been asked at all.
    const fn is_a_try(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Unavailable(_) => true,
            Self::Throttled { .. } => false,
        }
    }
}

/// What a worker does with a delivery after a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Has taken effect now or before: acknowledge it.
    Done,
    /// The judge failed this time: let others try.
    Retry,
    /// The judge wants to be left alone for so many seconds. That is no try.
    PutOff(u64),
}

/// The pictures of one result, and its score.
struct Exhibit {
    grid: Bytes,
    neutral: Option<Bytes>,
    score: f64,
}

/// What a comparison came to, with the judge's reasons.
type Compared = Result<(Outcome, String), JudgeError>;

impl App {
    /// Has the judge compare what a delivery asks for, and lets the verdict take effect. Safe to repeat: what is decided
    /// stays as it is (DU-1).
    ///
    /// # Errors
    /// Those of the ports; the delivery is then to be retried.
    pub async fn judge(&self, delivery: &Delivery, judge: &dyn Judge) -> PortResult<Judged> {
        let is_last = delivery.receive_count >= self.policy.judge.attempts_max;
        match delivery.effect {
            Effect::Judge(Contest::Duel(nonce)) => self.judge_duel(nonce, judge, is_last).await,
            Effect::Judge(Contest::Task(task)) => self.judge_results(task, judge, is_last).await,
            Effect::Score { .. } | Effect::Timer { .. } => Ok(Judged::Done),
        }
    }

    async fn judge_duel(&self, nonce: DuelNonce, judge: &dyn Judge, is_last: bool) -> PortResult<Judged> {
        let view = self.ports.ledger.read(self.now(), LoadSpec::keys([Key::Duel(nonce)])).await?;
        let Some((_, duel)) = view.duel(nonce) else { return Ok(Judged::Done) };
        let ruling = match (&duel.state, duel.plain_outcome()) {
            (DuelState::Awaiting { .. }, Some((outcome, why))) => {
                Ruling::Decided { outcome, explanation: why.to_owned() }
            }
            (DuelState::Awaiting { .. }, None) => match self.compare_sides(nonce, duel, judge).await? {
                Ok((outcome, explanation)) => Ruling::Decided { outcome, explanation },
                Err(error) if is_last && error.is_a_try() => Ruling::Failed { reason: error.to_string() },
                Err(error) => return Ok(later(nonce, &error)),
            },
            // Decided by an earlier delivery, whose record may not have been published.
            (DuelState::Judged { .. }, _) => return self.publish_duel(nonce).await.map(|()| Judged::Done),
            (DuelState::Open | DuelState::Void { .. }, _) => return Ok(Judged::Done),
        };
        if self.rule(nonce, ruling).await? == Ruled::Now {
            tracing::info!(duel = %nonce, "a duel has ended");
        }
        self.publish_duel(nonce).await?;
        Ok(Judged::Done)
    }

    async fn rule(&self, nonce: DuelNonce, ruling: Ruling) -> PortResult<Ruled> {
        let (now, policy) = (self.now(), self.policy);
        let decide = move |view: &_| duel::rule(view, nonce, &ruling, now, &policy);
        let load = LoadSpec::keys([Key::Duel(nonce)]);
        transact(&*self.ports.ledger, self.decision_id(), now, load, decide).await
    }

    async fn compare_sides(&self, nonce: DuelNonce, duel: &Duel, judge: &dyn Judge) -> PortResult<Compared> {
        let pair = duel.sides().map(|side| side.hotkey);
        if self.is_same(duel.task, pair).await? {
            return Ok(Ok((Outcome::Draw, "both miners made the same thing".to_owned())));
        }
        let scores = duel.sides().map(|side| match side.entry {
            Entry::Delivered { score, .. } => score,
            Entry::Awaited | Entry::Missing { .. } => 0.0,
        });
        self.compare(duel.task, &duel.prompt, pair, scores, nonce.0, judge).await
    }

    async fn judge_results(&self, id: TaskId, judge: &dyn Judge, is_last: bool) -> PortResult<Judged> {
        let view = self.ports.ledger.read(self.now(), LoadSpec::keys([Key::Task(id)])).await?;
        let Some((_, task)) = view.task(id) else { return Ok(Judged::Done) };
        let Some(contest) = task.contest() else { return Ok(Judged::Done) };
        let pair = contest.map(|result| result.hotkey);
        let comparison = if self.is_same(id, pair).await? {
            Comparison::Same
        } else {
            let scores = contest.map(|result| result.score);
            match self.compare(id, &task.prompt, pair, scores, task.created.secs(), judge).await? {
                Ok((outcome, _)) => Comparison::Judged(outcome),
                // A client does not wait for a judge that cannot be reached: it is a draw, as in the original.
                Err(error) if is_last && error.is_a_try() => {
                    tracing::warn!(task.id = %id, %error, "two results could not be compared");
                    Comparison::Judged(Outcome::Draw)
                }
                Err(error) => return Ok(later(id, &error)),
            }
        };
        let (now, policy) = (self.now(), self.policy);
        let decide = move |view: &_| task::compared(view, id, pair, comparison, now, &policy);
        let load = LoadSpec::keys([Key::Task(id)]);
        transact(&*self.ports.ledger, self.decision_id(), now, load, decide).await?;
        Ok(Judged::Done)
    }

    /// Whether two miners have handed in the same thing: the same file, or one with noise added.
    async fn is_same(&self, task: TaskId, pair: [Hotkey; 2]) -> PortResult<bool> {
        let load = LoadSpec::keys(pair.map(|hotkey| Key::Submission(task, hotkey)));
        let view = self.ports.ledger.read(self.now(), load).await?;
        let [Some((_, first)), Some((_, second))] = pair.map(|hotkey| view.submission(task, &hotkey)) else {
            return Ok(false);
        };
        let is_alike = match (&first.likeness, &second.likeness) {
            (Some(first), Some(second)) => first.is_same(second),
            (None, _) | (_, None) => false,
        };
        Ok(first.sha256 == second.sha256 || is_alike)
    }

    /// Asks the judge in both orders, and about a decision again with neutral pictures, as the policy says.
    async fn compare(
        &self,
        task: TaskId,
        prompt: &Prompt,
        pair: [Hotkey; 2],
        scores: [f64; 2],
        seed: u64,
        judge: &dyn Judge,
    ) -> PortResult<Compared> {
        let exhibits =
            [self.exhibit(task, pair[0], scores[0]).await, self.exhibit(task, pair[1], scores[1]).await];
        let [first, second] = match exhibits {
            [Ok(first), Ok(second)] => [first, second],
            [Err(error), _] | [_, Err(error)] if error.kind == PortErrorKind::NotFound => {
                return Ok(Err(JudgeError::Unavailable(error.to_string())));
            }
            [Err(error), _] | [_, Err(error)] => return Err(error),
        };
        let prompt = self.scoring_prompt(prompt).await?;
        let rules = &self.policy.judge;
        if let Err(error) = self.canaries.check(&prompt, &first.grid, self.random(), judge, rules).await {
            return Ok(Err(error));
        }
        Ok(self.ask_about(&prompt, &first, &second, seed, judge).await)
    }

    async fn ask_about(
        &self,
        prompt: &ScoringPrompt,
        first: &Exhibit,
        second: &Exhibit,
        seed: u64,
        judge: &dyn Judge,
    ) -> Compared {
        let rules = &self.policy.judge;
        let (decided, issues) = self.ask_both_ways(prompt, [&first.grid, &second.grid], seed, judge).await?;
        let neutral = first.neutral.as_ref().zip(second.neutral.as_ref()).filter(|_| rules.neutral);
        match neutral {
            Some((left, right)) if decided != Outcome::Draw => {
                let (neutral, _) = self.ask_both_ways(prompt, [left, right], seed, judge).await?;
                let lead_min = rules.score_lead_min;
                Ok((confirmed(decided, neutral, first.score, second.score, lead_min), issues))
            }
            Some(_) | None => Ok((decided, issues)),
        }
    }

    async fn ask_both_ways(
        &self,
        prompt: &ScoringPrompt,
        [left, right]: [&Bytes; 2],
        seed: u64,
        judge: &dyn Judge,
    ) -> Compared {
        let ask = |first: &Bytes, second: &Bytes| Question {
            prompt: prompt.clone(),
            first: first.clone(),
            second: second.clone(),
            seed,
        };
        let forward: Answer = judge.ask(&ask(left, right)).await?;
        let outcome = forward.worst.outcome();
        if !self.policy.judge.both_orders {
            return Ok((outcome, forward.issues));
        }
        let swapped: Answer = judge.ask(&ask(right, left)).await?;
        Ok((agreed(outcome, swapped.worst.outcome_swapped()), forward.issues))
    }

    async fn exhibit(&self, task: TaskId, hotkey: Hotkey, score: f64) -> PortResult<Exhibit> {
        let blobs = &*self.ports.blobs;
        let grid = fetch(blobs, &preview_key(task, hotkey, Picture::Grid), GRID_BYTES_MAX).await?;
        let neutral = if self.policy.judge.neutral {
            match fetch(blobs, &preview_key(task, hotkey, Picture::Neutral), GRID_BYTES_MAX).await {
                Ok(neutral) => Some(neutral),
                Err(error) if error.kind == PortErrorKind::NotFound => None,
                Err(error) => return Err(error),
            }
        } else {
            None
        };
        Ok(Exhibit { grid, neutral, score })
    }
}

fn later(what: impl std::fmt::Display, error: &JudgeError) -> Judged {
    tracing::warn!(contest = %what, %error, "two results could not be compared, trying again");
    match error {
        JudgeError::Throttled { retry_after_secs, .. } => Judged::PutOff(*retry_after_secs),
        JudgeError::Invalid(_) | JudgeError::Unavailable(_) => Judged::Retry,
    }
}
