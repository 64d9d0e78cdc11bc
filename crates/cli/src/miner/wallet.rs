//! Hotkey files of bittensor wallets: JSON with the mini secret as `secretSeed`.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use sn17_wire::sr25519::Keypair;
use sn17_wire::ss58;

use crate::host;
use crate::serve::data::write_secret;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HotkeyFile {
    secret_seed: String,
    ss58_address: Option<String>,
}

/// Reads a hotkey file and checks that its address belongs to its secret.
pub(crate) fn load(file: &Path) -> anyhow::Result<Keypair> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    parse(&text).with_context(|| format!("{} is not an unencrypted hotkey file", file.display()))
}

fn parse(text: &str) -> anyhow::Result<Keypair> {
    let hotkey: HotkeyFile = serde_json::from_str(text)?;
    let digits = hotkey.secret_seed.strip_prefix("0x").unwrap_or(&hotkey.secret_seed);
    let seed: Option<[u8; 32]> = hex::decode(digits).ok().and_then(|bytes| bytes.try_into().ok());
    let keypair = Keypair::from_mini_secret(&seed.context("secretSeed is not 64 hex digits")?);
    if let Some(address) = hotkey.ss58_address {
        let is_own = ss58::decode(&address).is_ok_and(|address| address == keypair.hotkey());
        anyhow::ensure!(is_own, "ss58Address {address} does not belong to secretSeed");
    }
    Ok(keypair)
}

/// Makes a new hotkey file that only its owner may read, and answers its address.
pub(crate) fn create(file: &Path) -> anyhow::Result<String> {
    anyhow::ensure!(!file.exists(), "{} exists already", file.display());
    let seed = host::random_secret();
    let keypair = Keypair::from_mini_secret(&seed);
    let address = ss58::encode(&keypair.hotkey());
    let content = serde_json::json!({
        "accountId": format!("0x{}", hex::encode(keypair.hotkey().0)),
        "publicKey": format!("0x{}", hex::encode(keypair.hotkey().0)),
        "secretSeed": format!("0x{}", hex::encode(seed)),
        "ss58Address": address,
    });
    write_secret(file, serde_json::to_string(&content)?.as_bytes())?;
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_hotkey_file_loads_and_a_foreign_address_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hotkey");
        let address = create(&file).unwrap();
        assert_eq!(ss58::encode(&load(&file).unwrap().hotkey()), address);
        assert!(create(&file).is_err(), "an existing key is never overwritten");

        let other = folder.path().join("other");
        let foreign = create(&other).unwrap();
        let text = std::fs::read_to_string(&file).unwrap().replace(&address, &foreign);
        assert!(parse(&text).unwrap_err().to_string().contains("does not belong"));
    }
}
