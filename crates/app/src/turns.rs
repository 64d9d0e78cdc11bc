//! Whose upload is received, and whose waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::lock::{Mutex as AsyncMutex, OwnedMutexGuard};
use sn17_core::Hotkey;

/// So many requests of one miner may stand in line for its single upload, or be received beside each other.
const WAITING_MAX: usize = 16;

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
            if Arc::strong_count(lane) > WAITING_MAX {
                return None;
            }
            Arc::clone(lane)
        };
        Some(if self.beside { Turn::Beside(lane) } else { Turn::Alone(lane.lock_owned().await) })
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
        let held: Vec<Option<Turn>> =
            (0..=WAITING_MAX).map(|_| guards.enter(MINER).now_or_never().expect("nobody waits")).collect();
        assert_eq!(held.iter().flatten().count(), WAITING_MAX, "at most so many");
        drop(held);
        assert!(guards.enter(MINER).now_or_never().flatten().is_some());
    }
}
