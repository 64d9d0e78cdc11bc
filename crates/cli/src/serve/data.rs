//! The data folder: everything a network on one machine keeps.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sn17_app::KeySecret;
use sn17_core::Hotkey;
use sn17_http::AdminKey;
use sn17_wire::{sr25519, ss58};

use crate::host;

/// The data folder and what lies where in it.
#[derive(Clone, Debug)]
pub(crate) struct DataFolder {
    root: PathBuf,
}

/// Where a running `serve` can be reached, for the other commands on this machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Running {
    /// Base URL on the loopback interface.
    pub(crate) url: String,
    /// Process id.
    pub(crate) pid: u32,
}

impl DataFolder {
    /// Opens the folder, creating it if need be.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(root)
            .with_context(|| format!("cannot create the data folder {}", root.display()))?;
        Ok(Self { root: root.to_owned() })
    }

    /// State: the store's own folder.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }

    /// Large bytes.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// Certificate and key, if they were made here.
    pub(crate) fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }

    /// The registered miners.
    pub(crate) fn metagraph(&self) -> PathBuf {
        self.root.join("metagraph.json")
    }

    /// The secret that API keys are hashed with, made at the first start.
    pub(crate) fn key_secret(&self) -> anyhow::Result<KeySecret> {
        let text = self.secret("api-key-secret", || hex::encode(host::random_secret()))?;
        let bytes = hex::decode(&text).ok().and_then(|bytes| bytes.try_into().ok());
        Ok(KeySecret(
            bytes.with_context(|| format!("{}/api-key-secret is not 64 hex digits", self.root.display()))?,
        ))
    }

    /// The secret of the admin routes, made at the first start.
    pub(crate) fn admin_key(&self) -> anyhow::Result<String> {
        let key = self.secret("admin-key", || hex::encode(host::random_secret()))?;
        let is_long_enough = AdminKey::new(key.as_str()).is_some();
        anyhow::ensure!(is_long_enough, "{}/admin-key is too short", self.root.display());
        Ok(key)
    }

    /// The validator hotkey of a network that was given none: made at the first start, for trying things out.
    pub(crate) fn own_validator(&self) -> anyhow::Result<Hotkey> {
        let make = || ss58::encode(&sr25519::Keypair::from_mini_secret(&host::random_secret()).hotkey());
        let text = self.secret("validator-hotkey", make)?;
        ss58::decode(&text)
            .with_context(|| format!("{}/validator-hotkey is not an ss58 address", self.root.display()))
    }

    /// Notes where this process listens.
    pub(crate) fn note_running(&self, running: &Running) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(running)?;
        write_secret(&self.root.join("running.json"), text.as_bytes())
    }

    /// Where a process over this folder listens, or last listened.
    pub(crate) fn running(&self) -> Option<Running> {
        let text = std::fs::read_to_string(self.root.join("running.json")).ok()?;
        serde_json::from_str(&text).ok()
    }

    fn secret(&self, name: &str, make: impl FnOnce() -> String) -> anyhow::Result<String> {
        let file = self.root.join(name);
        if !file.exists() {
            write_secret(&file, make().as_bytes())?;
        }
        let text =
            std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(text.trim().to_owned())
    }
}

/// Writes a file that only its owner may read; a crash leaves the old one or the new one.
pub(crate) fn write_secret(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).truncate(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let draft = file.with_extension("new");
    let mut open = options.open(&draft).with_context(|| format!("cannot write {}", draft.display()))?;
    open.write_all(bytes)?;
    open.sync_all()?;
    std::fs::rename(&draft, file).with_context(|| format!("cannot write {}", file.display()))
}
