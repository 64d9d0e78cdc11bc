//! The SDK on a machine with threads: its configuration, its clients, the host's clock and randomness.
//!
//! # Retries and time limits
//! A request gets at most 3 attempts, with full jitter between them: up to 50 ms before the second one, up to 100 ms
//! before the third (the SDK's standard mode with a first backoff of 50 ms instead of 1 s, since a person or a miner
//! waits; throttled for longer than that, a request is better answered 503 with a time to come back).
//!
//! | service | connect | attempt | operation | why |
//! | --- | --- | --- | --- | --- |
//! | DynamoDB | 1 s | 2 s | 5 s | an item is read or written in milliseconds |
//! | SQS | 1 s | 3 s | 7 s | but for a long poll, which `queue` gives its wait and 5 s more |
//! | S3 | 1 s | 15 s | 40 s | a part of 5 MiB at 3 Mbit/s; the body of a blob that is read is not limited, a stalled one ends |
//! | Secrets Manager | 1 s | 3 s | 10 s | read once, at the start |

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, default_async_sleep};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use sn17_app::ports::{PortError, PortErrorKind, PortResult};
use sn17_app::{Host, KeySecret, Ports, sha256};
use sn17_core::UnixMs;

use crate::blobs::{BlobOptions, S3Blobs};
use crate::error::port_error;
use crate::ledger::{DynamoLedger, LedgerOptions};
use crate::queue::SqsQueue;
use crate::settings::{Settings, SettingsError};

/// Attempts of a request, the first included.
const ATTEMPTS_MAX: u32 = 3;
/// Upper bound of the pause before the second attempt; it doubles before the third.
const BACKOFF: Duration = Duration::from_millis(50);
/// Longest upper bound of a pause.
const BACKOFF_MAX: Duration = Duration::from_millis(500);
/// A connection that takes longer is tried anew.
const CONNECT: Duration = Duration::from_secs(1);
/// Fewest characters of a secret.
const SECRET_CHARS_MIN: usize = 32;

/// The clients of the services, made from one configuration and one pool of connections.
#[derive(Clone, Debug)]
pub struct Clients {
    config: SdkConfig,
    /// Whether buckets are named in the path, since a local engine has no host name for each.
    path_style: bool,
}

impl Clients {
    /// Reads the SDK's own variables and profiles; credentials are fetched with the first request.
    pub async fn load() -> Self {
        let http_client = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS_MAX)
            .with_initial_backoff(BACKOFF)
            .with_max_backoff(BACKOFF_MAX);
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http_client)
            .retry_config(retries)
            .load()
            .await;
        let is_set = |name| std::env::var(name).is_ok_and(|value| !value.is_empty());
        let path_style = is_set("AWS_ENDPOINT_URL") || is_set("AWS_ENDPOINT_URL_S3");
        Self { config, path_style }
    }

    /// Clients of another configuration, as tests make one; `path_style` names buckets in the path.
    pub const fn new(config: SdkConfig, path_style: bool) -> Self {
        Self { config, path_style }
    }

    /// A client of DynamoDB.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let config = aws_sdk_dynamodb::config::Builder::from(&self.config);
        aws_sdk_dynamodb::Client::from_conf(config.timeout_config(limits(2, 5)).build())
    }

    /// A client of S3.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(self.path_style);
        aws_sdk_s3::Client::from_conf(config.timeout_config(limits(15, 40)).build())
    }

    /// A client of SQS.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        let config = aws_sdk_sqs::config::Builder::from(&self.config);
        aws_sdk_sqs::Client::from_conf(config.timeout_config(limits(3, 7)).build())
    }

    /// What the adapters sleep with.
    pub fn sleep(&self) -> SharedAsyncSleep {
        let sleep = self.config.sleep_impl().or_else(default_async_sleep);
        sleep.expect("aws-config is built with its sleep on tokio")
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

/// Time limits in seconds: of one attempt, and of an operation with its attempts and pauses.
fn limits(attempt_secs: u64, operation_secs: u64) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(Duration::from_secs(attempt_secs))
        .operation_timeout(Duration::from_secs(operation_secs))
        .build()
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
