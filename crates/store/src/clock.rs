//! The host's clock, and sleeping by it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sn17_core::UnixMs;
use tokio::sync::watch;

/// Longest sleep before the clock is asked again: a host clock that was set is noticed within this time.
const NAP_MAX: Duration = Duration::from_secs(60);

/// Where the store takes the time from.
///
/// Hosts use [`Clock::system`]; tests and simulations give a function of their own and call [`Clock::moved`]
/// when it has jumped, so that whoever sleeps looks again.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> UnixMs + Send + Sync>,
    moved: watch::Sender<()>,
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Clock").field(&self.now()).finish()
    }
}

impl Clock {
    /// A clock that shows what `now` answers.
    pub fn new(now: impl Fn() -> UnixMs + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), moved: watch::Sender::new(()) }
    }

    /// The operating system's clock; an instant before 1970 counts as 1970.
    pub fn system() -> Self {
        Self::new(|| {
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            UnixMs(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
        })
    }

    /// The present.
    pub fn now(&self) -> UnixMs {
        (self.now)()
    }

    /// Makes every sleeper look at the clock again.
    pub fn moved(&self) {
        self.moved.send_replace(());
    }

    /// Begins to notice jumps; to be called before [`Clock::now`] is asked, so that none is missed.
    pub(crate) fn sleeper(&self) -> Sleeper {
        Sleeper { moved: self.moved.subscribe() }
    }
}

/// Somebody who waits for an instant.
pub(crate) struct Sleeper {
    moved: watch::Receiver<()>,
}

impl Sleeper {
    /// Sleeps until `at` seems reached, seen from `now`, or the clock has jumped since the last call. May wake
    /// early: the caller looks at the clock again.
    pub(crate) async fn nap(&mut self, now: UnixMs, at: UnixMs) {
        let nap = Duration::from_millis(at.ms_since(now)).min(NAP_MAX);
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            // An error means that the clock is gone; the sleeper's owner is then about to go too.
            _ = self.moved.changed() => {}
        }
    }
}
