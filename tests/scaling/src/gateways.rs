//! The processes behind the clients' routes: what they keep in memory, and what they ask of the table for the rest.

use std::collections::HashMap;

use crate::ledger::quota::{Claim, Leases};
use serde::Serialize;
use sn17_app::ports::QuotaWindow;
use sn17_core::UnixMs;
use sn17_core::state::KeyHash;

use crate::load::{API_KEYS, Load};
use crate::meter::{BUSIEST, Meter, Partition};
use crate::random::Random;

/// A key found good is not looked up again for so long, in milliseconds (`sn17_app`'s cache of API keys).
const KEY_CACHE_MS: u64 = 5_000;
/// Tries of one count whose block was not there (the ledger's counters).
const LEASE_TRIES: u32 = 4;
/// The length of the quota windows, in seconds.
const PERIOD_SECS: u32 = 3600;

/// Hourly limit of an API key, far above what it sends here.
const fn limit(key: u32) -> u32 {
    if key == BUSIEST { 50_000_000 } else { 50_000 }
}

/// What came of the quotas.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Quotas {
    /// Tasks counted.
    pub granted: u64,
    /// Tasks refused although the key sent fewer than its limit.
    pub refused: u64,
    /// Writes to quota windows.
    pub writes: u64,
    /// What the processes have leased of the busiest key's window.
    pub busiest_leased: u64,
    /// What the busiest key has used of it.
    pub busiest_used: u64,
}

/// The memories of all processes.
#[derive(Debug)]
pub struct Gateways {
    /// When a process last looked a key up.
    known: HashMap<(u32, u32), UnixMs>,
    leases: Vec<Leases>,
    windows: HashMap<(u32, u64), u32>,
    /// What came of the quotas.
    pub quotas: Quotas,
}

impl Gateways {
    /// As many processes as the load keeps busy. Each knows the busiest key since some moment of the last seconds.
    pub fn new(load: &Load, begin: UnixMs, random: &mut Random) -> Self {
        let processes = u32::try_from(load.gateways()).unwrap_or(u32::MAX);
        let ago = |random: &mut Random| UnixMs(begin.0 - random.below(KEY_CACHE_MS));
        let known = (0..processes).map(|process| ((process, BUSIEST), ago(random))).collect();
        let leases = (0..processes).map(|_| Leases::default()).collect();
        Self { known, leases, windows: HashMap::new(), quotas: Quotas::default() }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.leases.len()
    }

    /// The key of the next request: the busiest one for a tenth of them.
    pub fn draw_key(random: &mut Random) -> u32 {
        if random.below(10) == 0 {
            return BUSIEST;
        }
        1 + u32::try_from(random.below(API_KEYS.into())).unwrap_or_default()
    }

    /// Looks a key up unless the process knows it.
    pub fn authenticate(&mut self, process: usize, key: u32, at: UnixMs, meter: &mut Meter) {
        let process = u32::try_from(process).unwrap_or(u32::MAX);
        let since = self.known.get(&(process, key));
        if since.is_none_or(|since| at.ms_since(*since) >= KEY_CACHE_MS) {
            self.known.insert((process, key), at);
            meter.add(Partition::ApiKey(key), crate::world::strong_read(0));
        }
    }

    /// Counts a task against its key's hour.
    pub fn charge(&mut self, process: usize, key: u32, at: UnixMs, meter: &mut Meter) -> bool {
        let number = at.secs() / u64::from(PERIOD_SECS);
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&key.to_be_bytes());
        let window = QuotaWindow { key: KeyHash(hash), period_secs: PERIOD_SECS, number };
        let count = self.windows.entry((key, number)).or_default();
        let before = *count;
        let (granted, writes) = count_one(&mut self.leases[process], &window, at, limit(key), count);
        meter.write(Partition::ApiKey(key), writes);
        self.quotas.writes += writes as u64;
        if key == BUSIEST {
            self.quotas.busiest_leased += u64::from(*count - before);
            self.quotas.busiest_used += u64::from(granted);
        }
        *if granted { &mut self.quotas.granted } else { &mut self.quotas.refused } += 1;
        granted
    }
}

/// Counts one task as the ledger's counters do; answers whether it was there, and the writes it took.
fn count_one(
    leases: &mut Leases,
    window: &QuotaWindow,
    at: UnixMs,
    limit: u32,
    count: &mut u32,
) -> (bool, usize) {
    for attempt in 1..=LEASE_TRIES {
        let tries = usize::try_from(attempt).unwrap_or_default();
        let block = match leases.claim(window, limit) {
            Claim::Granted => return (true, tries - 1),
            Claim::Refused => return (false, tries - 1),
            Claim::Lease(_) if attempt == LEASE_TRIES => 1,
            Claim::Lease(block) => block,
        };
        if count.saturating_add(block) <= limit {
            *count += block;
            leases.leased(window, at, limit, block, *count);
            return (true, tries);
        }
        leases.seen(window, at, *count);
    }
    (false, usize::try_from(LEASE_TRIES).unwrap_or_default())
}

/// What becomes of one key's hour when many processes share it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QuotaHour {
    /// Processes that see the key.
    pub processes: u64,
    /// The share of the tasks asked for that was granted; the limit would have taken all of them.
    pub granted: f64,
    /// Writes to the window.
    pub writes: u64,
}

/// Lets a key ask for 72 % of its hourly limit, evenly, at processes drawn at random.
pub fn quota_hour(processes: u64) -> QuotaHour {
    const LIMIT: u32 = 500_000;
    const ASKED: u32 = 360_000;
    let mut all: Vec<Leases> = (0..processes).map(|_| Leases::default()).collect();
    let window = QuotaWindow { key: KeyHash([1; 32]), period_secs: PERIOD_SECS, number: 1 };
    let (mut random, mut count, mut granted, mut writes) = (Random::new(17), 0, 0_u32, 0);
    for _ in 0..ASKED {
        let process = random.index(all.len());
        let at = UnixMs::from_secs(PERIOD_SECS.into());
        let (is_granted, written) = count_one(&mut all[process], &window, at, LIMIT, &mut count);
        granted += u32::from(is_granted);
        writes += written as u64;
    }
    QuotaHour { processes, granted: f64::from(granted) / f64::from(ASKED), writes }
}
