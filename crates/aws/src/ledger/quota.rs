//! Quotas of API keys in blocks: how a process counts many tasks with few writes.
//!
//! Up to [`EXACT_MAX`] tasks a window every task is one write. Above, a process leases a thousandth of what is left
//! of the window at a time and hands it out by itself, so that a window takes some thousands of writes however large
//! it is, and its item stays far below the thousand writes a second that one partition takes. What a process has
//! leased and not used when it ends is lost to that window: about a thousandth of the limit for each such process,
//! less the nearer the window is to its end.

use std::collections::BTreeMap;

use sn17_app::ports::QuotaWindow;
use sn17_core::UnixMs;

/// Limits up to here are counted one by one.
pub const EXACT_MAX: u32 = 1000;
/// A lease takes what is left of a window divided by this.
const LEASES: u32 = 1000;
/// Windows that a process remembers at most.
const WINDOWS_MAX: usize = 4096;

/// What a process knows of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lease {
    /// The limit that it was leased under.
    limit: u32,
    /// What may still be handed out.
    left: u32,
    /// The count of the window when it was last seen.
    counted: u32,
}

/// What a process may still hand out.
#[derive(Debug, Default)]
pub struct Leases {
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
    Lease(u32),
}

impl Leases {
    /// Counts one task against a window, if that needs no write.
    pub fn claim(&mut self, window: &QuotaWindow, limit: u32) -> Claim {
        let known = self.windows.get_mut(window);
        match known {
            Some(lease) if lease.limit == limit && lease.left > 0 => {
                lease.left -= 1;
                Claim::Granted
            }
            // Counts never fall, so a full window needs no further look.
            Some(lease) if lease.counted >= limit => Claim::Refused,
            Some(lease) => Claim::Lease(block(limit, lease.counted)),
            None if limit == 0 => Claim::Refused,
            None => Claim::Lease(block(limit, 0)),
        }
    }

    /// Notes that a block was leased, one of it used at once, and what the window's count is now.
    pub fn leased(&mut self, window: &QuotaWindow, now: UnixMs, limit: u32, block: u32, counted: u32) {
        let lease = self.remember(window, now);
        let left = if lease.limit == limit { lease.left } else { 0 };
        let left = left.saturating_add(block.saturating_sub(1));
        *lease = Lease { limit, left, counted: lease.counted.max(counted) };
    }

    /// Notes what the window's count is, when a block was not there.
    pub fn seen(&mut self, window: &QuotaWindow, now: UnixMs, counted: u32) {
        let lease = self.remember(window, now);
        lease.counted = lease.counted.max(counted);
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

fn has_ended(window: &QuotaWindow, now: UnixMs) -> bool {
    window.number.saturating_add(1).saturating_mul(u64::from(window.period_secs)) <= now.secs()
}

/// How many to lease of a window of which so many are used.
fn block(limit: u32, counted: u32) -> u32 {
    if limit <= EXACT_MAX { 1 } else { limit.saturating_sub(counted).div_ceil(LEASES).max(1) }
}

#[cfg(test)]
mod tests {
    use sn17_core::state::KeyHash;

    use super::*;

    const NOW: UnixMs = UnixMs(1_000_000);

    fn window(number: u64) -> QuotaWindow {
        QuotaWindow { key: KeyHash([1; 32]), period_secs: 3600, number }
    }

    #[test]
    fn small_limits_are_counted_one_by_one() {
        let mut leases = Leases::default();
        assert_eq!(leases.claim(&window(0), 0), Claim::Refused);
        assert_eq!(leases.claim(&window(0), EXACT_MAX), Claim::Lease(1));
        leases.leased(&window(0), NOW, EXACT_MAX, 1, 1);
        assert_eq!(leases.claim(&window(0), EXACT_MAX), Claim::Lease(1));
    }

    /// Counts a window to its end as `processes` do in turn; answers the writes, and what was handed out.
    fn fill(limit: u32, processes: usize) -> (u32, u32) {
        let mut all: Vec<Leases> = (0..processes).map(|_| Leases::default()).collect();
        let (mut writes, mut granted, mut count) = (0, 0, 0);
        let mut open = processes;
        while open > 0 {
            open = 0;
            for leases in &mut all {
                match leases.claim(&window(1), limit) {
                    Claim::Refused => continue,
                    Claim::Granted => granted += 1,
                    Claim::Lease(block) if count + block <= limit => {
                        writes += 1;
                        granted += 1;
                        count += block;
                        leases.leased(&window(1), NOW, limit, block, count);
                    }
                    Claim::Lease(_) => {
                        writes += 1;
                        leases.seen(&window(1), NOW, count);
                    }
                }
                open += 1;
            }
        }
        (writes, granted)
    }

    #[test]
    fn every_task_of_a_window_is_handed_out_and_none_more() {
        for (limit, processes) in [(1, 1), (1000, 3), (1001, 1), (5000, 7), (1_000_000, 10)] {
            let (writes, granted) = fill(limit, processes);
            assert_eq!(granted, limit, "{processes} processes");
            assert!(writes < 12_000, "{writes} writes for {limit}");
        }
    }

    #[test]
    fn a_changed_limit_counts_at_once() {
        let mut leases = Leases::default();
        leases.leased(&window(0), NOW, 1_000_000, 1000, 1000);
        assert_eq!(leases.claim(&window(0), 1_000_000), Claim::Granted);
        assert_eq!(leases.claim(&window(0), 500), Claim::Refused);
        assert_eq!(leases.claim(&window(0), 2_000_000), Claim::Lease(1999));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut leases = Leases::default();
        for number in 0..2 * WINDOWS_MAX as u64 {
            leases.leased(&window(number), NOW, 1_000_000, 1000, 1000);
        }
        assert!(leases.windows.len() <= WINDOWS_MAX);
    }
}
