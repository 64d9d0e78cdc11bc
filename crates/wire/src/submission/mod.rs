//! The body of a `SubmitResults`, read as it arrives.
//!
//! The body is one JSON object with up to 48 MiB of base64 inside, its fields in any order. [`SubmissionScanner`] walks
//! it byte by byte, hands the decoded results on with every chunk, keeps a few short fields and skips the rest. Its
//! memory is a few hundred bytes whatever comes in (IN-1).
//!
//! It reads what a JSON parser reads, and is stricter in these points: a known field occurs once and has its type,
//! nesting is bounded, and surrogates come in pairs. Skipped strings are not checked to be UTF-8.

mod base64_stream;
mod fields;
mod lexer;

pub use lexer::SubmissionScanner;

use crate::dendrite::{HeaderError, VerifiedDendrite};
use crate::ss58;

/// Bounds of one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanLimits {
    /// Most bytes of the whole body: 48 MiB.
    pub body_bytes_max: u64,
    /// Most bytes of results after decoding: 32 MiB.
    pub results_bytes_max: u64,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self { body_bytes_max: 48 << 20, results_bytes_max: 32 << 20 }
    }
}

/// What a submission says beside its results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubmissionFields {
    /// The task's identity: `task_id`, or the id of the deprecated `task` when that is empty. Up to 64 bytes of any text.
    pub task_id: String,
    /// Bytes of decoded results.
    pub results_len: u64,
    /// `data_format`: `ply` is the only one known.
    pub data_format: String,
    /// `data_ver`, reserved by the protocol.
    pub data_ver: i64,
    /// `compression`: 2 is the only one known.
    pub compression: i64,
    /// Nanoseconds since the epoch on the miner's clock, as signed.
    pub submit_time: i64,
    /// The licence consent's signature, as sent; for [`verify_submission`](crate::consent::verify_submission).
    pub signature: String,
    /// The hotkey that the body's `dendrite` names; unsigned.
    pub body_hotkey: Option<String>,
}

impl SubmissionFields {
    /// The miner gives the task back (SB-2).
    pub const fn is_empty(&self) -> bool {
        self.results_len == 0
    }

    /// Checks that the body names nobody else than the signed headers (AU-1).
    ///
    /// # Errors
    /// [`HeaderError::ForeignBodyHotkey`] when it does.
    pub fn check_hotkey(&self, caller: &VerifiedDendrite) -> Result<(), HeaderError> {
        check_body_hotkey(self.body_hotkey.as_deref(), caller)
    }
}

/// Checks a hotkey found in a body, if any, against the signed headers.
pub(crate) fn check_body_hotkey(
    body_hotkey: Option<&str>,
    caller: &VerifiedDendrite,
) -> Result<(), HeaderError> {
    match body_hotkey {
        Some(address) if ss58::decode(address) != Ok(caller.hotkey()) => Err(HeaderError::ForeignBodyHotkey),
        Some(_) | None => Ok(()),
    }
}

/// Why a body is no submission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The bytes are not JSON.
    #[error("malformed JSON at byte {offset}: {reason}")]
    Malformed {
        /// Bytes before the offending string or byte.
        offset: u64,
        /// What is wrong there.
        reason: &'static str,
    },
    /// The body ends early.
    #[error("malformed JSON: the body ends too early")]
    Truncated,
    /// Arrays and objects are nested deeper than 32 levels.
    #[error("malformed JSON: nested deeper than 32 levels")]
    TooDeep,
    /// A field occurs twice.
    #[error("field `{0}` occurs twice")]
    Duplicate(&'static str),
    /// A required field is absent.
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    /// A field has another type than the protocol's.
    #[error("field `{0}` has the wrong type")]
    WrongType(&'static str),
    /// A field is longer than it can be.
    #[error("field `{0}` is too long")]
    TooLong(&'static str),
    /// The results are not padded base64 in the standard alphabet.
    #[error("field `results` is not base64")]
    InvalidResults,
    /// The results are larger than we take.
    #[error("results are larger than {bytes_max} bytes")]
    ResultsTooLarge {
        /// The most we take.
        bytes_max: u64,
    },
    /// The body is larger than we take.
    #[error("body is larger than {bytes_max} bytes")]
    BodyTooLarge {
        /// The most we take.
        bytes_max: u64,
    },
}

impl ScanError {
    /// The HTTP status of the answer: 413 for what is too large, else 400.
    pub const fn status(&self) -> u16 {
        match self {
            Self::ResultsTooLarge { .. } | Self::BodyTooLarge { .. } => 413,
            Self::Malformed { .. }
            | Self::Truncated
            | Self::TooDeep
            | Self::Duplicate(_)
            | Self::Missing(_)
            | Self::WrongType(_)
            | Self::TooLong(_)
            | Self::InvalidResults => 400,
        }
    }
}
