//! The headers of a miner's request, and their proof of who sent it (AU-1, AU-2).
//!
//! A bittensor dendrite signs `{nonce}.{its hotkey}.{our hotkey}.{uuid}.{body hash}` and sends the parts as headers.
//! The body hash covers no field of our synapses, so the signature says who calls whom and when, and nothing about
//! what. Its receivers up to bittensor 9.12 accept a request without a signature, any nonce of the future, and any age
//! the sender names; this reader asks for every part and for a nonce within fixed bounds.

mod error;

pub use error::HeaderError;

use core::fmt;

use sn17_core::{Hotkey, UnixMs};

use crate::{sr25519, ss58};

/// The body hash of a synapse that hashes no field: SHA3-256 of nothing. All synapses of the subnet are such.
pub const EMPTY_BODY_HASH: &str = "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a";

/// The request headers by name, as every bittensor from 7 to 10 sends them.
pub mod names {
    /// Hotkey of the validator that is called.
    pub const AXON_HOTKEY: &str = "bt_header_axon_hotkey";
    /// Address of the validator that is called, as the caller knows it.
    pub const AXON_IP: &str = "bt_header_axon_ip";
    /// Port of the validator that is called, as the caller knows it.
    pub const AXON_PORT: &str = "bt_header_axon_port";
    /// Hotkey of the caller.
    pub const DENDRITE_HOTKEY: &str = "bt_header_dendrite_hotkey";
    /// The caller's own idea of its address; not to be trusted.
    pub const DENDRITE_IP: &str = "bt_header_dendrite_ip";
    /// Nanoseconds since the epoch on the caller's clock.
    pub const DENDRITE_NONCE: &str = "bt_header_dendrite_nonce";
    /// `0x` and the hexadecimal signature.
    pub const DENDRITE_SIGNATURE: &str = "bt_header_dendrite_signature";
    /// Identity of the calling object, one or many requests long.
    pub const DENDRITE_UUID: &str = "bt_header_dendrite_uuid";
    /// Version of the caller's library, `major * 1e6 + minor * 1e3 + patch`.
    pub const DENDRITE_VERSION: &str = "bt_header_dendrite_version";
    /// Hash of the hashed fields of the body.
    pub const BODY_HASH: &str = "computed_body_hash";
    /// Seconds the caller is going to wait.
    pub const TIMEOUT: &str = "timeout";
}

/// The wait that a synapse has when nobody sets one (bittensor's default).
const TIMEOUT_SECS_DEFAULT: f64 = 12.0;
/// Longest accepted uuid; a real one has 36 characters.
const UUID_BYTES_MAX: usize = 64;
/// Longest address that is echoed; an IPv6 one has at most 45 characters.
const IP_BYTES_MAX: usize = 45;

/// How far a nonce may lie from our clock (AU-2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NonceWindow {
    /// Seconds of age granted to any request for the way here: 4, as bittensor's axon grants.
    pub delta_secs: u64,
    /// Most seconds that the unsigned `timeout` header can add to the age: 300, the longest wait of the subnet's own
    /// miner.
    pub timeout_secs_max: u64,
    /// Seconds that a miner's clock may be ahead of ours: 60.
    pub ahead_secs_max: u64,
}

impl Default for NonceWindow {
    fn default() -> Self {
        Self { delta_secs: 4, timeout_secs_max: 300, ahead_secs_max: 60 }
    }
}

/// The claims of a request's headers, every part present and well-formed, none of it proven yet.
#[derive(Clone, PartialEq)]
pub struct DendriteHeaders {
    hotkey: Hotkey,
    axon_hotkey: Hotkey,
    nonce: u64,
    uuid: String,
    signature: [u8; 64],
    timeout_secs: f64,
    echo: Echo,
}

impl fmt::Debug for DendriteHeaders {
    /// Leaves the signature out, which no log may hold.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("DendriteHeaders")
            .field("hotkey", &self.hotkey)
            .field("nonce", &self.nonce)
            .field("uuid", &self.uuid)
            .finish_non_exhaustive()
    }
}

