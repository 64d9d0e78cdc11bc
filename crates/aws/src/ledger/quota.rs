//! Quotas of API keys in leased blocks: how many processes count many tasks with few writes.
//!
//! A limit of at most [`EXACT_MAX`] tasks a window is one counter, and every task is one write. Above, the window is
//! split over [`PARTS`] counters in partitions of their own, each with its part of the limit, and a process leases a
//! block of one part at a time and hands it out by itself. It begins with the part that its own randomness picks and
//! goes on to the next when that one is full.
//!
//! A process leases what it uses in a second or some: it begins with 1, a block used up within a second (`SHORT_MS`) doubles
//! the next, one that lasted longer than four (`LONG_MS`) halves it, and it is never more than a thousandth of what is left
//! of the window, judged by the part. So a process writes about once a second however many tasks it counts, and what
//! it has leased and not used when it ends, which is lost to the window, is about what it uses in a second.
//!
//! Whoever finds a block gone looks at all parts at once before the next try. The reads cost half a unit a part;
//! otherwise all processes would try every part with a write in the second in which a window gets full.
//!
//! A limit that is changed across [`EXACT_MAX`] within a window is counted anew in most parts: up to both limits
//! together may be handed out in that window.

use std::collections::BTreeMap;

use sn17_app::ports::QuotaWindow;
use sn17_core::UnixMs;

/// Limits up to here are counted one by one.
pub const EXACT_MAX: u32 = 1000;
/// Counters of a window with a larger limit. One partition takes 1,000 writes a second (Amazon DynamoDB Developer
/// Guide), and at the start of a window some thousand processes write two or three times within a second.
pub const PARTS: u16 = 16;
/// Tries of one count whose blocks were not there. After the first, single tasks are asked for, and a part without one
/// is full, so that one more than there are parts would do if the same process counted nothing else in between.
pub const LEASE_TRIES: u16 = 2 * PARTS;
/// A lease takes what is left of a part divided by this at most: a thousandth of the whole window's.
const LEASES: u32 = 1000 / PARTS as u32;
/// A block that was used up within so many milliseconds was too small.
const SHORT_MS: u64 = 1000;
/// A block that lasted longer than so many milliseconds was too large.
const LONG_MS: u64 = 4000;
/// Windows that a process remembers at most.
const WINDOWS_MAX: usize = 4096;

/// What a process knows of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lease {
    /// The limit that it was leased under.
    limit: u32,
    /// What may still be handed out.
    left: u32,
    /// How many were leased last; 0 before the first lease and after one that was not there.
    block: u32,
    /// When that was.
    leased_at: UnixMs,
    /// The counts of the parts when they were last seen.
    counted: [u32; PARTS as usize],
}

/// What a process may still hand out.
#[derive(Debug)]
pub struct Leases {
    /// The part to begin with.
    home: u16,
    /// How far it is from one part to the next; odd, so that every part gets its turn.
    stride: u16,
    windows: BTreeMap<QuotaWindow, Lease>,
}

/// What to do for one more task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is counted.
    Granted,
    /// The window is full.
    Refused,
    /// So many must be leased first, if they are still there.
    Lease(Block),
}

/// A block to lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Of which part of the window, below [`PARTS`].
    pub part: u16,
    /// What the count of that part may reach.
    pub limit: u32,
    /// How many, at least 1 and at most `limit`.
    pub count: u32,
}

impl Leases {
    /// Nothing is leased. `random` decides with which part this process begins, and in which order it goes on, so that
    /// not all that find a part full meet at the same next one.
    pub fn new(random: u128) -> Self {
        let below = |random: u128| u16::try_from(random % u128::from(PARTS)).unwrap_or_default();
        Self { home: below(random), stride: below(random >> 64) | 1, windows: BTreeMap::new() }
    }

