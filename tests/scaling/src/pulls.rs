//! Pulls: the rules' own decision, on what the sharded queues and the hints show.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use sn17_aws::ledger::hints::{OwnChange, QueueHints};
use sn17_aws::ledger::pages::{OpenReader, QUERY_ENTRIES, SPREAD_MAX, SPREAD_MIN};
use sn17_aws::schema::row::Row;
use sn17_aws::schema::units::{Commit, Consistency, Units, query};
use sn17_core::index::{OpenPosition, open_entry};
use sn17_core::ledger::{DecisionId, Expect, LOADS_MAX, OpenPage, Step, Stored, View, Write};
use sn17_core::pull::{self, Pull};
use sn17_core::state::{Item, Key, Neuron, Prompt, Session};
use sn17_core::{TaskId, UnixMs};

use crate::hint_item::Looker;
use crate::load::{CALL_MS, MINERS};
use crate::meter::Partition;
use crate::queues::{fresh_position, stored_by};
use crate::world::{Event, World, hotkey, item_write, strong_read, task_row};

/// Tries of one decision (the default of the ledger's options).
const TRIES: u32 = 8;
/// Bounds of the pause after a lost race, in milliseconds (the ledger's).
const PAUSE_MS: [u64; 2] = [10, 320];
/// For so long after a lost race a process spreads out from the first try, in milliseconds (the ledger's).
const RUSH_MS: u64 = 1000;
/// Calls to DynamoDB of a decision after its queries: the tasks, and the commit.
const COMMIT_CALLS: u64 = 2;

/// A pull under way.
#[derive(Debug)]
pub(crate) struct Puller {
    miner: u16,
    pub(crate) process: usize,
    /// When it began: the `now` of its decision.
    begun: UnixMs,
    attempt: u32,
    races_lost: u32,
    reader: OpenReader,
    queries: usize,
    /// The hints to go by, once it has looked for some.
    pub(crate) hints: Option<Option<Arc<QueueHints>>>,
    writes: Vec<Write>,
}

impl Puller {
    pub(crate) fn new(miner: u16, process: usize, begun: UnixMs) -> Self {
        let reader = OpenReader::default();
        Self {
            miner,
            process,
            begun,
            attempt: 0,
            races_lost: 0,
            reader,
            queries: 0,
            hints: None,
            writes: Vec::new(),
        }
    }
}

/// How pulls went.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PullCounts {
    /// Pulls that brought a client's task.
    pub organic: u64,
    /// Pulls that brought a synthetic one.
    pub synthetic: u64,
    /// Pulls that lost every race.
    pub given_up: u64,
    /// Commits of clients' tasks.
    pub commits: u64,
    /// Of them those that others were ahead of.
    pub conflicts: u64,
    /// How many pulls made so many queries, by number.
    pub queries: Vec<u64>,
    /// Tasks handed out of each shard.
    pub by_shard: Vec<u64>,
}

/// The miners' sessions and the processes behind their routes.
#[derive(Debug)]
pub(crate) struct Pulls {
    processes: usize,
    sessions: Vec<Stored>,
    /// When each process last lost a race.
    lost_at: Vec<UnixMs>,
    /// The write request units of items that differ in nothing but values of the same length, by what they are.
    writes: BTreeMap<(&'static str, usize, bool), usize>,
    pub(crate) counts: PullCounts,
}

impl Pulls {
    pub(crate) fn new(processes: usize) -> Self {
        let session = |number: u16| {
            let neuron =
                Neuron { uid: number, hotkey: hotkey(number), coldkey: None, stake: 1.0, incentive: 0.01 };
            let item = Item::Session(Session::fresh(&neuron, Self::is_strong(number)));
            Stored { rev: 1, decision: DecisionId(1), expires: None, item }
        };
        let sessions = (0..MINERS).map(session).collect();
        let lost_at = vec![UnixMs(0); processes];
        Self { processes, sessions, lost_at, writes: BTreeMap::new(), counts: PullCounts::default() }
    }

    /// How many processes there are.
    pub(crate) const fn processes(&self) -> usize {
        self.processes
    }

    /// Whether a miner is one of the hundred strong ones.
    pub(crate) const fn is_strong(miner: u16) -> bool {
        miner < 100
    }

