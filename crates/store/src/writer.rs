//! The writer: one thread that owns all changes.
//!
//! It takes what waits (no timer), runs each job on the rows as the jobs before it left them, commits once, and
//! only then answers all. After the first failed commit it stops for good: what is on disk is then unknown.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use fjall::UserValue;
use sn17_app::ports::PortResult;
use sn17_core::ledger::{QueueName, Stored};
use sn17_core::state::Key;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::codec::{Table, decode, encode, item_row};
use crate::embedded::Options;
use crate::indexes::Indexes;
use crate::pulse::Pulse;
use crate::rows::{Change, Rows, RowsError, Snapshot};
use crate::waiting::Waiting;

/// Most jobs in one commit.
const BATCH_MAX: usize = 256;

/// The one row of [`Table::Counter`].
pub(crate) const NEXT_NUMBER_ROW: [u8; 1] = [Table::Counter as u8];

/// What the writer and its callers share.
pub(crate) struct Shared {
    pub(crate) rows: Box<dyn Rows>,
    pub(crate) clock: Clock,
    pub(crate) options: Options,
    pub(crate) pulse: Arc<Pulse>,
    pub(crate) waiting: Waiting,
    indexes: RwLock<Indexes>,
}

impl Shared {
    pub(crate) fn new(rows: Box<dyn Rows>, clock: Clock, options: Options, indexes: Indexes) -> Self {
        Self {
            rows,
            clock,
            options,
            pulse: Arc::new(Pulse::new()),
            waiting: Waiting::default(),
            indexes: RwLock::new(indexes),
        }
    }

    pub(crate) fn indexes(&self) -> RwLockReadGuard<'_, Indexes> {
        self.indexes.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn indexes_mut(&self) -> RwLockWriteGuard<'_, Indexes> {
        self.indexes.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One caller's wish: runs in a batch and leaves behind how to answer.
pub(crate) type Job = Box<dyn FnOnce(&mut Batch<'_>) -> Answer + Send>;

/// Answers a caller, with an error if the commit failed.
pub(crate) type Answer = Box<dyn FnOnce(PortResult<()>) + Send>;

/// What only the writer knows, from one batch to the next.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The number of the next message.
    pub(crate) next_number: u64,
    /// Where the next sweep begins: no expiry row is before this one.
    pub(crate) sweep_from: Vec<u8>,
}

/// Runs jobs until every sender is gone or a commit fails; the body of the writer's thread.
pub(crate) fn run(shared: &Shared, mut progress: Progress, mut jobs: mpsc::Receiver<Job>) {
    let stop_on_panic = StopOnPanic(&shared.pulse);
    let mut answers: Vec<Answer> = Vec::with_capacity(BATCH_MAX);
    while let Some(first) = jobs.blocking_recv() {
        if shared.pulse.check().is_err() {
            break;
        }
        let mut batch = Batch::new(shared, &mut progress);
        answers.push(first(&mut batch));
        while answers.len() < BATCH_MAX
            && let Ok(job) = jobs.try_recv()
        {
            answers.push(job(&mut batch));
        }
        let outcome = batch.commit();
        for answer in answers.drain(..) {
            answer(outcome.clone());
        }
        if outcome.is_err() {
            break;
        }
    }
    drop(stop_on_panic);
}

/// Stops the store when the writer's thread unwinds, which only a fault of the store itself can cause.
struct StopOnPanic<'a>(&'a Pulse);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop("the writer has panicked");
        }
    }
}

/// The changes of several jobs on their way to one commit.
pub(crate) struct Batch<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) progress: &'a mut Progress,
    base: Box<dyn Snapshot + 'a>,
    changes: BTreeMap<Vec<u8>, Option<UserValue>>,
    written: Vec<Key>,
    arrived: Vec<QueueName>,
    numbers_used: bool,
}

impl<'a> Batch<'a> {
    fn new(shared: &'a Shared, progress: &'a mut Progress) -> Self {
        Self {
            shared,
            progress,
            base: shared.rows.snapshot(),
            changes: BTreeMap::new(),
            written: Vec::new(),
            arrived: Vec::new(),
            numbers_used: false,
        }
    }

    /// A row as this batch leaves it so far.
    pub(crate) fn get(&self, row: &[u8]) -> Result<Option<UserValue>, RowsError> {
        match self.changes.get(row) {
            Some(change) => Ok(change.clone()),
            None => self.base.get(row),
        }
    }

    /// The rows before this batch, for scans; what they show must be looked up again with [`Self::get`].
    pub(crate) fn base(&self) -> &dyn Snapshot {
        &*self.base
    }

    /// The changes so far, by row.
    pub(crate) const fn changes(&self) -> &BTreeMap<Vec<u8>, Option<UserValue>> {
        &self.changes
    }

    /// An item, expired or not.
    pub(crate) fn stored(&self, key: &Key) -> PortResult<Option<Stored>> {
        let value = self.get(&item_row(Table::Items, key))?;
        value.map(|value| decode(&value)).transpose()
    }

    pub(crate) fn put(&mut self, row: Vec<u8>, value: Vec<u8>) {
        if row.first() == Some(&(Table::Expiry as u8)) && row < self.progress.sweep_from {
            self.progress.sweep_from.clone_from(&row);
        }
        self.changes.insert(row, Some(value.into()));
    }

    pub(crate) fn remove(&mut self, row: Vec<u8>) {
        self.changes.insert(row, None);
    }

    /// The indexes, to be changed together with the rows they are derived from.
    pub(crate) fn indexes_mut(&mut self) -> RwLockWriteGuard<'a, Indexes> {
        self.shared.indexes_mut()
    }

    /// A number that no message has had.
    pub(crate) const fn next_number(&mut self) -> u64 {
        let number = self.progress.next_number;
        self.progress.next_number += 1;
        self.numbers_used = true;
        number
    }

    /// Notes whose watchers must be woken.
    pub(crate) fn written(&mut self, key: Key) {
        self.written.push(key);
    }

    /// Notes whose consumers must be woken.
    pub(crate) fn arrived(&mut self, queue: QueueName) {
        if !self.arrived.contains(&queue) {
            self.arrived.push(queue);
        }
    }

    /// Commits, then wakes who waits; an error stops the store.
    fn commit(mut self) -> PortResult<()> {
        if self.numbers_used {
            let next_number = encode(&self.progress.next_number)?;
            self.put(NEXT_NUMBER_ROW.to_vec(), next_number);
        }
        let Self { shared, base, changes, written, arrived, .. } = self;
        drop(base);
        if changes.is_empty() {
            return Ok(());
        }
        let changes: Vec<Change> = changes.into_iter().collect();
        if let Err(error) = shared.pulse.watched(|| shared.rows.commit(changes)) {
            shared.pulse.stop(error.to_string());
            return Err(error.into());
        }
        shared.waiting.wake(&written);
        for queue in arrived {
            shared.waiting.arrivals(queue).notify_waiters();
        }
        Ok(())
    }
}
