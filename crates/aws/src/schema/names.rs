//! Keys of the table.

use sha2::{Digest, Sha256};
use sn17_app::ports::{Nonce, QuotaWindow};
use sn17_core::state::{DuelNonce, Key, KeyHash};
use sn17_core::{Hotkey, TaskId};
use sn17_wire::ss58;

/// Longest session name of a client that is spelled out in a key, in bytes; longer ones are hashed. DynamoDB allows
/// partition keys of 2,048 bytes.
const SESSION_BYTES_MAX: usize = 128;

/// Where an item lies in the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Partition key.
    pub partition: String,
    /// Sort key.
    pub sort: String,
}

impl Place {
    fn new(partition: impl Into<String>, sort: impl Into<String>) -> Self {
        Self { partition: partition.into(), sort: sort.into() }
    }

    /// Where the item of `key` lies.
    pub fn of(key: &Key) -> Self {
        match key {
            Key::Task(task) => Self::new(format!("T#{task}"), "T"),
            Key::Submission(task, hotkey) => {
                Self::new(format!("T#{task}"), format!("S#{}", ss58::encode(hotkey)))
            }
            Key::Session(hotkey) => Self::new(format!("M#{}", ss58::encode(hotkey)), "S"),
            Key::Record(hotkey) => Self::new(format!("M#{}", ss58::encode(hotkey)), "R"),
            Key::ApiKey(hash) => Self::new(format!("K#{}", hex::encode(hash.0)), "K"),
            Key::Roster => Self::new("X#roster", "X"),
            Key::Duel(nonce) => Self::new(format!("D#{nonce}"), "D"),
            Key::History(hotkey) => Self::new(format!("M#{}", ss58::encode(hotkey)), "H"),
            Key::Matchmaker => Self::new("X#matchmaker", "X"),
            Key::Leaderboard => Self::new("X#leaderboard", "X"),
            Key::Prompts => Self::new("X#prompts", "X"),
        }
    }

    /// Where the use of a nonce is noted.
    pub fn of_nonce(nonce: &Nonce) -> Self {
        let session = if nonce.uuid.len() <= SESSION_BYTES_MAX {
            nonce.uuid.clone()
        } else {
            // Whoever picks a name that looks like another's hash meets only names of its own hotkey.
            format!("~{}", hex::encode(Sha256::digest(&nonce.uuid)))
        };
        Self::new(format!("N#{}#{session}", ss58::encode(&nonce.hotkey)), format!("N#{}", nonce.nonce))
    }

    /// Where a part of the tasks of an API key is counted. Its partition is its own, so that neither the key nor the
    /// other parts get fewer writes for it.
    pub fn of_window(window: &QuotaWindow, part: u16) -> Self {
        let partition = format!("W#{}#{part}", hex::encode(window.key.0));
        Self::new(partition, format!("W#{}#{}", window.period_secs, window.number))
    }

    /// Where the hints about the queues lie.
    pub fn of_hints() -> Self {
        Self::new("X#hints", "X")
    }

    /// Where whoever refreshes the hints says so.
    pub fn of_hints_lease() -> Self {
        Self::new("X#hints", "L")
    }

    /// Where counts of the queues lie that go on.
    pub fn of_count_progress() -> Self {
        Self::new("X#hints", "C")
    }

    /// Where the sweeper leaves how many submissions wait for a score.
    pub fn of_backlog() -> Self {
        Self::new("X#backlog", "X")
    }

    /// The key of the item that lies here; none for nonces, quota windows, hints, the backlog and what is not ours.
    pub fn key(&self) -> Option<Key> {
        let (kind, name) = self.partition.split_once('#')?;
        match (kind, self.sort.as_str()) {
            ("T", "T") => Some(Key::Task(task(name)?)),
            ("T", sort) => Some(Key::Submission(task(name)?, hotkey(sort.strip_prefix("S#")?)?)),
            ("M", "S") => Some(Key::Session(hotkey(name)?)),
            ("M", "R") => Some(Key::Record(hotkey(name)?)),
            ("K", "K") => Some(Key::ApiKey(hash(name)?)),
            ("M", "H") => Some(Key::History(hotkey(name)?)),
            ("D", "D") => Some(Key::Duel(DuelNonce(name.parse().ok()?))),
            ("X", "X") => match name {
                "roster" => Some(Key::Roster),
                "matchmaker" => Some(Key::Matchmaker),
                "leaderboard" => Some(Key::Leaderboard),
                "prompts" => Some(Key::Prompts),
                _ => None,
            },
            _ => None,
        }
    }
}

fn task(text: &str) -> Option<TaskId> {
    text.parse().ok()
}

fn hotkey(text: &str) -> Option<Hotkey> {
    ss58::decode(text).ok()
}

fn hash(text: &str) -> Option<KeyHash> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(KeyHash(bytes))
}

#[cfg(test)]
mod tests {
    use sn17_core::UnixMs;

    use super::*;

    #[test]
    fn keys_come_back_from_their_places() {
        let (task, hotkey) = (TaskId::new(UnixMs(1_700_000_000_000), 7), Hotkey([9; 32]));
        let keys = [
            Key::Task(task),
            Key::Submission(task, hotkey),
            Key::Session(hotkey),
            Key::Record(hotkey),
            Key::ApiKey(KeyHash([0xab; 32])),
            Key::Roster,
            Key::Duel(DuelNonce(0)),
            Key::Duel(DuelNonce(u64::MAX)),
            Key::History(hotkey),
            Key::Matchmaker,
            Key::Leaderboard,
            Key::Prompts,
        ];
        for key in keys {
            assert_eq!(Place::of(&key).key(), Some(key), "{key:?}");
        }
        let places = keys.map(|key| Place::of(&key));
        assert_eq!(places[0].partition, places[1].partition, "a task and its submissions lie together");
    }

    #[test]
    fn other_places_hold_no_items() {
        let window = QuotaWindow { key: KeyHash([1; 32]), period_secs: 3600, number: 4 };
        let nonce = Nonce { hotkey: Hotkey([1; 32]), uuid: "K#K".to_owned(), nonce: 17 };
        let places = [
            Place::of_window(&window, 0),
            Place::of_window(&window, 15),
            Place::of_nonce(&nonce),
            Place::of_hints(),
            Place::of_hints_lease(),
            Place::of_backlog(),
            Place::new("", ""),
            Place::new("T#no-uuid", "T"),
            Place::new("M#no-address", "S"),
            Place::new("K#no-hex", "K"),
            Place::new("D#no-number", "D"),
            Place::new("D#18446744073709551616", "D"),
            Place::new("M#no-address", "H"),
            Place::new("X#unheard-of", "X"),
        ];
        for place in places {
            assert_eq!(place.key(), None, "{place:?}");
        }
    }

    #[test]
    fn long_sessions_fit_into_a_key() {
        let nonce = |length| Nonce { hotkey: Hotkey([1; 32]), uuid: "é".repeat(length), nonce: u64::MAX };
        let (longest, first, second) = (nonce(64), nonce(65), nonce(8000));
        assert!(Place::of_nonce(&longest).partition.ends_with(&longest.uuid));
        for long in [&first, &second] {
            assert!(Place::of_nonce(long).partition.len() < 200);
        }
        assert_ne!(Place::of_nonce(&first), Place::of_nonce(&second));
    }
}