    /// What reading a session costs: it is far below 4 KB.
    pub(crate) fn session_read() -> Units {
        strong_read(0)
    }
}

impl World {
    /// One try: loads, asks the rules, and keeps what they want to write; answers the calls until it arrives.
    pub(crate) fn decide(&mut self, puller: &mut Puller, hints: Option<&QueueHints>, at: UnixMs) -> u64 {
        let pull = Pull {
            hotkey: hotkey(puller.miner),
            synthetic_id: TaskId::new(puller.begun, u128::from(self.random.next())),
            synthetic: Prompt::Text("a very large red stone castle".to_owned()),
            lost: None,
        };
        if puller.attempt == 0 {
            let lost_at = self.pulls.lost_at[puller.process];
            puller.races_lost = u32::from(at.ms_since(lost_at) < RUSH_MS);
        }
        let spread = puller
            .races_lost
            .checked_sub(1)
            .map_or(1, |doublings| (SPREAD_MIN << doublings.min(8)).min(SPREAD_MAX));
        let skip = usize::try_from(self.random.below(spread)).unwrap_or_default();
        puller.reader.skip_leading(skip);
        let mut view = View::default();
        let mut spec = pull::load(pull.hotkey);
        let before = puller.queries;
        for _ in 0..LOADS_MAX {
            for key in &spec.keys {
                self.meter.add(Partition::Miner(puller.miner), Pulls::session_read());
                view.insert(*key, Some(self.pulls.sessions[usize::from(puller.miner)].clone()));
            }
            for (position, page) in spec.open_tasks.iter().enumerate() {
                let pages_left = spec.open_tasks.len() - position;
                self.load_page(page, pages_left, puller, &mut view, hints, at);
            }
            match pull::decide(&view, &pull, puller.begun, &self.policy) {
                Step::Load(more) => spec = more,
                Step::Commit { writes, reply: _ } => {
                    puller.writes = writes;
                    break;
                }
                Step::Reply(reply) => unreachable!("a registered miner without a task got {reply:?}"),
            }
        }
        COMMIT_CALLS + u64::from(puller.queries > before)
    }

    /// A page of open tasks with their items, as the ledger loads it.
    fn load_page(
        &mut self,
        page: &OpenPage,
        pages_left: usize,
        puller: &mut Puller,
        view: &mut View,
        hints: Option<&QueueHints>,
        at: UnixMs,
    ) {
        puller.reader.begin(page.queue, page.after, self.queues.shards(), hints);
        let mut allowance = puller.reader.allowance(pages_left);
        let mut skip = puller.reader.take_skip(page.queue);
        let mut positions = Vec::with_capacity(page.limit);
        let mut after = page.after;
        while positions.len() < page.limit {
            let wanted = page.limit - positions.len();
            loop {
                let mut draw = |bound| self.random.below(bound);
                let has_hints = hints.is_some();
                let queries =
                    puller.reader.next_queries(page.queue, after, wanted, allowance, has_hints, &mut draw);
                if queries.is_empty() {
                    break;
                }
                allowance -= queries.len();
                puller.queries += queries.len();
                for asked in &queries {
                    let limit = page.limit.max(QUERY_ENTRIES);
                    let (found, up_to) = self.queues.query(asked.queue, asked.shard, asked.after, limit, at);
                    let units = query(found.len() * self.entry_bytes, Consistency::Eventual);
                    self.meter.add(Partition::Open(asked.queue, asked.shard), units);
                    puller.reader.take(asked, found, up_to);
                }
            }
            let mut found = puller.reader.entries(page.queue, after);
            found.drain(..std::mem::take(&mut skip).min(found.len().saturating_sub(1)));
            found.truncate(wanted);
            let Some(last) = found.last() else { break };
            after = Some(*last);
            for position in &found {
                self.load_task(position.task, view);
            }
            let stands = |position: &OpenPosition| {
                let stored = view.get(&Key::Task(position.task))?;
                open_entry(position.task, &stored.item)
            };
            positions.extend(
                found.into_iter().filter(|position| stands(position) == Some((page.queue, *position))),
            );
        }
        view.insert_page(*page, positions);
        if let Some(position) = puller.reader.seen_to(page.queue) {
            view.limit_sight(position);
        }
    }

    fn load_task(&mut self, id: TaskId, view: &mut View) {
        let key = Key::Task(id);
        if view.has_loaded(&key) {
            return;
        }
        let stored = self.queues.task(id);
        // With all its holders it is below 4 KB.
        self.meter.add(Partition::Task(id), strong_read(0));
        view.insert(key, Some(stored));
    }

