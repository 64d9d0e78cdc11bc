//! Finds and reads the recordings.

use std::path::PathBuf;

use serde_json::Value;
use sn17_core::Hotkey;
use sn17_wire::ss58;

/// The recorded bytes of the chain, or none (with one visible line) where there are no fixtures.
pub(crate) fn chain() -> Option<Value> {
    let Some(folder) = std::env::var_os("SN17_FIXTURES") else {
        eprintln!("skipped: SN17_FIXTURES is not set");
        return None;
    };
    let path = PathBuf::from(folder).join("bittensor/chain.json");
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    Some(serde_json::from_slice(&text).unwrap())
}

/// Bytes from a recording's hexadecimal text.
pub(crate) fn bytes(text: &Value) -> Vec<u8> {
    hex::decode(text.as_str().unwrap().strip_prefix("0x").unwrap()).unwrap()
}

/// The validator of all recordings.
pub(crate) fn validator() -> Hotkey {
    ss58::decode("5CqN15D9khZgfZZTBZZNPHCwnGYcHLZEHVTbkeD8cW4E171x").unwrap()
}

/// The miner of all recordings.
pub(crate) fn miner() -> Hotkey {
    ss58::decode("5CG6ypnx1i1nn5dAZG4tV9NWNC7hnBQ5LyDsf1w4PqUhMnTZ").unwrap()
}
