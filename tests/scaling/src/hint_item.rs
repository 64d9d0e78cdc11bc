//! The hints as they lie in the table, and how processes refresh them.
//!
//! What a process does is the ledger's own code ([`HintCache`], [`QueueHints`]); this is the table's side of it, and
//! the order of the calls.

use std::sync::Arc;

use serde::Serialize;
use sn17_aws::ledger::LedgerOptions;
use sn17_aws::ledger::hints::{HintCache, Lookup, QueueHints};
use sn17_aws::schema::index::open_sort;
use sn17_aws::schema::units::{Consistency, WRITE_UNIT_BYTES, query, read_items};
use sn17_core::UnixMs;
use sn17_core::index::{OpenPosition, OpenQueue};

use crate::load::{CALL_MS, task_id};
use crate::meter::{Meter, Partition};
use crate::queues::Queues;

/// Queries of a refresh that are under way at the same time (the ledger's refresh).
const PARALLEL: u64 = 32;
/// Hints for the depth alone may be this old on average, in milliseconds, and half as much more or less from process
/// to process (the ledger's refresh).
const DEPTH_MS: u64 = 10_000;
/// Bytes of entries on one page of a query (Amazon DynamoDB API Reference).
const PAGE_BYTES: usize = 1 << 20;
/// Milliseconds that a query takes longer when it counts a whole page.
const COUNT_MS: usize = 45;

/// A process that looks at the hints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looker {
    /// One of those behind the clients' routes.
    Gateway(usize),
    /// One of those behind the miners' routes.
    Miner(usize),
}

/// What happened to the hints.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct HintCounts {
    /// Reads of the item.
    pub reads: u64,
    /// Tries to lease the refresh; all but `refreshes` were refused, and paid for.
    pub lease_tries: u64,
    /// Refreshes.
    pub refreshes: u64,
    /// Read request units of looking at every shard's head.
    pub head_units: f64,
    /// Read request units of counting.
    pub count_units: f64,
    /// The size of the item when it was largest, in bytes.
    pub bytes_max: usize,
}

/// The item, and every process's copy.
#[derive(Debug)]
pub struct HintItem {
    left: Option<QueueHints>,
    bytes: usize,
    leased: Option<UnixMs>,
    gateways: Vec<HintCache>,
    miners: Vec<HintCache>,
    shards: u16,
    age_ms: u64,
    entry_bytes: usize,
    /// What happened.
    pub counts: HintCounts,
}

impl HintItem {
    /// Nothing is known to anybody.
    pub fn new(gateways: usize, miners: usize, shards: u16, entry_bytes: usize) -> Self {
        // What a gateway keeps of the hints is their age and the depth, which one shard can hold.
        let gateways = (0..gateways).map(|_| HintCache::new(1)).collect();
        let miners = (0..miners).map(|_| HintCache::new(shards)).collect();
        let age_ms = LedgerOptions::new("").hints_ms;
        let counts = HintCounts::default();
        Self { left: None, bytes: 0, leased: None, gateways, miners, shards, age_ms, entry_bytes, counts }
    }

    /// What a process does about hints now.
    pub fn look(&mut self, looker: Looker, at: UnixMs) -> Lookup {
        let age_ms = self.age_ms(looker);
        self.cache(looker).look(at, age_ms)
    }

    /// How old the hints may be that a process goes by.
    fn age_ms(&self, looker: Looker) -> u64 {
        match looker {
            Looker::Gateway(process) => self.age_ms.max(self.depth_ms(process)),
            Looker::Miner(_) => self.age_ms,
        }
    }

    /// How old the hints may be that a gateway goes by: evenly spread over the gateways.
    fn depth_ms(&self, process: usize) -> u64 {
        DEPTH_MS / 2 + DEPTH_MS * process as u64 / self.gateways.len() as u64
    }

    /// The network has been running for long: hints lie in the table, and each gateway got them at some time within
    /// their age.
    pub fn warm(&mut self, now: UnixMs, depth: usize, oldest: UnixMs) {
        let mut hints = QueueHints { taken: now, counted: now, ..QueueHints::new(self.shards) };
        for shard in 0..self.shards {
            hints.note_open(OpenQueue::Anyone, shard, oldest);
            hints.note_count(OpenQueue::Anyone, shard, depth as u64, None);
        }
        self.leave(&hints, &mut Meter::default());
        for process in 0..self.gateways.len() {
            // A stride that shares no factor with the age spreads neighbours over it.
            let taken = UnixMs(now.0 - process as u64 * 7919 % self.depth_ms(process));
            let known = QueueHints { taken, counted: taken, ..QueueHints::new(1) };
            self.gateways[process].refreshed(taken, Some(known));
        }
    }

    /// A process's copy.
    pub fn cache(&mut self, looker: Looker) -> &mut HintCache {
        match looker {
            Looker::Gateway(process) => &mut self.gateways[process],
            Looker::Miner(process) => &mut self.miners[process],
        }
    }

    /// A process reads the item.
    pub fn read(&mut self, meter: &mut Meter) {
        self.counts.reads += 1;
        meter.add(Partition::Hints, read_items([self.bytes], Consistency::Eventual));
    }

