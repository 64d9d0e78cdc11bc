//! `sn17 keys`: API keys of a network on this machine, through the running server or straight in its store.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde::Deserialize;
use sn17_app::{App, KeyLimits, KeyRow};

use crate::serve::data::DataFolder;
use crate::serve::{self, runtime};

/// A server on this machine answers within this.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

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

/// A key as the admin routes give it.
#[derive(Debug, Deserialize)]
struct Row {
    prefix: String,
    owner: String,
    hourly: Option<u32>,
    daily: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Made {
    key: String,
}

#[derive(Debug, Deserialize)]
struct Revoked {
    revoked: usize,
}

pub(crate) fn run(args: &KeysArgs) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let folder = DataFolder::open(&args.data)?;
        let keys = Keys::open(&folder).await?;
        match &args.action {
            Action::Add { owner, hourly, daily } => {
                let limits = KeyLimits { hourly: *hourly, daily: *daily };
                println!("{}", keys.add(owner, limits).await?);
            }
            Action::List => print(&keys.list().await?),
            Action::Revoke { key } => {
                anyhow::ensure!(key.len() >= 8, "give the whole key or its first eight characters");
                println!("revoked {}", keys.revoke(key).await?);
            }
        }
        Ok(())
    })
}

fn print(rows: &[Row]) {
    println!("{:<10} {:>8} {:>8}  OWNER", "KEY", "HOURLY", "DAILY");
    for row in rows {
        let limit = |limit: Option<u32>| limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
        println!("{:<10} {:>8} {:>8}  {}", row.prefix, limit(row.hourly), limit(row.daily), row.owner);
    }
}

/// The keys of a data folder: through the server that runs over it, else straight in its store.
enum Keys {
    Server { client: reqwest::Client, base: String, admin_key: String },
    Store(Box<App>),
}

impl Keys {
    async fn open(folder: &DataFolder) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).build()?;
        if let Some(running) = folder.running()
            && client.get(format!("{}/healthz", running.url)).send().await.is_ok()
        {
            let base = format!("{}/admin/keys", running.url);
            return Ok(Self::Server { client, base, admin_key: folder.admin_key()? });
        }
        serve::app_over(folder).map(|app| Self::Store(Box::new(app)))
    }

    async fn add(&self, owner: &str, limits: KeyLimits) -> anyhow::Result<String> {
        match self {
            Self::Store(app) => Ok(app.add_key(owner, limits).await?.text),
            Self::Server { client, base, .. } => {
                let body =
                    serde_json::json!({ "owner": owner, "hourly": limits.hourly, "daily": limits.daily });
                Ok(self.send::<Made>(client.post(base).json(&body)).await?.key)
            }
        }
    }

    async fn list(&self) -> anyhow::Result<Vec<Row>> {
        match self {
            Self::Server { client, base, .. } => self.send(client.get(base)).await,
            Self::Store(app) => {
                let row = |row: KeyRow| Row {
                    prefix: row.key.prefix,
                    owner: row.key.owner,
                    hourly: row.key.hourly,
                    daily: row.key.daily,
                };
                Ok(app.keys().await?.into_iter().map(row).collect())
            }
        }
    }

    async fn revoke(&self, key: &str) -> anyhow::Result<usize> {
        match self {
            Self::Server { client, base, .. } => {
                Ok(self.send::<Revoked>(client.delete(format!("{base}/{key}"))).await?.revoked)
            }
            Self::Store(app) => Ok(app.revoke_keys(key).await?),
        }
    }

    async fn send<T: for<'de> Deserialize<'de>>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> anyhow::Result<T> {
        let Self::Server { admin_key, .. } = self else { anyhow::bail!("there is no server to ask") };
        let response = request.header("x-admin-key", admin_key).send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        anyhow::ensure!(
            status.is_success(),
            "the server answered {status}: {}",
            String::from_utf8_lossy(&body)
        );
        serde_json::from_slice(&body).context("the server answered something else")
    }
}