/// What an answer repeats of the request so that the caller's own object keeps it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Echo {
    pub(crate) dendrite_ip: Option<String>,
    pub(crate) dendrite_version: Option<u32>,
    pub(crate) axon_ip: Option<String>,
    pub(crate) axon_port: Option<u16>,
}

impl DendriteHeaders {
    /// Reads the headers that `lookup` finds by their lower-case names (see [`names`]).
    ///
    /// # Errors
    /// [`HeaderError`] for the first part that is absent or malformed.
    pub fn parse<'a>(lookup: impl Fn(&str) -> Option<&'a [u8]>) -> Result<Self, HeaderError> {
        let text = |name: &str| lookup(name).and_then(|value| str::from_utf8(value).ok());

        let hotkey = text(names::DENDRITE_HOTKEY).ok_or(HeaderError::MissingHotkey)?;
        let hotkey = ss58::decode(hotkey).map_err(HeaderError::InvalidHotkey)?;
        let nonce = text(names::DENDRITE_NONCE).ok_or(HeaderError::MissingNonce)?;
        let nonce = parse_nonce(nonce).ok_or(HeaderError::MalformedNonce)?;
        let uuid =
            text(names::DENDRITE_UUID).filter(|uuid| !uuid.is_empty()).ok_or(HeaderError::MissingUuid)?;
        if uuid.len() > UUID_BYTES_MAX
            || !uuid.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return Err(HeaderError::MalformedUuid);
        }
        let axon_hotkey = text(names::AXON_HOTKEY).ok_or(HeaderError::MissingAxonHotkey)?;
        let axon_hotkey = ss58::decode(axon_hotkey).map_err(|_| HeaderError::ForeignAxonHotkey)?;
        if text(names::BODY_HASH) != Some(EMPTY_BODY_HASH) {
            return Err(HeaderError::BodyHash);
        }
        let signature = text(names::DENDRITE_SIGNATURE)
            .filter(|signature| !signature.is_empty())
            .ok_or(HeaderError::MissingSignature)?;
        let signature = parse_signature(signature).ok_or(HeaderError::MalformedSignature)?;
        let timeout_secs = match lookup(names::TIMEOUT) {
            None => TIMEOUT_SECS_DEFAULT,
            Some(value) => parse_timeout(value).ok_or(HeaderError::MalformedTimeout)?,
        };
        let ip = |name: &str| text(name).filter(|ip| ip.len() <= IP_BYTES_MAX).map(str::to_owned);
        let echo = Echo {
            dendrite_ip: ip(names::DENDRITE_IP),
            dendrite_version: text(names::DENDRITE_VERSION).and_then(|version| version.parse().ok()),
            axon_ip: ip(names::AXON_IP),
            axon_port: text(names::AXON_PORT).and_then(|port| port.parse().ok()),
        };
        Ok(Self { hotkey, axon_hotkey, nonce, uuid: uuid.to_owned(), signature, timeout_secs, echo })
    }

    /// Proves that `hotkey` sent this request to `validator` within `window` of `now`.
    ///
    /// Whether it was sent once is not for this function to know: the same headers verify again until the window
    /// closes, and the caller claims (hotkey, uuid, nonce) in the ledger before anything has an effect.
    ///
    /// # Errors
    /// [`HeaderError`] when the request is for another validator, out of the window, or not signed by its hotkey.
    pub fn verify(
        &self,
        validator: &Hotkey,
        now: UnixMs,
        window: &NonceWindow,
    ) -> Result<VerifiedDendrite, HeaderError> {
        if self.axon_hotkey != *validator {
            return Err(HeaderError::ForeignAxonHotkey);
        }
        self.check_nonce(now, window)?;
        let message = signed_text(self.nonce, &self.hotkey, validator, &self.uuid);
        if !sr25519::verify(&self.hotkey, message.as_bytes(), &self.signature) {
            return Err(HeaderError::SignatureMismatch);
        }
        // The header `timeout` is not signed: a replay may name the longest one. So the nonce stays claimed for the
        // longest age anyone could be granted, plus the leeway for clocks that differ between our own hosts.
        let longest_secs =
            window.delta_secs.saturating_add(window.timeout_secs_max).saturating_add(window.ahead_secs_max);
        Ok(VerifiedDendrite {
            hotkey: self.hotkey,
            validator: *validator,
            nonce: self.nonce,
            uuid: self.uuid.clone(),
            timeout_secs: self.timeout_secs,
            nonce_expires: UnixMs(self.nonce / NANOS_PER_MS).plus_secs(longest_secs).plus_ms(1),
            echo: self.echo.clone(),
        })
    }

    fn check_nonce(&self, now: UnixMs, window: &NonceWindow) -> Result<(), HeaderError> {
        let nonce_ms = self.nonce / NANOS_PER_MS;
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds to two decimals in a message; far below 2^52"
        )]
        let secs = |ms: u64| ms as f64 / 1000.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "the timeout is finite, not negative and capped by the window"
        )]
        let timeout_ms = (self.timeout_secs.min(window.timeout_secs_max as f64) * 1000.0) as u64;
        let age_ms_max = window.delta_secs.saturating_mul(1000).saturating_add(timeout_ms);
        let age_ms = now.0.saturating_sub(nonce_ms);
        if age_ms > age_ms_max {
            return Err(HeaderError::TooOld { acceptable_secs: secs(age_ms_max), age_secs: secs(age_ms) });
        }
        let ahead_ms_max = window.ahead_secs_max.saturating_mul(1000);
        let ahead_ms = nonce_ms.saturating_sub(now.0);
        if ahead_ms > ahead_ms_max {
            return Err(HeaderError::TooFarAhead {
                acceptable_secs: secs(ahead_ms_max),
                ahead_secs: secs(ahead_ms),
            });
        }
        Ok(())
    }
}

