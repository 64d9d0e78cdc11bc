//! A miner's connection to one validator.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Client;
use sn17_wire::sr25519::Keypair;
use sn17_wire::synapse::{
    self, AnswerError, Axon, DendriteRequest, Feedback, PullTaskReply, Signing, Submission,
};

use crate::host::{self, Clock};

/// The subnet's miner waits so long for a verdict.
const SUBMIT_TIMEOUT_SECS: f64 = 300.0;
/// No validator takes longer to answer anything.
const ANSWER_WITHIN: Duration = Duration::from_secs(310);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Why a request brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// Nobody answered.
    #[error("the validator cannot be reached: {0}")]
    Unreachable(#[from] reqwest::Error),
    /// The validator refused, or answered something else.
    #[error(transparent)]
    Answer(#[from] AnswerError),
}

/// The answer to a submission.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) feedback: Option<Feedback>,
    /// Unix seconds of the next pull.
    pub(crate) cooldown_until: u64,
    pub(crate) message: String,
}

/// A miner's connection to one validator; like one dendrite it keeps its uuid and counts its nonces up.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) axon: Axon,
    pub(crate) keypair: Arc<Keypair>,
    client: Client,
    uuid: String,
    nonce: AtomicU64,
}

impl Link {
    pub(crate) fn new(axon: Axon, keypair: Arc<Keypair>) -> anyhow::Result<Self> {
        let client = Client::builder().timeout(ANSWER_WITHIN).connect_timeout(CONNECT_WITHIN).build()?;
        let uuid = sn17_core::TaskId(host::random()).to_string();
        Ok(Self { axon, keypair, client, uuid, nonce: AtomicU64::new(0) })
    }

    /// Asks for a task.
    pub(crate) async fn pull(&self) -> Result<PullTaskReply, LinkError> {
        let request = self.signed(|signing| synapse::pull_task(&self.axon, signing));
        let (status, headers, body) = self.send(request).await?;
        let lookup = |name: &str| headers.get(name).map(reqwest::header::HeaderValue::as_bytes);
        Ok(synapse::parse_pull_task(status, lookup, &body)?.0)
    }

    /// Hands in a result; an empty one passes.
    pub(crate) async fn submit(
        &self,
        task_id: &str,
        prompt: &str,
        results: &[u8],
    ) -> Result<Verdict, LinkError> {
        let submission = Submission {
            task_id,
            prompt,
            results,
            submit_time: i64::try_from(nanoseconds()).unwrap_or(i64::MAX),
            timeout_secs: SUBMIT_TIMEOUT_SECS,
            randomness: host::random_secret(),
        };
        let request = self.signed(|signing| synapse::submit_results(&self.axon, signing, &submission));
        let (status, headers, body) = self.send(request).await?;
        let lookup = |name: &str| headers.get(name).map(reqwest::header::HeaderValue::as_bytes);
        let (feedback, cooldown_until, message) = synapse::parse_submit_results(status, lookup, &body)?;
        Ok(Verdict { feedback, cooldown_until, message })
    }

    /// Seconds by which the validator's clock is ahead of ours, to the second.
    pub(crate) async fn clock_skew_secs(&self) -> anyhow::Result<Option<i64>> {
        let url = format!("http://{}:{}/healthz", self.axon.ip, self.axon.port);
        let response = self.client.get(url).send().await?;
        let date = response.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok());
        let theirs = date.and_then(|date| httpdate::parse_http_date(date).ok());
        Ok(theirs.map(|theirs| match theirs.duration_since(std::time::SystemTime::now()) {
            Ok(ahead) => i64::try_from(ahead.as_secs()).unwrap_or(i64::MAX),
            Err(behind) => -i64::try_from(behind.duration().as_secs()).unwrap_or(i64::MAX),
        }))
    }

    fn signed(&self, build: impl FnOnce(&Signing<'_>) -> DendriteRequest) -> DendriteRequest {
        let nonce = self.next_nonce();
        let randomness = host::random_secret();
        build(&Signing { keypair: &self.keypair, ip: "0.0.0.0", nonce, uuid: &self.uuid, randomness })
    }

    /// Nanoseconds by our clock, and more than the last time.
    fn next_nonce(&self) -> u64 {
        let now = nanoseconds();
        let last = self.nonce.fetch_max(now, Ordering::Relaxed);
        if last < now { now } else { self.nonce.fetch_add(1, Ordering::Relaxed) + 1 }
    }

    async fn send(
        &self,
        request: DendriteRequest,
    ) -> Result<(u16, reqwest::header::HeaderMap, bytes::Bytes), LinkError> {
        let url = format!("http://{}:{}{}", self.axon.ip, self.axon.port, request.path);
        let mut builder = self.client.post(url).body(request.body);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        let response = builder.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok((status, headers, response.bytes().await?))
    }
}

fn nanoseconds() -> u64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

/// Now, in Unix seconds.
pub(crate) fn now_secs() -> u64 {
    Clock::default().now().secs()
}
