//! What comes in.

use serde::Serialize;
use sn17_core::{TaskId, UnixMs};

use crate::random::mix;

/// Milliseconds of a call to DynamoDB.
pub const CALL_MS: u64 = 5;
/// Milliseconds until an index shows what the table holds.
pub const INDEX_MS: u64 = 100;
/// Milliseconds that a process is busy with an `add_task`: three calls and itself.
pub const ADD_MS: u64 = 20;
/// Milliseconds that a process is busy with a status: one call and itself.
pub const STATUS_MS: u64 = 8;
/// Milliseconds that a process is busy with a pull: seven calls and itself.
pub const PULL_MS: u64 = 40;
/// The first instant: a full hour, when every process leases its quotas anew.
pub const BEGIN: UnixMs = UnixMs(1_749_999_600_000);
/// Miners, as many as a subnet has.
pub const MINERS: u16 = 256;
/// API keys besides the busiest.
pub const API_KEYS: u32 = 10_000;

/// A load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Its name.
    pub name: &'static str,
    /// Tasks accepted in a second.
    pub adds_per_sec: u64,
    /// Looks at a task's status for each task accepted: 4 make 80 % of the clients' requests.
    pub statuses_per_add: u64,
    /// Pulls of miners that may have a task, in a second.
    pub pulls_per_sec: u64,
    /// Milliseconds of each four seconds in which twice as many tasks come, and none in as many; 0 for an even stream.
    pub burst_ms: u64,
    /// For how long tasks have been coming like this already, in milliseconds.
    pub since_ms: u64,
    /// How long to look at it, in milliseconds.
    pub millis: u64,
    /// Whether only pulls, the indexes and the hints are counted, and nothing else of the clients' requests.
    pub is_indexes_only: bool,
}

impl Load {
    /// Processes that are busy with clients' requests at the same time, by Little's law; at least one.
    pub const fn gateways(&self) -> u64 {
        let busy_ms = self.adds_per_sec * (ADD_MS + self.statuses_per_add * STATUS_MS);
        if busy_ms < 1000 { 1 } else { busy_ms.div_ceil(1000) }
    }

    /// Processes that are busy with miners' pulls at the same time, by Little's law; at least one.
    pub const fn miner_processes(&self) -> u64 {
        let busy_ms = self.pulls_per_sec * PULL_MS;
        if busy_ms < 1000 { 1 } else { busy_ms.div_ceil(1000) }
    }

    /// How many tasks are accepted in the millisecond that begins at `at`.
    pub const fn adds_at(&self, at: UnixMs) -> u64 {
        let ms = at.0;
        let phase = ms % 4000;
        let factor = match self.burst_ms {
            0 => 1,
            burst_ms if phase < burst_ms => 2,
            burst_ms if phase < 2 * burst_ms => 0,
            _ => 1,
        };
        per_ms(self.adds_per_sec * factor, ms)
    }

    /// How many pulls begin in the millisecond that begins at `at`.
    pub const fn pulls_at(&self, at: UnixMs) -> u64 {
        per_ms(self.pulls_per_sec, at.0)
    }
}

/// Spreads a rate over the milliseconds of a second.
const fn per_ms(per_sec: u64, ms: u64) -> u64 {
    let phase = ms % 1000;
    (phase + 1) * per_sec / 1000 - phase * per_sec / 1000
}

/// The id of the `number`th task that is accepted in a millisecond.
pub fn task_id(created: UnixMs, number: u64) -> TaskId {
    let high = mix(created.0 ^ mix(number));
    TaskId::new(created, u128::from(high) << 64 | u128::from(mix(high)))
}
