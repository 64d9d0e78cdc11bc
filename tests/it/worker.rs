//! The worker of a deployment whose verdicts are decided here, and what it needs to know of the deployment.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_smithy_http_client::Builder;
use futures_util::future::join_all;
use serde::Deserialize;
use sn17_app::{App, PromptBook};
use sn17_aws::clients::Clients;
use sn17_aws::native;
use sn17_aws::settings::{Role, Settings};
use sn17_core::policy::Policy;
use sn17_worker::{Remote, score_remotely};
use tokio::sync::watch;

use crate::scripted::Script;

/// Names the file that says what was deployed.
pub(crate) const OUTPUTS: &str = "SN17_AWS_OUTPUTS";
/// Submissions in hand at once: a verdict that comes late keeps no other waiting.
const LOOPS: usize = 12;

/// What a worker is told about a deployment by the file that `cargo xtask aws up` writes.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Outputs {
    pub(crate) validator: String,
    pub(crate) policy: Policy,
    pub(crate) endpoint: String,
    pub(crate) region: String,
    pub(crate) key: String,
    pub(crate) table: String,
    pub(crate) bucket: String,
    pub(crate) scoring_queue_url: String,
}

impl Outputs {
    /// A worker's environment.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_REGION", self.region.clone()),
            ("AWS_ACCESS_KEY_ID", self.key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.key.clone()),
            ("SN17_TABLE", self.table.clone()),
            ("SN17_BUCKET", self.bucket.clone()),
            ("SN17_SCORING_QUEUE_URL", self.scoring_queue_url.clone()),
            ("SN17_VALIDATOR_HOTKEY", self.validator.clone()),
            ("SN17_POLICY", serde_json::to_string(&self.policy).unwrap()),
        ]
    }

    /// The SDK's clients for the deployment.
    pub(crate) async fn clients(&self) -> Clients {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(Builder::new().build_http())
            .endpoint_url(&self.endpoint)
            .region(Region::new(self.region.clone()))
            .credentials_provider(Credentials::new(&self.key, &self.key, None, None, "outputs"));
        Clients::new(config.load().await, true)
    }

    /// The use cases over the deployment's table, bucket and queues.
    pub(crate) async fn app(&self) -> App {
        let environment = self.environment();
        let lookup = |name: &str| {
            environment.iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.clone())
        };
        let settings = Settings::from_lookup(Role::Scorer, lookup).unwrap();
        let network = settings.network().unwrap();
        let host = native::host();
        let ports = native::ports(&settings, &self.clients().await, &host).unwrap();
        let (policy, validator) = (network.policy, network.validator);
        App::new(ports, host, policy, validator, native::random_key_secret(), PromptBook::default())
    }
}

/// Settles what is submitted as the script says, until `stop` turns true.
pub(crate) async fn work(outputs: &Outputs, script: Arc<Script>, stop: watch::Receiver<bool>) {
    let app = Arc::new(outputs.app().await);
    let (_never, give_back) = watch::channel(false);
    let working = (0..LOOPS).map(|_| {
        let remote = Remote { give_back: give_back.clone(), beat: Box::new(|| ()) };
        score_remotely(Arc::clone(&app), script.clone(), stop.clone(), remote)
    });
    join_all(working).await;
}
