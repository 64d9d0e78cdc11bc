//! The prompt collector's routes: what generators hand in, and what validators fetch with a signed request.
//!
//! Shapes and the signed text are those of the original collector and of the validators that ask it. The original
//! never looks at a nonce; here it is a time and counts once (AU-2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sn17_core::{Hotkey, UnixMs};

use crate::dendrite::NonceWindow;
use crate::sr25519::{self, Keypair};
use crate::ss58;

/// The body of `POST /submit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitPrompts {
    /// The prompts, as they were written.
    pub prompts: Vec<String>,
}

/// The answer to a request for prompts, over texts that somebody else keeps.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PromptsReply<'a, Text> {
    /// The prompts.
    pub prompts: &'a [Text],
}

/// The body of a request for prompts. None of it is proven yet.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPrompts {
    /// The validator's ss58 address.
    pub hotkey: String,
    /// When it was signed: seconds, milliseconds, microseconds or nanoseconds since the epoch. Validators send
    /// nanoseconds.
    pub nonce: u64,
    /// sr25519 over the nonce's digits and the address, with nothing between, as padded base64.
    pub signature: String,
}

impl core::fmt::Debug for GetPrompts {
    /// Leaves the signature out, which no log may hold.
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter
            .debug_struct("GetPrompts")
            .field("hotkey", &self.hotkey)
            .field("nonce", &self.nonce)
            .finish_non_exhaustive()
    }
}

/// Whose request it proved to be. Whether it was sent once is for the ledger to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromptReader {
    /// The validator.
    pub hotkey: Hotkey,
    /// The nonce, as it was sent.
    pub nonce: u64,
    /// From this instant on the nonce is too old in any case.
    pub expires: UnixMs,
}

/// Why a request for prompts proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GetPromptsError {
    /// The signature is not the hotkey's over this nonce and address, or one of the three cannot be read. The original's
    /// words.
    #[error("Invalid signature provided.")]
    Signature,
    /// The nonce is older than the window.
    #[error("the nonce is too old: it has to be the time now")]
    TooOld,
    /// The nonce is of the future.
    #[error("the nonce is too far ahead: it has to be the time now")]
    TooFarAhead,
}

impl GetPrompts {
    /// Signs a request at `nonce`, best nanoseconds since the epoch; `randomness` as [`Keypair::sign`] takes it.
    pub fn sign(keypair: &Keypair, nonce: u64, randomness: [u8; 32]) -> Self {
        let hotkey = ss58::encode(&keypair.hotkey());
        let signature = keypair.sign(format!("{nonce}{hotkey}").as_bytes(), randomness);
        Self { hotkey, nonce, signature: STANDARD.encode(signature) }
    }

    /// Proves that `hotkey` sent this request within `window` of `now`.
    ///
    /// # Errors
    /// [`GetPromptsError`], for the signature first.
    pub fn verify(&self, now: UnixMs, window: &NonceWindow) -> Result<PromptReader, GetPromptsError> {
        let hotkey = ss58::decode(&self.hotkey).map_err(|_| GetPromptsError::Signature)?;
        let signature = STANDARD.decode(&self.signature).map_err(|_| GetPromptsError::Signature)?;
        let signature = signature.as_slice().try_into().map_err(|_| GetPromptsError::Signature)?;
        let signed = format!("{}{}", self.nonce, self.hotkey);
        if !sr25519::verify(&hotkey, signed.as_bytes(), signature) {
            return Err(GetPromptsError::Signature);
        }
        let signed_at = time_of(self.nonce);
        let expires = signed_at.plus_secs(window.delta_secs.saturating_add(window.timeout_secs_max));
        if now > expires {
            return Err(GetPromptsError::TooOld);
        }
        if signed_at > now.plus_secs(window.ahead_secs_max) {
            return Err(GetPromptsError::TooFarAhead);
        }
        // The last instant at which it counts is still within.
        Ok(PromptReader { hotkey, nonce: self.nonce, expires: UnixMs(expires.0.saturating_add(1)) })
    }
}

/// The time that a nonce tells, by its size: each unit covers the years 1973 to 5138, and no other does.
const fn time_of(nonce: u64) -> UnixMs {
    UnixMs(match nonce {
        0..100_000_000_000 => nonce * 1_000,
        100_000_000_000..100_000_000_000_000 => nonce,
        100_000_000_000_000..100_000_000_000_000_000 => nonce / 1_000,
        100_000_000_000_000_000.. => nonce / 1_000_000,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs::from_secs(1_800_000_000);
    const WINDOW: NonceWindow = NonceWindow { delta_secs: 4, timeout_secs_max: 300, ahead_secs_max: 60 };

    fn keypair() -> Keypair {
        Keypair::from_mini_secret(&[7; 32])
    }

    fn verify(nonce: u64) -> Result<UnixMs, GetPromptsError> {
        let request = GetPrompts::sign(&keypair(), nonce, [1; 32]);
        request.verify(NOW, &WINDOW).map(|reader| reader.expires)
    }

    #[test]
    fn au_2_a_nonce_is_a_time_in_any_unit_and_within_the_window() {
        let expires = Ok(UnixMs(NOW.0 + 304_001));
        for nonce in [1_800_000_000, 1_800_000_000_000, 1_800_000_000_000_000, 1_800_000_000_000_000_000] {
            assert_eq!(verify(nonce), expires, "{nonce}");
        }
        let at = |secs: i64| verify((1_800_000_000_i64 + secs).unsigned_abs() * 1_000_000_000);
        assert_eq!(at(-304), Ok(UnixMs(NOW.0 + 1)), "until the very last instant");
        assert_eq!((at(-305), at(61)), (Err(GetPromptsError::TooOld), Err(GetPromptsError::TooFarAhead)));
        assert!(at(60).is_ok());
        for nonce in [0, 7, u64::MAX] {
            assert!(verify(nonce).is_err(), "{nonce} is no time of ours");
        }
    }

    #[test]
    fn au_1_nothing_but_the_hotkeys_own_signature_counts() {
        let good = GetPrompts::sign(&keypair(), 1_800_000_000, [1; 32]);
        assert_eq!(good.verify(NOW, &WINDOW).unwrap().hotkey, keypair().hotkey());
        let other = ss58::encode(&Keypair::from_mini_secret(&[8; 32]).hotkey());
        for bad in [
            GetPrompts { hotkey: other, ..good.clone() },
            GetPrompts { hotkey: "nobody".to_owned(), ..good.clone() },
            GetPrompts { nonce: good.nonce + 1, ..good.clone() },
            GetPrompts { signature: String::new(), ..good.clone() },
            GetPrompts { signature: STANDARD.encode([7; 64]), ..good.clone() },
            GetPrompts { signature: format!("{}A", good.signature), ..good.clone() },
        ] {
            assert_eq!(bad.verify(NOW, &WINDOW), Err(GetPromptsError::Signature), "{bad:?}");
        }
        let stale = GetPrompts { signature: String::new(), nonce: 1, ..good };
        assert_eq!(stale.verify(NOW, &WINDOW), Err(GetPromptsError::Signature), "a stranger learns no more");
    }
}
