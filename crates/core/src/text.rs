//! How binary values are written where people may read them: as text in self-describing formats such as JSON, as
//! bytes elsewhere.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::judging::Sketch;

/// Displays bytes as lowercase hexadecimal digits.
struct Hex<'a>(&'a [u8; 32]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Parses 64 hexadecimal digits.
fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let (digits, rest) = text.as_bytes().as_chunks::<2>();
    let digits: &[[u8; 2]; 32] = digits.try_into().ok().filter(|_| rest.is_empty())?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits) {
        *byte = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    // `from_str_radix` takes a sign.
    (!text.contains('+')).then_some(bytes)
}

/// For `#[serde(with = "crate::text::bytes32")]`: 32 bytes, in text as 64 hexadecimal digits.
pub(crate) mod bytes32 {
    use super::{Deserialize, Deserializer, Error, Hex, Serialize, Serializer, String, parse_hex};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&Hex(bytes))
        } else {
            bytes.serialize(serializer)
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        if !deserializer.is_human_readable() {
            return <[u8; 32]>::deserialize(deserializer);
        }
        let text = String::deserialize(deserializer)?;
        parse_hex(&text).ok_or_else(|| D::Error::custom("not 64 hexadecimal digits"))
    }
}

impl fmt::Debug for Sketch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sketch({:04x}{:04x}…)", self.0[0], self.0[1])
    }
}

impl fmt::Display for Sketch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|entry| write!(formatter, "{entry:04x}"))
    }
}

impl Serialize for Sketch {
    /// 256 hexadecimal digits in text, numbers elsewhere.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            self.0.as_slice().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Sketch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            let (digits, rest) = text.as_bytes().as_chunks::<4>();
            let entry = |digits: &[u8; 4]| {
                let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
                let text = core::str::from_utf8(digits).ok().filter(|_| is_hex)?;
                u16::from_str_radix(text, 16).ok()
            };
            if rest.is_empty() { digits.iter().filter_map(entry).collect() } else { Vec::new() }
        } else {
            Vec::<u16>::deserialize(deserializer)?
        };
        entries.try_into().map(Self).map_err(|_| D::Error::custom("not a sketch of 64 entries"))
    }
}
