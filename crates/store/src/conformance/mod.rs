//! The tests that every adapter of the ports passes, one by one and by name.
//!
//! An adapter's tests say how to make its harness, and expand one of the macros:
//!
//! ```text
//! sn17_store::ledger_conformance!(MyHarness::new().await);
//! ```
//!
//! Each test takes a fresh harness. Where a test of the ledger needs the time to pass, it passes a later `now`;
//! queues and watches go by the host's clock, which [`Harness::advance`] moves.

pub mod blobs;
pub mod ledger;
pub mod ledger_duels;
pub mod ledger_index;
pub mod ledger_wait;
pub mod queue;
pub mod samples;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use sn17_app::ports::{Ledger, PortResult, Queue};
use sn17_core::UnixMs;

use crate::{Clock, Embedded};

/// A fresh ledger and the queue that its effects go to.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The ledger.
    fn ledger(&self) -> Arc<dyn Ledger>;

    /// The queue.
    fn queue(&self) -> Arc<dyn Queue>;

    /// The present by the clock that the ledger and the queue go by.
    fn now(&self) -> UnixMs;

    /// Lets `secs` seconds pass on that clock.
    async fn advance(&self, secs: u64);

    /// Closes the ledger and the queue and opens them again; false for adapters that forget everything.
    async fn reopen(&mut self) -> bool;

    /// How often the queue hands a message out before it becomes a dead letter.
    fn max_receives(&self) -> u32;

    /// Checks what can be checked from inside; called after every test.
    async fn verify(&self) -> PortResult<()>;
}

/// A clock that tests move by hand.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<AtomicU64>,
    clock: Clock,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::starting_at(UnixMs::from_secs(1_750_000_000))
    }
}

impl ManualClock {
    /// A clock that shows `start` until it is moved.
    pub fn starting_at(start: UnixMs) -> Self {
        let now = Arc::new(AtomicU64::new(start.0));
        let shown = Arc::clone(&now);
        Self { now, clock: Clock::new(move || UnixMs(shown.load(Ordering::SeqCst))) }
    }

    /// The same clock as stores take it.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// The present.
    pub fn now(&self) -> UnixMs {
        self.clock.now()
    }

    /// Moves the clock and wakes who sleeps by it.
    pub fn advance(&self, secs: u64) {
        self.now.fetch_add(secs * 1000, Ordering::SeqCst);
        self.clock.moved();
    }
}

/// The harness of the embedded store, on a clock that moves by hand.
pub struct EmbeddedHarness<F> {
    store: Option<Embedded>,
    clock: ManualClock,
    max_receives: u32,
    is_durable: bool,
    open: F,
}

impl<F> std::fmt::Debug for EmbeddedHarness<F> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("EmbeddedHarness").field("store", &self.store).finish_non_exhaustive()
    }
}

impl<F: Fn(Clock) -> Embedded> EmbeddedHarness<F> {
    /// A harness around what `open` opens, which hands messages out `max_receives` times.
    pub fn new(max_receives: u32, is_durable: bool, open: F) -> Self {
        let clock = ManualClock::default();
        Self { store: Some(open(clock.clock())), clock, max_receives, is_durable, open }
    }

    fn store(&self) -> Embedded {
        self.store.clone().expect("the store is open but inside of reopen")
    }
}

#[async_trait]
impl<F: Fn(Clock) -> Embedded + Send + Sync> Harness for EmbeddedHarness<F> {
    fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::new(self.store())
    }

    fn queue(&self) -> Arc<dyn Queue> {
        Arc::new(self.store())
    }

    fn now(&self) -> UnixMs {
        self.clock.now()
    }

    async fn advance(&self, secs: u64) {
        self.clock.advance(secs);
    }

    async fn reopen(&mut self) -> bool {
        if self.is_durable {
            self.store = None;
            self.store = Some((self.open)(self.clock.clock()));
        }
        self.is_durable
    }

    fn max_receives(&self) -> u32 {
        self.max_receives
    }

    async fn verify(&self) -> PortResult<()> {
        self.store().verify().await
    }
}

