//! One load on the table, second by second.

use std::collections::BTreeMap;
use std::sync::Arc;

use sn17_aws::ledger::hints::{Lookup, QueueHints};
use sn17_aws::schema::row::Row;
use sn17_aws::schema::units::{
    Commit, Consistency, Index, Units, index_entry, item_bytes, read_items, write,
};
use sn17_core::index::{OpenPosition, OpenQueue};
use sn17_core::policy::Policy;
use sn17_core::state::{Item, Key, TaskState};
use sn17_core::{Hotkey, TaskId, UnixMs};

use crate::gateways::Gateways;
use crate::hint_item::{HintItem, Looker};
use crate::load::{BEGIN, CALL_MS, Load, MINERS, task_id};
use crate::meter::{Meter, Partition};
use crate::pulls::{Puller, Pulls};
use crate::queues::{Queues, Unsharded, fresh};
use crate::random::Random;
use crate::report::{Report, Waits};

/// Milliseconds before the first that counts: processes get to know the hints.
const WARM_UP_MS: u64 = 1000;
/// A look at the oldest task is taken this often, in milliseconds.
const SAMPLE_MS: u64 = 50;
/// Status reads ask for tasks of the last so many milliseconds.
const STATUS_AGE_MS: u64 = 10_000;
/// Only so much of a flood is kept as tasks that can be pulled, in milliseconds of its arrivals: pulls never get
/// further.
const KEPT_MS: u64 = 1000;
/// More tasks a second than this are a flood.
const FLOOD: u64 = 10_000;

/// What happens later.
pub(crate) enum Event {
    /// A process has read the hints.
    HintsRead(Looker, UnixMs, Option<Box<Puller>>),
    /// A process leaves new hints.
    HintsTaken(Looker, UnixMs, Box<QueueHints>, Option<Box<Puller>>),
    /// A pull looks for a task.
    Pull(Box<Puller>),
    /// A pull's commit arrives.
    Commit(Box<Puller>),
}

/// The whole.
pub(crate) struct World {
    pub(crate) load: Load,
    pub(crate) policy: Policy,
    pub(crate) meter: Meter,
    pub(crate) queues: Queues,
    pub(crate) unsharded: Unsharded,
    pub(crate) hints: HintItem,
    pub(crate) random: Random,
    pub(crate) entry_bytes: usize,
    gateways: Gateways,
    pub(crate) pulls: Pulls,
    events: BTreeMap<(UnixMs, u64), Event>,
    next_event: u64,
    sizes: Sizes,
    pub(crate) waits: Waits,
}

/// What an item of the load costs where it is the same for each.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    put: usize,
    end: usize,
    read: Units,
}

/// A strongly consistent read of an item of so many bytes.
pub fn strong_read(bytes: usize) -> Units {
    read_items([bytes], Consistency::Strong)
}

/// The row of a task.
pub(crate) fn task_row(id: TaskId, stored: &sn17_core::ledger::Stored, shards: u16) -> Row {
    Row::new(&Key::Task(id), stored, &[], shards).expect("a task is JSON")
}

/// The write request units of the item alone, without its index entries.
pub(crate) fn item_write(old: Option<&Row>, new: &Row, commit: Commit) -> usize {
    let bare = |row: &Row| Row { open: None, due: None, ..row.clone() };
    write(old.map(bare).as_ref(), Some(&bare(new)), commit).write
}

impl World {
    /// Runs a load on so many shards.
    pub(crate) fn run(load: Load, shards: u16) -> Report {
        let mut world = Self::new(load, shards);
        let begin = BEGIN.0 - WARM_UP_MS;
        for ms in begin..BEGIN.0 + load.millis {
            let at = UnixMs(ms);
            if at == BEGIN {
                world.meter = Meter::default();
                world.hints.counts = Default::default();
                world.gateways.quotas = Default::default();
                world.pulls.counts = Default::default();
                world.waits = Waits::default();
            }
            world.step(at);
            if (ms + 1).is_multiple_of(1000) {
                world.meter.end_second();
                world.queues.forget(at);
            }
        }
        world.report()
    }

