//! Hints about the queues of open tasks: where something waits, since when, and how much.
//!
//! One process at a time takes them from the index and leaves them in the table for all; each keeps a copy and adds
//! to it what it commits itself, so that it sees its own tasks at once. They are never more than hints: what they
//! name is looked up, and what they miss is found within their age.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sn17_core::UnixMs;
use sn17_core::index::OpenQueue;

/// How long own commits outweigh hints that were taken from the index, which follows the table with a delay, in
/// milliseconds.
const OWN_MS: u64 = 2000;
/// After a look at the table that brought nothing new, the next one comes so many milliseconds later at the latest.
const CHECK_MS_MAX: u64 = 500;
/// A refresh that has not ended within this has died with its request, in milliseconds: a platform may end a request
/// without dropping what it was doing.
const REFRESH_MS_MAX: u64 = 20_000;
/// The longest time between two counts of the queues, in milliseconds.
const COUNT_MS_MAX: u64 = 60_000;

/// What is known of one shard of one queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardHint {
    /// When its oldest task was accepted; none when nothing waits.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<UnixMs>,
    /// How many tasks wait.
    #[serde(rename = "d", default, skip_serializing_if = "is_zero")]
    pub depth: u64,
    /// A count that goes on: so many up to this range key of the index. It lies apart ([`CountProgress`]).
    #[serde(skip)]
    pub counting: Option<(u64, String)>,
}

/// The counts that go on, apart from the hints: every process reads those, and this concerns whoever refreshes them.
///
/// For each: whether it is of the queue for strong miners, the shard, how many so far, and up to which range key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountProgress(pub Vec<(bool, u16, u64, String)>);

const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What is known of both queues.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueHints {
    /// When it was taken from the index.
    pub taken: UnixMs,
    /// When the tasks were last counted.
    pub counted: UnixMs,
    /// Whether counts go on.
    #[serde(default)]
    pub is_counting: bool,
    /// The shards of the queue for anyone, in order.
    pub anyone: Vec<ShardHint>,
    /// The shards of the queue for strong miners, in order.
    pub strong_only: Vec<ShardHint>,
}

impl QueueHints {
    /// Nothing waits anywhere, as of long ago.
    pub fn new(shards: u16) -> Self {
        let empty = vec![ShardHint::default(); usize::from(shards)];
        let never = UnixMs(0);
        Self { taken: never, counted: never, is_counting: false, anyone: empty.clone(), strong_only: empty }
    }

    /// The shards of a queue.
    pub const fn shards(&self, queue: OpenQueue) -> &Vec<ShardHint> {
        match queue {
            OpenQueue::Anyone => &self.anyone,
            OpenQueue::StrongOnly => &self.strong_only,
        }
    }

    /// One shard of a queue, to be changed.
    pub fn shard_mut(&mut self, queue: OpenQueue, shard: u16) -> Option<&mut ShardHint> {
        let shards = match queue {
            OpenQueue::Anyone => &mut self.anyone,
            OpenQueue::StrongOnly => &mut self.strong_only,
        };
        shards.get_mut(usize::from(shard))
    }

    /// When the oldest task of a shard was accepted; none when nothing waits there.
    pub fn oldest(&self, queue: OpenQueue, shard: u16) -> Option<UnixMs> {
        self.shards(queue).get(usize::from(shard))?.oldest
    }

    /// How many tasks wait in all.
    pub fn depth(&self) -> u64 {
        self.anyone.iter().chain(&self.strong_only).map(|shard| shard.depth).sum()
    }

    /// Notes that a task accepted at `created` waits in a shard.
    pub fn note_open(&mut self, queue: OpenQueue, shard: u16, created: UnixMs) {
        if let Some(hint) = self.shard_mut(queue, shard) {
            hint.oldest = Some(hint.oldest.map_or(created, |oldest| oldest.min(created)));
        }
    }

