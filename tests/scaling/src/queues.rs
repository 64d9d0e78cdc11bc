//! The open tasks: as the table has them, as the index shows them a moment later, and in one unsharded queue.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use sn17_aws::schema::index::shard_of;
use sn17_core::index::{OpenPosition, OpenQueue, open_entry, open_queue};
use sn17_core::ledger::{DecisionId, Effect, Step, Stored, View, Write};
use sn17_core::policy::Policy;
use sn17_core::state::{Item, KeyHash, Origin, Prompt, Task};
use sn17_core::task::{self, NewTask};
use sn17_core::{Hotkey, TaskId, UnixMs};

use crate::load::INDEX_MS;

/// When an entry can be seen in the index.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: UnixMs,
    until: Option<UnixMs>,
}

impl Span {
    fn covers(&self, at: UnixMs) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

/// Tasks and the sharded index of those that are open.
#[derive(Debug)]
pub struct Queues {
    shards: u16,
    policy: Policy,
    entries: [Vec<BTreeMap<OpenPosition, Span>>; 2],
    /// What stands in the queue for anyone, without delay.
    waiting: BTreeSet<OpenPosition>,
    /// The tasks that miners have got.
    changed: HashMap<TaskId, Stored>,
}

const fn number(queue: OpenQueue) -> usize {
    match queue {
        OpenQueue::Anyone => 0,
        OpenQueue::StrongOnly => 1,
    }
}

/// Where a task stands that nobody has got.
pub fn fresh_position(id: TaskId) -> OpenPosition {
    let created = u64::try_from(id.0 >> 80).expect("48 bits are left");
    OpenPosition { created: UnixMs(created), task: id }
}

/// A task as it is accepted, by the rules themselves.
pub fn fresh(id: TaskId, policy: &Policy) -> (Stored, Vec<Effect>) {
    let prompt = Prompt::Text("a small wooden chair with three legs".to_owned());
    let new = NewTask { id, prompt, owner: KeyHash([3; 32]), origin: Origin::Api };
    let Step::Commit { writes, reply: () } =
        task::add(&View::default(), &new, fresh_position(id).created, &policy.tasks)
    else {
        unreachable!("a new task is written");
    };
    let write = writes.into_iter().next().expect("one item is written");
    let effects = write.effects.clone();
    (stored_by(write, 0), effects)
}

/// What a write leaves, over an item of revision `rev`.
pub fn stored_by(write: Write, rev: u64) -> Stored {
    let sn17_core::ledger::Change::Put(item, expires) = write.change else {
        unreachable!("nothing is deleted here");
    };
    Stored { rev: rev + 1, decision: DecisionId(1), expires, item }
}

impl Queues {
    /// No tasks.
    pub fn new(shards: u16, policy: Policy) -> Self {
        let empty = vec![BTreeMap::new(); usize::from(shards)];
        Self {
            shards,
            policy,
            entries: [empty.clone(), empty],
            waiting: BTreeSet::new(),
            changed: HashMap::new(),
        }
    }

    /// How many shards there are.
    pub const fn shards(&self) -> u16 {
        self.shards
    }

    /// The shard of a task.
    pub fn shard(&self, id: TaskId) -> u16 {
        shard_of(id, self.shards)
    }

    /// Accepts a task.
    pub fn accept(&mut self, id: TaskId) {
        let position = fresh_position(id);
        self.waiting.insert(position);
        self.show(OpenQueue::Anyone, position, position.created);
    }

    /// A task as the table has it now.
    pub fn task(&self, id: TaskId) -> Stored {
        self.changed.get(&id).cloned().unwrap_or_else(|| fresh(id, &self.policy).0)
    }

    /// Writes a task; answers where it stood before, and where it stands now.
    pub fn put(&mut self, id: TaskId, stored: Stored, at: UnixMs) -> [Option<(OpenQueue, OpenPosition)>; 2] {
        let old = open_entry(id, &self.task(id).item);
        let new = open_entry(id, &stored.item);
        if old != new {
            if let Some((queue, position)) = old {
                let shard = usize::from(self.shard(id));
                if let Some(span) = self.entries[number(queue)][shard].get_mut(&position) {
                    span.until = Some(at.plus_ms(INDEX_MS));
                }
                self.waiting.remove(&position);
            }
            if let Some((queue, position)) = new {
                self.show(queue, position, at);
            }
        }
        self.changed.insert(id, stored);
        [old, new]
    }

