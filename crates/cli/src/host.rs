//! What this machine lends to the use cases: its clock and its randomness.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sn17_app::Host;
use sn17_core::UnixMs;

/// Numbers fetched from the operating system in one call. A call costs more than a microsecond, and a request takes up to four
/// numbers.
const NUMBERS_AT_ONCE: usize = 32;

/// The system's clock, moved by an offset that only a simulation ever sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Now, by this clock.
    pub(crate) fn now(&self) -> UnixMs {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let real_ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        UnixMs(real_ms.saturating_add_signed(self.offset_ms.load(Ordering::Relaxed)))
    }

    /// Moves the clock to `offset_ms` from the system's.
    pub(crate) fn set_offset_ms(&self, offset_ms: i64) {
        self.offset_ms.store(offset_ms, Ordering::Relaxed);
    }
}

/// 128 bits from the operating system, each handed out once.
pub(crate) fn random() -> u128 {
    thread_local! {
        static POOL: RefCell<Vec<u128>> = const { RefCell::new(Vec::new()) };
    }
    POOL.with_borrow_mut(|pool| {
        if let Some(number) = pool.pop() {
            return number;
        }
        let mut bytes = [0_u8; 16 * NUMBERS_AT_ONCE];
        getrandom::fill(&mut bytes).expect("the operating system has randomness");
        let (numbers, _) = bytes.as_chunks();
        pool.extend(numbers[1..].iter().map(|number| u128::from_le_bytes(*number)));
        u128::from_le_bytes(numbers[0])
    })
}

/// 256 bits from the operating system, for secrets.
pub(crate) fn random_secret() -> [u8; 32] {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    bytes
}

/// The host of an [`sn17_app::App`] on this machine.
pub(crate) fn host(clock: &Clock) -> Host {
    let clock = clock.clone();
    Host { now: Arc::new(move || clock.now()), random: Arc::new(random) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_number_is_handed_out_twice() {
        let numbers: BTreeSet<u128> = (0..4 * NUMBERS_AT_ONCE).map(|_| random()).collect();
        assert_eq!(numbers.len(), 4 * NUMBERS_AT_ONCE);
    }
}
