//! Reading of small bodies.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use bytes::Bytes;
use futures_util::StreamExt as _;

use crate::refusal::Refusal;

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// It is larger than the route takes.
    TooLarge {
        /// Most bytes.
        bytes_max: u64,
    },
    /// It did not arrive whole; usually nobody is there any more to be told.
    Broken,
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { bytes_max } => {
                Self::too_large(format!("body is larger than {bytes_max} bytes"))
            }
            BodyError::Broken => Self::bad_request("body_broken", "the body ended early"),
        }
    }
}

/// The length that the headers announce.
pub(crate) fn announced_bytes(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Refuses a body by its announced length alone.
pub(crate) fn check_announced(headers: &HeaderMap, bytes_max: u64) -> Result<(), BodyError> {
    match announced_bytes(headers) {
        Some(bytes) if bytes > bytes_max => Err(BodyError::TooLarge { bytes_max }),
        Some(_) | None => Ok(()),
    }
}

/// Reads a body of at most `bytes_max`, counted as it arrives if its length is not announced.
pub(crate) async fn read(headers: &HeaderMap, body: Body, bytes_max: u64) -> Result<Bytes, BodyError> {
    check_announced(headers, bytes_max)?;
    let mut chunks = body.into_data_stream();
    let Some(first) = chunks.next().await else {
        return Ok(Bytes::new());
    };
    let first = first.map_err(|_| BodyError::Broken)?;
    if first.len() as u64 > bytes_max {
        return Err(BodyError::TooLarge { bytes_max });
    }
    let Some(second) = chunks.next().await else {
        return Ok(first);
    };
    let mut whole = Vec::from(first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        let chunk = chunk.map_err(|_| BodyError::Broken)?;
        if (whole.len() + chunk.len()) as u64 > bytes_max {
            return Err(BodyError::TooLarge { bytes_max });
        }
        whole.extend_from_slice(&chunk);
        next = chunks.next().await;
    }
    Ok(whole.into())
}
