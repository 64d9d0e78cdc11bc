//! The contract between a decision and whoever runs it: what it may see, what it may change.
//!
//! A decision is a function of a [`View`]. It answers with a [`Step`]: look at more, commit, or leave everything
//! as it is. The ledger may run it again on newer state, so it must be a pure function of the view and of what
//! it was made with.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::index::{OpenPosition, OpenQueue};
use crate::state::{DuelNonce, Item, Key};
use crate::{Hotkey, TaskId, UnixMs};

/// At most so many loads in one decision, the first included.
pub const LOADS_MAX: usize = 3;
/// At most so many items in one commit.
pub const WRITES_MAX: usize = 8;

/// The identity of one decision: a retry after a lost answer recognises its own work by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DecisionId(pub u128);

/// An item as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stored {
    /// 1 for a new item, one more with each write.
    pub rev: u64,
    /// The decision that last wrote it.
    pub decision: DecisionId,
    /// From this instant the item counts as absent.
    pub expires: Option<UnixMs>,
    /// The value.
    pub item: Item,
}

impl Stored {
    /// Whether the item counts as absent at `now`.
    pub fn is_expired(&self, now: UnixMs) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// What a decision wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadSpec {
    /// Items by key.
    pub keys: Vec<Key>,
    /// Pages of the queues of open tasks; their tasks are loaded with them.
    pub open_tasks: Vec<OpenPage>,
}

/// A page of a queue of open tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenPage {
    /// Which queue.
    pub queue: OpenQueue,
    /// Only tasks behind this place.
    pub after: Option<OpenPosition>,
    /// At most so many.
    pub limit: usize,
}

impl LoadSpec {
    /// Asks for the items of `keys`.
    pub fn keys(keys: impl IntoIterator<Item = Key>) -> Self {
        Self { keys: keys.into_iter().collect(), open_tasks: Vec::new() }
    }
}

/// What has been loaded so far.
#[derive(Clone, Debug, Default)]
pub struct View {
    items: BTreeMap<Key, Option<Stored>>,
    pages: Vec<(OpenPage, Vec<OpenPosition>)>,
    seen_to: Option<OpenPosition>,
}

impl View {
    /// The item of `key`, none if it is absent or was not asked for.
    pub fn get(&self, key: &Key) -> Option<&Stored> {
        self.items.get(key)?.as_ref()
    }

    /// Whether `key` was asked for.
    pub fn has_loaded(&self, key: &Key) -> bool {
        self.items.contains_key(key)
    }

    /// Every page of open tasks that was asked for, with what stood on it, oldest first.
    pub fn pages(&self) -> &[(OpenPage, Vec<OpenPosition>)] {
        &self.pages
    }

    /// Adds an item, or its absence; for ledgers and tests.
    pub fn insert(&mut self, key: Key, stored: Option<Stored>) {
        self.items.insert(key, stored);
    }

    /// Adds a page of open tasks; for ledgers and tests. The tasks themselves are inserted apart.
    pub fn insert_page(&mut self, page: OpenPage, positions: Vec<OpenPosition>) {
        self.pages.push((page, positions));
    }

    /// Up to where the pages show every task that waits there; none if they leave out nothing.
    ///
    /// A ledger whose queues are in parts may show the oldest tasks of some parts without having looked into others.
    pub const fn seen_to(&self) -> Option<OpenPosition> {
        self.seen_to
    }

    /// Notes that the pages may leave out tasks behind `position`; for ledgers and tests.
    pub fn limit_sight(&mut self, position: OpenPosition) {
        self.seen_to = Some(self.seen_to.map_or(position, |seen_to| seen_to.min(position)));
    }

    /// Takes everything out again, for a ledger that looks for what it has loaded.
    pub fn items(&self) -> impl Iterator<Item = (&Key, Option<&Stored>)> {
        self.items.iter().map(|(key, stored)| (key, stored.as_ref()))
    }
}

/// What a decision answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<R> {
    /// Look at this too, then ask again.
    Load(LoadSpec),
    /// Commit all these writes or none, then answer.
    Commit {
        /// At most [`WRITES_MAX`] distinct items.
        writes: Vec<Write>,
        /// The answer once they are durable.
        reply: R,
    },
    /// Change nothing and answer.
    Reply(R),
}

