//! Checking that what is derived agrees with what it is derived from.

use std::collections::BTreeMap;

use sn17_app::ports::PortResult;
use sn17_core::ledger::Stored;

use crate::attention::Attention;
use crate::codec::{Table, corrupt, decode, expiry_row, item_key, item_row, message_name};
use crate::counters::Counted;
use crate::indexes::Indexes;
use crate::messages::Message;
use crate::rows::try_scan;
use crate::writer::Batch;

/// Recomputes every derived row and the indexes from the items, messages and counters, and compares.
///
/// It holds all derived rows in memory twice: for tests and for an operator's check.
pub(crate) fn verify(batch: &Batch<'_>) -> PortResult<()> {
    let mut rows = BTreeMap::new();
    try_scan(batch.base(), &[0], &[u8::MAX], |row, value| {
        rows.insert(row.to_vec(), value.to_vec());
        Ok(true)
    })?;
    for (row, change) in batch.changes() {
        match change {
            Some(value) => rows.insert(row.clone(), value.to_vec()),
            None => rows.remove(row),
        };
    }
    let mut expected = BTreeMap::new();
    let mut found = BTreeMap::new();
    let mut attention = Vec::new();
    let mut messages = Vec::new();
    for (row, value) in &rows {
        match row.first() {
            Some(&byte) if byte == Table::Items as u8 => {
                let key = item_key(row)?;
                let stored: Stored = decode(value)?;
                let places = Attention::of(&key, &stored.item);
                expected.extend(stored.expires.map(|at| (expiry_row(at, row), Attention::default())));
                if places.is_some() {
                    expected.insert(item_row(Table::Attention, &key), places);
                    attention.push((key, places));
                }
            }
            Some(&byte) if byte == Table::Nonces as u8 || byte == Table::Windows as u8 => {
                let counted: Counted = decode(value)?;
                expected.insert(expiry_row(counted.expires, row), Attention::default());
            }
            Some(&byte) if byte == Table::Attention as u8 => {
                found.insert(row.clone(), decode(value)?);
            }
            Some(&byte) if byte == Table::Expiry as u8 => {
                found.insert(row.clone(), Attention::default());
            }
            Some(&byte) if byte == Table::Messages as u8 => {
                let (queue, number) = message_name(row)?;
                let message: Message = decode(value)?;
                if message.effect.queue() != queue {
                    return Err(corrupt(format!("message {number} is in the wrong queue")));
                }
                messages.push((queue, message.visible_at, number));
            }
            Some(_) | None => {}
        }
    }
    if let Some((row, _)) = expected.iter().find(|(row, places)| found.get(*row) != Some(places)) {
        return Err(corrupt(format!("derived row {row:?} is missing or wrong")));
    }
    if found.len() != expected.len() {
        let surplus = found.len() - expected.len();
        return Err(corrupt(format!("{surplus} derived rows belong to nothing")));
    }
    let recomputed = Indexes::join(Indexes::of_items(&attention), Indexes::of_messages(&messages));
    if *batch.shared.indexes() != recomputed {
        return Err(corrupt("the indexes in memory differ from the rows"));
    }
    Ok(())
}