    /// Counts one task against a window, if that needs no write.
    pub fn claim(&mut self, window: &QuotaWindow, now: UnixMs, limit: u32) -> Claim {
        let mut fresh = Lease::default();
        let lease = self.windows.get_mut(window).unwrap_or(&mut fresh);
        if lease.limit == limit && lease.left > 0 {
            lease.left -= 1;
            return Claim::Granted;
        }
        // Counts never fall, so a full part needs no further look.
        let mut parts = (0..PARTS).map(|turn| (self.home + turn * self.stride) % PARTS);
        let block = parts.find_map(|part| {
            let limit_of_part = part_limit(limit, part);
            let room = limit_of_part.saturating_sub(lease.counted[usize::from(part)]);
            let most = if limit <= EXACT_MAX { 1 } else { (room / LEASES).max(1) };
            (room > 0).then(|| Block { part, limit: limit_of_part, count: lease.next(now).min(most) })
        });
        block.map_or(Claim::Refused, Claim::Lease)
    }

    /// Notes that a block was leased, one of it used at once, and what its part's count is now.
    pub fn leased(&mut self, window: &QuotaWindow, now: UnixMs, limit: u32, block: Block, counted: u32) {
        let lease = self.remember(window, now);
        let left = if lease.limit == limit { lease.left } else { 0 };
        lease.left = left.saturating_add(block.count.saturating_sub(1));
        lease.limit = limit;
        lease.block = block.count;
        lease.leased_at = now;
        lease.see(block.part, counted);
    }

    /// Notes that a block was not there, and what the counts of this and other parts are; the next lease is a single
    /// task.
    pub fn missed(
        &mut self,
        window: &QuotaWindow,
        now: UnixMs,
        counted: impl IntoIterator<Item = (u16, u32)>,
    ) {
        let lease = self.remember(window, now);
        lease.block = 0;
        for (part, counted) in counted {
            lease.see(part, counted);
        }
    }

    fn remember(&mut self, window: &QuotaWindow, now: UnixMs) -> &mut Lease {
        if self.windows.len() >= WINDOWS_MAX && !self.windows.contains_key(window) {
            self.windows.retain(|window, lease| !has_ended(window, now) && lease.left > 0);
        }
        if self.windows.len() >= WINDOWS_MAX && !self.windows.contains_key(window) {
            self.windows.pop_first();
        }
        self.windows.entry(*window).or_default()
    }
}

impl Lease {
    /// How many to lease next, by how long the last block lasted.
    fn next(&self, now: UnixMs) -> u32 {
        let lasted_ms = now.ms_since(self.leased_at);
        let next = if lasted_ms <= SHORT_MS {
            self.block.saturating_mul(2)
        } else if lasted_ms > LONG_MS {
            self.block / 2
        } else {
            self.block
        };
        next.max(1)
    }

    fn see(&mut self, part: u16, counted: u32) {
        if let Some(seen) = self.counted.get_mut(usize::from(part)) {
            *seen = counted.max(*seen);
        }
    }
}

fn has_ended(window: &QuotaWindow, now: UnixMs) -> bool {
    window.number.saturating_add(1).saturating_mul(u64::from(window.period_secs)) <= now.secs()
}

/// What the count of a part may reach: the parts add up to the limit.
fn part_limit(limit: u32, part: u16) -> u32 {
    let (parts, part) = (u32::from(PARTS), u32::from(part));
    if limit <= EXACT_MAX {
        return if part == 0 { limit } else { 0 };
    }
    limit / parts + u32::from(part < limit % parts)
}

#[cfg(test)]
mod tests {
    use sn17_core::state::KeyHash;

    use super::*;

    const NOW: UnixMs = UnixMs(1_000_000);

    fn window(number: u64) -> QuotaWindow {
        QuotaWindow { key: KeyHash([1; 32]), period_secs: 3600, number }
    }

    /// A process of its own randomness.
    fn process(number: usize) -> Leases {
        let number = u128::try_from(number).expect("a small number");
        Leases::new(number | (number / 16) << 64)
    }

    /// The table: the counters of one window, and the writes to them.
    #[derive(Debug, Default)]
    struct Counters {
        counts: [u32; PARTS as usize],
        /// Writes by part in the current second.
        second: [u32; PARTS as usize],
        now: UnixMs,
        writes: u32,
        granted: u32,
        /// The most writes to one part in one second.
        peak: u32,
        /// Looks at all parts in the current second, and the most in one.
        looks: u32,
        looks_peak: u32,
    }