    /// Whether they were taken within `age_ms` of `now`, in the past or, by another host's clock, in the future.
    pub fn is_fresh(&self, now: UnixMs, age_ms: u64) -> bool {
        now.0.abs_diff(self.taken.0) < age_ms
    }

    /// The shards whose tasks are to be counted now: all of them at most once in a second for each thousand tasks,
    /// and not more often than hints are taken; in between those whose count goes on.
    pub fn shards_to_count(&self, now: UnixMs, hints_ms: u64) -> Vec<(OpenQueue, u16)> {
        let interval = self.depth().clamp(hints_ms.min(COUNT_MS_MAX), COUNT_MS_MAX);
        let is_due = now.0.abs_diff(self.counted.0) >= interval;
        let mut shards = Vec::new();
        for queue in [OpenQueue::Anyone, OpenQueue::StrongOnly] {
            let numbered = (0..).zip(self.shards(queue));
            let chosen = numbered.filter(|(_, hint)| is_due || hint.counting.is_some());
            shards.extend(chosen.map(|(shard, _)| (queue, shard)));
        }
        shards
    }

    /// The counts that go on.
    pub fn progress(&self) -> CountProgress {
        let queues = [(false, &self.anyone), (true, &self.strong_only)];
        let counting = queues.into_iter().flat_map(|(is_strong, shards)| {
            (0..).zip(shards).filter_map(move |(shard, hint)| {
                let (count, resume) = hint.counting.as_ref()?;
                Some((is_strong, shard, *count, resume.clone()))
            })
        });
        CountProgress(counting.collect())
    }

    /// Goes on with these counts.
    pub fn resume(&mut self, progress: CountProgress) {
        for (is_strong, shard, count, resume) in progress.0 {
            let queue = if is_strong { OpenQueue::StrongOnly } else { OpenQueue::Anyone };
            if let Some(hint) = self.shard_mut(queue, shard) {
                hint.counting = Some((count, resume));
            }
        }
    }

    /// Continues the count of a shard by a page of `count` entries that ended before `resume`, or at its end.
    pub fn note_count(&mut self, queue: OpenQueue, shard: u16, count: u64, resume: Option<String>) {
        let Some(hint) = self.shard_mut(queue, shard) else { return };
        let total = hint.counting.take().map_or(0, |(before, _)| before).saturating_add(count);
        match resume {
            // What has been counted is there, however much more there is.
            Some(resume) => {
                hint.depth = hint.depth.max(total);
                hint.counting = Some((total, resume));
            }
            None => hint.depth = total,
        }
    }
}

/// A task's entry that a commit of this process added to a queue or took from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnChange {
    /// Which queue.
    pub queue: OpenQueue,
    /// Which shard.
    pub shard: u16,
    /// When the task was accepted.
    pub created: UnixMs,
    /// Whether it came or went.
    pub came: bool,
}

/// A process's copy of the hints.
#[derive(Debug)]
pub struct HintCache {
    hints: Option<Arc<QueueHints>>,
    /// When the copy was last compared with the table.
    checked: UnixMs,
    /// Since when somebody in this process is comparing.
    busy_since: Option<UnixMs>,
    /// For each shard of both queues, the oldest task that this process added lately, and when.
    own: [Vec<Option<(UnixMs, UnixMs)>>; 2],
}

/// What to do about the hints.
#[derive(Debug)]
pub enum Lookup {
    /// Use these.
    Use(Arc<QueueHints>),
    /// There are none, and somebody else is about to get them.
    Unknown,
    /// Get them, with [`HintCache::refreshed`] or [`HintCache::failed`] at the end.
    Refresh,
}

impl HintCache {
    /// Nothing is known.
    pub fn new(shards: u16) -> Self {
        let own = vec![None; usize::from(shards)];
        Self { hints: None, checked: UnixMs(0), busy_since: None, own: [own.clone(), own] }
    }

