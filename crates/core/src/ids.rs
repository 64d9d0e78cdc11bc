//! Identities and instants.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A miner's or validator's sr25519 public key, the identity behind an ss58 address.
///
/// The textual form (ss58, prefix 42) belongs to the wire; `Debug` prints the first bytes in hex, and formats that people
/// read have it in hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hotkey(#[serde(with = "crate::text::bytes32")] pub [u8; 32]);

impl fmt::Debug for Hotkey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Hotkey({:02x}{:02x}{:02x}{:02x}…)", self.0[0], self.0[1], self.0[2], self.0[3])
    }
}

/// Milliseconds since the Unix epoch, always taken from the host and passed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnixMs(pub u64);

impl UnixMs {
    /// The instant `secs` seconds after the epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Whole seconds since the epoch, rounded down (the original's `int(time.time())`).
    pub const fn secs(self) -> u64 {
        self.0 / 1000
    }

    /// This instant moved `secs` seconds into the future.
    pub const fn plus_secs(self, secs: u64) -> Self {
        Self(self.0.saturating_add(secs.saturating_mul(1000)))
    }

    /// This instant moved `ms` milliseconds into the future.
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this instant, zero when `earlier` is later.
    pub const fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A task's identity: a UUID whose first 48 bits are its creation time (version 7, RFC 9562), so that ids sort
/// by age.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u128);

impl Serialize for TaskId {
    /// The UUID where people may read it, a number elsewhere.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_u128(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return u128::deserialize(deserializer).map(Self);
        }
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// The text is not a hyphenated UUID of 36 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a hyphenated UUID")]
pub struct ParseTaskIdError;

impl TaskId {
    /// Makes an id for a task created at `now` from 74 of the bits of `random`.
    pub const fn new(now: UnixMs, random: u128) -> Self {
        let time = (now.0 as u128 & 0xffff_ffff_ffff) << 80;
        let version = 0x7 << 76;
        let random_high = (random >> 64 & 0xfff) << 64;
        let variant = 0b10 << 62;
        let random_low = random & 0x3fff_ffff_ffff_ffff;
        Self(time | version | random_high | variant | random_low)
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0;
        write!(
            formatter,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            id >> 96,
            id >> 80 & 0xffff,
            id >> 64 & 0xffff,
            id >> 48 & 0xffff,
            id & 0xffff_ffff_ffff
        )
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TaskId({self})")
    }
}

impl FromStr for TaskId {
    type Err = ParseTaskIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes: &[u8; 36] = text.as_bytes().try_into().map_err(|_| ParseTaskIdError)?;
        let mut id = 0;
        let mut begin = 0;
        for end in [8, 13, 18, 23, 36] {
            // Groups fit into 64 bits, which are much cheaper to shift than 128.
            let mut group = 0_u64;
            for &byte in &bytes[begin..end] {
                let digit = (byte as char).to_digit(16).ok_or(ParseTaskIdError)?;
                group = group << 4 | u64::from(digit);
            }
            if bytes.get(end).is_some_and(|&byte| byte != b'-') {
                return Err(ParseTaskIdError);
            }
            id = id << (4 * (end - begin)) | u128::from(group);
            begin = end + 1;
        }
        Ok(Self(id))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn task_ids_are_version_7_and_sort_by_time() {
        let early = TaskId::new(UnixMs(1_700_000_000_000), u128::MAX);
        let late = TaskId::new(UnixMs(1_700_000_000_001), 0);
        assert!(early < late);
        let text = early.to_string();
        assert_eq!(&text[14..15], "7");
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"));
        assert_eq!(text.parse(), Ok(early));
    }

    #[test]
    fn only_hyphenated_uuids_parse() {
        for text in ["", "123e4567e89b12d3a456426614174001", "123e4567-e89b-12d3-a456-42661417400g"] {
            assert_eq!(text.parse::<TaskId>(), Err(ParseTaskIdError), "{text}");
        }
        assert!("123E4567-e89b-12d3-a456-426614174001".parse::<TaskId>().is_ok());
    }
}
