//! Which shards of a queue of open tasks to look at, and what has been seen; without the looking itself.
//!
//! A queue is cut into shards. One decision may make [`QUERIES_MAX`] queries, over all its pages, rounds and tries
//! together, and each brings at least [`QUERY_ENTRIES`] entries. The shards that are looked at first are those that
//! have waited longest by the hints, at random among those within [`SLACK_MS`] of the longest: hints are half a
//! second old, and everybody would meet in one shard otherwise. Pages are merged from what has been seen, oldest
//! first, up to the nearest end of a shard that goes on behind what was read of it.
//!
//! A task is never handed out too early by this, only tasks of other shards may be up to the slack and the age of
//! the hints older (TK-2 holds per shard).

use std::collections::BTreeMap;

use sn17_core::index::{OpenPosition, OpenQueue};
use sn17_core::{TaskId, UnixMs};

use super::hints::QueueHints;

/// Most queries of one decision.
pub const QUERIES_MAX: usize = 4;
/// Entries of a query at least. So many stay below the 4 KiB that half a read unit pays for anyway, and later rounds
/// and tries are served from them.
pub const QUERY_ENTRIES: usize = 24;
/// Shards are looked at in any order when the ages of their oldest tasks are closer than this, in milliseconds.
pub const SLACK_MS: u64 = 1000;
/// Shards that are looked at together when there are hints about them.
const BATCH: usize = 2;
/// After a lost race for a task fewer than this many leading entries of a page are skipped, at random.
pub const SPREAD_MIN: u64 = 8;
/// That number doubles with each further one, up to this.
pub const SPREAD_MAX: u64 = 32;

/// A query of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenQuery {
    /// Which queue.
    pub queue: OpenQueue,
    /// Which shard of it.
    pub shard: u16,
    /// Only entries behind this place.
    pub after: Option<OpenPosition>,
}

/// How far a shard has been read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Read {
    /// Not at all.
    Nothing,
    /// Up to here; it goes on.
    UpTo(OpenPosition),
    /// To its end.
    All,
}

/// What is known of a shard.
#[derive(Clone, Debug)]
struct Shard {
    /// When its oldest task was accepted at the earliest.
    oldest: UnixMs,
    /// How many tasks wait there by the hints; 0 when nobody knows.
    depth: u64,
    read: Read,
    entries: Vec<OpenPosition>,
}

/// What is known of a queue: its shards, behind the place from where they were read.
#[derive(Clone, Debug, Default)]
struct Queue {
    after: Option<OpenPosition>,
    shards: BTreeMap<u16, Shard>,
}

/// What one decision has seen of the queues, over all its tries.
#[derive(Clone, Debug)]
pub struct OpenReader {
    queries_left: usize,
    queues: [Option<Queue>; 2],
    /// Leading entries to skip on the next page of each queue.
    skip: [usize; 2],
}

impl Default for OpenReader {
    /// A reader that has seen nothing.
    fn default() -> Self {
        Self { queries_left: QUERIES_MAX, queues: [None, None], skip: [0, 0] }
    }
}

const fn index(queue: OpenQueue) -> usize {
    match queue {
        OpenQueue::Anyone => 0,
        OpenQueue::StrongOnly => 1,
    }
}

impl OpenReader {
    /// Begins to read a queue behind `after`, unless it has been read from there or from before.
    ///
    /// Without hints every one of the `shards` may hold tasks.
    pub fn begin(
        &mut self,
        queue: OpenQueue,
        after: Option<OpenPosition>,
        shards: u16,
        hints: Option<&QueueHints>,
    ) {
        let known = &mut self.queues[index(queue)];
        if known.as_ref().is_some_and(|known| known.after <= after) {
            return;
        }
        let since = after.map_or(UnixMs(0), |after| after.created);
        let waiting = (0..shards).filter_map(|shard| {
            let (oldest, depth) = match hints.map(|hints| hints.shards(queue).get(usize::from(shard))) {
                Some(hint) => (hint?.oldest?.max(since), hint?.depth),
                None => (since, 0),
            };
            Some((shard, Shard { oldest, depth, read: Read::Nothing, entries: Vec::new() }))
        });
        *known = Some(Queue { after, shards: waiting.collect() });
    }

    /// How many queries a page may make when so many pages, this one included, are still to be loaded.
    pub fn allowance(&self, pages_left: usize) -> usize {
        self.queries_left.div_ceil(pages_left.max(1))
    }

