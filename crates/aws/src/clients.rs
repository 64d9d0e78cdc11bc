//! The SDK's clients, on every host: what a native host loads from its environment and an edge from its settings.
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
//! | Secrets Manager | 1 s | 3 s | 10 s | read once, at the start of a native host |
//!
//! An edge's fetch has no time limit for connecting: there the attempt's limit stands for both.

use std::time::Duration;

use aws_smithy_async::rt::sleep::{SharedAsyncSleep, default_async_sleep};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

/// Attempts of a request, the first included.
const ATTEMPTS_MAX: u32 = 3;
/// Upper bound of the pause before the second attempt; it doubles before the third.
const BACKOFF: Duration = Duration::from_millis(50);
/// Longest upper bound of a pause.
const BACKOFF_MAX: Duration = Duration::from_millis(500);
/// A connection that takes longer is tried anew.
const CONNECT: Duration = Duration::from_secs(1);

/// The clients of the services, made from one configuration and, on a native host, one pool of connections.
#[derive(Clone, Debug)]
pub struct Clients {
    pub(crate) config: SdkConfig,
    /// Whether buckets are named in the path, since a local engine has no host name for each.
    path_style: bool,
}

impl Clients {
    /// Clients of a configuration, which MUST have a sleep where there is no tokio; `path_style` names buckets in the
    /// path.
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
        sleep.expect("a native host has tokio's, and an edge's configuration names its own")
    }
}

/// How a request is repeated.
pub(crate) fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ATTEMPTS_MAX)
        .with_initial_backoff(BACKOFF)
        .with_max_backoff(BACKOFF_MAX)
}

/// Time limits in seconds: of one attempt, and of an operation with its attempts and pauses.
pub(crate) fn limits(attempt_secs: u64, operation_secs: u64) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(Duration::from_secs(attempt_secs))
        .operation_timeout(Duration::from_secs(operation_secs))
        .build()
}