    /// A pull's commit arrives: it takes effect, or others were ahead and it tries again.
    pub(crate) fn commit(&mut self, mut puller: Puller, at: UnixMs) {
        let writes = std::mem::take(&mut puller.writes);
        let is_organic = writes.len() > 1;
        self.pulls.counts.commits += u64::from(is_organic);
        let kind = if is_organic { Commit::Transaction } else { Commit::Single };
        // A miner that pulls twice at once is not what this is about: its later session stands.
        let is_current = writes.iter().all(|write| {
            let Key::Task(id) = write.key else { return true };
            write.expect == Expect::Rev(self.queues.task(id).rev)
        });
        for write in writes {
            let expected = match write.expect {
                Expect::Rev(rev) => rev,
                Expect::Absent => 0,
            };
            let key = write.key;
            let stored = stored_by(write, expected);
            if let Key::Task(id) = key {
                self.write_task(id, stored, kind, is_current, &puller, at);
            } else {
                self.write_session(stored, kind, is_current, puller.miner);
            }
        }
        if is_current {
            self.note_pull(&puller, is_organic);
            return;
        }
        self.pulls.counts.conflicts += 1;
        puller.attempt += 1;
        if puller.attempt == TRIES {
            self.pulls.counts.given_up += 1;
            self.note_queries(puller.queries);
            return;
        }
        puller.races_lost += 1;
        self.pulls.lost_at[puller.process] = at;
        let [least, most] = PAUSE_MS;
        let pause_ms = self.random.below((least << puller.attempt).min(most));
        self.later(at.plus_ms(pause_ms + CALL_MS), Event::Pull(Box::new(puller)));
    }

    /// A refused transaction consumes what it would have written; only the indexes stay as they are.
    fn write_task(
        &mut self,
        id: TaskId,
        stored: Stored,
        kind: Commit,
        is_current: bool,
        puller: &Puller,
        at: UnixMs,
    ) {
        let shards = self.queues.shards();
        let holders = if let Item::Task(task) = &stored.item { task.holders.len() } else { 0 };
        let units = self.pulls.writes.entry(("task", holders, kind == Commit::Single)).or_insert_with(|| {
            let [old, new] = [&self.queues.task(id), &stored].map(|stored| task_row(id, stored, shards));
            item_write(Some(&old), &new, kind)
        });
        self.meter.write(Partition::Task(id), *units);
        if !is_current {
            return;
        }
        let shard = self.queues.shard(id);
        let places = self.queues.put(id, stored, at);
        self.pulls.counts.by_shard.resize(usize::from(shards), 0);
        self.pulls.counts.by_shard[usize::from(shard)] += 1;
        self.waits.sharded(puller.begun.ms_since(fresh_position(id).created));
        if places[0] == places[1] {
            return;
        }
        for (place, came) in places.into_iter().zip([false, true]) {
            let Some((queue, position)) = place else { continue };
            self.meter.write(Partition::Open(queue, shard), 1);
            let change = OwnChange { queue, shard, created: position.created, came };
            self.hints.cache(Looker::Miner(puller.process)).note(at, change);
        }
    }

    fn write_session(&mut self, stored: Stored, kind: Commit, is_current: bool, miner: u16) {
        let slot = usize::from(miner);
        let Pulls { sessions, writes, .. } = &mut self.pulls;
        let units = writes.entry(("session", 0, kind == Commit::Single)).or_insert_with(|| {
            let row = |stored: &Stored| Row::new(&Key::Session(hotkey(miner)), stored, &[], 1);
            let rows = [&sessions[slot], &stored].map(|stored| row(stored).expect("a session is JSON"));
            item_write(Some(&rows[0]), &rows[1], kind)
        });
        self.meter.write(Partition::Miner(miner), *units);
        if !is_current {
            return;
        }
        // It is handed in elsewhere before the miner pulls again.
        let mut released = stored;
        if let Item::Session(session) = &mut released.item {
            session.assignment = None;
        }
        self.pulls.sessions[slot] = released;
    }

    fn note_pull(&mut self, puller: &Puller, is_organic: bool) {
        *if is_organic { &mut self.pulls.counts.organic } else { &mut self.pulls.counts.synthetic } += 1;
        self.note_queries(puller.queries);
    }

    fn note_queries(&mut self, queries: usize) {
        let counts = &mut self.pulls.counts.queries;
        counts.resize(counts.len().max(queries + 1), 0);
        counts[queries] += 1;
    }
}
