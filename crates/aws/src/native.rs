//! The SDK on a machine with threads: its configuration, its secrets, the host's clock and randomness.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_config::BehaviorVersion;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use sn17_app::ports::{PortError, PortErrorKind, PortResult};
use sn17_app::{Host, KeySecret, Ports, sha256};
use sn17_core::UnixMs;

use crate::blobs::{BlobOptions, S3Blobs};
use crate::clients::{Clients, limits, retries};
use crate::error::port_error;
use crate::ledger::{DynamoLedger, LedgerOptions};
use crate::queue::SqsQueue;
use crate::settings::{SECRET_CHARS_MIN, Settings, SettingsError};

impl Clients {
    /// Reads the SDK's own variables and profiles; credentials are fetched with the first request.
    pub async fn load() -> Self {
        let http_client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client)
            .retry_config(retries())
            .load()
            .await;
        let is_set = |name| std::env::var(name).is_ok_and(|value| !value.is_empty());
        let path_style = is_set("AWS_ENDPOINT_URL") || is_set("AWS_ENDPOINT_URL_S3");
        Self::new(config, path_style)
    }

    /// Fetches a secret from Secrets Manager by its name or ARN: plain text of at least 32 characters.
    ///
    /// # Errors
    /// When it cannot be fetched, or is no such text.
    pub async fn secret(&self, id: &str) -> PortResult<String> {
        let config = aws_sdk_secretsmanager::config::Builder::from(&self.config);
        let config = config.timeout_config(limits(3, 10)).build();
        let request = aws_sdk_secretsmanager::Client::from_conf(config).get_secret_value();
        let outcome = request.secret_id(id).send().await;
        let output = outcome.map_err(|error| port_error(&format!("fetch secret `{id}`"), &error))?;
        let text = output.secret_string.unwrap_or_default();
        if text.chars().count() < SECRET_CHARS_MIN {
            let message = format!("secret `{id}` is no text of at least {SECRET_CHARS_MIN} characters");
            return Err(PortError::new(PortErrorKind::Corrupt, message));
        }
        Ok(text)
    }

    /// Fetches the secret that API keys are hashed with: the SHA-256 of its text.
    ///
    /// # Errors
    /// Those of [`Clients::secret`].
    pub async fn key_secret(&self, id: &str) -> PortResult<KeySecret> {
        Ok(KeySecret(sha256(self.secret(id).await?.as_bytes())))
    }
}

/// This machine's clock and the operating system's randomness.
pub fn host() -> Host {
    Host { now: Arc::new(now), random: Arc::new(random) }
}

/// A secret that nobody knows, for hosts that never hash an API key.
pub fn random_key_secret() -> KeySecret {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    KeySecret(bytes)
}

/// The adapters of a role that runs use cases.
///
/// # Errors
/// For a role that runs none.
pub fn ports(settings: &Settings, clients: &Clients, host: &Host) -> Result<Ports, SettingsError> {
    let network = settings.network()?;
    let ledger = LedgerOptions { shards: network.shards, ..LedgerOptions::new(&settings.table) };
    let ledger = DynamoLedger::new(clients.dynamodb(), ledger, host.clone(), clients.sleep());
    Ok(Ports {
        ledger: Arc::new(ledger),
        blobs: Arc::new(blobs(&network.bucket, clients, host)),
        queue: Arc::new(queue(settings, clients, host)),
    })
}

/// The blobs alone, for a role that also sweeps them.
pub fn blobs(bucket: &str, clients: &Clients, host: &Host) -> S3Blobs {
    S3Blobs::new(clients.s3(), BlobOptions::new(bucket), host.clone())
}

/// The queues alone, for a role that only sends, or is fed by SQS.
pub fn queue(settings: &Settings, clients: &Clients, host: &Host) -> SqsQueue {
    SqsQueue::new(clients.sqs(), settings.queues.clone(), host.clone())
}

fn now() -> UnixMs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMs(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

fn random() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    u128::from_le_bytes(bytes)
}