/// Proof that a miner sent this request to us within the window; only [`DendriteHeaders::verify`] makes one (AU-1).
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedDendrite {
    hotkey: Hotkey,
    validator: Hotkey,
    nonce: u64,
    uuid: String,
    timeout_secs: f64,
    nonce_expires: UnixMs,
    pub(crate) echo: Echo,
}

impl VerifiedDendrite {
    /// The caller, and the only identity a request has.
    pub const fn hotkey(&self) -> Hotkey {
        self.hotkey
    }

    /// The validator that was called: ours.
    pub const fn validator(&self) -> Hotkey {
        self.validator
    }

    /// Nanoseconds since the epoch on the caller's clock.
    pub const fn nonce(&self) -> u64 {
        self.nonce
    }

    /// The nonce as an instant, rounded down to milliseconds.
    pub const fn nonce_time(&self) -> UnixMs {
        UnixMs(self.nonce / NANOS_PER_MS)
    }

    /// Identity of the calling object: 1 to 64 letters, digits and hyphens.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// Seconds the caller says it waits: finite, not negative, not signed.
    pub const fn timeout_secs(&self) -> f64 {
        self.timeout_secs
    }

    /// When the claim on (hotkey, uuid, nonce) may be forgotten: no request with this nonce passes from then on,
    /// whatever `timeout` it names.
    pub const fn nonce_expires(&self) -> UnixMs {
        self.nonce_expires
    }
}

/// The text a dendrite signs.
pub(crate) fn signed_text(nonce: u64, dendrite: &Hotkey, axon: &Hotkey, uuid: &str) -> String {
    let dendrite = ss58::encode(dendrite);
    let axon = ss58::encode(axon);
    format!("{nonce}.{dendrite}.{axon}.{uuid}.{EMPTY_BODY_HASH}")
}

const NANOS_PER_MS: u64 = 1_000_000;

