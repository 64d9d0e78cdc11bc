//! What a load came to.

use std::collections::BTreeMap;

use serde::Serialize;
use sn17_core::UnixMs;

use crate::gateways::Quotas;
use crate::hint_item::HintCounts;
use crate::load::Load;
use crate::meter::{Consumed, Kind};
use crate::pulls::PullCounts;

/// Write request units that one partition takes in a second (Amazon DynamoDB Developer Guide).
pub const PARTITION_WRITES_MAX: f64 = 1000.0;
/// Read request units that one partition takes in a second (Amazon DynamoDB Developer Guide).
pub const PARTITION_READS_MAX: f64 = 3000.0;
/// Units of either kind that an account's quotas allow one on-demand table in a second (Amazon DynamoDB Developer
/// Guide); they can be raised.
pub const TABLE_UNITS_MAX: f64 = 40_000.0;

/// What a load came to.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The load.
    pub load: Load,
    /// Shards of the queues and the calendar.
    pub shards: u16,
    /// Processes behind the clients' routes.
    pub gateways: usize,
    /// Processes behind the miners' routes.
    pub miner_processes: usize,
    /// What each kind of partition key consumed.
    pub kinds: BTreeMap<Kind, Consumed>,
    /// The quotas.
    pub quotas: Quotas,
    /// The hints.
    pub hints: HintCounts,
    /// The pulls.
    pub pulls: PullCounts,
    /// How long tasks waited.
    pub waits: WaitFigures,
}

impl Report {
    /// The kinds of partition keys that would be throttled.
    pub fn too_busy(&self) -> Vec<Kind> {
        let is_over = |consumed: &Consumed| {
            consumed.write_peak >= PARTITION_WRITES_MAX || consumed.read_peak >= PARTITION_READS_MAX
        };
        self.kinds.iter().filter(|(_, consumed)| is_over(consumed)).map(|(kind, _)| *kind).collect()
    }

    /// What the kinds of partition key that the number of shards decides on consumed at most: writes and reads.
    pub fn shard_peaks(&self) -> (f64, f64) {
        let kinds = [Kind::OpenAnyone, Kind::OpenStrong, Kind::Due];
        let consumed = || kinds.iter().filter_map(|kind| self.kinds.get(kind));
        let writes = consumed().map(|consumed| consumed.write_peak).fold(0.0, f64::max);
        (writes, consumed().map(|consumed| consumed.read_peak).fold(0.0, f64::max))
    }

    /// Write and read request units of everything in a second.
    pub fn per_sec(&self) -> (f64, f64) {
        let kinds = self.kinds.values();
        kinds.fold((0.0, 0.0), |(writes, reads), kind| {
            (writes + kind.write_per_sec, reads + kind.read_per_sec)
        })
    }

    /// The most queries of any pull.
    pub fn queries_max(&self) -> usize {
        self.pulls.queries.len().saturating_sub(1)
    }
}

/// Waits as they come in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits {
    sharded_ms: Vec<u64>,
    unsharded_ms: Vec<u64>,
    excess_ms: u64,
}

/// How long tasks waited for a miner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WaitFigures {
    /// By how much the oldest waiting task was older than in an unsharded queue, at most, in milliseconds.
    pub excess_ms: u64,
    /// The age at which half of the tasks handed out were younger, in milliseconds.
    pub sharded_median_ms: u64,
    /// The same for 99 %.
    pub sharded_p99_ms: u64,
    /// The half in an unsharded queue.
    pub unsharded_median_ms: u64,
    /// The 99 % in an unsharded queue.
    pub unsharded_p99_ms: u64,
}

impl Waits {
    /// A task of this age was handed out.
    pub(crate) fn sharded(&mut self, ms: u64) {
        self.sharded_ms.push(ms);
    }

    /// A task of this age was handed out of the unsharded queue.
    pub(crate) fn unsharded(&mut self, ms: u64) {
        self.unsharded_ms.push(ms);
    }

    /// The oldest tasks that wait in either.
    pub(crate) fn sample(&mut self, at: UnixMs, sharded: Option<UnixMs>, unsharded: Option<UnixMs>) {
        let Some(oldest) = sharded else { return };
        self.excess_ms = self.excess_ms.max(unsharded.unwrap_or(at).ms_since(oldest));
    }

    pub(crate) fn figures(mut self) -> WaitFigures {
        self.sharded_ms.sort_unstable();
        self.unsharded_ms.sort_unstable();
        let at = |sorted: &[u64], percent: usize| {
            sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied()
        };
        WaitFigures {
            excess_ms: self.excess_ms,
            sharded_median_ms: at(&self.sharded_ms, 50).unwrap_or_default(),
            sharded_p99_ms: at(&self.sharded_ms, 99).unwrap_or_default(),
            unsharded_median_ms: at(&self.unsharded_ms, 50).unwrap_or_default(),
            unsharded_p99_ms: at(&self.unsharded_ms, 99).unwrap_or_default(),
        }
    }
}