    impl Counters {
        /// Counts one task at a process, as the ledger does.
        fn count(&mut self, leases: &mut Leases, now: UnixMs, limit: u32) -> bool {
            if now.secs() > self.now.secs() {
                (self.second, self.looks) = Default::default();
            }
            self.now = now;
            for _ in 0..LEASE_TRIES {
                let block = match leases.claim(&window(0), now, limit) {
                    Claim::Refused => return false,
                    Claim::Granted => {
                        self.granted += 1;
                        return true;
                    }
                    Claim::Lease(block) => block,
                };
                let part = usize::from(block.part);
                self.writes += 1;
                self.second[part] += 1;
                self.peak = self.peak.max(self.second[part]);
                if self.counts[part] + block.count <= block.limit {
                    self.counts[part] += block.count;
                    self.granted += 1;
                    leases.leased(&window(0), now, limit, block, self.counts[part]);
                    return true;
                }
                let is_split = block.limit < limit;
                self.looks += u32::from(is_split);
                self.looks_peak = self.looks_peak.max(self.looks);
                let seen = (0..PARTS).zip(self.counts).filter(|(part, _)| is_split || *part == block.part);
                leases.missed(&window(0), now, seen);
            }
            panic!("{LEASE_TRIES} tries do not decide")
        }

        /// Asks for as many tasks a second for so long, at processes that look drawn at random.
        fn ask(&mut self, processes: &mut [Leases], limit: u32, per_sec: u64, millis: u64) {
            let (mut random, begin) = (17_u64, self.now.max(NOW));
            for task in 0..per_sec * millis / 1000 {
                // Knuth's MMIX generator.
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let process = usize::try_from((random >> 33) % processes.len() as u64).expect("an index");
                let now = begin.plus_ms(task * 1000 / per_sec);
                self.count(&mut processes[process], now, limit);
            }
        }
    }

    #[test]
    fn small_limits_are_counted_one_by_one() {
        let single = |limit| Claim::Lease(Block { part: 0, limit, count: 1 });
        let mut leases = process(7);
        assert_eq!(leases.claim(&window(0), NOW, 0), Claim::Refused);
        for count in 0..EXACT_MAX {
            assert_eq!(leases.claim(&window(0), NOW, EXACT_MAX), single(EXACT_MAX));
            let block = Block { part: 0, limit: EXACT_MAX, count: 1 };
            leases.leased(&window(0), NOW, EXACT_MAX, block, count + 1);
        }
        assert_eq!(leases.claim(&window(0), NOW, EXACT_MAX), Claim::Refused);
    }

    #[test]
    fn parts_add_up_to_the_limit() {
        for limit in [0, 1, EXACT_MAX, EXACT_MAX + 1, 1023, 1024, 36_000_000, u32::MAX] {
            let parts = (0..PARTS).map(|part| u64::from(part_limit(limit, part)));
            assert_eq!(parts.sum::<u64>(), u64::from(limit));
        }
    }

    #[test]
    fn processes_begin_everywhere_and_come_everywhere() {
        let mut homes = [0; PARTS as usize];
        for number in 0..256 {
            let mut leases = process(number);
            homes[usize::from(leases.home)] += 1;
            let mut counters = Counters::default();
            while counters.count(&mut leases, NOW, 5000) {}
            assert_eq!(counters.granted, 5000);
        }
        assert_eq!(homes, [16; PARTS as usize]);
    }

    #[test]
    fn every_task_of_a_window_is_handed_out_and_none_more() {
        for (limit, processes) in [(1, 1), (1000, 3), (1001, 1), (1001, 40), (5000, 7), (300_000, 100)] {
            let mut all: Vec<Leases> = (0..processes).map(process).collect();
            let (mut counters, mut is_open, mut now) = (Counters::default(), true, NOW);
            while is_open {
                is_open = false;
                for leases in &mut all {
                    is_open |= counters.count(leases, now, limit);
                }
                now = now.plus_ms(10);
            }
            assert_eq!(counters.granted, limit, "{processes} processes");
            let writes = counters.writes;
            for leases in &mut all {
                assert!(!counters.count(leases, now, limit));
            }
            assert_eq!(counters.writes, writes, "that a window is full is remembered");
        }
    }

