//! Refusals of a request by its headers.

use crate::ss58;

/// Why a request is not from whom it says, or not from now.
///
/// The texts are bittensor's own where it has one, without the signed text and the signature that it repeats.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum HeaderError {
    /// No caller is named.
    #[error("Not Verified with error: No SS58 formatted address or public key provided.")]
    MissingHotkey,
    /// The caller's name is not an address.
    #[error("Not Verified with error: Invalid SS58 address: {0}")]
    InvalidHotkey(ss58::Ss58Error),
    /// There is no nonce.
    #[error("Not Verified with error: Missing Nonce")]
    MissingNonce,
    /// The nonce is not a whole number of nanoseconds.
    #[error("Not Verified with error: Nonce is not a number of nanoseconds")]
    MalformedNonce,
    /// There is no uuid.
    #[error("Not Verified with error: Missing UUID")]
    MissingUuid,
    /// The uuid is longer than 64 characters, or has others than letters, digits and hyphens.
    #[error("Not Verified with error: UUID is malformed")]
    MalformedUuid,
    /// The signature is absent or empty.
    #[error("Not Verified with error: Missing Signature")]
    MissingSignature,
    /// The signature is not `0x` and 128 hexadecimal digits.
    #[error("Not Verified with error: Invalid signature format. Expected hex string.")]
    MalformedSignature,
    /// The timeout is not a number of seconds, or is negative.
    #[error("Not Verified with error: timeout is not a number of seconds")]
    MalformedTimeout,
    /// No receiver is named.
    #[error("Not Verified with error: Missing axon hotkey")]
    MissingAxonHotkey,
    /// The request is for another validator.
    #[error("Not Verified with error: Request is addressed to another axon hotkey")]
    ForeignAxonHotkey,
    /// The body hash is absent or not that of no fields.
    #[error("Not Verified with error: Body hash mismatch")]
    BodyHash,
    /// The nonce is older than the window.
    #[error(
        "Not Verified with error: Nonce is too old: acceptable delta is {acceptable_secs:.2} seconds but request was \
         {age_secs:.2} seconds old"
    )]
    TooOld {
        /// Seconds of age that would have been accepted.
        acceptable_secs: f64,
        /// Seconds of age of the nonce.
        age_secs: f64,
    },
    /// The nonce is of the future.
    #[error(
        "Not Verified with error: Nonce is too far ahead: acceptable delta is {acceptable_secs:.2} seconds but request \
         was {ahead_secs:.2} seconds ahead"
    )]
    TooFarAhead {
        /// Seconds ahead that would have been accepted.
        acceptable_secs: f64,
        /// Seconds from our clock to the nonce.
        ahead_secs: f64,
    },
    /// The signature is not the caller's over these parts.
    #[error("Not Verified with error: Signature mismatch")]
    SignatureMismatch,
    /// The ledger has seen this (hotkey, uuid, nonce) before. [`DendriteHeaders::verify`](super::DendriteHeaders::verify) has no memory and never says
    /// so; whoever claims the nonce does.
    #[error("Not Verified with error: Nonce is too old, a newer one was last processed")]
    Replayed,
    /// The body names another caller than the signed headers. Found by whoever reads the body.
    #[error("Not Verified with error: Body names another dendrite hotkey than the signed headers")]
    ForeignBodyHotkey,
}

impl HeaderError {
    /// The HTTP status of the answer: 400 for parts that cannot be read, 401 for all else.
    pub const fn status(&self) -> u16 {
        match self {
            Self::MalformedNonce | Self::MalformedUuid | Self::MalformedTimeout => 400,
            Self::MissingHotkey
            | Self::InvalidHotkey(_)
            | Self::MissingNonce
            | Self::MissingUuid
            | Self::MissingSignature
            | Self::MalformedSignature
            | Self::MissingAxonHotkey
            | Self::ForeignAxonHotkey
            | Self::BodyHash
            | Self::TooOld { .. }
            | Self::TooFarAhead { .. }
            | Self::SignatureMismatch
            | Self::Replayed
            | Self::ForeignBodyHotkey => 401,
        }
    }
}
