//! How binary values are written where people may read them: as text in self-describing formats such as JSON, as
//! bytes elsewhere.

use alloc::string::String;
use core::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
