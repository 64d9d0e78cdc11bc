//! How rows are named and written.
//!
//! A row's key begins with a byte that names its table; numbers in keys are big-endian, so that rows sort by
//! them. A value is a format version byte and postcard behind it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sn17_app::ports::{Nonce, PortError, PortErrorKind, PortResult, QuotaWindow};
use sn17_core::ledger::QueueName;
use sn17_core::state::{DuelNonce, Key, KeyHash};
use sn17_core::{Hotkey, TaskId, UnixMs};

/// Version of the values' format. It changes whenever an item's shape does, as postcard does not name fields.
const FORMAT: u8 = 2;

/// A group of rows, by the first byte of their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Table {
    /// The one row that holds the next message number.
    Counter = b'c',
    /// Items.
    Items = b'i',
    /// What of an item stands in the indexes, under the item's key.
    Attention = b'a',
    /// Names of rows by the instant at which they expire.
    Expiry = b'e',
    /// Used nonces.
    Nonces = b'n',
    /// Quota windows.
    Windows = b'w',
    /// Queue messages.
    Messages = b'm',
    /// Dead letters.
    DeadLetters = b'x',
}

impl Table {
    /// The bounds of this table's rows, the end excluded.
    pub(crate) const fn range(self) -> ([u8; 1], [u8; 1]) {
        ([self as u8], [self as u8 + 1])
    }
}

const TASK: u8 = b't';
const SUBMISSION: u8 = b's';
const SESSION: u8 = b'm';
const RECORD: u8 = b'r';
const API_KEY: u8 = b'k';
const ROSTER: u8 = b'o';
const DUEL: u8 = b'd';
const HISTORY: u8 = b'h';
const MATCHMAKER: u8 = b'p';
const LEADERBOARD: u8 = b'l';
const PROMPTS: u8 = b'b';

/// The bounds of the rows of API keys among the items, the end excluded.
pub(crate) const API_KEYS: ([u8; 2], [u8; 2]) =
    ([Table::Items as u8, API_KEY], [Table::Items as u8, API_KEY + 1]);

/// The name of an item's row in `table`, which is [`Table::Items`] or [`Table::Attention`].
pub(crate) fn item_row(table: Table, key: &Key) -> Vec<u8> {
    let mut row = Vec::with_capacity(50);
    row.push(table as u8);
    match key {
        Key::Task(task) => {
            row.push(TASK);
            row.extend_from_slice(&task.0.to_be_bytes());
        }
        Key::Submission(task, hotkey) => {
            row.push(SUBMISSION);
            row.extend_from_slice(&task.0.to_be_bytes());
            row.extend_from_slice(&hotkey.0);
        }
        Key::Session(hotkey) => {
            row.push(SESSION);
            row.extend_from_slice(&hotkey.0);
        }
        Key::Record(hotkey) => {
            row.push(RECORD);
            row.extend_from_slice(&hotkey.0);
        }
        Key::ApiKey(hash) => {
            row.push(API_KEY);
            row.extend_from_slice(&hash.0);
        }
        Key::Roster => row.push(ROSTER),
        Key::Duel(nonce) => {
            row.push(DUEL);
            row.extend_from_slice(&nonce.0.to_be_bytes());
        }
        Key::History(hotkey) => {
            row.push(HISTORY);
            row.extend_from_slice(&hotkey.0);
        }
        Key::Matchmaker => row.push(MATCHMAKER),
        Key::Leaderboard => row.push(LEADERBOARD),
        Key::Prompts => row.push(PROMPTS),
    }
    row
}

/// The item that a row of [`Table::Items`] or [`Table::Attention`] is about.
pub(crate) fn item_key(row: &[u8]) -> PortResult<Key> {
    let key = match row.get(1..).and_then(<[u8]>::split_first) {
        Some((&TASK, id)) => id.try_into().ok().map(|id| Key::Task(task_id(id))),
        Some((&SUBMISSION, names)) => names.split_first_chunk().and_then(|(id, hotkey)| {
            let hotkey = hotkey.try_into().ok()?;
            Some(Key::Submission(task_id(*id), Hotkey(hotkey)))
        }),
        Some((&SESSION, hotkey)) => hotkey.try_into().ok().map(|hotkey| Key::Session(Hotkey(hotkey))),
        Some((&RECORD, hotkey)) => hotkey.try_into().ok().map(|hotkey| Key::Record(Hotkey(hotkey))),
        Some((&API_KEY, hash)) => hash.try_into().ok().map(|hash| Key::ApiKey(KeyHash(hash))),
        Some((&ROSTER, [])) => Some(Key::Roster),
        Some((&DUEL, nonce)) => {
            nonce.try_into().ok().map(|nonce| Key::Duel(DuelNonce(u64::from_be_bytes(nonce))))
        }
        Some((&HISTORY, hotkey)) => hotkey.try_into().ok().map(|hotkey| Key::History(Hotkey(hotkey))),
        Some((&MATCHMAKER, [])) => Some(Key::Matchmaker),
        Some((&LEADERBOARD, [])) => Some(Key::Leaderboard),
        Some((&PROMPTS, [])) => Some(Key::Prompts),
        Some(_) | None => None,
    };
    key.ok_or_else(|| corrupt("a row has no item's name"))
}

