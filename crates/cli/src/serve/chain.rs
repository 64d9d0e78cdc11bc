//! The registered miners as the chain knows them, asked again every ten minutes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use sn17_app::App;
use sn17_chain::{Endpoint, Metagraph, Settings, SpecVersions};

/// The chain is asked this often, as the original asks it.
const REFRESH_EVERY: Duration = Duration::from_secs(600);
/// After an answer that is not believed it is asked again this soon.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// The subnet of the network.
const NETUID: u16 = 17;

/// Where the chain is asked who is registered.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChainArgs {
    /// Nodes of the subtensor chain that say who is registered, the preferred one first, instead of a metagraph file.
    #[arg(
        long,
        env = "SN17_SUBTENSOR",
        value_name = "URL",
        value_delimiter = ',',
        conflicts_with = "metagraph"
    )]
    subtensor: Vec<Endpoint>,
    /// The subnet on that chain.
    #[arg(long, env = "SN17_NETUID", default_value_t = NETUID)]
    netuid: u16,
    /// Versions of the chain's runtime that are understood, such as 425-499, or any.
    #[arg(long, env = "SN17_SPEC_VERSIONS", default_value_t = SpecVersions::KNOWN)]
    spec_versions: SpecVersions,
}

impl ChainArgs {
    /// No chain: a metagraph file says who is registered.
    pub(crate) const fn none() -> Self {
        Self { subtensor: Vec::new(), netuid: NETUID, spec_versions: SpecVersions::KNOWN }
    }

    /// The chain, if one is named.
    pub(crate) fn chain(&self) -> anyhow::Result<Option<Chain>> {
        if self.subtensor.is_empty() {
            return Ok(None);
        }
        let settings = Settings {
            netuid: self.netuid,
            spec_versions: self.spec_versions,
            ..Settings::new(self.subtensor.clone())
        };
        let metagraph = Metagraph::new(settings).context("--subtensor")?;
        Ok(Some(Chain { metagraph, block: 0 }))
    }

    /// How `serve` names it at its start; none without a chain.
    pub(crate) fn name(&self) -> Option<String> {
        let first = self.subtensor.first()?;
        Some(format!("subnet {} at {first}", self.netuid))
    }
}

/// The chain, and how far it has been followed.
#[derive(Debug)]
pub(crate) struct Chain {
    metagraph: Metagraph,
    block: u64,
}

impl Chain {
    /// Asks who is registered and applies it; answers how many. Whatever goes wrong leaves the last good roster in place.
    pub(crate) async fn apply(&mut self, app: &App) -> anyhow::Result<usize> {
        let snapshot = self.metagraph.fetch(app.now(), self.block).await?;
        let neurons = snapshot.roster();
        anyhow::ensure!(!neurons.is_empty(), "the chain says that nobody is registered");
        let miners = neurons.len();
        app.apply_roster(neurons).await?;
        self.block = snapshot.block;
        Ok(miners)
    }

    /// Asks again and again.
    pub(crate) async fn follow(mut self, app: Arc<App>) {
        loop {
            let pause = match self.apply(&app).await {
                Ok(miners) => {
                    tracing::info!(miners, block = self.block, "metagraph applied");
                    REFRESH_EVERY
                }
                Err(error) => {
                    tracing::error!("metagraph not applied, the last good one stays: {error:#}");
                    RETRY_AFTER
                }
            };
            tokio::time::sleep(pause).await;
        }
    }
}
