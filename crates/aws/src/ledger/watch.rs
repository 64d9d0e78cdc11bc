//! Waiting for an item to change: reads at the time when most waits have ended, then ever seldomer.

use std::collections::VecDeque;
use std::sync::PoisonError;

use sn17_app::ports::{PortErrorKind, PortResult};
use sn17_core::UnixMs;
use sn17_core::ledger::Stored;
use sn17_core::state::Key;

use super::DynamoLedger;
use crate::schema::units::Consistency;

/// Waits that the median is taken of.
const WAITS_MAX: usize = 64;
/// The first gap between two looks when nothing is known of earlier waits, and the second in any case, in
/// milliseconds.
const GAP_MS_MIN: u64 = 50;
/// The longest gap, in milliseconds.
const GAP_MS_MAX: u64 = 1000;
/// The longest gap before the first look, in milliseconds: waits that have become short must not be found out late.
const FIRST_GAP_MS_MAX: u64 = 2000;

/// How long the last waits took that ended well, in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Waits(VecDeque<u64>);

impl Waits {
    fn note(&mut self, ms: u64) {
        if self.0.len() == WAITS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(ms);
    }

    /// When to look again for the first time: at 0.8 of the median wait.
    fn first_gap_ms(&self) -> u64 {
        let mut sorted: Vec<u64> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        sorted
            .get(sorted.len() / 2)
            .map_or(GAP_MS_MIN, |median| (median * 4 / 5).clamp(GAP_MS_MIN, FIRST_GAP_MS_MAX))
    }
}

impl DynamoLedger {
    /// Waits until an item has a revision above `rev`, or for `until`. A look that fails is made again like one that
    /// finds nothing; only the last one's failure is told.
    pub(super) async fn poll(&self, key: &Key, rev: u64, until: UnixMs) -> PortResult<Option<Stored>> {
        let started = self.now();
        let mut gap_ms = self.waits.lock().unwrap_or_else(PoisonError::into_inner).first_gap_ms();
        let mut next_gap_ms = GAP_MS_MIN;
        let mut has_waited = false;
        loop {
            let now = self.now();
            let is_last = now >= until;
            match self.item(key, Consistency::Eventual).await {
                Ok(Some(stored)) if stored.rev > rev && !stored.is_expired(now) => {
                    if has_waited {
                        let waited_ms = self.now().ms_since(started);
                        self.waits.lock().unwrap_or_else(PoisonError::into_inner).note(waited_ms);
                    }
                    return Ok(Some(stored));
                }
                Ok(_) if is_last => return Ok(None),
                Ok(_) => {}
                Err(error) if is_last || error.kind == PortErrorKind::Corrupt => return Err(error),
                Err(_) => {}
            }
            self.pause_ms(gap_ms.min(until.ms_since(now))).await;
            has_waited = true;
            gap_ms = next_gap_ms;
            next_gap_ms = (next_gap_ms * 3 / 2).min(GAP_MS_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_follows_the_median() {
        let mut waits = Waits::default();
        assert_eq!(waits.first_gap_ms(), GAP_MS_MIN);
        for ms in [10_000, 1000, 2000] {
            waits.note(ms);
        }
        assert_eq!(waits.first_gap_ms(), 1600);
        for ms in [20_000; 3] {
            waits.note(ms);
        }
        assert_eq!(waits.first_gap_ms(), FIRST_GAP_MS_MAX);
        for _ in 0..WAITS_MAX {
            waits.note(10);
        }
        assert_eq!((waits.first_gap_ms(), waits.0.len()), (GAP_MS_MIN, WAITS_MAX));
    }
}
