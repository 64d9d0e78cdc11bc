//! The loads that are tried.

use serde::Serialize;
use sn17_aws::ledger::pages::QUERIES_MAX;

use crate::gateways::{GRANTED_MIN, QuotaHour, quota_hour};
use crate::load::{Load, MINERS};
use crate::meter::Kind;
use crate::report::{PARTITION_READS_MAX, PARTITION_WRITES_MAX, Report};
use crate::world::World;

/// How long the loads are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    /// Seconds of work: what the tests run.
    Small,
    /// Minutes of work.
    Full,
}

impl Size {
    const fn millis(self) -> u64 {
        match self {
            Self::Small => 2_000,
            Self::Full => 20_000,
        }
    }
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Trials {
    /// How long the loads were looked at.
    pub size: Size,
    /// The flood after ten minutes of it, by number of shards.
    pub search: Vec<Report>,
    /// The fewest shards, as a power of two, that keep every partition key of the queues and the calendar below
    /// DynamoDB's limits.
    pub shards: u16,
    /// The loads on so many shards.
    pub loads: Vec<Report>,
    /// Bursts that pulls can work off, by tasks a second and shards.
    pub bursts: Vec<Report>,
    /// An empty network, by pulls a second and shards.
    pub idle: Vec<Report>,
    /// A key's hour, by the processes that see it.
    pub quota_hours: Vec<QuotaHour>,
}

/// The load that must be carried: 100,000 tasks and 2,000 pulls a second, and four status reads for each task.
const FLOOD: Load = Load {
    name: "flood",
    adds_per_sec: 100_000,
    statuses_per_add: 4,
    pulls_per_sec: 2_000,
    burst_ms: 0,
    since_ms: 0,
    millis: 0,
    is_indexes_only: false,
};
/// What the pulls of [`FLOOD`] can work off, in bursts: the queues fill and empty.
const BURSTS: Load = Load { name: "bursts", burst_ms: 1_000, ..FLOOD };
/// Half of what these pulls can take, and nearly all of it, in tasks a second.
const BURSTS_PER_SEC: [u64; 2] = [240, 420];
/// Numbers of shards that are tried with bursts.
const BURST_SHARDS: [u16; 4] = [4, 16, 64, 256];
/// Nobody asks for anything.
const IDLE: Load = Load { name: "idle", adds_per_sec: 0, ..FLOOD };
/// Numbers of shards that are tried.
const SHARDS: [u16; 4] = [64, 128, 256, 512];
/// By so much may the oldest task be older than in an unsharded queue, in milliseconds.
pub const EXCESS_MS_MAX: u64 = 2_000;
/// Seconds between two pulls of a miner on an empty network.
pub const IDLE_SECS: [u64; 3] = [1, 10, 64];

impl Trials {
    /// Runs every load.
    pub fn run(size: Size) -> Self {
        let steady = Load { name: "flood, after ten minutes", since_ms: 600_000, ..FLOOD };
        let search = |shards| {
            let millis = size.millis() / 2;
            World::run(Load { millis, is_indexes_only: true, ..steady }, shards)
        };
        let search: Vec<Report> = SHARDS.into_iter().map(search).collect();
        let carries = |report: &&Report| {
            let (writes, reads) = report.shard_peaks();
            writes < PARTITION_WRITES_MAX && reads < PARTITION_READS_MAX
        };
        let shards = search.iter().find(carries).map_or(u16::MAX, |report| report.shards);
        let millis = size.millis();
        let loads =
            vec![World::run(Load { millis, ..FLOOD }, shards), World::run(Load { millis, ..steady }, shards)];
        let bursts = BURSTS_PER_SEC.into_iter().flat_map(|adds_per_sec| {
            let load = Load { adds_per_sec, millis: 4 * millis, ..BURSTS };
            BURST_SHARDS.map(|shards| World::run(load, shards))
        });
        let bursts = bursts.collect();
        let idle = [4, shards].into_iter().flat_map(|shards| {
            IDLE_SECS.map(|secs| {
                let pulls_per_sec = u64::from(MINERS) / secs;
                World::run(Load { pulls_per_sec, millis: 4 * millis, ..IDLE }, shards)
            })
        });
        let idle = idle.collect();
        let quota_hours = [1, 10, 100, 1000, 5200].map(quota_hour).to_vec();
        Self { size, search, shards, loads, bursts, idle, quota_hours }
    }

    /// Checks what holds of the queues whatever the load: at most four queries a pull, shards that carry it and of which
    /// none starves. Under the flood no task is left behind either. Quotas are granted, by partitions that carry it.
    ///
    /// # Panics
    /// When it does not hold.
    pub fn assert_bounds(&self) {
        let all = || self.search.iter().chain(&self.loads).chain(&self.bursts).chain(&self.idle);
        for report in all() {
            let load = report.load.name;
            assert!(report.queries_max() <= QUERIES_MAX, "{load}: {:?}", report.pulls.queries);
        }
        for report in self.loads.iter().chain(&self.bursts) {
            let load = report.load.name;
            let (writes, reads) = report.shard_peaks();
            assert!(
                writes < PARTITION_WRITES_MAX && reads < PARTITION_READS_MAX,
                "{load}: {writes}, {reads}"
            );
            assert!(report.pulls.by_shard.iter().all(|tasks| *tasks > 0), "{load}: a shard starves");
        }
        for report in &self.loads {
            let load = report.load.name;
            assert!(report.waits.excess_ms <= EXCESS_MS_MAX, "{load}: {:?}", report.waits);
            assert!(!report.too_busy().contains(&Kind::BusiestQuota), "{load}: {:?}", report.kinds);
        }
        for hour in &self.quota_hours {
            assert!(hour.granted > GRANTED_MIN && hour.write_peak < PARTITION_WRITES_MAX, "{hour:?}");
        }
    }
}
