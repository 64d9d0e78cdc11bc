//! What the network's Lambda functions have in common: how one starts, and how an HTTP event reaches the router.
//!
//! | function | invoked by | does |
//! | --- | --- | --- |
//! | `gateway` | its function URL | the routes of clients and operators |
//! | `miner` | its function URL | `PullTask`, `SubmitResults`, `GetVersion` |
//! | `dispatch` | the table's stream | sends effects to their queues |
//! | `sweeper` | the timers' queue, and every minute | ends what is due, repairs what was lost, makes duels |
//! | `chain` | every ten minutes, where nodes are named | asks the chain who is registered |
//!
//! A function is wiring: the use cases are in `sn17-app`, the adapters in `sn17-aws`.

mod chain;
mod embedded_metrics;
mod http;
mod outbox;
mod sweeper;
mod telemetry;

use std::sync::Arc;

use sn17_app::{App, Host, KeySecret, PromptBook};
use sn17_aws::clients::Clients;
use sn17_aws::native;
use sn17_aws::settings::{Role, Settings};

pub use chain::{Chain, chain_settings};
pub use embedded_metrics::embedded_metrics;
pub use http::{BODY_BYTES_MAX, CONVERSION_BYTES_MAX, REDIRECT_ABOVE_BYTES, serve, serve_streaming};
pub use outbox::dispatch;
pub use sweeper::Sweeper;
pub use telemetry::init as init_telemetry;

/// A function that is ready for work.
#[derive(Clone, Debug)]
pub struct Started {
    /// What the environment says.
    pub settings: Arc<Settings>,
    /// The SDK's clients.
    pub clients: Clients,
    /// Clock and randomness.
    pub host: Host,
}

impl Started {
    /// Reads the environment as `role` needs it and configures the SDK's clients; calls nothing.
    ///
    /// # Errors
    /// Everything that is wrong with the environment, at once.
    pub async fn from_env(role: Role) -> anyhow::Result<Self> {
        let settings = Settings::from_env(role)?;
        Ok(Self { settings: Arc::new(settings), clients: Clients::load().await, host: native::host() })
    }

    /// The use cases over the function's ports. A function that hashes no API keys gives no secret, and no key is
    /// good there.
    ///
    /// # Errors
    /// For a role that runs no use cases.
    pub fn app(&self, key_secret: Option<KeySecret>) -> anyhow::Result<Arc<App>> {
        let ports = native::ports(&self.settings, &self.clients, &self.host)?;
        let network = self.settings.network()?;
        let key_secret = key_secret.unwrap_or_else(native::random_key_secret);
        let (host, prompts) = (self.host.clone(), PromptBook::default());
        Ok(Arc::new(App::new(ports, host, network.policy, network.validator, key_secret, prompts)))
    }
}
