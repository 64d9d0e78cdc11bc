//! The indexes, in memory.
//!
//! They live in memory because a queue in a log-structured store is slow to read at its head: every task that
//! was taken leaves a tombstone there, which a scan must pass until it is compacted away.

use std::collections::BTreeSet;
use std::ops::Bound;

use sn17_core::UnixMs;
use sn17_core::index::{OpenPosition, OpenQueue};
use sn17_core::ledger::QueueName;
use sn17_core::state::{DuelNonce, Key};

use crate::attention::Attention;

/// Open tasks, the calendar, judged duels and the messages, in the order in which they are asked for.
///
/// The writer changes them as it stages a batch, so they may be ahead of what is committed: readers look at the
/// rows themselves before they believe an entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Indexes {
    anyone: BTreeSet<OpenPosition>,
    strong_only: BTreeSet<OpenPosition>,
    due: BTreeSet<(UnixMs, Key)>,
    judged: BTreeSet<DuelNonce>,
    scoring: BTreeSet<(UnixMs, u64)>,
    timers: BTreeSet<(UnixMs, u64)>,
    judging: BTreeSet<(UnixMs, u64)>,
}

impl Indexes {
    /// The indexes of items, without messages. Sorting everything at once is quicker than inserting one by one.
    pub(crate) fn of_items(attention: &[(Key, Attention)]) -> Self {
        let in_queue = |wanted: OpenQueue| {
            let places = attention.iter().filter_map(|(_, places)| places.open);
            places.filter(|(queue, _)| *queue == wanted).map(|(_, position)| position).collect()
        };
        Self {
            anyone: in_queue(OpenQueue::Anyone),
            strong_only: in_queue(OpenQueue::StrongOnly),
            due: attention.iter().filter_map(|(key, places)| Some((places.due?, *key))).collect(),
            judged: attention.iter().filter_map(|(_, places)| places.judged).collect(),
            ..Self::default()
        }
    }

    /// The indexes of messages, without items.
    pub(crate) fn of_messages(messages: &[(QueueName, UnixMs, u64)]) -> Self {
        let of_queue = |wanted: QueueName| {
            let entries = messages.iter().filter(|(queue, ..)| *queue == wanted);
            entries.map(|&(_, visible_at, number)| (visible_at, number)).collect()
        };
        Self {
            scoring: of_queue(QueueName::Scoring),
            timers: of_queue(QueueName::Timers),
            judging: of_queue(QueueName::Judging),
            ..Self::default()
        }
    }

    /// The items' side of one and the messages' side of the other.
    pub(crate) fn join(items: Self, messages: Self) -> Self {
        let Self { scoring, timers, judging, .. } = messages;
        Self { scoring, timers, judging, ..items }
    }

    /// Moves an item from its old places to its new ones.
    pub(crate) fn replace(&mut self, key: &Key, old: &Attention, new: &Attention) {
        if old.open != new.open {
            if let Some((queue, position)) = old.open {
                self.open_mut(queue).remove(&position);
            }
            if let Some((queue, position)) = new.open {
                self.open_mut(queue).insert(position);
            }
        }
        if old.due != new.due {
            if let Some(at) = old.due {
                self.due.remove(&(at, *key));
            }
            if let Some(at) = new.due {
                self.due.insert((at, *key));
            }
        }
        if old.judged != new.judged {
            if let Some(nonce) = old.judged {
                self.judged.remove(&nonce);
            }
            if let Some(nonce) = new.judged {
                self.judged.insert(nonce);
            }
        }
    }

    /// How many open tasks there are.
    pub(crate) fn open_len(&self) -> usize {
        self.anyone.len() + self.strong_only.len()
    }

    /// The next `max` open tasks behind `after`.
    pub(crate) fn open_page(
        &self,
        queue: OpenQueue,
        after: Option<OpenPosition>,
        max: usize,
    ) -> Vec<OpenPosition> {
        let tasks = match queue {
            OpenQueue::Anyone => &self.anyone,
            OpenQueue::StrongOnly => &self.strong_only,
        };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        tasks.range((from, Bound::Unbounded)).take(max).copied().collect()
    }

    /// The next `max` entries of the calendar behind `after` that are not after `now`.
    pub(crate) fn due_page(
        &self,
        after: Option<(UnixMs, Key)>,
        now: UnixMs,
        max: usize,
    ) -> Vec<(UnixMs, Key)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let entries = self.due.range((from, Bound::Unbounded));
        entries.take_while(|(at, _)| *at <= now).take(max).copied().collect()
    }

    /// The latest `max` judged duels with nonces from `since` on and below `before`, the latest first.
    pub(crate) fn judged_page(
        &self,
        since: DuelNonce,
        before: Option<DuelNonce>,
        max: usize,
    ) -> Vec<DuelNonce> {
        if before.is_some_and(|before| before <= since) {
            return Vec::new();
        }
        let to = before.map_or(Bound::Unbounded, Bound::Excluded);
        self.judged.range((Bound::Included(since), to)).rev().take(max).copied().collect()
    }

    /// How many messages a queue holds, visible or not.
    pub(crate) fn messages_len(&self, queue: QueueName) -> usize {
        self.messages(queue).len()
    }

    /// When the first message of a queue is to be delivered.
    pub(crate) fn next_visible(&self, queue: QueueName) -> Option<UnixMs> {
        self.messages(queue).first().map(|&(visible_at, _)| visible_at)
    }

    /// The first `max` messages of a queue that are to be delivered by `now`.
    pub(crate) fn visible(&self, queue: QueueName, now: UnixMs, max: usize) -> Vec<(UnixMs, u64)> {
        let messages = self.messages(queue).iter();
        messages.take_while(|(visible_at, _)| *visible_at <= now).take(max).copied().collect()
    }

    /// Moves a message from its old instant to a new one; none for a message that comes or goes.
    pub(crate) fn move_message(
        &mut self,
        queue: QueueName,
        number: u64,
        old: Option<UnixMs>,
        new: Option<UnixMs>,
    ) {
        let messages = match queue {
            QueueName::Scoring => &mut self.scoring,
            QueueName::Timers => &mut self.timers,
            QueueName::Judging => &mut self.judging,
        };
        if let Some(visible_at) = old {
            messages.remove(&(visible_at, number));
        }
        if let Some(visible_at) = new {
            messages.insert((visible_at, number));
        }
    }

    const fn messages(&self, queue: QueueName) -> &BTreeSet<(UnixMs, u64)> {
        match queue {
            QueueName::Scoring => &self.scoring,
            QueueName::Timers => &self.timers,
            QueueName::Judging => &self.judging,
        }
    }

    const fn open_mut(&mut self, queue: OpenQueue) -> &mut BTreeSet<OpenPosition> {
        match queue {
            OpenQueue::Anyone => &mut self.anyone,
            OpenQueue::StrongOnly => &mut self.strong_only,
        }
    }
}
