//! The admin routes of a running network, over HTTP.

use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sn17_app::{KeyLimits, RestoreMode};
use sn17_core::standings::Snapshot;
use sn17_wire::metagraph::{Metagraph, NeuronEntry};
use sn17_wire::standings::{RestoreReply, RestoreRow, Standings};

use super::{DeadLetter, ListedKey};

/// An admin request is answered within this; a roster of a whole subnet takes seconds where the store is far away.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// The admin routes of a running network.
pub(crate) struct Server {
    client: reqwest::Client,
    base: String,
    admin_key: String,
}

/// The registered miners, and whose network this is.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Roster {
    /// The validator's ss58 address.
    pub(super) validator: String,
    pub(super) neurons: Vec<NeuronEntry>,
}

#[derive(Deserialize)]
struct Made {
    key: String,
}

#[derive(Deserialize)]
struct Revoked {
    revoked: usize,
}

#[derive(Deserialize)]
struct Redriven {
    redriven: usize,
}

#[derive(Deserialize)]
struct Applied {
    miners: usize,
}

impl Server {
    /// A network somewhere, by its URL. The way there may lead through the environment's proxy.
    pub(super) fn remote(url: &str, admin_key: String) -> anyhow::Result<Self> {
        Self::new(reqwest::Client::builder(), url, admin_key)
    }

    /// A network on this machine, which no proxy leads to.
    pub(super) fn local(url: &str, admin_key: String) -> anyhow::Result<Self> {
        Self::new(reqwest::Client::builder().no_proxy(), url, admin_key)
    }

    /// The key goes to this URL and nowhere else, whatever answers there.
    fn new(builder: reqwest::ClientBuilder, url: &str, admin_key: String) -> anyhow::Result<Self> {
        let client = builder.redirect(reqwest::redirect::Policy::none()).timeout(ANSWER_WITHIN).build()?;
        let base = format!("{}/admin", url.trim_end_matches('/'));
        Ok(Self { client, base, admin_key })
    }

    pub(super) async fn add_key(&self, owner: &str, limits: KeyLimits) -> anyhow::Result<String> {
        let KeyLimits { hourly, daily } = limits;
        let body = serde_json::json!({ "owner": owner, "hourly": hourly, "daily": daily });
        Ok(self.send::<Made>(self.client.post(self.url("keys")).json(&body)).await?.key)
    }

    pub(super) async fn keys(&self) -> anyhow::Result<Vec<ListedKey>> {
        self.send(self.client.get(self.url("keys"))).await
    }

    pub(super) async fn revoke_keys(&self, prefix: &str) -> anyhow::Result<usize> {
        let request = self.client.delete(self.url(&format!("keys/{prefix}")));
        Ok(self.send::<Revoked>(request).await?.revoked)
    }

    pub(super) async fn dead_letters(&self) -> anyhow::Result<Vec<DeadLetter>> {
        self.send(self.client.get(self.url("dead-letters"))).await
    }

    pub(super) async fn redrive(&self) -> anyhow::Result<usize> {
        let request = self.client.post(self.url("dead-letters/redrive"));
        Ok(self.send::<Redriven>(request).await?.redriven)
    }

    pub(super) async fn roster(&self) -> anyhow::Result<Roster> {
        self.send(self.client.get(self.url("metagraph"))).await
    }

    /// Makes these miners the registered ones; answers how many there are.
    pub(super) async fn register(&self, metagraph: &Metagraph) -> anyhow::Result<usize> {
        let request = self.client.put(self.url("metagraph")).json(metagraph);
        Ok(self.send::<Applied>(request).await?.miners)
    }

    /// What the registered miners behind uid `after` have earned, a page of them.
    pub(super) async fn standings(&self, after: Option<u16>) -> anyhow::Result<Snapshot> {
        let query = after.map_or_else(String::new, |uid| format!("?after={uid}"));
        let request = self.client.get(self.url(&format!("standings{query}")));
        let page = self.send::<Standings>(request).await?.check();
        page.context("the server answered with something else than standings")
    }

    /// Restores a page of standings; answers what came of each miner.
    pub(super) async fn restore_standings(
        &self,
        page: &Snapshot,
        mode: RestoreMode,
    ) -> anyhow::Result<Vec<RestoreRow>> {
        let url = self.url(&format!("standings?dry_run={}", mode == RestoreMode::DryRun));
        Ok(self.send::<RestoreReply>(self.client.put(url).json(&Standings::of(page))).await?.miners)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    async fn send<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> anyhow::Result<T> {
        let request = request.header("x-admin-key", &self.admin_key);
        let response = request.send().await.context("the network's admin routes do not answer")?;
        let status = response.status();
        let body = response.bytes().await?;
        let words = || format!("the server answered {status}: {}", String::from_utf8_lossy(&body));
        anyhow::ensure!(status.is_success(), words());
        serde_json::from_slice(&body).context("the server answered something else")
    }
}