    fn new(load: Load, shards: u16) -> Self {
        let mut policy = Policy::default();
        // The default bound is a million: at this rate every client would be refused after ten seconds.
        policy.tasks.open_max = u64::MAX;
        let mut random = Random::new(17);
        let begin = UnixMs(BEGIN.0 - WARM_UP_MS);
        let gateways = Gateways::new(&load, begin, &mut random);
        let miners = usize::try_from(load.miner_processes()).unwrap_or(usize::MAX);
        let id = task_id(BEGIN, 0);
        let (stored, effects) = fresh(id, &policy);
        let row = Row::new(&Key::Task(id), &stored, &effects, shards).expect("a task is JSON");
        let entry = index_entry(&row, Index::Open).expect("an open task stands in the index");
        let entry_bytes = item_bytes(&entry);
        let mut ended = stored;
        if let Item::Task(task) = &mut ended.item {
            task.state =
                TaskState::Failure { ended: BEGIN, reason: "no miner took the task in time".to_owned() };
        }
        let sizes = Sizes {
            put: item_write(None, &row, Commit::Single),
            end: item_write(Some(&row), &task_row(id, &ended, shards), Commit::Single),
            read: strong_read(item_bytes(&row.attributes())),
        };
        let mut world = Self {
            load,
            policy,
            meter: Meter::default(),
            queues: Queues::new(shards, policy),
            unsharded: Unsharded::default(),
            hints: HintItem::new(gateways.count(), miners, shards, entry_bytes),
            random,
            entry_bytes,
            gateways,
            pulls: Pulls::new(miners),
            events: BTreeMap::new(),
            next_event: 0,
            sizes,
            waits: Waits::default(),
        };
        if load.since_ms > 0 {
            // What pulls can reach: the tasks that are about to be too old.
            let first = world.floor(begin).created.0;
            for ms in first..first + WARM_UP_MS + load.millis + KEPT_MS {
                world.keep(UnixMs(ms));
            }
            let (depth, oldest) = world.steady(begin);
            world.hints.warm(begin, depth, oldest);
        }
        world
    }

    /// The tasks accepted in a millisecond can be pulled.
    fn keep(&mut self, at: UnixMs) {
        for number in 0..self.load.adds_at(at) {
            let id = task_id(at, number);
            self.queues.accept(id);
            self.unsharded.accept(id);
        }
    }

    /// Before this place tasks are too old to be handed out.
    pub(crate) fn floor(&self, at: UnixMs) -> OpenPosition {
        let created = UnixMs(at.0 - self.policy.tasks.assignable_secs * 1000);
        OpenPosition { created, task: TaskId(0) }
    }

    pub(crate) fn later(&mut self, at: UnixMs, event: Event) {
        self.events.insert((at, self.next_event), event);
        self.next_event += 1;
    }