/// One item's change.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// Which item.
    pub key: Key,
    /// What must still hold for the whole commit to happen.
    pub expect: Expect,
    /// The change.
    pub change: Change,
    /// What must happen because of it, delivered at least once.
    pub effects: Vec<Effect>,
}

/// The condition of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// The item does not exist, or has expired.
    Absent,
    /// The item is still at this revision.
    Rev(u64),
}

/// The change of a write.
#[expect(clippy::large_enum_variant, reason = "almost every change is a put")]
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The item's new value and when it expires.
    Put(Item, Option<UnixMs>),
    /// The item goes.
    Delete,
}

impl Write {
    /// Creates an item that must not exist.
    pub fn create(key: Key, item: Item, expires: Option<UnixMs>) -> Self {
        Self { key, expect: Expect::Absent, change: Change::Put(item, expires), effects: Vec::new() }
    }

    /// Replaces the item that was seen as `old`, whose expiry stays.
    pub fn replace(key: Key, old: &Stored, item: Item) -> Self {
        Self {
            key,
            expect: Expect::Rev(old.rev),
            change: Change::Put(item, old.expires),
            effects: Vec::new(),
        }
    }

    /// Deletes the item that was seen as `old`.
    pub fn delete(key: Key, old: &Stored) -> Self {
        Self { key, expect: Expect::Rev(old.rev), change: Change::Delete, effects: Vec::new() }
    }

    /// Lets the item expire at `at`.
    #[must_use]
    pub fn expiring(mut self, at: UnixMs) -> Self {
        if let Change::Put(_, expires) = &mut self.change {
            *expires = Some(at);
        }
        self
    }

    /// Adds an effect.
    #[must_use]
    pub fn causing(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }
}

/// A commit that no ledger takes, whatever the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedCommit {
    /// More than [`WRITES_MAX`] items.
    #[error("a decision wrote {0} items, {WRITES_MAX} are allowed")]
    TooManyWrites(usize),
    /// The same item more than once.
    #[error("a decision wrote {0:?} twice")]
    WrittenTwice(Key),
    /// An item of another kind than its key's.
    #[error("a decision wrote something else under {0:?}")]
    WrongKind(Key),
}

/// Checks what must hold for the writes of any commit.
///
/// # Errors
/// See [`MalformedCommit`].
pub fn check_writes(writes: &[Write]) -> Result<(), MalformedCommit> {
    if writes.len() > WRITES_MAX {
        return Err(MalformedCommit::TooManyWrites(writes.len()));
    }
    for (position, write) in writes.iter().enumerate() {
        if writes.iter().skip(position + 1).any(|other| other.key == write.key) {
            return Err(MalformedCommit::WrittenTwice(write.key));
        }
        if let Change::Put(item, _) = &write.change
            && !write.key.names(item)
        {
            return Err(MalformedCommit::WrongKind(write.key));
        }
    }
    Ok(())
}

/// Something that must happen because an item changed; every consumer is idempotent by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Effect {
    /// A worker must score this submission.
    Score {
        /// The task.
        task: TaskId,
        /// Whose submission.
        hotkey: Hotkey,
    },
    /// The task must be looked at when `at` has come.
    Timer {
        /// The task.
        task: TaskId,
        /// Not before.
        at: UnixMs,
    },
    /// The judge must compare what two miners have made.
    Judge(Contest),
}

/// What a judge is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Contest {
    /// The two sides of a duel.
    Duel(DuelNonce),
    /// The best two results of a client's task that wait for a comparison.
    Task(TaskId),
}

/// The queues that effects go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum QueueName {
    /// Submissions to score.
    Scoring,
    /// Tasks to look at later.
    Timers,
    /// Results to compare.
    Judging,
}

impl Effect {
    /// The queue this effect goes to.
    pub const fn queue(&self) -> QueueName {
        match self {
            Self::Score { .. } => QueueName::Scoring,
            Self::Timer { .. } => QueueName::Timers,
            Self::Judge(_) => QueueName::Judging,
        }
    }

    /// The instant before which it must not be delivered.
    pub const fn not_before(&self) -> Option<UnixMs> {
        match self {
            Self::Score { .. } | Self::Judge(_) => None,
            Self::Timer { at, .. } => Some(*at),
        }
    }
}
