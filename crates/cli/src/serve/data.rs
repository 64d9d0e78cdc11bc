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
    /// Opens the folder. If need be it is made, for its owner only.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        let folder = Self { root: root.to_owned() };
        if let Some(parent) = root.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        // The ledger once more: the folder around it may be older, and open to others.
        for private in [root, &folder.ledger()] {
            create_private(private)
                .with_context(|| format!("cannot create the data folder {}", private.display()))?;
        }
        Ok(folder)
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
        write_secret(&self.running_file(), text.as_bytes())
    }

    /// Where a process over this folder says it listens. After a crash this is an old note, and whoever answers there
    /// may be anybody: trust it only while the store is in use.
    pub(crate) fn running(&self) -> Option<Running> {
        let text = std::fs::read_to_string(self.running_file()).ok()?;
        serde_json::from_str(&text).ok()
    }

    /// Removes the note. Only for a process that has the store open, or is about to close it.
    pub(crate) fn forget_running(&self) {
        if let Err(error) = std::fs::remove_file(self.running_file())
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "cannot remove {}", self.running_file().display());
        }
    }

    fn running_file(&self) -> PathBuf {
        self.root.join("running.json")
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
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    replace(file, &mut options, bytes)
}

/// Writes a file that anyone may read; a crash leaves the old one or the new one.
pub(crate) fn write_whole(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    replace(file, &mut std::fs::OpenOptions::new(), bytes)
}

fn replace(file: &Path, options: &mut std::fs::OpenOptions, bytes: &[u8]) -> anyhow::Result<()> {
    let draft = file.with_extension("new");
    let mut open = options
        .create(true)
        .truncate(true)
        .write(true)
        .open(&draft)
        .with_context(|| format!("cannot write {}", draft.display()))?;
    open.write_all(bytes)?;
    open.sync_all()?;
    std::fs::rename(&draft, file).with_context(|| format!("cannot write {}", file.display()))
}

/// Makes a folder that only its owner may enter; one that exists stays as it is.
fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    match builder.create(folder) {
        Err(_) if folder.is_dir() => Ok(()),
        created => created,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_look_into_the_folder() {
        use std::os::unix::fs::PermissionsExt;

        let outside = tempfile::tempdir().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;

        let root = outside.path().join("not/there/yet");
        let folder = DataFolder::open(&root).unwrap();
        assert_eq!((mode(&root), mode(&folder.ledger())), (0o700, 0o700));
        folder.key_secret().unwrap();
        assert_eq!(mode(&root.join("api-key-secret")), 0o600);

        let open = outside.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, PermissionsExt::from_mode(0o755)).unwrap();
        let folder = DataFolder::open(&open).unwrap();
        assert_eq!((mode(&open), mode(&folder.ledger())), (0o755, 0o700), "what was there is not changed");
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("file");
        std::fs::write(&root, "").unwrap();
        assert!(DataFolder::open(&root).unwrap_err().to_string().contains("file"));
    }

    #[test]
    fn a_note_is_read_until_it_is_forgotten() {
        let outside = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(outside.path()).unwrap();
        folder.note_running(&Running { url: "http://127.0.0.1:1".to_owned(), pid: 1 }).unwrap();
        assert_eq!(folder.running().unwrap().url, "http://127.0.0.1:1");
        folder.forget_running();
        folder.forget_running();
        assert!(folder.running().is_none());
    }
}