    /// A process that began at `begun` has read the item and leases the refresh if need be; answers whether it is
    /// the one to refresh.
    pub fn lease(&mut self, looker: Looker, begun: UnixMs, meter: &mut Meter) -> bool {
        let age_ms = self.age_ms(looker);
        if self.left.as_ref().is_some_and(|left| left.is_fresh(begun, age_ms)) {
            return false;
        }
        self.counts.lease_tries += 1;
        meter.write(Partition::Hints, 1);
        let is_free = self.leased.is_none_or(|leased| leased.0 + self.age_ms <= begun.0);
        if is_free {
            self.leased = Some(begun);
        }
        is_free
    }

    /// Looks at every shard and counts as far as one page goes; answers the new hints, and how long it took.
    /// `steady` is how many tasks stand in each shard where they have been coming for long.
    pub fn take(
        &mut self,
        begun: UnixMs,
        at: UnixMs,
        queues: &Queues,
        steady: Option<(usize, UnixMs)>,
        meter: &mut Meter,
    ) -> (QueueHints, u64) {
        self.counts.refreshes += 1;
        let mut hints = self.left.clone().unwrap_or_else(|| QueueHints::new(self.shards));
        for queue in [OpenQueue::Anyone, OpenQueue::StrongOnly] {
            for shard in 0..self.shards {
                let oldest = match steady {
                    Some((_, oldest)) if queue == OpenQueue::Anyone => Some(oldest),
                    Some(_) | None => queues.head(queue, shard, at),
                };
                let units = query(self.entry_bytes, Consistency::Eventual);
                self.counts.head_units += crate::meter::float(units.read_halves) / 2.0;
                meter.add(Partition::Open(queue, shard), units);
                if let Some(hint) = hints.shard_mut(queue, shard) {
                    hint.oldest = oldest;
                }
            }
        }
        let counted = hints.shards_to_count(begun, self.age_ms);
        if counted.len() == 2 * usize::from(self.shards) {
            hints.counted = begun;
        }
        let mut ms = (u64::from(self.shards) * 2).div_ceil(PARALLEL) * CALL_MS;
        let rounds = (counted.len() as u64).div_ceil(PARALLEL);
        let mut longest = 0;
        let resume = open_sort(OpenPosition { created: at, task: task_id(at, 0) });
        for (queue, shard) in counted {
            let depth = match steady {
                Some((depth, _)) if queue == OpenQueue::Anyone => depth,
                Some(_) | None => queues.depth(queue, shard),
            };
            let hint = hints.shards(queue).get(usize::from(shard));
            let before = hint.and_then(|hint| hint.counting.as_ref()).map_or(0, |(before, _)| *before);
            let left = depth.saturating_sub(usize::try_from(before).unwrap_or_default());
            let page = left.min(PAGE_BYTES / self.entry_bytes);
            longest = longest.max(COUNT_MS * page * self.entry_bytes / PAGE_BYTES);
            let units = query(page * self.entry_bytes, Consistency::Eventual);
            self.counts.count_units += crate::meter::float(units.read_halves) / 2.0;
            meter.add(Partition::Open(queue, shard), units);
            hints.note_count(queue, shard, page as u64, (page < left).then(|| resume.clone()));
        }
        ms += rounds * (CALL_MS + longest as u64);
        hints.taken = begun;
        (hints, ms)
    }

    /// A process leaves the hints that it took.
    pub fn leave(&mut self, hints: &QueueHints, meter: &mut Meter) {
        let bytes = |text: serde_json::Result<String>| text.map_or(0, |text| text.len() + NAMES_BYTES);
        let (was_counting, progress) = (hints.is_counting, hints.progress());
        let is_counting = !progress.0.is_empty();
        if was_counting || is_counting {
            let progress_bytes = bytes(serde_json::to_string(&progress));
            meter.add(Partition::Hints, read_items([progress_bytes], Consistency::Strong));
            meter.write(Partition::Hints, progress_bytes.div_ceil(WRITE_UNIT_BYTES));
        }
        let hints = &QueueHints { is_counting, ..hints.clone() };
        self.bytes = bytes(serde_json::to_string(hints));
        self.counts.bytes_max = self.counts.bytes_max.max(self.bytes);
        meter.write(Partition::Hints, self.bytes.div_ceil(WRITE_UNIT_BYTES));
        self.left = Some(hints.clone());
    }

    /// A process takes over what lies in the table; answers what it goes by from now on.
    pub fn take_over(&mut self, looker: Looker, begun: UnixMs) -> Option<Arc<QueueHints>> {
        let left = match looker {
            Looker::Miner(_) => self.left.clone(),
            Looker::Gateway(_) => self.left.as_ref().map(|left| QueueHints {
                taken: left.taken,
                counted: left.counted,
                ..QueueHints::new(1)
            }),
        };
        self.cache(looker).refreshed(begun, left)
    }
}

/// `pk`, `sk` and `at` with their values, and `v`'s name.
const NAMES_BYTES: usize = 25;
