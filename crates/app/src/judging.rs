//! From two results to a judge's verdict that takes effect.

mod figures;

use async_trait::async_trait;
use bytes::Bytes;
use sn17_core::duel::{self, Ruled, Ruling};
use sn17_core::glicko::Outcome;
use sn17_core::judging::{Answer, agreed, confirmed, unless_flat};
use sn17_core::ledger::{Contest, Effect, LoadSpec};
use sn17_core::state::{Duel, DuelNonce, DuelState, Entry, Key, Prompt, TaskState};
use sn17_core::task::{self, Comparison};
use sn17_core::{Hotkey, TaskId};

use crate::App;
use crate::clients::fetch;
use crate::ports::{Delivery, PortErrorKind, PortResult, transact};
use crate::scoring::{Picture, ScoringPrompt, preview_key};

pub(crate) use figures::Tally;
pub use figures::{DURATION_MS_MAX, Ground, JudgeFigures, Reply};

use figures::Counted;

/// Largest picture that a judge is shown, in bytes.
pub(crate) const GRID_BYTES_MAX: u64 = 16 << 20;

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

    /// Tokens that its answers have cost in this process; it only grows. 0 for a judge that costs none.
    fn tokens(&self) -> u64 {
        0
    }
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

/// One result as it was measured when it came in.
#[derive(Clone, Copy)]
struct Entrant {
    hotkey: Hotkey,
    score: f64,
    /// How deep it is, where that is known.
    sides: Option<f64>,
}

/// The pictures of one result.
struct Exhibit {
    entrant: Entrant,
    grid: Bytes,
    neutral: Option<Bytes>,
}

/// What came of weighing two results.
#[derive(Clone, Debug)]
pub enum Weighed {
    /// Nothing is left to be done.
    Over(Judged),
    /// This is to take effect.
    Found(Judgement),
}

/// A verdict that is to take effect, by [`App::pronounce`].
#[derive(Clone, Debug)]
pub struct Judgement {
    case: Case,
    ground: Ground,
    outcome: Outcome,
}

/// What a judgement is about.
#[derive(Clone, Debug)]
enum Case {
    Duel { nonce: DuelNonce, ruling: Ruling },
    Task { task: TaskId, pair: [Hotkey; 2], comparison: Comparison },
}

/// What a comparison came to.
struct Finding {
    outcome: Outcome,
    ground: Ground,
    /// Why, in the judge's words or ours.
    explanation: String,
}

type Compared = Result<Finding, JudgeError>;

impl App {
    /// Has the judge compare what a delivery asks for. Nothing takes effect yet, so that a store which fails then costs
    /// no second round of questions.
    ///
    /// # Errors
    /// Those of the ports; the delivery is then to be retried.
    pub async fn weigh(&self, delivery: &Delivery, judge: &dyn Judge) -> PortResult<Weighed> {
        let is_last = delivery.receive_count >= self.policy.judge.attempts_max;
        let judge = Counted { judge, tally: &self.judging, host: &self.host };
        match delivery.effect {
            Effect::Judge(Contest::Duel(nonce)) => self.weigh_duel(nonce, &judge, is_last).await,
            Effect::Judge(Contest::Task(task)) => self.weigh_results(task, &judge, is_last).await,
            Effect::Score { .. } | Effect::Timer { .. } => Ok(Weighed::Over(Judged::Done)),
        }
    }

    /// Lets a judgement take effect. Safe to repeat: what is decided stays as it is (DU-1).
    ///
    /// # Errors
    /// Those of the ports; it is then to be repeated.
    pub async fn pronounce(&self, judgement: &Judgement) -> PortResult<()> {
        let Judgement { case, ground, outcome } = judgement;
        match case {
            Case::Duel { nonce, ruling } => {
                if self.rule(*nonce, ruling.clone()).await? == Ruled::Now {
                    self.judging.note_verdict(*ground, *outcome);
                    tracing::info!(duel = %nonce, ?outcome, reason = ground.label(), "a duel has ended");
                }
                self.publish_duel(*nonce).await
            }
            Case::Task { task, pair, comparison } => {
                let (id, pair, comparison) = (*task, *pair, *comparison);
                let (now, policy) = (self.now(), self.policy);
                let decide = move |view: &_| task::compared(view, id, pair, comparison, now, &policy);
                let load = LoadSpec::keys([Key::Task(id)]);
                transact(&*self.ports.ledger, self.decision_id(), now, load, decide).await?;
                self.judging.note_verdict(*ground, *outcome);
                tracing::info!(task.id = %id, ?outcome, reason = ground.label(), "two results were compared");
                Ok(())
            }
        }
    }

