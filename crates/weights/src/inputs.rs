//! The files that it reads: the hotkey, and the weights.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use sn17_wire::sr25519::Keypair;
use sn17_wire::ss58;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HotkeyFile {
    secret_seed: String,
    ss58_address: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WeightEntry {
    uid: u16,
    weight: f64,
}

/// Reads an unencrypted hotkey file of a bittensor wallet, whose address must be that of its secret.
pub(crate) fn hotkey(file: &Path) -> anyhow::Result<Keypair> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    parse_hotkey(&text).with_context(|| format!("{} is not an unencrypted hotkey file", file.display()))
}

/// Reads a list of uids and weights, in the order of the file.
pub(crate) fn weights(file: &Path) -> anyhow::Result<Vec<(u16, f64)>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    parse_weights(&text).with_context(|| format!("{} is not a list of weights", file.display()))
}

fn parse_hotkey(text: &str) -> anyhow::Result<Keypair> {
    // What serde says of a fault may quote the text, and the text is the key.
    let Ok(file) = serde_json::from_str::<HotkeyFile>(text) else {
        anyhow::bail!("it is not JSON with secretSeed and ss58Address");
    };
    let digits = file.secret_seed.strip_prefix("0x").unwrap_or(&file.secret_seed);
    let mut seed = [0; 32];
    hex::decode_to_slice(digits, &mut seed).ok().context("secretSeed is not 64 hex digits")?;
    let keypair = Keypair::from_mini_secret(&seed);
    let is_own = ss58::decode(&file.ss58_address).is_ok_and(|address| address == keypair.hotkey());
    anyhow::ensure!(is_own, "ss58Address does not belong to secretSeed");
    Ok(keypair)
}

fn parse_weights(text: &str) -> anyhow::Result<Vec<(u16, f64)>> {
    let entries: Vec<WeightEntry> = serde_json::from_str(text)?;
    Ok(entries.into_iter().map(|entry| (entry.uid, entry.weight)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hotkey_file_must_be_its_own() {
        let seed = "03".repeat(32);
        let keypair = Keypair::from_mini_secret(&[3; 32]);
        let file =
            |seed: &str, address: &str| format!(r#"{{"secretSeed": "{seed}", "ss58Address": "{address}"}}"#);
        let own = ss58::encode(&keypair.hotkey());
        for good in [file(&seed, &own), file(&format!("0x{seed}"), &own)] {
            assert_eq!(parse_hotkey(&good).unwrap().hotkey(), keypair.hotkey());
        }
        let foreign = ss58::encode(&Keypair::from_mini_secret(&[4; 32]).hotkey());
        for (bad, words) in [
            (file(&seed, &foreign), "ss58Address does not belong to secretSeed"),
            (file("03", &own), "secretSeed is not 64 hex digits"),
            (seed.clone(), "it is not JSON with secretSeed and ss58Address"),
        ] {
            let error = format!("{:#}", parse_hotkey(&bad).unwrap_err());
            assert_eq!(error, words);
            assert!(!error.contains(&seed), "a key is never printed");
        }
    }

    #[test]
    fn weights_are_a_list() {
        let weights = parse_weights(r#"[{"uid": 3, "weight": 0.5}, {"uid": 1, "weight": 2}]"#).unwrap();
        assert_eq!(weights, [(3, 0.5), (1, 2.0)]);
        for bad in [
            "{}",
            r#"[{"uid": 70000, "weight": 1}]"#,
            r#"[{"uid": 1}]"#,
            r#"[{"uid": 1, "weight": 1, "x": 0}]"#,
        ] {
            assert!(parse_weights(bad).is_err(), "{bad}");
        }
    }
}
