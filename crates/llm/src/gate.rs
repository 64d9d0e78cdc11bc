//! How many calls may be under way at once, and how fast they may follow each other.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until, timeout};

/// A call waits at most this long for its turn, and for the rate: overload is an answer, not a longer queue.
pub(crate) const QUEUED_WITHIN: Duration = Duration::from_secs(30);

/// The way to an endpoint.
///
/// Tries are spaced evenly. A count per minute instead, as tower's `RateLimit` keeps it, lets twice as many through
/// within the seconds around the end of a minute, which providers with a sliding window refuse.
#[derive(Debug)]
pub(crate) struct Gate {
    turns: Semaphore,
    spacing: Duration,
    /// No try begins before this.
    next: Mutex<Instant>,
}

/// It is not this call's turn within the time that it may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Busy {
    /// As many calls as allowed are under way.
    InFlight,
    /// The rate is used up for so long.
    Paced(Duration),
}

impl Gate {
    /// Room for `in_flight` tries at once and `per_minute` of them in a minute.
    pub(crate) fn new(in_flight: usize, per_minute: Option<u32>) -> Self {
        let spacing = per_minute.map_or(Duration::ZERO, |calls| Duration::from_secs(60) / calls);
        Self { turns: Semaphore::new(in_flight), spacing, next: Mutex::new(Instant::now()) }
    }

    /// Waits for a turn, which lasts until the permit is dropped.
    pub(crate) async fn enter(&self) -> Result<SemaphorePermit<'_>, Busy> {
        let Ok(turn) = timeout(QUEUED_WITHIN, self.turns.acquire()).await else {
            return Err(Busy::InFlight);
        };
        let turn = turn.expect("the semaphore is never closed");
        sleep_until(self.begins_at()?).await;
        Ok(turn)
    }

    /// Lets nothing through for so long, since the endpoint asked for it.
    pub(crate) fn pause(&self, pause: Duration) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = Instant::now().checked_add(pause) {
            *next = until.max(*next);
        }
    }

    fn begins_at(&self) -> Result<Instant, Busy> {
        let now = Instant::now();
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = now.max(*next);
        if at - now > QUEUED_WITHIN {
            return Err(Busy::Paced(at - now));
        }
        *next = at + self.spacing;
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::task::JoinSet;
    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn tries_are_spaced_evenly() {
        let gate = Arc::new(Gate::new(10, Some(20)));
        let begun = Instant::now();
        let mut calls = JoinSet::new();
        for _ in 0..5 {
            let gate = Arc::clone(&gate);
            calls.spawn(async move {
                gate.enter().await.map(|_turn| begun.elapsed().as_secs()).expect("it gets its turn")
            });
        }
        let mut began_secs = calls.join_all().await;
        began_secs.sort_unstable();
        assert_eq!(began_secs, [0, 3, 6, 9, 12]);

        // Time that nobody used is not saved up.
        sleep(60 * SECOND).await;
        let later = Instant::now();
        drop(gate.enter().await.expect("it gets its turn"));
        drop(gate.enter().await.expect("it gets its turn"));
        assert_eq!(later.elapsed(), 3 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_that_is_used_up_for_long_is_an_answer() {
        let gate = Gate::new(10, Some(2));
        drop(gate.enter().await.expect("the first goes at once"));
        drop(gate.enter().await.expect("the second may wait half a minute"));
        let slow = Gate::new(10, Some(1));
        drop(slow.enter().await.expect("the first goes at once"));
        assert_eq!(slow.enter().await.expect_err("the second would wait a minute"), Busy::Paced(60 * SECOND));
        sleep(30 * SECOND).await;
        drop(slow.enter().await.expect("whoever was refused took no one's turn"));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_allowed_are_under_way() {
        let gate = Arc::new(Gate::new(3, None));
        let under_way = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let mut calls = JoinSet::new();
        for _ in 0..10 {
            let (gate, under_way, most) = (Arc::clone(&gate), Arc::clone(&under_way), Arc::clone(&most));
            calls.spawn(async move {
                let _turn = gate.enter().await.expect("it gets its turn");
                most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(SECOND).await;
                under_way.fetch_sub(1, Ordering::SeqCst);
            });
        }
        let begun = Instant::now();
        calls.join_all().await;
        assert_eq!(most.load(Ordering::SeqCst), 3);
        assert_eq!(begun.elapsed(), 4 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_get_a_turn_in_time_is_told() {
        let gate = Gate::new(1, None);
        let turn = gate.enter().await.expect("the first goes at once");
        assert_eq!(gate.enter().await.expect_err("the turn is taken"), Busy::InFlight);
        drop(turn);
        assert!(gate.enter().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_everybody() {
        let gate = Gate::new(2, None);
        gate.pause(5 * SECOND);
        gate.pause(2 * SECOND);
        let begun = Instant::now();
        drop(gate.enter().await.expect("it gets its turn"));
        assert_eq!(begun.elapsed(), 5 * SECOND);
        gate.pause(31 * SECOND);
        assert_eq!(gate.enter().await.expect_err("that is too long"), Busy::Paced(31 * SECOND));
        gate.pause(Duration::MAX);
    }
}
