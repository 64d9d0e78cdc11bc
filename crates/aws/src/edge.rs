//! The network at the edge: the same use cases over the same table and bucket, from a host that has neither sockets
//! nor a clock, threads or an environment of its own.
//!
//! Effects leave through the table's stream, so an edge needs no queue and has no permission for one; what it knows of
//! the scoring queue is the snapshot that the sweeper leaves in the table.
//!
//! # Several requests in one process
//! A platform may end a request without dropping what it was doing, and may forbid one request to wait for what another
//! one began. So a miner's uploads do not take turns, and the SDK keeps no identity in a cache that its requests share:
//! static credentials need none.

use std::sync::Arc;

use aws_sdk_dynamodb::config::{BehaviorVersion, IdentityCache, Region, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::SdkConfig;
use futures_util::future::join;
use sn17_app::ports::PortResult;
use sn17_app::{App, Host, Ports, PromptBook, Upkeep};

use crate::backlog::{SnapshotQueue, Snapshots};
use crate::blobs::{BlobOptions, S3Blobs, UPLOAD_STALE_SECS};
use crate::clients::{Clients, retries};
use crate::ledger::{DynamoLedger, LedgerOptions};
use crate::settings::{Access, Role, Settings, SettingsError};

/// Uploads at once in one process: 60 MiB at most, of the 128 MB that an isolate of Cloudflare's has.
const UPLOADS_MAX: usize = 8;

/// Overdue items in one sweep and stale uploads aborted by it. Each item takes two calls, each upload one, and finding them
/// one for each shard and up to ten: some 650 for the most shards. Cloudflare lets an invocation on its paid plan make
/// 1,000 ("subrequests" in the limits of Workers; 10,000 since 2026), beyond which every call fails.
const SWEEP_ITEMS_MAX: usize = 200;
const SWEEP_UPLOADS_MAX: usize = 100;

/// What an edge's platform gives in place of sockets, a clock and threads.
#[derive(Clone, Debug)]
pub struct Platform {
    /// Sends a request and gives its answer.
    pub http: SharedHttpClient,
    /// The clock that requests are signed by.
    pub time: SharedTimeSource,
    /// What the SDK and the adapters sleep with.
    pub sleep: SharedAsyncSleep,
    /// The clock and the randomness of the use cases.
    pub host: Host,
}

/// An edge that is ready for requests.
#[derive(Debug)]
pub struct Edge {
    app: Arc<App>,
    blobs: Arc<S3Blobs>,
    settings: Settings,
}

impl Edge {
    /// Reads the variables of [`Role::Edge`] by `lookup` (bindings, secrets, variables, environment) and puts the use
    /// cases over DynamoDB and S3; calls nothing.
    ///
    /// # Errors
    /// Lists every fault of the variables at once.
    pub fn new(platform: Platform, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let settings = Settings::from_lookup(Role::Edge, lookup)?;
        let (network, access) = (settings.network()?, settings.access()?);
        let host = platform.host.clone();
        let clients = clients(access, platform);
        let ledger = LedgerOptions { shards: network.shards, ..LedgerOptions::new(&settings.table) };
        let blobs = BlobOptions {
            uploads_max: UPLOADS_MAX,
            stale_max: SWEEP_UPLOADS_MAX,
            ..BlobOptions::new(&network.bucket)
        };
        let blobs = Arc::new(S3Blobs::new(clients.s3(), blobs, host.clone()));
        let dynamodb = clients.dynamodb();
        let ports = Ports {
            ledger: Arc::new(DynamoLedger::new(dynamodb.clone(), ledger, host.clone(), clients.sleep())),
            blobs: Arc::clone(&blobs) as _,
            queue: Arc::new(SnapshotQueue::new(Snapshots::new(dynamodb, &settings.table), host.clone())),
        };
        let (key_secret, prompts) = (access.key_secret.clone(), PromptBook::default());
        let app = App::new(ports, host, network.policy, network.validator, key_secret, prompts);
        let app = app.with_uploads_side_by_side();
        Ok(Self { app: Arc::new(app), blobs, settings })
    }

    /// The use cases.
    pub fn app(&self) -> Arc<App> {
        Arc::clone(&self.app)
    }

    /// The operators' key.
    pub fn admin_key(&self) -> &str {
        self.settings.access.as_ref().map_or("", |access| access.admin_key.reveal())
    }

    /// What the variables say.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Ends what is overdue and aborts stale uploads: the sweeper's duties as far as they need no queue, 200 items and
    /// 100 uploads at most. Both are done, even if one of them fails.
    ///
    /// # Errors
    /// Those of DynamoDB and S3; the next sweep does the rest.
    pub async fn sweep(&self) -> PortResult<Upkeep> {
        let overdue = self.app.sweep_at_most(SWEEP_ITEMS_MAX);
        let (overdue, uploads) = join(overdue, self.blobs.abort_stale(UPLOAD_STALE_SECS)).await;
        if let (Err(error), Err(_)) = (&uploads, &overdue) {
            tracing::error!(%error, "stale uploads could not be aborted either");
        }
        let done = overdue?;
        tracing::info!(aborted = uploads?, "swept stale uploads");
        Ok(done)
    }
}

/// The SDK's clients over the platform.
fn clients(access: &Access, platform: Platform) -> Clients {
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(access.region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(access.credentials.clone()))
        .http_client(platform.http)
        .time_source(platform.time)
        .sleep_impl(platform.sleep)
        .retry_config(retries());
    config.set_identity_cache(Some(IdentityCache::no_cache()));
    config.set_endpoint_url(access.endpoint.clone());
    Clients::new(config.build(), access.endpoint.is_some())
}
