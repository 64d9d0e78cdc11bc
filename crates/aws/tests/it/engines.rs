//! Local engines that speak the protocols of AWS, and a service that answers from a script.
//!
//! `SN17_AWS_ENDPOINT` names an engine for S3, SQS and the rest, with the keys `test` and `test`; without it the
//! tests that need one say so and pass over. Every test makes its own bucket and queues there.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use sn17_aws::clients::Clients;
use sn17_aws::queue::QueueUrls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How often the queues made here hand a message out before it becomes a dead letter.
pub(crate) const MAX_RECEIVES: u32 = 3;
/// The key and the secret that engines are given.
pub(crate) const KEYS: [&str; 2] = ["test", "test"];

/// The engine that the environment names, none with a line that says so.
#[expect(clippy::print_stderr, reason = "what was not tested is said")]
pub(crate) fn engine() -> Option<Clients> {
    let Ok(endpoint) = std::env::var("SN17_AWS_ENDPOINT") else {
        // In every test: reports count by test.
        eprintln!("skipped: SN17_AWS_ENDPOINT is not set");
        return None;
    };
    Some(clients(&endpoint))
}

/// Clients of whatever listens at `endpoint`.
pub(crate) fn clients(endpoint: &str) -> Clients {
    Clients::new(config(Builder::new().build_http(), endpoint), true)
}

/// Clients of a service that answers from a script.
pub(crate) fn scripted(service: &Scripted) -> Clients {
    let connector = SharedHttpConnector::new(service.clone());
    let http_client = http_client_fn(move |_, _| connector.clone());
    Clients::new(config(http_client, "http://service.invalid"), true)
}

/// A configuration for `endpoint` with the engines' keys that retries at once.
pub(crate) fn config(http_client: SharedHttpClient, endpoint: &str) -> SdkConfig {
    let retries = RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(1));
    let [key, secret] = KEYS;
    let credentials = SharedCredentialsProvider::new(Credentials::new(key, secret, None, None, "tests"));
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .http_client(http_client)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .retry_config(retries)
        .endpoint_url(endpoint)
        .build()
}

/// A name that no other test has, of this run or another.
pub(crate) fn unique(prefix: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    static BEGUN_MS: LazyLock<u128> =
        LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis());
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    format!("{prefix}-{:x}-{process:x}-{number:x}", *BEGUN_MS)
}

/// Makes a bucket.
pub(crate) async fn bucket(clients: &Clients) -> String {
    let name = unique("blobs");
    clients.s3().create_bucket().bucket(&name).send().await.unwrap();
    name
}

/// Makes the six queues as the template does, but for the scoring queue's visibility, which every call says.
pub(crate) async fn queues(clients: &Clients) -> QueueUrls {
    let (scoring, scoring_dead_letters) = queue_with_dead_letters(clients, "scoring").await;
    let (timers, timers_dead_letters) = queue_with_dead_letters(clients, "timers").await;
    let (judging, judging_dead_letters) = queue_with_dead_letters(clients, "judging").await;
    QueueUrls {
        scoring,
        scoring_dead_letters: Some(scoring_dead_letters),
        timers: Some(timers),
        timers_dead_letters: Some(timers_dead_letters),
        judging: Some(judging),
        judging_dead_letters: Some(judging_dead_letters),
    }
}

async fn queue_with_dead_letters(clients: &Clients, prefix: &str) -> (String, String) {
    let sqs = clients.sqs();
    let name = unique(prefix);
    let dead = sqs.create_queue().queue_name(format!("{name}-dead")).send().await.unwrap();
    let dead = dead.queue_url.unwrap();
    let arn = QueueAttributeName::QueueArn;
    let attributes = sqs.get_queue_attributes().queue_url(&dead).attribute_names(arn.clone());
    let attributes = attributes.send().await.unwrap().attributes.unwrap();
    let policy =
        format!(r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":"{MAX_RECEIVES}"}}"#, attributes[&arn]);
    let request = sqs.create_queue().queue_name(name);
    let queue = request.attributes(QueueAttributeName::RedrivePolicy, policy).send().await.unwrap();
    (queue.queue_url.unwrap(), dead)
}

/// What a service answers: a status and a body.
pub(crate) type Answer = (u16, String);

/// A service that answers from a script and remembers what it was asked.
#[derive(Clone)]
pub(crate) struct Scripted {
    answer: Arc<dyn Fn(&HttpRequest) -> Answer + Send + Sync>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// A request that was made.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Path and query.
    pub(crate) uri: String,
    /// Its body.
    pub(crate) body: Vec<u8>,
}

impl Scripted {
    pub(crate) fn new(answer: impl Fn(&HttpRequest) -> Answer + Send + Sync + 'static) -> Self {
        Self { answer: Arc::new(answer), asked: Arc::default() }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Scripted").finish_non_exhaustive()
    }
}

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let asked = Asked {
            uri: request.uri().to_owned(),
            body: request.body().bytes().unwrap_or_default().to_vec(),
        };
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        let (status, body) = (self.answer)(&request);
        let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body));
        // What a multipart upload wants of each part.
        response.headers_mut().insert("etag", "\"0\"");
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// Fetches a URL as any download tool does: status, headers in lower case, body.
pub(crate) async fn download(url: &str) -> (u16, String, Vec<u8>) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, body)
}
