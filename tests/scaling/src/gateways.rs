//! The processes behind the clients' routes: what they keep in memory, and what they ask of the table for the rest.

use std::collections::HashMap;

use serde::Serialize;
use sn17_app::ports::QuotaWindow;
use sn17_aws::ledger::quota::{Claim, LEASE_TRIES, Leases, PARTS};
use sn17_aws::schema::units::Units;
use sn17_core::UnixMs;
use sn17_core::state::KeyHash;

use crate::load::{API_KEYS, Load};
use crate::meter::{BUSIEST, Kind, Meter, Partition};
use crate::random::Random;

/// A key found good is not looked up again for so long, in milliseconds (`sn17_app`'s cache of API keys).
const KEY_CACHE_MS: u64 = 5_000;
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
    windows: HashMap<(u32, u64), Counts>,
    /// What came of the quotas.
    pub quotas: Quotas,
}

impl Gateways {
    /// As many processes as the load keeps busy. Each knows the busiest key since some moment of the last seconds.
    pub fn new(load: &Load, begin: UnixMs, random: &mut Random) -> Self {
        let processes = u32::try_from(load.gateways()).unwrap_or(u32::MAX);
        let ago = |random: &mut Random| UnixMs(begin.0 - random.below(KEY_CACHE_MS));
        let known = (0..processes).map(|process| ((process, BUSIEST), ago(random))).collect();
        let leases = (0..processes).map(|_| new_leases(random)).collect();
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
        let counts = self.windows.entry((key, number)).or_default();
        let before = counts.iter().sum::<u32>();
        let (granted, writes) =
            count_one(&mut self.leases[process], &window, key, at, limit(key), counts, meter);
        self.quotas.writes += writes;
        if key == BUSIEST {
            self.quotas.busiest_leased += u64::from(counts.iter().sum::<u32>() - before);
            self.quotas.busiest_used += u64::from(granted);
        }
        *if granted { &mut self.quotas.granted } else { &mut self.quotas.refused } += 1;
        granted
    }
}

/// The counts of a window's parts.
type Counts = [u32; PARTS as usize];

/// A process that has leased nothing.
fn new_leases(random: &mut Random) -> Leases {
    Leases::new(u128::from(random.next()) << 64 | u128::from(random.next()))
}

/// Counts one task as the ledger's counters do; answers whether it was there, and the writes it took.
fn count_one(
    leases: &mut Leases,
    window: &QuotaWindow,
    key: u32,
    at: UnixMs,
    limit: u32,
    counts: &mut Counts,
    meter: &mut Meter,
) -> (bool, u64) {
    for writes in 0..u64::from(LEASE_TRIES) {
        let block = match leases.claim(window, at, limit) {
            Claim::Granted => return (true, writes),
            Claim::Refused => return (false, writes),
            Claim::Lease(block) => block,
        };
        meter.write(Partition::Quota(key, block.part), 1);
        let count = &mut counts[usize::from(block.part)];
        if count.saturating_add(block.count) <= block.limit {
            *count += block.count;
            leases.leased(window, at, limit, block, *count);
            return (true, writes + 1);
        }
        for part in 0..PARTS {
            meter.add(Partition::Quota(key, part), Units { write: 0, read_halves: 1 });
        }
        leases.missed(window, at, (0..PARTS).zip(*counts));
    }
    (false, LEASE_TRIES.into())
}

/// The hourly limit of the key of [`quota_hour`].
pub const QUOTA_LIMIT: u32 = 500_000;
/// More than this share of a limit must be granted within the hour.
pub const GRANTED_MIN: f64 = 0.99;

/// What becomes of one key's hour when many processes share it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct QuotaHour {
    /// Processes that see the key.
    pub processes: u64,
    /// The share of the limit that was granted when as many tasks had been asked for.
    pub granted: f64,
    /// The same after another minute of asking.
    pub granted_after: f64,
    /// Writes to the window.
    pub writes: u64,
    /// Writes to the busiest part in its busiest second.
    pub write_peak: f64,
}

/// Lets a key ask for its whole hourly limit, evenly, at processes drawn at random, and then for a sixtieth more.
pub fn quota_hour(processes: u64) -> QuotaHour {
    let mut random = Random::new(17);
    let mut all: Vec<Leases> = (0..processes).map(|_| new_leases(&mut random)).collect();
    let window = QuotaWindow { key: KeyHash([1; 32]), period_secs: PERIOD_SECS, number: 1 };
    let (mut meter, mut counts) = (Meter::default(), Counts::default());
    let (mut granted, mut within, mut writes, mut second) = (0_u32, 0, 0, 0);
    for task in 0..QUOTA_LIMIT + QUOTA_LIMIT / 60 {
        let asked_ms = u64::from(task) * u64::from(PERIOD_SECS) * 1000 / u64::from(QUOTA_LIMIT);
        let at = UnixMs::from_secs(PERIOD_SECS.into()).plus_ms(asked_ms);
        if at.secs() > second {
            second = at.secs();
            meter.end_second();
        }
        if task == QUOTA_LIMIT {
            within = granted;
        }
        let process = random.index(all.len());
        let (is_granted, written) =
            count_one(&mut all[process], &window, BUSIEST, at, QUOTA_LIMIT, &mut counts, &mut meter);
        granted += u32::from(is_granted);
        writes += written;
    }
    meter.end_second();
    let share = |granted: u32| f64::from(granted) / f64::from(QUOTA_LIMIT);
    let write_peak = meter.consumed().get(&Kind::BusiestQuota).map_or(0.0, |parts| parts.write_peak);
    QuotaHour { processes, granted: share(within), granted_after: share(granted), writes, write_peak }
}