    fn show(&mut self, queue: OpenQueue, position: OpenPosition, at: UnixMs) {
        let shard = usize::from(self.shard(position.task));
        let span = Span { from: at.plus_ms(INDEX_MS), until: None };
        self.entries[number(queue)][shard].insert(position, span);
    }

    /// A page of a shard as the index shows it, and where it ends if the shard may go on.
    pub fn query(
        &self,
        queue: OpenQueue,
        shard: u16,
        after: Option<OpenPosition>,
        limit: usize,
        at: UnixMs,
    ) -> (Vec<OpenPosition>, Option<OpenPosition>) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let seen = self.entries[number(queue)][usize::from(shard)].range((from, Bound::Unbounded));
        let seen = seen.filter(|(_, span)| span.covers(at)).map(|(position, _)| *position);
        let found: Vec<OpenPosition> = seen.take(limit).collect();
        let up_to = found.last().copied().filter(|_| found.len() == limit);
        (found, up_to)
    }

    /// When the oldest task of a shard was accepted, as the index shows it.
    pub fn head(&self, queue: OpenQueue, shard: u16, at: UnixMs) -> Option<UnixMs> {
        self.query(queue, shard, None, 1, at).0.first().map(|position| position.created)
    }

    /// How many tasks stand in a shard.
    pub fn depth(&self, queue: OpenQueue, shard: u16) -> usize {
        self.entries[number(queue)][usize::from(shard)].len()
    }

    /// When the oldest task was accepted that anyone may get and that is not older than `floor`.
    pub fn oldest(&self, floor: OpenPosition) -> Option<UnixMs> {
        self.waiting.range(floor..).next().map(|position| position.created)
    }

    /// Forgets what the index no longer shows.
    pub fn forget(&mut self, at: UnixMs) {
        for shard in self.entries.iter_mut().flatten() {
            shard.retain(|_, span| span.until.is_none_or(|until| at < until));
        }
    }
}

/// The same tasks in one queue that everybody sees as it is, one pull after the other.
#[derive(Debug, Default)]
pub struct Unsharded {
    queues: [BTreeSet<OpenPosition>; 2],
    changed: HashMap<TaskId, Task>,
}

impl Unsharded {
    /// Accepts a task.
    pub fn accept(&mut self, id: TaskId) {
        self.queues[0].insert(fresh_position(id));
    }

    /// Gives a miner the oldest task that it may have, if there is one; answers when that was accepted.
    pub fn pull(
        &mut self,
        hotkey: Hotkey,
        strong: bool,
        floor: OpenPosition,
        at: UnixMs,
        policy: &Policy,
    ) -> Option<UnixMs> {
        let task_of = |position: &OpenPosition| match self.changed.get(&position.task) {
            Some(task) => task.clone(),
            None => task_in(fresh(position.task, policy).0),
        };
        let first_in = |queue: &BTreeSet<OpenPosition>| {
            let mut tasks = queue.range(floor..).map(|position| (*position, task_of(position)));
            tasks.find(|(_, task)| task.is_assignable(&hotkey, strong, at))
        };
        let anyone = first_in(&self.queues[0]);
        let strong_only = if strong { first_in(&self.queues[1]) } else { None };
        let found = anyone.into_iter().chain(strong_only).min_by_key(|(position, _)| *position);
        let (position, task) = found?;
        let assigned = task::assign(&task, hotkey, strong, at);
        for queue in &mut self.queues {
            queue.remove(&position);
        }
        if let Some(queue) = open_queue(&assigned) {
            self.queues[number(queue)].insert(position);
        }
        self.changed.insert(position.task, assigned);
        Some(position.created)
    }

    /// When the oldest task was accepted that anyone may get and that is not older than `floor`.
    pub fn oldest(&self, floor: OpenPosition) -> Option<UnixMs> {
        self.queues[0].range(floor..).next().map(|position| position.created)
    }
}

fn task_in(stored: Stored) -> Task {
    let Item::Task(task) = stored.item else { unreachable!("a task is a task") };
    task
}
