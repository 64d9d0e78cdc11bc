//! Whether the writer lives, and how it is declared dead.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sn17_app::ports::{PortError, PortErrorKind, PortResult};
use tokio::sync::watch;

/// A commit that takes longer has hung: fjall can wait for ever for a flush that never comes (its issue 257), and
/// a restart cures it. Its longest stall seen under load is 1.1 s.
const COMMIT_MAX: Duration = Duration::from_secs(30);
/// How often the watchdog looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The state of the writer as everyone sees it.
#[derive(Debug)]
pub(crate) struct Pulse {
    started: Instant,
    /// When the running commit began, in milliseconds since `started` plus one; 0 when none runs.
    commit_since: AtomicU64,
    reason: OnceLock<String>,
    stopped: watch::Sender<bool>,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        Self {
            started: Instant::now(),
            commit_since: AtomicU64::new(0),
            reason: OnceLock::new(),
            stopped: watch::Sender::new(false),
        }
    }

    /// Stops the store for good; the first reason stays.
    pub(crate) fn stop(&self, reason: impl Into<String>) {
        if self.reason.set(reason.into()).is_ok() {
            tracing::error!(reason = self.reason.get(), "the store has stopped");
            self.stopped.send_replace(true);
        }
    }

    /// `Unavailable` once the store has stopped.
    pub(crate) fn check(&self) -> PortResult<()> {
        match self.reason.get() {
            None => Ok(()),
            Some(reason) => Err(PortError::new(PortErrorKind::Unavailable, reason)),
        }
    }

    /// Why the store has stopped, if it has.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.get().map(String::as_str)
    }

    /// Waits until the store stops.
    pub(crate) async fn stopped(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// Runs a commit under the watchdog's eyes.
    pub(crate) fn watched<T>(&self, commit: impl FnOnce() -> T) -> T {
        self.commit_since.store(self.elapsed_ms() + 1, Ordering::Relaxed);
        let answer = commit();
        self.commit_since.store(0, Ordering::Relaxed);
        answer
    }

    /// Looks after the running commit until `alive` is dropped; the body of the watchdog's thread.
    pub(crate) fn look_after(&self, alive: &std::sync::mpsc::Receiver<()>) {
        while alive.recv_timeout(LOOK_EVERY) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            self.look(COMMIT_MAX);
        }
    }

    fn look(&self, commit_max: Duration) {
        let since = self.commit_since.load(Ordering::Relaxed);
        let running_ms = self.elapsed_ms().saturating_sub(since.saturating_sub(1));
        if since > 0 && Duration::from_millis(running_ms) >= commit_max {
            self.stop(format!("a commit hangs since {running_ms} ms"));
        }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hanging_commit_stops_the_store() {
        let pulse = Pulse::new();
        pulse.look(Duration::ZERO);
        assert!(pulse.check().is_ok());
        pulse.watched(|| pulse.look(COMMIT_MAX));
        assert!(pulse.check().is_ok());
        pulse.watched(|| pulse.look(Duration::ZERO));
        assert_eq!(pulse.check().unwrap_err().kind, PortErrorKind::Unavailable);
        pulse.stop("later reasons do not count");
        assert!(pulse.reason().unwrap().starts_with("a commit hangs"));
    }
}
