//! Deleting what has expired.

use sn17_app::ports::PortResult;
use sn17_core::UnixMs;
use sn17_core::ledger::Stored;

use crate::codec::{Table, decode, expiring, expiry_row, item_key};
use crate::counters::Counted;
use crate::rows::try_scan;
use crate::transact::ItemChange;
use crate::writer::Batch;

/// Most rows deleted in one batch, so that others do not wait long behind it.
pub(crate) const SWEEP_MAX: usize = 1000;

/// Deletes at most [`SWEEP_MAX`] rows that expired by `now`; answers how many expiry rows it has dealt with.
pub(crate) fn sweep(batch: &mut Batch<'_>, now: UnixMs) -> PortResult<usize> {
    let from = batch.progress.sweep_from.clone();
    let to = expiry_row(now.plus_ms(1), &[]);
    let mut expired = Vec::new();
    try_scan(batch.base(), &from, &to, |row, _| {
        expired.push(row.to_vec());
        Ok(expired.len() < SWEEP_MAX)
    })?;
    for row in &expired {
        delete(batch, row)?;
    }
    if expired.len() < SWEEP_MAX {
        // Everything before `to` is gone, so the next sweep need not pass what this one leaves behind.
        batch.progress.sweep_from = to;
    }
    Ok(expired.len())
}

/// Deletes what an expiry row is about, if that still expires then.
fn delete(batch: &mut Batch<'_>, expiry: &[u8]) -> PortResult<()> {
    let (at, row) = expiring(expiry)?;
    let value = batch.get(row)?;
    if row.first() == Some(&(Table::Items as u8)) {
        let key = item_key(row)?;
        let stored: Option<Stored> = value.map(|value| decode(&value)).transpose()?;
        if let Some(stored) = stored.filter(|stored| stored.expires == Some(at)) {
            ItemChange::new(key, Some(&stored), None)?.stage(batch);
            return Ok(());
        }
    } else {
        let counted: Option<Counted> = value.map(|value| decode(&value)).transpose()?;
        if counted.is_some_and(|counted| counted.expires == at) {
            batch.remove(row.to_vec());
        }
    }
    batch.remove(expiry.to_vec());
    Ok(())
}
