//! Tokens that several processes share.

use std::fmt;
use std::sync::Arc;

use sn17_app::ports::{Ledger, PortResult, QuotaWindow};
use sn17_core::UnixMs;
use sn17_core::state::KeyHash;

/// Tokens leased at a time: what three questions with two grids of views cost, so that the counter is written once for
/// them, and what a process has left at its end, which is lost to the day, is little.
pub const BLOCK_TOKENS: u64 = 10_000;
/// A budget is one of a day in UTC.
const PERIOD_SECS: u32 = 86_400;
/// Whose windows the blocks are counted in. Keys are keyed BLAKE3 hashes, none of which is a sentence.
const COUNTED_FOR: KeyHash = KeyHash(*b"tokens of the judge of all duels");

/// A day's tokens for all processes over one ledger together: each leases a block of [`BLOCK_TOKENS`] when it needs one.
///
/// Of a limit that is no multiple of a block, the rest is never spent. Processes that are told different limits each keep
/// to their own.
#[derive(Clone)]
pub struct SharedTokens {
    ledger: Arc<dyn Ledger>,
    blocks_per_day: u32,
}

impl SharedTokens {
    /// A budget that `ledger` counts; below [`BLOCK_TOKENS`] a day, nothing is ever spent.
    pub fn new(ledger: Arc<dyn Ledger>, tokens_per_day: u64) -> Self {
        let blocks_per_day = u32::try_from(tokens_per_day / BLOCK_TOKENS).unwrap_or(u32::MAX);
        Self { ledger, blocks_per_day }
    }

    /// Leases a block of a day, counted from the epoch; false if all of that day's are gone.
    pub(crate) async fn lease(&self, day: u64, now: UnixMs) -> PortResult<bool> {
        let window = QuotaWindow { key: COUNTED_FOR, period_secs: PERIOD_SECS, number: day };
        self.ledger.bump(&window, now, self.blocks_per_day).await
    }
}

impl fmt::Debug for SharedTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SharedTokens")
            .field("blocks_per_day", &self.blocks_per_day)
            .finish_non_exhaustive()
    }
}