    fn step(&mut self, at: UnixMs) {
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > at {
                break;
            }
            match entry.remove() {
                Event::HintsRead(looker, begun, puller) => self.hints_read(looker, begun, at, puller),
                Event::HintsTaken(looker, begun, hints, puller) => {
                    self.hints.leave(&hints, &mut self.meter);
                    self.go_on(looker, begun, at, puller);
                }
                Event::Pull(puller) => self.pull(puller, at),
                Event::Commit(puller) => self.commit(*puller, at),
            }
        }
        self.adds(at);
        self.ends(at);
        for _ in 0..self.load.pulls_at(at) {
            let miner = u16::try_from(self.random.below(MINERS.into())).unwrap_or_default();
            self.begin_pull(miner, at);
        }
        if at.0.is_multiple_of(SAMPLE_MS) {
            let floor = self.floor(at);
            self.waits.sample(at, self.queues.oldest(floor), self.unsharded.oldest(floor));
        }
    }

    fn adds(&mut self, at: UnixMs) {
        let count = self.load.adds_at(at);
        let is_kept = self.load.adds_per_sec < FLOOD || at.0 < BEGIN.0 - WARM_UP_MS + KEPT_MS;
        if self.load.since_ms == 0 && is_kept {
            self.keep(at);
        }
        for number in 0..count {
            let id = task_id(at, number);
            let shard = self.queues.shard(id);
            self.meter.write(Partition::Open(OpenQueue::Anyone, shard), 1);
            self.meter.write(Partition::Due(shard), 1);
            if self.load.is_indexes_only {
                continue;
            }
            let key = Gateways::draw_key(&mut self.random);
            let process = self.random.index(self.gateways.count());
            self.gateways.authenticate(process, key, at, &mut self.meter);
            if let Lookup::Refresh = self.hints.look(Looker::Gateway(process), at) {
                self.hints.read(&mut self.meter);
                let later = at.plus_ms(CALL_MS);
                self.later(later, Event::HintsRead(Looker::Gateway(process), at, None));
            }
            // A refused task is written all the same here: the load is the load.
            self.gateways.charge(process, key, at, &mut self.meter);
            self.meter.add(Partition::Task(id), strong_read(0));
            self.meter.write(Partition::Task(id), self.sizes.put);
        }
        let statuses = if self.load.is_indexes_only { 0 } else { count * self.load.statuses_per_add };
        for _ in 0..statuses {
            let key = Gateways::draw_key(&mut self.random);
            let process = self.random.index(self.gateways.count());
            self.gateways.authenticate(process, key, at, &mut self.meter);
            let created = UnixMs(at.0 - self.random.below(STATUS_AGE_MS));
            let accepted = self.load.adds_at(created).max(1);
            let id = task_id(created, self.random.below(accepted));
            self.meter.add(Partition::Task(id), self.sizes.read);
        }
    }

    /// The tasks whose deadline has come end, by their timers. Those that miners have finished by then are counted
    /// all the same: they are half a percent.
    fn ends(&mut self, at: UnixMs) {
        let deadline_ms = self.policy.tasks.deadline_secs * 1000;
        if self.load.since_ms < deadline_ms {
            return;
        }
        let created = UnixMs(at.0 - deadline_ms);
        for number in 0..self.load.adds_at(created) {
            let id = task_id(created, number);
            let shard = self.queues.shard(id);
            self.meter.write(Partition::Open(OpenQueue::Anyone, shard), 1);
            self.meter.write(Partition::Due(shard), 1);
            if !self.load.is_indexes_only {
                self.meter.add(Partition::Task(id), self.sizes.read);
                self.meter.write(Partition::Task(id), self.sizes.end);
            }
        }
    }

    /// How many tasks stand in each shard after a long time of the load, and when the oldest was accepted.
    fn steady(&self, at: UnixMs) -> (usize, UnixMs) {
        let deadline_ms = self.load.since_ms.min(self.policy.tasks.deadline_secs * 1000);
        let tasks = self.load.adds_per_sec * deadline_ms / 1000 / u64::from(self.queues.shards());
        (usize::try_from(tasks).unwrap_or(usize::MAX), UnixMs(at.0 - deadline_ms))
    }

    fn hints_read(&mut self, looker: Looker, begun: UnixMs, at: UnixMs, puller: Option<Box<Puller>>) {
        if !self.hints.lease(looker, begun, &mut self.meter) {
            self.go_on(looker, begun, at, puller);
            return;
        }
        let steady = (self.load.since_ms > 0).then(|| self.steady(at));
        let taken_at = at.plus_ms(CALL_MS);
        let (hints, ms) = self.hints.take(begun, taken_at, &self.queues, steady, &mut self.meter);
        let event = Event::HintsTaken(looker, begun, Box::new(hints), puller);
        self.later(taken_at.plus_ms(ms + CALL_MS), event);
    }

    fn go_on(&mut self, looker: Looker, begun: UnixMs, at: UnixMs, puller: Option<Box<Puller>>) {
        let hints = self.hints.take_over(looker, begun);
        if let Some(mut puller) = puller {
            puller.hints = Some(hints);
            self.pull(puller, at);
        }
    }

    /// A miner's pull arrives: its session is read, its nonce used up.
    fn begin_pull(&mut self, miner: u16, at: UnixMs) {
        let process = self.random.index(self.pulls.processes());
        let hotkey = hotkey(miner);
        let strong = Pulls::is_strong(miner);
        self.meter.add(Partition::Miner(miner), Pulls::session_read());
        self.meter.write(Partition::Nonce(miner.into()), 1);
        let floor = self.floor(at);
        if let Some(created) = self.unsharded.pull(hotkey, strong, floor, at, &self.policy) {
            self.waits.unsharded(at.ms_since(created));
        }
        let puller = Puller::new(miner, process, at);
        self.later(at.plus_ms(2 * CALL_MS), Event::Pull(Box::new(puller)));
    }

    /// One try of a pull up to its decision.
    fn pull(&mut self, mut puller: Box<Puller>, at: UnixMs) {
        if puller.hints.is_none() {
            let looker = Looker::Miner(puller.process);
            match self.hints.look(looker, at) {
                Lookup::Use(hints) => puller.hints = Some(Some(hints)),
                Lookup::Unknown => puller.hints = Some(None),
                Lookup::Refresh => {
                    self.hints.read(&mut self.meter);
                    self.later(at.plus_ms(CALL_MS), Event::HintsRead(looker, at, Some(puller)));
                    return;
                }
            }
        }
        let hints: Option<Arc<QueueHints>> = puller.hints.take().flatten();
        let calls = self.decide(&mut puller, hints.as_deref(), at);
        self.later(at.plus_ms(calls * CALL_MS), Event::Commit(puller));
    }

    fn report(self) -> Report {
        Report {
            load: self.load,
            shards: self.queues.shards(),
            gateways: self.gateways.count(),
            miner_processes: self.pulls.processes(),
            kinds: self.meter.consumed(),
            quotas: self.gateways.quotas,
            hints: self.hints.counts,
            pulls: self.pulls.counts,
            waits: self.waits.figures(),
        }
    }
}

/// The hotkey of a miner.
pub(crate) fn hotkey(miner: u16) -> Hotkey {
    let mut bytes = [0x5a; 32];
    bytes[..2].copy_from_slice(&miner.to_be_bytes());
    Hotkey(bytes)
}