    /// The queries to make now so that `wanted` entries behind `after` are known, at most `allowance`. None when
    /// there are enough, or nothing is left to look at. `random` draws among shards of the same age. A shard that
    /// is deep enough by the hints is looked at alone: the fewer are merged, the fewer miners meet at one head.
    pub fn next_queries(
        &mut self,
        queue: OpenQueue,
        after: Option<OpenPosition>,
        wanted: usize,
        allowance: usize,
        has_hints: bool,
        random: &mut dyn FnMut(u64) -> u64,
    ) -> Vec<OpenQuery> {
        let batch = if has_hints { BATCH } else { QUERIES_MAX };
        let most = allowance.min(self.queries_left).min(batch);
        let missing = wanted.saturating_sub(self.entries(queue, after).len());
        if most == 0 || missing == 0 {
            return Vec::new();
        }
        let mut missing = u64::try_from(missing).unwrap_or(u64::MAX);
        let Some(known) = &self.queues[index(queue)] else { return Vec::new() };
        // The instant from which each shard may hold something that has not been seen.
        let mut open: Vec<(UnixMs, OpenQuery, u64)> = known
            .shards
            .iter()
            .filter_map(|(shard, state)| {
                let (since, after) = match state.read {
                    Read::Nothing => (state.oldest, known.after),
                    Read::UpTo(end) => (end.created, Some(end)),
                    Read::All => return None,
                };
                Some((since, OpenQuery { queue, shard: *shard, after }, state.depth))
            })
            .collect();
        let mut queries = Vec::with_capacity(most);
        while queries.len() < most && missing > 0 {
            let Some(oldest) = open.iter().map(|(since, ..)| *since).min() else { break };
            let close: Vec<usize> =
                (0..open.len()).filter(|&place| open[place].0.ms_since(oldest) < SLACK_MS).collect();
            let drawn = random(u64::try_from(close.len()).unwrap_or(u64::MAX));
            let place = usize::try_from(drawn).ok().and_then(|drawn| close.get(drawn)).copied().unwrap_or(0);
            let (_, query, depth) = open.swap_remove(place);
            missing = missing.saturating_sub(depth);
            queries.push(query);
        }
        self.queries_left -= queries.len();
        queries
    }

    /// Notes what a query found, in the order of the index, and whether the shard goes on behind `up_to`.
    pub fn take(&mut self, query: &OpenQuery, found: Vec<OpenPosition>, up_to: Option<OpenPosition>) {
        let known = self.queues[index(query.queue)].as_mut();
        let Some(shard) = known.and_then(|known| known.shards.get_mut(&query.shard)) else { return };
        shard.entries.extend(found);
        shard.read = up_to.map_or(Read::All, Read::UpTo);
    }

    /// What has been seen behind `after`, oldest first, as far as nothing can be missing in between.
    pub fn entries(&self, queue: OpenQueue, after: Option<OpenPosition>) -> Vec<OpenPosition> {
        let Some(known) = &self.queues[index(queue)] else { return Vec::new() };
        let ends = known.shards.values().filter_map(|shard| match shard.read {
            Read::UpTo(end) => Some(end),
            Read::Nothing | Read::All => None,
        });
        let horizon =
            ends.min().unwrap_or(OpenPosition { created: UnixMs(u64::MAX), task: TaskId(u128::MAX) });
        let seen = known.shards.values().flat_map(|shard| shard.entries.iter().copied());
        let mut entries: Vec<OpenPosition> =
            seen.filter(|position| Some(*position) > after && *position <= horizon).collect();
        entries.sort_unstable();
        entries
    }

    /// Up to where [`OpenReader::entries`] leave out nothing that may wait in the queue; none if they never do.
    pub fn seen_to(&self, queue: OpenQueue) -> Option<OpenPosition> {
        let known = self.queues[index(queue)].as_ref()?;
        let ends = known.shards.values().filter_map(|shard| match shard.read {
            Read::Nothing => Some(OpenPosition { created: shard.oldest, task: TaskId(0) }),
            Read::UpTo(end) => Some(end),
            Read::All => None,
        });
        ends.min()
    }

    /// Lets the next first page of each queue begin so many entries later, though never behind the last one.
    ///
    /// The entries left out are those that others are racing for.
    pub fn skip_leading(&mut self, entries: usize) {
        self.skip = [entries; 2];
    }

