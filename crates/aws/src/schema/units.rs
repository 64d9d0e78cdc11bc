//! What operations cost: DynamoDB's request units, from the sizes of items.
//!
//! The rules are those of the Amazon DynamoDB Developer Guide, "Read and write capacity", "Item sizes and formats"
//! and "Global secondary indexes": a write costs one unit for each KiB begun of the larger of the old and the new
//! item, twice that in a transaction; each change of an index entry costs as much as a write of the entry, outside
//! of a transaction and inside; a strongly consistent read costs one unit for each 4 KiB begun, an eventually
//! consistent one half.

use std::ops::{Add, AddAssign};

use super::row::{Attribute, Row};
use super::{EXPIRES, PARTITION_KEY, SORT_KEY};

/// Bytes that one write request unit covers.
pub const WRITE_UNIT_BYTES: usize = 1024;
/// Bytes that one read request unit covers.
pub const READ_UNIT_BYTES: usize = 4096;
/// Bytes of an item at most.
pub const ITEM_BYTES_MAX: usize = 400 * 1024;

/// Request units of one or more operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// Write request units, table and indexes together.
    pub write: usize,
    /// Halves of read request units.
    pub read_halves: usize,
}

impl Add for Units {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { write: self.write + other.write, read_halves: self.read_halves + other.read_halves }
    }
}

impl AddAssign for Units {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// Whether a read sees every commit that was answered before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// It does.
    Strong,
    /// It may miss those of the last moment.
    Eventual,
}

/// Whether a write is alone or one of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// `PutItem`, `UpdateItem` or `DeleteItem`.
    Single,
    /// `TransactWriteItems`.
    Transaction,
}

/// The size of an item in bytes: names and values of its attributes.
pub fn item_bytes(attributes: &[(&'static str, Attribute)]) -> usize {
    attributes.iter().map(|(name, attribute)| name.len() + attribute_bytes(attribute)).sum()
}

fn attribute_bytes(attribute: &Attribute) -> usize {
    match attribute {
        Attribute::Text(text) => text.len(),
        // One byte for each two significant digits, and one more. Digits that straddle two bytes cost another half.
        Attribute::Number(number) => {
            let digits = number.to_string();
            digits.trim_end_matches('0').len().div_ceil(2) + 1
        }
    }
}

/// What reading items of these sizes by key costs; an absent item counts as one of no size.
pub fn read_items(sizes: impl IntoIterator<Item = usize>, consistency: Consistency) -> Units {
    let units: usize = sizes.into_iter().map(read_units).sum();
    halves(units, consistency)
}

/// What one query costs that reads so many bytes of entries.
pub fn query(bytes: usize, consistency: Consistency) -> Units {
    halves(read_units(bytes), consistency)
}

fn read_units(bytes: usize) -> usize {
    bytes.div_ceil(READ_UNIT_BYTES).max(1)
}

fn halves(units: usize, consistency: Consistency) -> Units {
    let read_halves = match consistency {
        Consistency::Strong => 2 * units,
        Consistency::Eventual => units,
    };
    Units { write: 0, read_halves }
}

/// What replacing `old` by `new` costs, with the indexes.
pub fn write(old: Option<&Row>, new: Option<&Row>, commit: Commit) -> Units {
    let bytes = |row: &Row| item_bytes(&row.clone().attributes());
    let larger = old.map_or(0, bytes).max(new.map_or(0, bytes));
    let factor = match commit {
        Commit::Single => 1,
        Commit::Transaction => 2,
    };
    let indexes: usize = [Index::Open, Index::Due]
        .into_iter()
        .map(|index| {
            let entries = [old, new].map(|row| row.and_then(|row| index_entry(row, index)));
            index_units(entries[0].as_deref(), entries[1].as_deref())
        })
        .sum();
    Units { write: factor * write_units(larger) + indexes, read_halves: 0 }
}

fn write_units(bytes: usize) -> usize {
    bytes.div_ceil(WRITE_UNIT_BYTES).max(1)
}

/// One of the two indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// `open`.
    Open,
    /// `due`.
    Due,
}

/// The attributes of a row's entry in an index, if it stands there.
pub fn index_entry(row: &Row, index: Index) -> Option<Vec<(&'static str, Attribute)>> {
    let (stands, names) = match index {
        Index::Open => (row.open.is_some(), [super::OPEN_PARTITION, super::OPEN_SORT]),
        Index::Due => (row.due.is_some(), [super::DUE_PARTITION, super::DUE_SORT]),
    };
    let is_carried = |name: &str| [PARTITION_KEY, SORT_KEY, EXPIRES].contains(&name) || names.contains(&name);
    let attributes = row.clone().attributes().into_iter();
    stands.then(|| attributes.filter(|(name, _)| is_carried(name)).collect())
}

type Entry<'a> = &'a [(&'static str, Attribute)];

/// An entry that appears, goes or changes what it carries is written once, one that moves is deleted and written.
fn index_units(old: Option<Entry<'_>>, new: Option<Entry<'_>>) -> usize {
    let is_key = |name: &str| name != EXPIRES;
    let keys = |entry: Entry<'_>| entry.iter().filter(|(name, _)| is_key(name)).cloned().collect::<Vec<_>>();
    match (old, new) {
        (None, None) => 0,
        (Some(entry), None) | (None, Some(entry)) => write_units(item_bytes(entry)),
        (Some(old), Some(new)) if old == new => 0,
        (Some(old), Some(new)) if keys(old) == keys(new) => write_units(item_bytes(old).max(item_bytes(new))),
        (Some(old), Some(new)) => write_units(item_bytes(old)) + write_units(item_bytes(new)),
    }
}
