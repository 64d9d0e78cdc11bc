//! What happens without being asked for: timers and repairs.

use std::ops::Add;

use futures_util::{StreamExt as _, stream};
use sn17_core::ledger::{Effect, LoadSpec, QueueName};
use sn17_core::settle::Finding;
use sn17_core::state::Key;
use sn17_core::{Hotkey, TaskId, settle, task};

use crate::App;
use crate::ports::{Due, PortResult, transact};

/// So many overdue items are looked at in one sweep of a host without limits of its own.
const SWEEP_MAX: usize = 1_000;
/// So many items at the same time: a thousand of a table some milliseconds away are done in seconds.
const PARALLEL: usize = 8;

/// What a sweep did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Tasks ended because their time had come.
    pub tasks_ended: usize,
    /// Submissions sent to scoring again, or given up.
    pub submissions_resent: usize,
    /// Duels ended, or sent to the judge again, because their time had come.
    pub duels: usize,
}

impl Add for Upkeep {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            tasks_ended: self.tasks_ended + more.tasks_ended,
            submissions_resent: self.submissions_resent + more.submissions_resent,
            duels: self.duels + more.duels,
        }
    }
}

impl App {
    /// Handles a timer that has fired.
    ///
    /// # Errors
    /// Those of the ledger; the timer is then to be retried.
    pub async fn timer(&self, effect: Effect) -> PortResult<()> {
        match effect {
            Effect::Timer { task, .. } => self.finalise(task).await,
            Effect::Score { .. } | Effect::Judge(_) => Ok(()),
        }
    }

    /// Looks after what is overdue, whatever became of its timer or its message (TK-1): the 1,000 items that are so
    /// for longest.
    ///
    /// # Errors
    /// Those of [`App::sweep_at_most`].
    pub async fn sweep(&self) -> PortResult<Upkeep> {
        self.sweep_at_most(SWEEP_MAX).await
    }

    /// [`App::sweep`] for a host on which a request may make so many calls only: an item takes two, and more if somebody
    /// else changes it meanwhile. An item that cannot be looked after is logged and left for the next sweep.
    ///
    /// # Errors
    /// Those of the ledger when it cannot say what is overdue; the last one of several items when none of them could
    /// be looked after, as that is no fault of theirs.
    pub async fn sweep_at_most(&self, items_max: usize) -> PortResult<Upkeep> {
        let overdue = self.ports.ledger.due(self.now(), items_max).await?;
        let mut outcomes = stream::iter(overdue).map(|due| self.look_after(due)).buffer_unordered(PARALLEL);
        let (mut done, mut count) = (Upkeep::default(), 0);
        let mut failed = Vec::new();
        while let Some(outcome) = outcomes.next().await {
            count += 1;
            match outcome {
                Ok(more) => done = done + more,
                Err(error) => failed.push(error),
            }
        }
        match failed.pop() {
            Some(error) if count > 1 && failed.len() + 1 == count => Err(error),
            Some(_) | None => Ok(done),
        }
    }

    async fn look_after(&self, due: Due) -> PortResult<Upkeep> {
        match due.key {
            Key::Task(id) => {
                let ended = self.finalise(id).await;
                ended.map(|()| Upkeep { tasks_ended: 1, ..Upkeep::default() }).inspect_err(|error| {
                    tracing::error!(task.id = %id, %error, "an overdue task could not be ended");
                })
            }
            Key::Submission(task, hotkey) => {
                let resent = self.resend(task, hotkey).await;
                let upkeep = |resent| Upkeep { submissions_resent: usize::from(resent), ..Upkeep::default() };
                resent.map(upkeep).inspect_err(|error| {
                    tracing::error!(task.id = %task, %error, "an overdue submission could not be sent again");
                })
            }
            Key::Duel(nonce) => {
                let looked_after = self.look_after_duel(nonce).await;
                looked_after.map(|()| Upkeep { duels: 1, ..Upkeep::default() }).inspect_err(|error| {
                    tracing::error!(duel = %nonce, %error, "an overdue duel could not be looked after");
                })
            }
            Key::Session(_)
            | Key::Record(_)
            | Key::ApiKey(_)
            | Key::Roster
            | Key::History(_)
            | Key::Matchmaker
            | Key::Leaderboard
            | Key::Prompts => Ok(Upkeep::default()),
        }
    }

    /// The submissions whose scoring failed so often that they were given up, oldest first, at most `max`.
    ///
    /// # Errors
    /// Those of the queue.
    pub async fn dead_letters(&self, max: usize) -> PortResult<Vec<(TaskId, Hotkey)>> {
        let letters = self.ports.queue.dead_letters(QueueName::Scoring, max).await?;
        let submission = |effect: Effect| match effect {
            Effect::Score { task, hotkey } => Some((task, hotkey)),
            Effect::Timer { .. } | Effect::Judge(_) => None,
        };
        Ok(letters.into_iter().filter_map(submission).collect())
    }

    /// Settles the submissions behind these dead letters as failures of ours, so that their tasks end (TK-1); those
    /// settled before stay as they are. Answers how many there were.
    ///
    /// # Errors
    /// Those of the ports; whatever has been settled stays.
    pub async fn settle_dead_letters(&self, letters: &[(TaskId, Hotkey)]) -> PortResult<usize> {
        let mut settled = 0;
        for (task, hotkey) in letters {
            settled += usize::from(self.settle_dead_letter(*task, *hotkey).await?);
        }
        Ok(settled)
    }

    /// Settles the submission behind one dead letter as [`App::settle_dead_letters`] does; answers whether it was
    /// still to be settled.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn settle_dead_letter(&self, task: TaskId, hotkey: Hotkey) -> PortResult<bool> {
        let reason = "it could not be scored".to_owned();
        self.settle(task, hotkey, Finding::Failed { reason }).await
    }

    /// Sends dead letters to scoring again, as many as the queue moves in one go; answers how many. What was settled
    /// in the meantime stays as it is, so nothing is paid twice (SB-1).
    ///
    /// # Errors
    /// Those of the queue.
    pub async fn redrive(&self) -> PortResult<usize> {
        self.ports.queue.redrive(QueueName::Scoring).await
    }

    async fn finalise(&self, id: TaskId) -> PortResult<()> {
        let now = self.now();
        let policy = self.policy;
        let decide = move |view: &_| task::finalise(view, id, now, &policy);
        let load = LoadSpec::keys([Key::Task(id)]);
        transact(&*self.ports.ledger, self.decision_id(), now, load, decide).await
    }

    async fn resend(&self, task: TaskId, hotkey: Hotkey) -> PortResult<bool> {
        let now = self.now();
        let policy = self.policy;
        let decide = move |view: &_| settle::resend(view, task, hotkey, now, &policy);
        transact(&*self.ports.ledger, self.decision_id(), now, settle::load(task, hotkey), decide).await
    }
}