/// Expands to one test for each promise of the ledger; the argument makes a fresh [`Harness`].
#[macro_export]
macro_rules! ledger_conformance {
    ($make:expr) => {
        $crate::conformance_tests! { $make, ledger:
            commits_all_items_or_none, absent_and_rev_are_conditions, expired_counts_as_absent,
            lost_races_end_in_conflict, the_same_id_commits_once, a_repeated_update_commits_once,
            three_loads_are_allowed_and_no_more, eight_writes_are_allowed_and_no_more,
            one_item_is_written_once, keys_hold_their_own_items, a_reply_changes_nothing,
            a_deleted_item_starts_again, commits_survive_a_reopen, parallel_decisions_lose_nothing,
            effects_come_with_the_commit, nonces_are_claimed_once,
            a_claimed_nonce_survives_a_reopen, bumps_stop_at_the_limit, windows_count_apart
        }
        $crate::conformance_tests! { $make, ledger_index:
            open_tasks_come_oldest_first, full_tasks_leave_the_open_queue, pages_continue_behind_a_place,
            ended_tasks_leave_every_index, expired_tasks_are_on_no_page, due_comes_longest_overdue_first,
            due_times_move_with_the_task, api_keys_are_listed, indexes_survive_a_reopen
        }
        $crate::conformance_tests! { $make, ledger_duels:
            items_of_the_competition_come_back, judged_duels_come_latest_first, pages_of_duels_end_before_a_nonce,
            lists_of_duels_begin_at_a_nonce, duels_without_a_verdict_are_not_listed, expired_duels_are_not_listed,
            duels_are_due_until_they_have_ended, duels_survive_a_reopen
        }
        $crate::conformance_tests! { $make, ledger_wait:
            watch_answers_at_once_when_newer, watch_answers_after_a_commit, watch_ends_at_its_deadline,
            watch_misses_no_commit
        }
    };
}

/// Expands to one test for each promise of the queue; the argument makes a fresh [`Harness`].
#[macro_export]
macro_rules! queue_conformance {
    ($make:expr) => {
        $crate::conformance_tests! { $make, queue:
            messages_arrive_in_their_queue, the_backlog_counts_every_message, delayed_messages_wait, received_messages_are_hidden,
            extending_hides_for_longer, extending_by_zero_shows_at_once, acknowledged_messages_are_gone,
            a_delivery_lost_to_another_is_not_found, poison_becomes_a_dead_letter,
            redriven_messages_start_afresh, receivers_wait_for_a_message, receivers_give_up_in_time,
            parallel_receivers_share, queues_survive_a_reopen
        }
    };
}

/// Expands to one test for each promise of the blobs; the argument makes a pointer to fresh
/// `Blobs`, which keeps what they need.
#[macro_export]
macro_rules! blobs_conformance {
    ($make:expr) => {
        mod blobs {
            use super::*;
            $crate::conformance_tests! { @each $make, blobs, run:
                blobs_appear_when_finished, aborted_uploads_leave_nothing, forgotten_uploads_leave_nothing, a_newer_blob_replaces_the_older,
                uploads_do_not_mix, large_blobs_come_in_chunks, empty_blobs_are_blobs, bad_names_are_refused,
                missing_blobs_are_not_found, deleted_blobs_are_gone, readers_keep_what_they_opened
            }
        }
    };
}

/// Expands to a module of named tests; used by the other macros.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($make:expr, $module:ident: $($name:ident),+ $(,)?) => {
        mod $module {
            use super::*;
            $crate::conformance_tests! { @each $make, $module, verified: $($name),+ }
        }
    };
    (@each $make:expr, $module:ident, $how:ident: $($name:ident),+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                $crate::conformance_tests! { @$how $make, $module, $name }
            }
        )+
    };
    (@verified $make:expr, $module:ident, $name:ident) => {
        let mut harness = $make;
        $crate::conformance::$module::$name(&mut harness).await;
        $crate::conformance::Harness::verify(&harness).await.expect("the adapter agrees with itself");
    };
    (@run $make:expr, $module:ident, $name:ident) => {
        let blobs = $make;
        $crate::conformance::$module::$name(&*blobs).await;
    };
}