    /// Has two results compared and lets the verdict take effect: [`App::weigh`] and [`App::pronounce`] in one.
    ///
    /// # Errors
    /// Those of the ports; repeating it may ask the judge again.
    pub async fn judge(&self, delivery: &Delivery, judge: &dyn Judge) -> PortResult<Judged> {
        match self.weigh(delivery, judge).await? {
            Weighed::Over(judged) => Ok(judged),
            Weighed::Found(judgement) => self.pronounce(&judgement).await.map(|()| Judged::Done),
        }
    }

    /// What this process has seen of its judge.
    pub fn judge_figures(&self) -> JudgeFigures {
        self.judging.figures()
    }

    async fn weigh_duel(&self, nonce: DuelNonce, judge: &dyn Judge, is_last: bool) -> PortResult<Weighed> {
        let view = self.ports.ledger.read(self.now(), LoadSpec::keys([Key::Duel(nonce)])).await?;
        let Some((_, duel)) = view.duel(nonce) else { return Ok(Weighed::Over(Judged::Done)) };
        let found = |ruling, ground, outcome| {
            Weighed::Found(Judgement { case: Case::Duel { nonce, ruling }, ground, outcome })
        };
        let finding = match (&duel.state, duel.plain_outcome()) {
            (DuelState::Awaiting { .. }, Some((outcome, why))) => {
                let is_copy = outcome == Outcome::Draw && duel.sides().iter().all(|side| is_in(&side.entry));
                let ground = if is_copy { Ground::Same } else { Ground::Missing };
                Finding { outcome, ground, explanation: why.to_owned() }
            }
            (DuelState::Awaiting { .. }, None) => match self.compare_sides(nonce, duel, judge).await? {
                Ok(finding) => finding,
                Err(error) if is_last && error.is_a_try() => {
                    let ruling = Ruling::Failed { reason: error.to_string() };
                    tracing::warn!(duel = %nonce, %error, "two results could not be compared");
                    return Ok(found(ruling, Ground::Failed, Outcome::Draw));
                }
                Err(error) => return Ok(later(nonce, &error)),
            },
            // Decided by an earlier delivery, whose record may not have been published.
            (DuelState::Judged { .. }, _) => {
                return self.publish_duel(nonce).await.map(|()| Weighed::Over(Judged::Done));
            }
            (DuelState::Open | DuelState::Void { .. }, _) => return Ok(Weighed::Over(Judged::Done)),
        };
        let Finding { outcome, ground, explanation } = finding;
        Ok(found(Ruling::Decided { outcome, explanation }, ground, outcome))
    }

    async fn rule(&self, nonce: DuelNonce, ruling: Ruling) -> PortResult<Ruled> {
        let (now, policy) = (self.now(), self.policy);
        let decide = move |view: &_| duel::rule(view, nonce, &ruling, now, &policy);
        let load = LoadSpec::keys([Key::Duel(nonce)]);
        transact(&*self.ports.ledger, self.decision_id(), now, load, decide).await
    }

    async fn compare_sides(&self, nonce: DuelNonce, duel: &Duel, judge: &dyn Judge) -> PortResult<Compared> {
        let pair = duel.sides().map(|side| side.hotkey);
        let scores = duel.sides().map(|side| match side.entry {
            Entry::Delivered { score, .. } => score,
            Entry::Awaited | Entry::Missing { .. } => 0.0,
        });
        let Some(entrants) = self.entrants(duel.task, pair, scores).await? else {
            return Ok(Ok(Finding::draw(Ground::Same, "both miners made the same thing")));
        };
        self.compare(duel.task, &duel.prompt, entrants, nonce.0, judge).await
    }

    async fn weigh_results(&self, id: TaskId, judge: &dyn Judge, is_last: bool) -> PortResult<Weighed> {
        let view = self.ports.ledger.read(self.now(), LoadSpec::keys([Key::Task(id)])).await?;
        let Some((_, task)) = view.task(id) else { return Ok(Weighed::Over(Judged::Done)) };
        // Of a task that has ended nothing depends on the judge any more, who is paid by the answer.
        let contest = task.contest().filter(|_| task.state_at(self.now()) == TaskState::Open);
        let Some(contest) = contest else { return Ok(Weighed::Over(Judged::Done)) };
        let pair = contest.map(|result| result.hotkey);
        let scores = contest.map(|result| result.score);
        let (comparison, ground, outcome) = match self.entrants(id, pair, scores).await? {
            None => (Comparison::Same, Ground::Same, Outcome::Draw),
            Some(entrants) => {
                let seed = task.created.secs();
                match self.compare(id, &task.prompt, entrants, seed, judge).await? {
                    Ok(Finding { outcome, ground, .. }) => (Comparison::Judged(outcome), ground, outcome),
                    // A client does not wait for a judge that cannot be reached: it is a draw, as in the original.
                    Err(error) if is_last && error.is_a_try() => {
                        tracing::warn!(task.id = %id, %error, "two results could not be compared");
                        (Comparison::Judged(Outcome::Draw), Ground::Failed, Outcome::Draw)
                    }
                    Err(error) => return Ok(later(id, &error)),
                }
            }
        };
        let case = Case::Task { task: id, pair, comparison };
        Ok(Weighed::Found(Judgement { case, ground, outcome }))
    }

