//! Bodies within the memory that they may have (IN-1): small ones that are read, large ones that are sent.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use crate::budget::{MemoryBudget, MemoryShare};
use crate::refusal::Refusal;

/// Seconds after which a body that found no memory is worth another try.
const MEMORY_RETRY_SECS: u64 = 5;

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It is larger than the route takes.
    TooLarge {
        /// Most bytes.
        bytes_max: u64,
    },
    /// Others take up the memory.
    NoMemory,
    /// It did not arrive whole; usually nobody is there any more to be told.
    Broken,
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { bytes_max } => {
                Self::too_large(format!("body is larger than {bytes_max} bytes"))
            }
            BodyError::NoMemory => {
                let message = "too many requests are being received";
                Self::busy("body_memory", message, MEMORY_RETRY_SECS).upholding("IN-1")
            }
            BodyError::Broken => Self::bad_request("body_broken", "the body ended early"),
        }
    }
}

/// A body read whole, and the memory it lies in.
#[derive(Debug)]
pub(crate) struct SmallBody {
    pub(crate) bytes: Bytes,
    pub(crate) share: MemoryShare,
}

/// Room for a body that has not arrived yet: it may be as large as its sender says, and never larger than the route
/// takes.
#[derive(Debug)]
pub(crate) struct BodyRoom {
    /// Most bytes that may arrive.
    pub(crate) bytes_max: u64,
    /// Memory for them, with its copies.
    pub(crate) share: MemoryShare,
}

/// The length that the headers announce.
fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Refuses a body by its announced length alone.
pub(crate) fn check_announced(headers: &HeaderMap, bytes_max: u64) -> Result<(), BodyError> {
    match announced_bytes(headers) {
        Some(bytes) if bytes > bytes_max => Err(BodyError::TooLarge { bytes_max }),
        Some(_) | None => Ok(()),
    }
}

/// Takes the memory for `copies` of a body of at most `bytes_max` before any of it is read: a sender that is slow on
/// purpose holds no more than it announced.
pub(crate) fn room(
    headers: &HeaderMap,
    bytes_max: u64,
    copies: u64,
    memory: &Arc<MemoryBudget>,
) -> Result<BodyRoom, BodyError> {
    check_announced(headers, bytes_max)?;
    let bytes_max = announced_bytes(headers).unwrap_or(bytes_max);
    let needed = usize::try_from(bytes_max.saturating_mul(copies)).unwrap_or(usize::MAX);
    let share = memory.take(needed).ok_or(BodyError::NoMemory)?;
    Ok(BodyRoom { bytes_max, share })
}

/// Reads a body of at most `bytes_max`, counted as it arrives if its length is not announced.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    bytes_max: u64,
    memory: &Arc<MemoryBudget>,
) -> Result<SmallBody, BodyError> {
    let BodyRoom { bytes_max, share } = room(headers, bytes_max, 1, memory)?;
    let mut chunks = body.into_data_stream();
    let mut whole = Bytes::new();
    let mut several = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| BodyError::Broken)?;
        if (whole.len() + several.len() + chunk.len()) as u64 > bytes_max {
            return Err(BodyError::TooLarge { bytes_max });
        }
        // A body that comes in one piece, as most do, is not copied.
        if whole.is_empty() && several.is_empty() {
            whole = chunk;
            continue;
        }
        if several.is_empty() {
            several.reserve_exact(usize::try_from(bytes_max).unwrap_or_default());
            several.extend_from_slice(&std::mem::take(&mut whole));
        }
        several.extend_from_slice(&chunk);
    }
    let bytes = if several.is_empty() { whole } else { several.into() };
    Ok(SmallBody { bytes, share })
}

/// The body of an answer and the memory it lies in, which goes back when the last byte has left; what the work on it took
/// besides goes back now. The answer has to say its length.
pub(crate) fn held(bytes: Bytes, mut share: MemoryShare) -> Body {
    share.shrink(bytes.len());
    let pieces = stream::iter(Pieces { bytes, _share: share });
    Body::from_stream(pieces.map(Ok::<_, Infallible>))
}

struct Pieces {
    bytes: Bytes,
    _share: MemoryShare,
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Self::Item> {
        const PIECE_BYTES: usize = 64 << 10;
        let piece = self.bytes.split_to(self.bytes.len().min(PIECE_BYTES));
        (!piece.is_empty()).then_some(piece)
    }
}
