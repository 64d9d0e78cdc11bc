//! The operator's side of a network, and `sn17 admin`. On this machine: through the server that runs over the data
//! folder, or straight in its store when none does. Elsewhere: by URL and admin key.

mod metagraph;
mod server;
mod smoke;
mod standings;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;
use sn17_app::{App, KeyLimits, KeyRow};
use sn17_store::OpenError;
use sn17_wire::ss58;

use crate::serve::data::DataFolder;
use crate::serve::{self, runtime};
use server::Server;

/// Dead letters shown at once.
const DEAD_LETTERS_MAX: usize = 1_000;

#[derive(Args, Debug)]
pub(crate) struct AdminArgs {
    /// The network's data folder.
    #[arg(long, default_value = "data", env = "SN17_DATA", global = true)]
    data: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the submissions whose scoring failed so often that they were given up.
    DeadLetters,
    /// Send them all to scoring again; what has been settled stays as it is.
    Redrive,
    /// Show or replace the registered miners of a deployed network.
    Metagraph(metagraph::MetagraphArgs),
    /// Write down what every registered miner has earned.
    Export(standings::ExportArgs),
    /// Give registered miners what they have earned in another store; the others keep what they have.
    Restore(standings::RestoreArgs),
    /// Give registered miners what they have earned under the original validator, from the files that it keeps.
    Import(standings::ImportArgs),
    /// Check a running network end to end: one task from its prompt to its scored splat.
    Smoke(smoke::SmokeArgs),
}

/// What opens the admin routes of a network elsewhere.
#[derive(Args, Debug)]
struct OperatorKey {
    /// What the network's admin routes expect as `x-admin-key`.
    #[arg(long, env = "SN17_ADMIN_KEY", hide_env_values = true, value_name = "KEY")]
    admin_key: String,
}

pub(crate) fn run(args: AdminArgs) -> anyhow::Result<()> {
    let AdminArgs { data, action } = args;
    let open = || Admin::open(&DataFolder::open(&data)?);
    runtime()?.block_on(async {
        match action {
            Action::DeadLetters => {
                let letters = open()?.dead_letters().await?;
                println!("{:<36}  MINER", "TASK");
                for letter in letters {
                    println!("{}  {}", letter.task, letter.hotkey);
                }
            }
            Action::Redrive => println!("redriven {}", open()?.redrive().await?),
            Action::Metagraph(args) => metagraph::run(args).await?,
            Action::Export(args) => standings::export(args, &data).await?,
            Action::Restore(args) => standings::restore(args, &data).await?,
            Action::Import(args) => standings::import(args, &data).await?,
            Action::Smoke(args) => smoke::run(args).await?,
        }
        Ok(())
    })
}

/// An API key as the admin routes list it.
#[derive(Debug, Deserialize)]
pub(crate) struct ListedKey {
    pub(crate) prefix: String,
    pub(crate) owner: String,
    pub(crate) hourly: Option<u32>,
    pub(crate) daily: Option<u32>,
}

/// A submission that was given up.
#[derive(Debug, Deserialize)]
pub(crate) struct DeadLetter {
    task: String,
    hotkey: String,
}

/// The way to a network's administration.
pub(crate) enum Admin {
    /// A server runs over the data folder.
    Server(Server),
    /// None does: its store is free.
    Store(Box<App>),
}

impl Admin {
    /// Opens the store or, if that is in use, finds the server that uses it.
    ///
    /// The admin key goes to the noted URL only while the store is in use. Without a server over the folder the note
    /// is what a crash left behind, and any process of any user may listen there by now.
    pub(crate) fn open(folder: &DataFolder) -> anyhow::Result<Self> {
        match serve::app_over(folder) {
            Ok(app) => {
                folder.forget_running();
                Ok(Self::Store(Box::new(app)))
            }
            Err(error) if is_store_in_use(&error) => {
                let running = folder.running().ok_or(error)?;
                Ok(Self::Server(Server::local(&running.url, folder.admin_key()?)?))
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn add_key(&self, owner: &str, limits: KeyLimits) -> anyhow::Result<String> {
        match self {
            Self::Store(app) => Ok(app.add_key(owner, limits).await?.text),
            Self::Server(server) => server.add_key(owner, limits).await,
        }
    }

    pub(crate) async fn keys(&self) -> anyhow::Result<Vec<ListedKey>> {
        match self {
            Self::Server(server) => server.keys().await,
            Self::Store(app) => Ok(app.keys().await?.into_iter().map(ListedKey::from).collect()),
        }
    }

    pub(crate) async fn revoke_keys(&self, prefix: &str) -> anyhow::Result<usize> {
        match self {
            Self::Store(app) => Ok(app.revoke_keys(prefix).await?),
            Self::Server(server) => server.revoke_keys(prefix).await,
        }
    }

    async fn dead_letters(&self) -> anyhow::Result<Vec<DeadLetter>> {
        match self {
            Self::Server(server) => server.dead_letters().await,
            Self::Store(app) => {
                let letters = app.dead_letters(DEAD_LETTERS_MAX).await?;
                let letter = |(task, hotkey): (sn17_core::TaskId, _)| DeadLetter {
                    task: task.to_string(),
                    hotkey: ss58::encode(&hotkey),
                };
                Ok(letters.into_iter().map(letter).collect())
            }
        }
    }

    async fn redrive(&self) -> anyhow::Result<usize> {
        match self {
            Self::Store(app) => Ok(app.redrive().await?),
            Self::Server(server) => server.redrive().await,
        }
    }
}

/// Whether it is the store's folder that could not be opened, as when another process has it open.
fn is_store_in_use(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<OpenError>(), Some(OpenError::Folder { .. }))
}

impl From<KeyRow> for ListedKey {
    fn from(row: KeyRow) -> Self {
        let key = row.key;
        Self { prefix: key.prefix, owner: key.owner, hourly: key.hourly, daily: key.daily }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::data::Running;

    #[test]
    fn a_note_is_believed_only_while_the_store_is_in_use() {
        let root = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(root.path()).unwrap();
        let note = Running { url: "http://127.0.0.1:1".to_owned(), pid: 1 };
        folder.note_running(&note).unwrap();

        let holder = Admin::open(&folder).unwrap();
        assert!(matches!(holder, Admin::Store(_)), "the store is free, whatever the note says");
        assert!(folder.running().is_none(), "it was an old note");
        assert!(Admin::open(&folder).is_err(), "in use, and nobody says by whom");

        folder.note_running(&note).unwrap();
        // HTTP clients need the crypto that every networked command chooses first.
        let _runtime = runtime().unwrap();
        match Admin::open(&folder).unwrap() {
            Admin::Server(server) => assert_eq!(server.url("keys"), "http://127.0.0.1:1/admin/keys"),
            Admin::Store(_) => panic!("two have the store open"),
        }
    }
}
