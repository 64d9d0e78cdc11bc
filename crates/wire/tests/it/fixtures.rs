//! Finds and reads the recordings.

use std::path::PathBuf;

use serde_json::Value;
use sn17_core::Hotkey;
use sn17_wire::sr25519::Keypair;
use sn17_wire::ss58;

/// A recording, or none (with one visible line) where there are no fixtures.
pub(crate) fn load(name: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("SN17_FIXTURES") else {
        eprintln!("skipped: SN17_FIXTURES is not set");
        return None;
    };
    let path = PathBuf::from(folder).join("bittensor").join(name);
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    Some(serde_json::from_slice(&text).unwrap())
}

/// The validator that all recordings call.
pub(crate) fn validator() -> Hotkey {
    ss58::decode("5CqN15D9khZgfZZTBZZNPHCwnGYcHLZEHVTbkeD8cW4E171x").unwrap()
}

/// The miner that made all of them.
pub(crate) fn miner() -> Hotkey {
    ss58::decode("5CG6ypnx1i1nn5dAZG4tV9NWNC7hnBQ5LyDsf1w4PqUhMnTZ").unwrap()
}

/// A signing key of the recordings.
pub(crate) fn keypair(name: &str) -> Option<Keypair> {
    let keys = load("test-keys.json")?;
    let seed =
        keys["keys"][name]["mini_secret_seed_hex"].as_str().unwrap().strip_prefix("0x").unwrap().to_owned();
    Some(Keypair::from_mini_secret(&bytes(&seed)))
}

/// Bytes from hexadecimal text.
pub(crate) fn bytes<const N: usize>(hex_text: &str) -> [u8; N] {
    let text = hex_text.strip_prefix("0x").unwrap_or(hex_text);
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).unwrap();
    bytes
}

/// The headers of a recorded request, names in lower case.
pub(crate) struct Headers(pub(crate) Vec<(String, String)>);

impl Headers {
    /// From a list of pairs.
    pub(crate) fn from_pairs(pairs: &Value) -> Self {
        let pair = |pair: &Value| {
            let [name, value] = pair.as_array().unwrap().as_slice() else { panic!("not a pair: {pair}") };
            (name.as_str().unwrap().to_lowercase(), value.as_str().unwrap().to_owned())
        };
        Self(pairs.as_array().unwrap().iter().map(pair).collect())
    }

    /// From the raw head of a request or response, whose first line is dropped.
    pub(crate) fn from_head(head: &str) -> Self {
        let pair = |line: &str| {
            let (name, value) = line.split_once(':').unwrap();
            (name.to_lowercase(), value.trim().to_owned())
        };
        Self(head.lines().skip(1).filter(|line| !line.is_empty()).map(pair).collect())
    }

    /// The value of a header by its lower-case name.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|header| header.0 == name).map(|header| header.1.as_bytes())
    }

    /// The value of a header as text.
    pub(crate) fn text(&self, name: &str) -> &str {
        str::from_utf8(self.get(name).unwrap()).unwrap()
    }
}
