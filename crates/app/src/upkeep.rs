//! What happens without being asked for: timers, repairs, the roster.

use sn17_core::ledger::{Effect, LoadSpec, QueueName};
use sn17_core::settle::Finding;
use sn17_core::state::{Key, Neuron, Roster};
use sn17_core::{Hotkey, TaskId, miner, settle, task};

use crate::App;
use crate::ports::{PortResult, transact};

/// So many overdue items are looked at in one sweep.
const SWEEP_MAX: usize = 1_000;

/// What a sweep or a roster change did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Tasks ended because their time had come.
    pub tasks_ended: usize,
    /// Submissions sent to scoring again, or given up.
    pub submissions_resent: usize,
}

impl App {
    /// Handles a timer that has fired.
    ///
    /// # Errors
    /// Those of the ledger; the timer is then to be retried.
    pub async fn timer(&self, effect: Effect) -> PortResult<()> {
        match effect {
            Effect::Timer { task, .. } => self.finalise(task).await,
            Effect::Score { .. } => Ok(()),
        }
    }

    /// Looks after everything overdue, whatever became of its timer or its message (TK-1). An item that cannot be
    /// looked after is logged and left for the next sweep.
    ///
    /// # Errors
    /// Those of the ledger when it cannot say what is overdue.
    pub async fn sweep(&self) -> PortResult<Upkeep> {
        let mut done = Upkeep::default();
        for due in self.ports.ledger.due(self.now(), SWEEP_MAX).await? {
            match due.key {
                Key::Task(id) => match self.finalise(id).await {
                    Ok(()) => done.tasks_ended += 1,
                    Err(error) => {
                        tracing::error!(task.id = %id, %error, "an overdue task could not be ended");
                    }
                },
                Key::Submission(task, hotkey) => match self.resend(task, hotkey).await {
                    Ok(_) => done.submissions_resent += 1,
                    Err(error) => {
                        tracing::error!(task.id = %task, %error, "an overdue submission could not be sent again");
                    }
                },
                Key::Session(_) | Key::Record(_) | Key::ApiKey(_) | Key::Roster => {}
            }
        }
        Ok(done)
    }

    /// Makes the sessions agree with the metagraph: newcomers get a session and a fresh record, whoever left or
    /// was replaced loses both. Safe to repeat after a crash in between.
    ///
    /// # Errors
    /// Those of the ledger; whatever has been applied stays.
    pub async fn apply_roster(&self, neurons: Vec<Neuron>) -> PortResult<()> {
        let new = Roster { neurons };
        let policy = self.policy;
        let view = self.ports.ledger.read(self.now(), LoadSpec::keys([Key::Roster])).await?;
        let old = view.roster().map(|(_, roster)| roster.clone()).unwrap_or_default();
        for hotkey in miner::departed(&old, &new) {
            self.deregister(hotkey).await?;
        }
        let strong = miner::strong_uids(&new.neurons, policy.miners.strong_miners);
        for neuron in &new.neurons {
            let is_strong = strong.binary_search(&neuron.uid).is_ok();
            let key = LoadSpec::keys([Key::Session(neuron.hotkey), Key::Record(neuron.hotkey)]);
            let neuron = neuron.clone();
            let decide = move |view: &_| miner::register(view, &neuron, is_strong, &policy);
            transact(&*self.ports.ledger, self.decision_id(), self.now(), key, decide).await?;
        }
        let load = LoadSpec::keys([Key::Roster]);
        let decide = move |view: &_| miner::note_roster(view, new.clone());
        transact(&*self.ports.ledger, self.decision_id(), self.now(), load, decide).await
    }

    /// The roster last applied.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn roster(&self) -> PortResult<Vec<Neuron>> {
        let view = self.ports.ledger.read(self.now(), LoadSpec::keys([Key::Roster])).await?;
        Ok(view.roster().map(|(_, roster)| roster.neurons.clone()).unwrap_or_default())
    }

    /// The submissions whose scoring failed so often that they were given up, oldest first, at most `max`.
    ///
    /// # Errors
    /// Those of the queue.
    pub async fn dead_letters(&self, max: usize) -> PortResult<Vec<(TaskId, Hotkey)>> {
        let letters = self.ports.queue.dead_letters(QueueName::Scoring, max).await?;
        let submission = |effect: Effect| match effect {
            Effect::Score { task, hotkey } => Some((task, hotkey)),
            Effect::Timer { .. } => None,
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
            let reason = "it could not be scored".to_owned();
            settled += usize::from(self.settle(*task, *hotkey, Finding::Failed { reason }).await?);
        }
        Ok(settled)
    }

    /// Sends every dead letter to scoring again; answers how many. What was settled in the meantime stays as it is,
    /// so nothing is paid twice (SB-1).
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

    async fn deregister(&self, hotkey: Hotkey) -> PortResult<()> {
        let now = self.now();
        let policy = self.policy;
        let load = LoadSpec::keys([Key::Session(hotkey), Key::Record(hotkey)]);
        let decide = move |view: &_| miner::deregister(view, hotkey, now, &policy);
        transact(&*self.ports.ledger, self.decision_id(), now, load, decide).await
    }
}
