//! Whose upload is received, and whose waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::lock::{Mutex as AsyncMutex, OwnedMutexGuard};
use sn17_core::Hotkey;

/// So many requests of one miner may stand in line for its single upload, the one being received included.
const WAITING_MAX: usize = 16;
/// So many uploads of one miner may be received beside each other: as many as an edge has memory for, so that a miner who
/// sends one result several times at once is answered as on every other host.
const BESIDE_MAX: usize = 6;

/// Guards that let each miner have one upload at a time in this process, or a few where turns cannot be waited for.
#[derive(Debug, Default)]
pub(crate) struct UploadGuards {
    by_miner: Mutex<BTreeMap<Hotkey, Arc<AsyncMutex<()>>>>,
    /// Whether nobody waits for a turn.
    beside: bool,
}

/// A place among the uploads of a miner, given back when it is dropped.
#[expect(dead_code, reason = "places are held, not read")]
pub(crate) enum Turn {
    /// The only one.
    Alone(OwnedMutexGuard<()>),
    /// One of a few, which the lane's owners are counted by.
    Beside(Arc<AsyncMutex<()>>),
}

impl UploadGuards {
    /// Guards that make nobody wait.
    pub(crate) fn beside() -> Self {
        Self { beside: true, ..Self::default() }
    }

    /// Waits for this miner's turn, if turns are waited for; none if too many are there already.
    pub(crate) async fn enter(&self, hotkey: Hotkey) -> Option<Turn> {
        let lane = {
            let mut lanes = self.by_miner.lock().unwrap_or_else(PoisonError::into_inner);
            lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
            let lane = lanes.entry(hotkey).or_default();
            // The map holds one of them.
            if Arc::strong_count(lane) > self.places() {
                return None;
            }
            Arc::clone(lane)
        };
        Some(if self.beside { Turn::Beside(lane) } else { Turn::Alone(lane.lock_owned().await) })
    }

    /// How many requests of one miner may be here at once.
    const fn places(&self) -> usize {
        if self.beside { BESIDE_MAX } else { WAITING_MAX }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const MINER: Hotkey = Hotkey([1; 32]);

    #[test]
    fn uploads_of_a_miner_take_turns_or_are_received_beside_each_other() {
        let guards = UploadGuards::default();
        let first = guards.enter(MINER).now_or_never().flatten();
        assert!(first.is_some());
        assert!(guards.enter(MINER).now_or_never().is_none(), "the second waits");
        assert!(guards.enter(Hotkey([2; 32])).now_or_never().is_some(), "another miner does not");
        drop(first);
        assert!(guards.enter(MINER).now_or_never().is_some());

        let guards = UploadGuards::beside();
        let enter = |hotkey| guards.enter(hotkey).now_or_never().expect("nobody waits");
        let mut held: Vec<Turn> = (0..=BESIDE_MAX).filter_map(|_| enter(MINER)).collect();
        assert_eq!(held.len(), BESIDE_MAX, "at most so many");
        assert!(enter(Hotkey([2; 32])).is_some(), "another miner has its own places");
        held.pop();
        assert!(enter(MINER).is_some(), "who leaves makes room");
    }

    #[test]
    fn so_many_requests_of_a_miner_stand_in_line() {
        let guards = UploadGuards::default();
        let mut line: Vec<_> = (0..16).map(|_| Box::pin(guards.enter(MINER))).collect();
        let first = line.remove(0).now_or_never().flatten();
        assert!(first.is_some());
        assert!(line.iter_mut().all(|waiting| waiting.now_or_never().is_none()), "fifteen wait");
        assert!(guards.enter(MINER).now_or_never().is_some_and(|turn| turn.is_none()), "one more is refused");
    }
}
