//! Who waits for a commit: watchers of items and consumers of queues.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sn17_core::ledger::QueueName;
use sn17_core::state::Key;
use tokio::sync::Notify;

/// Everyone who waits for a commit.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    watchers: Mutex<HashMap<Key, Watchers>>,
    scoring: Notify,
    timers: Notify,
    judging: Notify,
}

/// The watchers of one item.
#[derive(Debug, Default)]
struct Watchers {
    notify: Arc<Notify>,
    count: usize,
}

impl Waiting {
    /// Joins the watchers of an item until the answer is dropped.
    pub(crate) fn watch(&self, key: Key) -> Watcher<'_> {
        let mut all = self.watchers();
        let watchers = all.entry(key).or_default();
        watchers.count += 1;
        Watcher { waiting: self, key, notify: Arc::clone(&watchers.notify) }
    }

    /// What wakes the consumers of a queue.
    pub(crate) const fn arrivals(&self, queue: QueueName) -> &Notify {
        match queue {
            QueueName::Scoring => &self.scoring,
            QueueName::Timers => &self.timers,
            QueueName::Judging => &self.judging,
        }
    }

    /// Wakes the watchers of the items that were written.
    pub(crate) fn wake(&self, written: &[Key]) {
        let all = self.watchers();
        if all.is_empty() {
            return;
        }
        for watchers in written.iter().filter_map(|key| all.get(key)) {
            watchers.notify.notify_waiters();
        }
    }

    fn watchers(&self) -> MutexGuard<'_, HashMap<Key, Watchers>> {
        self.watchers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One watcher of an item.
#[derive(Debug)]
pub(crate) struct Watcher<'a> {
    waiting: &'a Waiting,
    key: Key,
    /// Wakes this watcher after a commit that wrote the item.
    pub(crate) notify: Arc<Notify>,
}

impl Drop for Watcher<'_> {
    fn drop(&mut self) {
        let mut all = self.waiting.watchers();
        if let Some(watchers) = all.get_mut(&self.key) {
            watchers.count -= 1;
            if watchers.count == 0 {
                all.remove(&self.key);
            }
        }
    }
}