    /// Both results, unless they are the same thing: the same file, or one with noise added.
    async fn entrants(
        &self,
        task: TaskId,
        pair: [Hotkey; 2],
        scores: [f64; 2],
    ) -> PortResult<Option<[Entrant; 2]>> {
        let load = LoadSpec::keys(pair.map(|hotkey| Key::Submission(task, hotkey)));
        let view = self.ports.ledger.read(self.now(), load).await?;
        let submissions = pair.map(|hotkey| view.submission(task, &hotkey).map(|(_, submission)| submission));
        let likeness = submissions.map(|submission| submission.and_then(|one| one.likeness.as_ref()));
        let is_one_file = matches!(submissions, [Some(first), Some(second)] if first.sha256 == second.sha256);
        let is_alike = matches!(likeness, [Some(first), Some(second)] if first.is_same(second));
        if is_one_file || is_alike {
            return Ok(None);
        }
        let entrant = |at: usize| Entrant {
            hotkey: pair[at],
            score: scores[at],
            sides: likeness[at].map(|likeness| likeness.sides),
        };
        Ok(Some([entrant(0), entrant(1)]))
    }

    /// Asks the judge in both orders, and about a decision that no card has won again with neutral pictures, as the
    /// policy says.
    async fn compare(
        &self,
        task: TaskId,
        prompt: &Prompt,
        [left, right]: [Entrant; 2],
        seed: u64,
        judge: &dyn Judge,
    ) -> PortResult<Compared> {
        let case = async {
            let prompt = self.scoring_prompt(prompt).await?;
            PortResult::Ok((prompt, self.exhibit(task, left).await?, self.exhibit(task, right).await?))
        };
        let (prompt, first, second) = match case.await {
            Ok(case) => case,
            Err(error) if error.kind == PortErrorKind::NotFound => {
                return Ok(Err(JudgeError::Unavailable(error.to_string())));
            }
            Err(error) => return Err(error),
        };
        let rules = &self.policy.judge;
        if let Err(error) =
            self.canaries.check(&prompt, &first.grid, self.random(), judge, rules, &self.judging).await
        {
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
        let plain = self.ask_both_ways(prompt, [&first.grid, &second.grid], seed, judge).await?;
        let decided = plain.outcome;
        let [left, right] = [first.entrant, second.entrant];
        if unless_flat(decided, left.sides, right.sides, rules.sides_ratio_min) != decided {
            return Ok(Finding::draw(Ground::Sides, "the better picture is of a flat thing"));
        }
        let neutral = first.neutral.as_ref().zip(second.neutral.as_ref()).filter(|_| rules.neutral);
        let Some((first, second)) = neutral.filter(|_| decided != Outcome::Draw) else { return Ok(plain) };
        let neutral = self.ask_both_ways(prompt, [first, second], seed, judge).await?;
        let stands = confirmed(decided, neutral.outcome, left.score, right.score, rules.score_lead_min);
        if stands == decided {
            Ok(plain)
        } else {
            Ok(Finding::draw(Ground::Neutral, "pictures in which nothing can be read do not bear it out"))
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
            return Ok(Finding { outcome, ground: Ground::Judge, explanation: forward.issues });
        }
        let swapped: Answer = judge.ask(&ask(right, left)).await?;
        let agreed = agreed(outcome, swapped.worst.outcome_swapped());
        if agreed == outcome {
            Ok(Finding { outcome, ground: Ground::Judge, explanation: forward.issues })
        } else {
            Ok(Finding::draw(Ground::Orders, "asked in both orders, the judge contradicts itself"))
        }
    }

    async fn exhibit(&self, task: TaskId, entrant: Entrant) -> PortResult<Exhibit> {
        let blobs = &*self.ports.blobs;
        let hotkey = entrant.hotkey;
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
        Ok(Exhibit { entrant, grid, neutral })
    }
}

impl Finding {
    fn draw(ground: Ground, why: &str) -> Self {
        Self { outcome: Outcome::Draw, ground, explanation: why.to_owned() }
    }
}

const fn is_in(entry: &Entry) -> bool {
    matches!(entry, Entry::Delivered { .. })
}

fn later(what: impl std::fmt::Display, error: &JudgeError) -> Weighed {
    tracing::warn!(contest = %what, %error, "two results could not be compared, trying again");
    Weighed::Over(match error {
        JudgeError::Throttled { retry_after_secs, .. } => Judged::PutOff(*retry_after_secs),
        JudgeError::Invalid(_) | JudgeError::Unavailable(_) => Judged::Retry,
    })
}
