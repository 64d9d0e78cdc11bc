//! `sn17 keys`: the API keys of a network on this machine.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sn17_app::KeyLimits;

use crate::admin::{Admin, ListedKey};
use crate::serve::data::DataFolder;
use crate::serve::runtime;

/// Fewest characters that a key is revoked by.
const PREFIX_CHARS: usize = 8;

#[derive(Args, Debug)]
pub(crate) struct KeysArgs {
    /// The network's data folder.
    #[arg(long, default_value = "data", env = "SN17_DATA", global = true)]
    data: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key; it is shown once.
    Add {
        /// Whose it is.
        #[arg(long)]
        owner: String,
        /// Tasks allowed in each clock hour.
        #[arg(long)]
        hourly: Option<u32>,
        /// Tasks allowed in each UTC day.
        #[arg(long)]
        daily: Option<u32>,
    },
    /// List the keys by their first characters.
    List,
    /// Revoke a key, given whole or by its first eight characters.
    Revoke {
        /// The key or its beginning.
        key: String,
    },
}

pub(crate) fn run(args: &KeysArgs) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let admin = Admin::open(&DataFolder::open(&args.data)?)?;
        match &args.action {
            Action::Add { owner, hourly, daily } => {
                let limits = KeyLimits { hourly: *hourly, daily: *daily };
                println!("{}", admin.add_key(owner, limits).await?);
            }
            Action::List => print(&admin.keys().await?),
            Action::Revoke { key } => {
                anyhow::ensure!(
                    key.len() >= PREFIX_CHARS,
                    "give the key or its first {PREFIX_CHARS} characters"
                );
                println!("revoked {}", admin.revoke_keys(key).await?);
            }
        }
        Ok(())
    })
}

fn print(keys: &[ListedKey]) {
    println!("{:<10} {:>8} {:>8}  OWNER", "KEY", "HOURLY", "DAILY");
    for key in keys {
        let limit = |limit: Option<u32>| limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
        println!("{:<10} {:>8} {:>8}  {}", key.prefix, limit(key.hourly), limit(key.daily), key.owner);
    }
}