/// Reads the one decimal spelling of a number, so that one nonce has one signed text.
fn parse_nonce(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

fn parse_signature(text: &str) -> Option<[u8; 64]> {
    let mut signature = [0; 64];
    hex::decode_to_slice(text.strip_prefix("0x")?, &mut signature).ok()?;
    Some(signature)
}

fn parse_timeout(value: &[u8]) -> Option<f64> {
    let secs: f64 = str::from_utf8(value).ok()?.trim().parse().ok()?;
    (secs.is_finite() && secs >= 0.0).then_some(secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sr25519::Keypair;

    const NOW: UnixMs = UnixMs::from_secs(1_800_000_000);

    struct Request {
        headers: Vec<(&'static str, String)>,
    }

    impl Request {
        /// A well-signed request of miner 1 to validator 2, sent `ms` after [`NOW`].
        fn sent(ms: i64) -> Self {
            let miner = Keypair::from_mini_secret(&[1; 32]);
            let nonce = NOW.0.checked_add_signed(ms).unwrap() * NANOS_PER_MS;
            let text = signed_text(nonce, &miner.hotkey(), &validator(), "some-uuid");
            let signature = hex::encode(miner.sign(text.as_bytes(), [0; 32]));
            Self {
                headers: vec![
                    (names::TIMEOUT, "12.0".into()),
                    (names::AXON_HOTKEY, ss58::encode(&validator())),
                    (names::DENDRITE_NONCE, nonce.to_string()),
                    (names::DENDRITE_UUID, "some-uuid".into()),
                    (names::DENDRITE_HOTKEY, ss58::encode(&miner.hotkey())),
                    (names::DENDRITE_SIGNATURE, format!("0x{signature}")),
                    (names::BODY_HASH, EMPTY_BODY_HASH.into()),
                ],
            }
        }

        fn with(mut self, name: &str, value: &str) -> Self {
            let header = self.headers.iter_mut().find(|header| header.0 == name).unwrap();
            header.1 = value.into();
            self
        }

        fn without(mut self, name: &str) -> Self {
            self.headers.retain(|header| header.0 != name);
            self
        }

        fn verify(&self) -> Result<VerifiedDendrite, HeaderError> {
            self.verify_within(&NonceWindow::default())
        }

        fn verify_within(&self, window: &NonceWindow) -> Result<VerifiedDendrite, HeaderError> {
            DendriteHeaders::parse(|name| {
                self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_bytes())
            })?
            .verify(&validator(), NOW, window)
        }
    }

    fn validator() -> Hotkey {
        Keypair::from_mini_secret(&[2; 32]).hotkey()
    }

    #[test]
    fn au_2_the_window_has_sharp_edges() {
        assert!(Request::sent(-16_000).verify().is_ok());
        assert!(matches!(Request::sent(-16_001).verify(), Err(HeaderError::TooOld { .. })));
        assert!(Request::sent(60_000).verify().is_ok());
        assert!(matches!(Request::sent(60_001).verify(), Err(HeaderError::TooFarAhead { .. })));
        let error = Request::sent(-16_500).verify().unwrap_err();
        assert_eq!(
            error.to_string(),
            "Not Verified with error: Nonce is too old: acceptable delta is 16.00 seconds but request was 16.50 \
             seconds old"
        );
    }

    #[test]
    fn au_2_no_timeout_widens_the_window_beyond_its_cap() {
        for timeout in ["300", "1000000", "1e300", "179769313486231570000"] {
            assert!(Request::sent(-304_000).with(names::TIMEOUT, timeout).verify().is_ok(), "{timeout}");
            let late = Request::sent(-304_001).with(names::TIMEOUT, timeout).verify();
            assert!(matches!(late, Err(HeaderError::TooOld { .. })), "{timeout}");
        }
        for timeout in ["", "abc", "-1", "nan", "inf", "-inf"] {
            let refused = Request::sent(0).with(names::TIMEOUT, timeout).verify();
            assert_eq!(refused, Err(HeaderError::MalformedTimeout), "{timeout}");
        }
        assert!(Request::sent(-16_000).without(names::TIMEOUT).verify().is_ok());
        assert!(Request::sent(-16_001).without(names::TIMEOUT).verify().is_err());
    }

    #[test]
    fn a_window_without_bounds_is_no_overflow() {
        let endless =
            NonceWindow { delta_secs: u64::MAX, timeout_secs_max: u64::MAX, ahead_secs_max: u64::MAX };
        for sent_ms in [-1_000_000_000, 1_000_000_000] {
            let verified = Request::sent(sent_ms).verify_within(&endless).unwrap();
            assert_eq!(verified.nonce_expires(), UnixMs(u64::MAX));
        }
    }

    #[test]
    fn au_2_a_claim_outlives_every_window_that_could_accept_its_nonce() {
        for sent_ms in [-16_000, 0, 60_000] {
            let verified = Request::sent(sent_ms).verify().unwrap();
            let last_accepted = verified.nonce_time().plus_secs(304);
            assert!(verified.nonce_expires() > last_accepted);
        }
    }

    #[test]
    fn au_1_every_part_is_required_and_signed() {
        let absent = [
            (names::DENDRITE_HOTKEY, HeaderError::MissingHotkey),
            (names::DENDRITE_NONCE, HeaderError::MissingNonce),
            (names::DENDRITE_UUID, HeaderError::MissingUuid),
            (names::DENDRITE_SIGNATURE, HeaderError::MissingSignature),
            (names::AXON_HOTKEY, HeaderError::MissingAxonHotkey),
            (names::BODY_HASH, HeaderError::BodyHash),
        ];
        for (name, error) in absent {
            assert_eq!(Request::sent(0).without(name).verify(), Err(error), "{name}");
        }
        let stranger = ss58::encode(&Hotkey([9; 32]));
        let changed = [
            (names::DENDRITE_UUID, "some-uuie", HeaderError::SignatureMismatch),
            (names::DENDRITE_HOTKEY, stranger.as_str(), HeaderError::SignatureMismatch),
            (names::DENDRITE_NONCE, "1800000000000000001", HeaderError::SignatureMismatch),
            (names::AXON_HOTKEY, stranger.as_str(), HeaderError::ForeignAxonHotkey),
        ];
        for (name, value, error) in changed {
            assert_eq!(Request::sent(0).with(name, value).verify(), Err(error), "{name}");
        }
    }

    #[test]
    fn malformed_parts_are_named() {
        for nonce in
            ["", "abc", "+1", "-1", "1.0", "01800000000000000000", "99999999999999999999", "1_0", " 1"]
        {
            let refused = Request::sent(0).with(names::DENDRITE_NONCE, nonce).verify();
            assert_eq!(refused, Err(HeaderError::MalformedNonce), "{nonce}");
        }
        for uuid in ["a b", "a.b", "a#b", "é", &"a".repeat(65)] {
            let refused = Request::sent(0).with(names::DENDRITE_UUID, uuid).verify();
            assert_eq!(refused, Err(HeaderError::MalformedUuid), "{uuid}");
        }
        for signature in ["zz", "0x", "0x00", &"0".repeat(128), &format!("0x{}", "0".repeat(130))] {
            let refused = Request::sent(0).with(names::DENDRITE_SIGNATURE, signature).verify();
            assert_eq!(refused, Err(HeaderError::MalformedSignature), "{signature}");
        }
        let empty = Request::sent(0).with(names::DENDRITE_SIGNATURE, "").verify();
        assert_eq!(empty, Err(HeaderError::MissingSignature));
    }

    #[test]
    fn no_message_repeats_the_signature_or_the_signed_text() {
        let forged = Request::sent(0).with(names::DENDRITE_UUID, "other-uuid").verify().unwrap_err();
        assert_eq!(forged.to_string(), "Not Verified with error: Signature mismatch");
        assert_eq!(forged.status(), 401);
    }
}
