//! The registered miners as the chain knows them, asked again and again.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use sn17_app::{App, Refreshed};
use sn17_chain::{Endpoint, Metagraph, Settings, SpecVersions};

/// The chain is asked every ten minutes, as the original asks it.
const REFRESH_EVERY_SECS: u64 = 600;
/// After an answer that is not believed it is asked again this soon, unless it is asked more often anyway.
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
    /// Seconds from one metagraph to the next.
    #[arg(
        long,
        env = "SN17_SUBTENSOR_EVERY",
        value_name = "SECS",
        default_value_t = REFRESH_EVERY_SECS,
        value_parser = clap::value_parser!(u64).range(1..=86_400),
        requires = "subtensor"
    )]
    subtensor_every: u64,
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
        Self {
            subtensor: Vec::new(),
            subtensor_every: REFRESH_EVERY_SECS,
            netuid: NETUID,
            spec_versions: SpecVersions::KNOWN,
        }
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
        Ok(Some(Chain { metagraph, refresh_every: Duration::from_secs(self.subtensor_every) }))
    }

    /// Whether the chain, and not a file, says who is registered.
    pub(crate) const fn is_named(&self) -> bool {
        !self.subtensor.is_empty()
    }

    /// How `serve` names it at its start; none without a chain.
    pub(crate) fn name(&self) -> Option<String> {
        let first = self.subtensor.first()?;
        Some(format!("subnet {} at {first}", self.netuid))
    }
}

/// The chain, and how often it is asked.
#[derive(Debug)]
pub(crate) struct Chain {
    metagraph: Metagraph,
    refresh_every: Duration,
}

impl Chain {
    /// Asks who is registered and applies it, again and again. Whatever goes wrong leaves the last good roster in place.
    pub(crate) async fn follow(self, app: Arc<App>) {
        loop {
            let fetch =
                async |now, known| self.metagraph.fetch(now, known).await.map(|snapshot| snapshot.roster());
            let pause = match app.refresh_roster(fetch).await {
                Ok(Refreshed { miners, block }) => {
                    tracing::info!(miners, block = block.map(|block| block.number), "metagraph applied");
                    self.refresh_every
                }
                Err(error) => {
                    tracing::error!("metagraph not applied, the last good one stays: {error}");
                    self.refresh_every.min(RETRY_AFTER)
                }
            };
            tokio::time::sleep(pause).await;
        }
    }
}