    #[test]
    fn blocks_follow_the_use() {
        const LIMIT: u32 = 36_000_000;
        let (mut leases, mut now, mut counted) = (process(0), NOW, 0);
        let mut lease = |lasted_ms| {
            now = now.plus_ms(lasted_ms);
            loop {
                match leases.claim(&window(0), now, LIMIT) {
                    Claim::Granted => {}
                    Claim::Refused => panic!("there is room"),
                    Claim::Lease(block) => {
                        counted += block.count;
                        leases.leased(&window(0), now, LIMIT, block, counted);
                        return block.count;
                    }
                }
            }
        };
        assert_eq!(
            [0, 0, 1000, 1001, 4000, 4001, 4001, 9999, 9999].map(&mut lease),
            [1, 2, 4, 4, 4, 2, 1, 1, 1]
        );
        let blocks: Vec<u32> = (0..16).map(|_| lease(0)).collect();
        assert_eq!(blocks[..3], [2, 4, 8], "{blocks:?}");
        assert_eq!(
            blocks[14..],
            [32_768, 35_233],
            "at most a thousandth of the window, by what is left of the part"
        );
    }

    /// A tenth of 100,000 tasks a second, at the processes that these keep busy, from the first second of a window on.
    #[test]
    fn a_flood_is_spread_over_the_parts() {
        let mut processes: Vec<Leases> = (0..5200).map(process).collect();
        let mut counters = Counters::default();
        counters.ask(&mut processes, 36_000_000, 10_000, 20_000);
        assert_eq!(counters.granted, 200_000);
        assert!(counters.peak < 1000, "{counters:?}");
        assert!(counters.writes < 80_000, "{counters:?}");
        let leased: u32 = counters.counts.iter().sum();
        assert!(leased - counters.granted < 4 * 10_000, "held is less than what four seconds use: {leased}");
    }

    /// Budgets that are asked for to the last task and beyond, at the rate of the flood and at a slow one.
    #[test]
    fn a_budget_used_evenly_is_granted() {
        for (limit, per_sec, secs) in [(600_000, 10_000, 60), (360_000, 100, 3600)] {
            let mut processes: Vec<Leases> = (0..5200).map(process).collect();
            let mut counters = Counters::default();
            counters.ask(&mut processes, limit, per_sec, secs * 1000);
            assert!(counters.granted > limit / 1000 * 991, "{limit}: {counters:?}");
            counters.ask(&mut processes, limit, per_sec, secs * 1000 / 6);
            assert!(counters.granted > limit / 1000 * 999, "{limit}: {counters:?}");
            assert!(counters.peak < 1000, "{limit}: {counters:?}");
            // Half a unit each, of which a partition takes 3,000.
            assert!(counters.looks_peak < 6000, "{limit}: {counters:?}");
        }
    }

    #[test]
    fn one_busy_process_makes_few_writes() {
        let mut counters = Counters::default();
        counters.ask(&mut [process(0)], 36_000_000, 10_000, 100_000);
        assert_eq!(counters.granted, 1_000_000);
        assert!(counters.writes < 100, "{counters:?}");
        let mut counters = Counters::default();
        counters.ask(&mut [process(0)], 1_000_000, 10_000, 101_000);
        assert_eq!(counters.granted, 1_000_000);
        assert!(counters.writes < 10_000, "to the last task: {counters:?}");
    }

    #[test]
    fn a_changed_limit_counts_at_once() {
        let mut leases = process(0);
        let block = Block { part: 0, limit: 62_500, count: 1000 };
        leases.leased(&window(0), NOW, 1_000_000, block, 1000);
        assert_eq!(leases.claim(&window(0), NOW, 1_000_000), Claim::Granted);
        assert_eq!(leases.claim(&window(0), NOW, 500), Claim::Refused);
        let larger = Block { part: 0, limit: 125_000, count: 2000 };
        assert_eq!(leases.claim(&window(0), NOW, 2_000_000), Claim::Lease(larger));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut leases = process(0);
        let block = Block { part: 0, limit: 62_500, count: 1000 };
        for number in 0..2 * WINDOWS_MAX as u64 {
            leases.leased(&window(number), NOW, 1_000_000, block, 1000);
        }
        assert!(leases.windows.len() <= WINDOWS_MAX);
    }
}