    /// How many entries to skip now; asked once for each queue and try.
    pub fn take_skip(&mut self, queue: OpenQueue) -> usize {
        std::mem::take(&mut self.skip[index(queue)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: OpenQueue = OpenQueue::Anyone;

    fn position(created: u64, task: u128) -> OpenPosition {
        OpenPosition { created: UnixMs(created), task: TaskId(task) }
    }

    fn queries(reader: &mut OpenReader, wanted: usize, has_hints: bool) -> Vec<OpenQuery> {
        let allowance = reader.allowance(1);
        reader.next_queries(QUEUE, None, wanted, allowance, has_hints, &mut |_| 0)
    }

    fn shards(queries: &[OpenQuery]) -> Vec<u16> {
        let mut shards: Vec<u16> = queries.iter().map(|query| query.shard).collect();
        shards.sort_unstable();
        shards
    }

    #[test]
    fn without_hints_four_shards_are_read_at_once() {
        let mut reader = OpenReader::default();
        reader.begin(QUEUE, None, 4, None);
        let first = queries(&mut reader, 8, false);
        assert_eq!(shards(&first), [0, 1, 2, 3]);
        for query in &first {
            let task = u128::from(query.shard);
            reader.take(query, vec![position(10 - u64::from(query.shard), task)], None);
        }
        let entries = reader.entries(QUEUE, None);
        assert_eq!(entries, [position(7, 3), position(8, 2), position(9, 1), position(10, 0)]);
        assert_eq!(reader.entries(QUEUE, Some(position(8, 2))), entries[2..]);
        assert_eq!(queries(&mut reader, 8, false), []);
    }

    #[test]
    fn the_oldest_shards_are_read_first_and_empty_ones_never() {
        let mut hints = QueueHints::new(8);
        for (shard, oldest) in [(1, 90_000), (3, 20_000), (4, 10_000), (7, 60_000)] {
            hints.note_open(QUEUE, shard, UnixMs(oldest));
        }
        let mut reader = OpenReader::default();
        reader.begin(QUEUE, None, 8, Some(&hints));
        reader.begin(OpenQueue::StrongOnly, None, 8, Some(&hints));
        assert_eq!(reader.next_queries(OpenQueue::StrongOnly, None, 8, 4, true, &mut |_| 0), []);
        let first = queries(&mut reader, 8, true);
        assert_eq!(shards(&first), [3, 4]);
        reader.take(&first[0], vec![position(10_000, 1)], None);
        reader.take(&first[1], Vec::new(), None);
        assert_eq!(reader.seen_to(QUEUE), Some(position(60_000, 0)), "two shards have not been looked into");
        assert_eq!(shards(&queries(&mut reader, 8, true)), [1, 7]);
        assert_eq!(queries(&mut reader, 8, true), [], "four queries have been made");
    }

    #[test]
    fn shards_of_about_the_same_age_are_drawn() {
        let mut hints = QueueHints::new(8);
        for shard in 0..8 {
            hints.note_open(QUEUE, shard, UnixMs(10_000 + u64::from(shard) * 200));
        }
        let mut first_shards = Vec::new();
        for draw in 0..10 {
            let mut reader = OpenReader::default();
            reader.begin(QUEUE, None, 8, Some(&hints));
            let found = reader.next_queries(QUEUE, None, 8, 1, true, &mut |bound| draw % bound);
            first_shards.extend(shards(&found));
        }
        assert_eq!(first_shards, [0, 1, 2, 3, 4, 0, 1, 2, 3, 4], "those within a second");
    }

    #[test]
    fn a_deep_shard_is_read_alone() {
        let mut hints = QueueHints::new(4);
        for (shard, depth) in [(0, 5), (1, 4), (2, 8), (3, 0)] {
            hints.note_open(QUEUE, shard, UnixMs(10_000 * u64::from(shard)));
            hints.note_count(QUEUE, shard, depth, None);
        }
        for (wanted, expected) in [(5, &[0][..]), (8, &[0, 1])] {
            let mut reader = OpenReader::default();
            reader.begin(QUEUE, None, 4, Some(&hints));
            assert_eq!(shards(&queries(&mut reader, wanted, true)), expected);
        }
    }

    #[test]
    fn a_page_ends_where_a_shard_goes_on() {
        let mut reader = OpenReader::default();
        reader.begin(QUEUE, None, 2, None);
        let first = queries(&mut reader, 3, false);
        reader.take(&first[0], vec![position(1, 0), position(4, 0)], Some(position(4, 0)));
        reader.take(&first[1], vec![position(2, 0), position(9, 0)], None);
        assert_eq!(reader.entries(QUEUE, None), [position(1, 0), position(2, 0), position(4, 0)]);
        assert_eq!(queries(&mut reader, 3, false), []);
        let next = queries(&mut reader, 4, false);
        assert_eq!(next, [OpenQuery { after: Some(position(4, 0)), ..first[0] }]);
        reader.take(&next[0], vec![position(5, 0)], None);
        assert_eq!(reader.entries(QUEUE, Some(position(2, 0))).len(), 3);
    }

    #[test]
    fn two_queues_share_the_queries() {
        let mut reader = OpenReader::default();
        for (queue, pages_left) in [(QUEUE, 2), (OpenQueue::StrongOnly, 1)] {
            reader.begin(queue, None, 100, None);
            let allowance = reader.allowance(pages_left);
            assert_eq!(reader.next_queries(queue, None, 8, allowance, false, &mut |_| 0).len(), 2);
        }
        assert_eq!(reader.allowance(1), 0);
    }

    #[test]
    fn an_earlier_place_is_read_anew() {
        let mut reader = OpenReader::default();
        reader.begin(QUEUE, Some(position(5, 0)), 1, None);
        let first = queries(&mut reader, 8, false);
        reader.take(&first[0], vec![position(6, 0)], None);
        reader.begin(QUEUE, Some(position(6, 0)), 1, None);
        assert_eq!(queries(&mut reader, 8, false), [], "known already");
        reader.begin(QUEUE, Some(position(4, 0)), 1, None);
        assert_eq!(queries(&mut reader, 8, false).len(), 1);
    }
}
