//! Nonces and quota windows in a batch.

use serde::{Deserialize, Serialize};
use sn17_app::ports::{Nonce, PortResult, QuotaWindow};
use sn17_core::UnixMs;

use crate::codec::{decode, encode, expiry_row, nonce_row, window_row};
use crate::writer::Batch;

/// A number that is kept until it expires: nothing for a nonce, the count of a quota window.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) expires: UnixMs,
    pub(crate) count: u32,
}

/// Uses a nonce up; false if it was used before and that has not expired.
pub(crate) fn claim_nonce(
    batch: &mut Batch<'_>,
    nonce: &Nonce,
    now: UnixMs,
    expires: UnixMs,
) -> PortResult<bool> {
    count_up(batch, nonce_row(nonce), now, expires, 1)
}

/// Adds one to a window unless it is at its limit.
pub(crate) fn bump(batch: &mut Batch<'_>, window: &QuotaWindow, now: UnixMs, limit: u32) -> PortResult<bool> {
    let period_secs = u64::from(window.period_secs);
    let end_secs = window.number.saturating_add(1).saturating_mul(period_secs);
    let expires = UnixMs::from_secs(end_secs).plus_secs(period_secs.saturating_mul(2));
    count_up(batch, window_row(window), now, expires, limit)
}

fn count_up(
    batch: &mut Batch<'_>,
    row: Vec<u8>,
    now: UnixMs,
    expires: UnixMs,
    limit: u32,
) -> PortResult<bool> {
    let value = batch.get(&row)?;
    let old: Option<Counted> = value.map(|value| decode(&value)).transpose()?;
    let count = old.filter(|old| old.expires > now).map_or(0, |old| old.count);
    if count >= limit {
        return Ok(false);
    }
    let value = encode(&Counted { expires, count: count + 1 })?;
    if old.map(|old| old.expires) != Some(expires) {
        if let Some(old) = old {
            batch.remove(expiry_row(old.expires, &row));
        }
        batch.put(expiry_row(expires, &row), Vec::new());
    }
    batch.put(row, value);
    Ok(true)
}