    /// What to do when hints of at most this age are wanted.
    pub fn look(&mut self, now: UnixMs, age_ms: u64) -> Lookup {
        let was_checked = now.0.abs_diff(self.checked.0) < age_ms.div_ceil(2).min(CHECK_MS_MAX);
        let is_busy = self.busy_since.is_some_and(|since| now.0.abs_diff(since.0) < REFRESH_MS_MAX);
        match &self.hints {
            Some(hints) if hints.is_fresh(now, age_ms) || was_checked || is_busy => {
                Lookup::Use(Arc::clone(hints))
            }
            None if was_checked || is_busy => Lookup::Unknown,
            Some(_) | None => {
                self.busy_since = Some(now);
                Lookup::Refresh
            }
        }
    }

    /// Takes over what was got from the table or the index; none when nobody knows anything yet.
    pub fn refreshed(&mut self, now: UnixMs, hints: Option<QueueHints>) -> Option<Arc<QueueHints>> {
        self.busy_since = None;
        self.checked = now;
        // An eventual read may bring hints that are older than those at hand.
        let is_newer =
            |hints: &QueueHints| self.hints.as_ref().is_none_or(|known| known.taken <= hints.taken);
        if let Some(mut hints) = hints.filter(is_newer) {
            for (queue, own) in [OpenQueue::Anyone, OpenQueue::StrongOnly].into_iter().zip(&self.own) {
                for (shard, note) in (0..).zip(own) {
                    if let Some((created, noted)) = note
                        && hints.taken.0.saturating_sub(noted.0) < OWN_MS
                    {
                        hints.note_open(queue, shard, *created);
                    }
                }
            }
            self.hints = Some(Arc::new(hints));
        }
        self.hints.clone()
    }

    /// Nothing could be got; somebody may try again after half the age.
    pub fn failed(&mut self, now: UnixMs) {
        self.busy_since = None;
        self.checked = now;
    }

    /// What is there, however old.
    pub fn at_hand(&self) -> Option<Arc<QueueHints>> {
        self.hints.clone()
    }

