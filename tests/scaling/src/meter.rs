//! Units by partition key and second.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use sn17_aws::schema::units::Units;
use sn17_core::TaskId;
use sn17_core::index::OpenQueue;

/// A partition key of the table or of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Partition {
    /// `K#…`: an API key.
    ApiKey(u32),
    /// `W#…`: a part of an API key's quota windows.
    Quota(u32, u16),
    /// `N#…`: the nonces of a miner's client.
    Nonce(u64),
    /// `M#…`: a miner's session and record.
    Miner(u16),
    /// `T#…`: a task and its submissions.
    Task(TaskId),
    /// `X#hints`: the hints, and the lease on refreshing them.
    Hints,
    /// A shard of a queue in the index `open`.
    Open(OpenQueue, u16),
    /// A shard of the calendar in the index `due`.
    Due(u16),
}

/// Partition keys of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The API key that sends a tenth of the traffic.
    BusiestApiKey,
    /// Every other API key.
    ApiKey,
    /// The quota windows of the API key that sends a tenth of the traffic.
    BusiestQuota,
    /// The quota windows of every other API key.
    Quota,
    /// Nonces.
    Nonce,
    /// Sessions.
    Miner,
    /// Tasks.
    Task,
    /// The hints.
    Hints,
    /// The queue for anyone.
    OpenAnyone,
    /// The queue for strong miners.
    OpenStrong,
    /// The calendar.
    Due,
}

/// The number of the API key that sends a tenth of the traffic.
pub const BUSIEST: u32 = 0;

impl Partition {
    const fn kind(self) -> Kind {
        match self {
            Self::ApiKey(BUSIEST) => Kind::BusiestApiKey,
            Self::ApiKey(_) => Kind::ApiKey,
            Self::Quota(BUSIEST, _) => Kind::BusiestQuota,
            Self::Quota(..) => Kind::Quota,
            Self::Nonce(_) => Kind::Nonce,
            Self::Miner(_) => Kind::Miner,
            Self::Task(_) => Kind::Task,
            Self::Hints => Kind::Hints,
            Self::Open(OpenQueue::Anyone, _) => Kind::OpenAnyone,
            Self::Open(OpenQueue::StrongOnly, _) => Kind::OpenStrong,
            Self::Due(_) => Kind::Due,
        }
    }
}

/// What the partition keys of one kind consumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Consumed {
    /// Write request units of the busiest key in its busiest second.
    pub write_peak: f64,
    /// Read request units of the busiest key in its busiest second.
    pub read_peak: f64,
    /// Write request units of all keys in a second, on average.
    pub write_per_sec: f64,
    /// Read request units of all keys in a second, on average.
    pub read_per_sec: f64,
}

/// Counts units by partition key, a second at a time.
#[derive(Debug, Default)]
pub struct Meter {
    second: HashMap<Partition, Units>,
    kinds: BTreeMap<Kind, Consumed>,
    seconds: f64,
}

impl Meter {
    /// Adds what a request consumed of a partition.
    pub fn add(&mut self, partition: Partition, units: Units) {
        *self.second.entry(partition).or_default() += units;
    }

    /// Adds write request units.
    pub fn write(&mut self, partition: Partition, units: usize) {
        self.add(partition, Units { write: units, read_halves: 0 });
    }

    /// Ends a second.
    pub fn end_second(&mut self) {
        self.seconds += 1.0;
        let kinds = &mut self.kinds;
        self.second.drain().for_each(|(partition, units)| {
            let consumed = kinds.entry(partition.kind()).or_default();
            let (write, read) = (float(units.write), float(units.read_halves) / 2.0);
            consumed.write_peak = consumed.write_peak.max(write);
            consumed.read_peak = consumed.read_peak.max(read);
            consumed.write_per_sec += write;
            consumed.read_per_sec += read;
        });
    }

    /// What each kind of partition key consumed in the whole seconds so far.
    pub fn consumed(&self) -> BTreeMap<Kind, Consumed> {
        let average = |consumed: &Consumed| Consumed {
            write_per_sec: consumed.write_per_sec / self.seconds.max(1.0),
            read_per_sec: consumed.read_per_sec / self.seconds.max(1.0),
            ..*consumed
        };
        self.kinds.iter().map(|(kind, consumed)| (*kind, average(consumed))).collect()
    }
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub const fn float(count: usize) -> f64 {
    count as f64
}
