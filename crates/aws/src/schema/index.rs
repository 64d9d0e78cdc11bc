//! Where items stand in the indexes.

use sn17_core::index::{OpenPosition, OpenQueue, due_entry, judged_entry, open_entry};
use sn17_core::ledger::Stored;
use sn17_core::state::{DuelNonce, Item, Key};
use sn17_core::{TaskId, UnixMs};

use super::names::Place;
use super::{API_KEYS, JUDGED_DUELS};

/// Digits of an instant or a nonce in a range key: as many as the largest number of 64 bits has.
const DIGITS: usize = 20;

/// An entry of an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// Hash key.
    pub partition: String,
    /// Range key.
    pub sort: String,
}

/// The shard of a task and of its submissions, below `shards`.
///
/// The id's own bits begin with the time, so they are mixed by the finaliser of `SplitMix64` (Steele, Lea and Flood
/// 2014). This never changes: it says where existing items stand.
pub fn shard_of(task: TaskId, shards: u16) -> u16 {
    let [high, low] = [task.0 >> 64, task.0 & u128::from(u64::MAX)]
        .map(|half| u64::try_from(half).expect("half of 128 bits are 64"));
    let mixed = mix(mix(high) ^ low);
    u16::try_from(mixed % u64::from(shards.max(1))).expect("below a number of 16 bits")
}

const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The partition of the open index that holds a shard of `queue`.
pub fn open_partition(queue: OpenQueue, shard: u16) -> String {
    match queue {
        OpenQueue::Anyone => format!("o#{shard}"),
        OpenQueue::StrongOnly => format!("s#{shard}"),
    }
}

/// The range key of a place in a queue.
pub fn open_sort(position: OpenPosition) -> String {
    format!("{:0DIGITS$}#{}", position.created.0, position.task)
}

/// The place in a queue that a range key spells.
pub fn parse_open_sort(text: &str) -> Option<OpenPosition> {
    let (created, task) = text.split_once('#')?;
    Some(OpenPosition { created: UnixMs(created.parse().ok()?), task: task.parse().ok()? })
}

/// The range key of a judged duel.
pub fn duel_sort(nonce: DuelNonce) -> String {
    format!("{:0DIGITS$}", nonce.0)
}

/// The nonce that a range key of a judged duel spells.
pub fn parse_duel_sort(text: &str) -> Option<DuelNonce> {
    text.parse().ok().map(DuelNonce)
}

/// The partition of the due index that holds a shard.
pub fn due_partition(shard: u16) -> String {
    format!("d#{shard}")
}

/// The least range key of what falls due at `at`; everything due earlier is below it.
pub fn due_sort_from(at: UnixMs) -> String {
    format!("{:0DIGITS$}", at.0)
}

/// The instant that a range key of the due index begins with.
pub fn parse_due_sort(text: &str) -> Option<UnixMs> {
    Some(UnixMs(text.split_once('#')?.0.parse().ok()?))
}

/// Where an item stands in the open index, if it does.
pub fn open(key: &Key, stored: &Stored, shards: u16) -> Option<Entry> {
    match key {
        Key::Task(task) => {
            let (queue, position) = open_entry(*task, &stored.item)?;
            let partition = open_partition(queue, shard_of(*task, shards));
            Some(Entry { partition, sort: open_sort(position) })
        }
        Key::ApiKey(hash) => Some(Entry { partition: API_KEYS.to_owned(), sort: hex::encode(hash.0) }),
        Key::Duel(_) => {
            let nonce = judged_entry(key, &stored.item)?;
            Some(Entry { partition: JUDGED_DUELS.to_owned(), sort: duel_sort(nonce) })
        }
        Key::Submission(..)
        | Key::Session(_)
        | Key::Record(_)
        | Key::Roster
        | Key::History(_)
        | Key::Matchmaker
        | Key::Leaderboard
        | Key::Prompts => None,
    }
}

/// Where an item stands in the due index, if it does.
pub fn due(key: &Key, stored: &Stored, shards: u16) -> Option<Entry> {
    let task = match (key, &stored.item) {
        (Key::Task(task) | Key::Submission(task, _), _) => *task,
        (Key::Duel(_), Item::Duel(duel)) => duel.task,
        _ => return None,
    };
    let at = due_entry(&stored.item)?;
    let Place { partition, sort } = Place::of(key);
    let sort = format!("{}#{partition}#{sort}", due_sort_from(at));
    Some(Entry { partition: due_partition(shard_of(task, shards)), sort })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_order_is_queue_order() {
        let position = |created, task| OpenPosition { created: UnixMs(created), task: TaskId(task) };
        let mut positions = [
            position(0, 0),
            position(999, u128::MAX),
            position(1000, 1),
            position(1000, 0xa << 124),
            position(1000, 0xf << 124),
            position(u64::MAX, 0),
        ];
        let mut texts = positions.map(open_sort);
        positions.sort_unstable();
        texts.sort_unstable();
        let parsed: Vec<_> = texts.iter().map(|text| parse_open_sort(text)).collect();
        assert_eq!(parsed, positions.map(Some));
    }

    #[test]
    fn text_order_is_the_order_of_duels() {
        let nonces = [0, 9, 10, 1_750_000_000, u64::MAX].map(DuelNonce);
        let texts = nonces.map(duel_sort);
        assert!(texts.is_sorted());
        assert_eq!(texts.map(|text| parse_duel_sort(&text)), nonces.map(Some));
        assert_eq!(parse_duel_sort("x"), None);
    }

    #[test]
    fn shards_are_stable_and_even() {
        let shard = |number: u64| shard_of(TaskId::new(UnixMs(1_700_000_000_000 + number), number.into()), 8);
        assert_eq!([0, 1, 2, 3, 4].map(shard), [0, 1, 2, 3, 4].map(shard));
        let mut counts = [0_u32; 8];
        for number in 0..8000 {
            counts[usize::from(shard(number))] += 1;
        }
        // Five standard deviations of a binomial count of 8000 draws at 1/8.
        assert!(counts.iter().all(|count| count.abs_diff(1000) < 148), "{counts:?}");
        assert_eq!(shard_of(TaskId(u128::MAX), 1), 0);
        assert!(shard_of(TaskId(u128::MAX), u16::MAX) < u16::MAX);
    }

    #[test]
    fn what_is_due_is_below_the_next_instant() {
        let entry = format!("{}#T#x#T", due_sort_from(UnixMs(5)));
        assert!(entry < due_sort_from(UnixMs(6)));
        assert!(entry > due_sort_from(UnixMs(5)));
        assert_eq!(parse_due_sort(&entry), Some(UnixMs(5)));
    }
}