    /// Notes what a commit of this process did to the queues.
    pub fn note(&mut self, now: UnixMs, change: OwnChange) {
        let OwnChange { queue, shard, created, came } = change;
        if came {
            let own = &mut self.own[usize::from(queue == OpenQueue::StrongOnly)];
            if let Some(note) = own.get_mut(usize::from(shard)) {
                let is_recent = |noted: UnixMs| now.ms_since(noted) < OWN_MS;
                let oldest =
                    note.filter(|(_, noted)| is_recent(*noted)).map_or(created, |(old, _)| old.min(created));
                *note = Some((oldest, now));
            }
        }
        let Some(hints) = self.hints.as_mut().map(Arc::make_mut) else { return };
        if came {
            hints.note_open(queue, shard, created);
        }
        if let Some(hint) = hints.shard_mut(queue, shard) {
            hint.depth = if came { hint.depth.saturating_add(1) } else { hint.depth.saturating_sub(1) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: OpenQueue = OpenQueue::Anyone;
    const NOW: UnixMs = UnixMs(1_000_000);

    fn taken(at: UnixMs) -> QueueHints {
        QueueHints { taken: at, counted: at, ..QueueHints::new(2) }
    }

    #[test]
    fn one_caller_refreshes_and_the_others_go_on() {
        let mut cache = HintCache::new(2);
        assert!(matches!(cache.look(NOW, 500), Lookup::Refresh));
        assert!(matches!(cache.look(NOW, 500), Lookup::Unknown));
        cache.refreshed(NOW, Some(taken(NOW)));
        assert!(matches!(cache.look(NOW.plus_ms(499), 500), Lookup::Use(_)));
        assert!(matches!(cache.look(NOW.plus_ms(500), 500), Lookup::Refresh));
        assert!(matches!(cache.look(NOW.plus_ms(500), 500), Lookup::Use(_)));
        cache.failed(NOW.plus_ms(500));
        assert!(matches!(cache.look(NOW.plus_ms(749), 500), Lookup::Use(_)), "not again at once");
        assert!(matches!(cache.look(NOW.plus_ms(750), 500), Lookup::Refresh));
        // Another process is at it: what it left earlier is used, for half the age.
        cache.refreshed(NOW.plus_ms(750), Some(taken(NOW)));
        assert!(matches!(cache.look(NOW.plus_ms(999), 500), Lookup::Use(_)));
        assert!(matches!(cache.look(NOW.plus_ms(1000), 500), Lookup::Refresh));
    }

    #[test]
    fn a_refresh_that_never_ends_is_made_again() {
        let mut cache = HintCache::new(2);
        assert!(matches!(cache.look(NOW, 500), Lookup::Refresh));
        assert!(matches!(cache.look(NOW.plus_ms(REFRESH_MS_MAX - 1), 500), Lookup::Unknown));
        assert!(matches!(cache.look(NOW.plus_ms(REFRESH_MS_MAX), 500), Lookup::Refresh));
    }

    #[test]
    fn own_tasks_are_seen_at_once_and_outlive_a_refresh() {
        let mut cache = HintCache::new(2);
        let came = OwnChange { queue: QUEUE, shard: 1, created: NOW, came: true };
        cache.note(NOW, came);
        let hints = cache.refreshed(NOW.plus_ms(10), Some(taken(NOW.plus_ms(10)))).unwrap();
        assert_eq!(hints.oldest(QUEUE, 1), Some(NOW), "the index may be behind");
        cache.note(NOW.plus_ms(20), OwnChange { created: NOW.plus_ms(20), ..came });
        let Lookup::Use(hints) = cache.look(NOW.plus_ms(20), 500) else { panic!("fresh") };
        assert_eq!((hints.oldest(QUEUE, 1), hints.depth()), (Some(NOW), 1));
        cache.note(NOW.plus_ms(30), OwnChange { came: false, ..came });
        let late = NOW.plus_ms(20 + OWN_MS);
        let hints = cache.refreshed(late, Some(taken(late))).unwrap();
        assert_eq!((hints.oldest(QUEUE, 1), hints.depth()), (None, 0));
    }

    #[test]
    fn counts_go_on_where_they_ended() {
        let mut hints = taken(NOW);
        hints.note_count(QUEUE, 0, 8000, Some("a".to_owned()));
        assert_eq!(hints.shards_to_count(NOW, 500), [(QUEUE, 0)], "it goes on");
        hints.note_count(QUEUE, 0, 8000, Some("b".to_owned()));
        assert_eq!(hints.depth(), 16_000);
        let text = serde_json::to_string(&(&hints, hints.progress())).unwrap();
        let (mut hints, progress): (QueueHints, CountProgress) = serde_json::from_str(&text).unwrap();
        assert_eq!(hints.progress().0, [], "the hints alone do not carry them");
        hints.resume(progress);
        hints.note_count(QUEUE, 0, 5, None);
        hints.note_count(QUEUE, 1, 3, None);
        assert_eq!(hints.depth(), 16_008);
        assert_eq!(hints.shards_to_count(NOW.plus_ms(16_007), 500), []);
        assert_eq!(hints.shards_to_count(NOW.plus_ms(16_008), 500).len(), 4);
        hints.note_count(QUEUE, 0, 2, None);
        assert_eq!(hints.depth(), 5);
        assert_eq!(hints.shards_to_count(NOW.plus_ms(500), 500).len(), 4);
    }

    #[test]
    fn they_are_small_as_text() {
        let mut hints = QueueHints::new(128);
        for shard in 0..128 {
            hints.note_open(QUEUE, shard, UnixMs(1_700_000_000_000));
            hints.note_count(QUEUE, shard, 1234, None);
        }
        let text = serde_json::to_string(&hints).unwrap();
        assert!(text.len() < 6 * 1024, "{}", text.len());
        assert_eq!(serde_json::from_str::<QueueHints>(&text).unwrap(), hints);
    }
}