const fn task_id(bytes: [u8; 16]) -> TaskId {
    TaskId(u128::from_be_bytes(bytes))
}

/// The row that says that `row` expires at `at`.
pub(crate) fn expiry_row(at: UnixMs, row: &[u8]) -> Vec<u8> {
    let mut name = Vec::with_capacity(9 + row.len());
    name.push(Table::Expiry as u8);
    name.extend_from_slice(&at.0.to_be_bytes());
    name.extend_from_slice(row);
    name
}

/// The instant and the row that an expiry row is about.
pub(crate) fn expiring(row: &[u8]) -> PortResult<(UnixMs, &[u8])> {
    let parts = row.get(1..).and_then(<[u8]>::split_first_chunk::<8>);
    let (at, name) = parts.ok_or_else(|| corrupt("an expiry row has no instant"))?;
    Ok((UnixMs(u64::from_be_bytes(*at)), name))
}

/// The row of a used nonce.
pub(crate) fn nonce_row(nonce: &Nonce) -> Vec<u8> {
    let mut row = Vec::with_capacity(41 + nonce.uuid.len());
    row.push(Table::Nonces as u8);
    row.extend_from_slice(&nonce.hotkey.0);
    row.extend_from_slice(&nonce.nonce.to_be_bytes());
    row.extend_from_slice(nonce.uuid.as_bytes());
    row
}

/// The row of a quota window.
pub(crate) fn window_row(window: &QuotaWindow) -> Vec<u8> {
    let mut row = Vec::with_capacity(45);
    row.push(Table::Windows as u8);
    row.extend_from_slice(&window.key.0);
    row.extend_from_slice(&window.period_secs.to_be_bytes());
    row.extend_from_slice(&window.number.to_be_bytes());
    row
}

/// The row of a message, or of a dead letter, which bear numbers of their own.
pub(crate) fn message_row(table: Table, queue: QueueName, number: u64) -> Vec<u8> {
    let mut row = Vec::with_capacity(10);
    row.push(table as u8);
    row.push(queue_byte(queue));
    row.extend_from_slice(&number.to_be_bytes());
    row
}

/// The queue and number in the name of a message's row.
pub(crate) fn message_name(row: &[u8]) -> PortResult<(QueueName, u64)> {
    let number = row.get(2..).and_then(|number| number.try_into().ok()).map(u64::from_be_bytes);
    let queue = match row.get(1) {
        Some(b's') => Some(QueueName::Scoring),
        Some(b't') => Some(QueueName::Timers),
        Some(b'j') => Some(QueueName::Judging),
        Some(_) | None => None,
    };
    queue.zip(number).ok_or_else(|| corrupt("a row has no message's name"))
}

/// The bounds of one queue's rows in `table`, the end excluded.
pub(crate) const fn queue_range(table: Table, queue: QueueName) -> ([u8; 2], [u8; 2]) {
    ([table as u8, queue_byte(queue)], [table as u8, queue_byte(queue) + 1])
}

pub(crate) const fn queue_byte(queue: QueueName) -> u8 {
    match queue {
        QueueName::Scoring => b's',
        QueueName::Timers => b't',
        QueueName::Judging => b'j',
    }
}

/// Writes a value.
pub(crate) fn encode<T: Serialize>(value: &T) -> PortResult<Vec<u8>> {
    let mut bytes = Vec::with_capacity(256);
    bytes.push(FORMAT);
    postcard::to_extend(value, bytes).map_err(|error| corrupt(format!("cannot write a value: {error}")))
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> PortResult<T> {
    match bytes.split_first() {
        Some((&FORMAT, value)) => {
            postcard::from_bytes(value).map_err(|error| corrupt(format!("cannot read a value: {error}")))
        }
        Some((other, _)) => Err(corrupt(format!("a value has format {other}, this program reads {FORMAT}"))),
        None => Err(corrupt("a value is empty")),
    }
}

/// An error of kind `Corrupt`.
pub(crate) fn corrupt(message: impl Into<String>) -> PortError {
    PortError::new(PortErrorKind::Corrupt, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_rows_name_their_items() {
        let hotkey = Hotkey([7; 32]);
        let keys = [
            Key::Task(TaskId(1)),
            Key::Submission(TaskId(u128::MAX), hotkey),
            Key::Session(hotkey),
            Key::Record(hotkey),
            Key::ApiKey(KeyHash([9; 32])),
            Key::Roster,
            Key::Duel(DuelNonce(1_750_000_000)),
            Key::History(hotkey),
            Key::Matchmaker,
            Key::Leaderboard,
            Key::Prompts,
        ];
        for key in keys {
            assert_eq!(item_key(&item_row(Table::Items, &key)).unwrap(), key);
        }
        for row in [&b""[..], b"i", b"it", b"izzz", b"io1", b"id1", b"ip1", &[b'i', SUBMISSION, 1, 2]] {
            assert!(item_key(row).is_err(), "{row:?}");
        }
    }

    #[test]
    fn values_of_another_format_are_refused() {
        let mut bytes = encode(&7_u32).unwrap();
        assert_eq!(decode::<u32>(&bytes).unwrap(), 7);
        bytes[0] = FORMAT + 1;
        assert!(decode::<u32>(&bytes).is_err());
        assert!(decode::<u32>(&[]).is_err());
        assert!(decode::<u32>(&[FORMAT]).is_err());
    }
}
