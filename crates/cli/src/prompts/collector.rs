//! A prompt collector, seen by those who hand prompts in and by those who fetch them.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response, StatusCode, redirect};
use serde::Deserialize;
use sn17_core::prompts::collector::Receipt;
use sn17_wire::prompts::{GetPrompts, SubmitPrompts};
use sn17_wire::sr25519::Keypair;

use crate::host;

/// Prompts handed in at once, as many as the original's generator sends.
const SUBMITTED_AT_ONCE: usize = 1_000;
/// The original generator's tries, time-out and pause between them.
const TRIES: u32 = 5;
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_secs(1);
/// A collector that is full is given no longer than this for each try.
const PAUSE_MAX: Duration = Duration::from_secs(300);
/// Longest wait for a whole batch.
const FETCHED_WITHIN: Duration = Duration::from_secs(300);
/// Largest batch that is read: 100,000 prompts of 384 characters, and half as much again.
const BATCH_BYTES_MAX: usize = 64 << 20;
/// Largest explanation that is read.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// A collector by its URL.
#[derive(Debug)]
pub(super) struct Collector {
    base: String,
}

#[derive(Deserialize)]
struct Batch {
    prompts: Vec<String>,
}

#[derive(Deserialize)]
struct Explanation {
    message: String,
}

impl Collector {
    pub(super) fn new(url: &str) -> Self {
        Self { base: url.trim_end_matches('/').to_owned() }
    }

    /// Hands prompts in, a thousand at a time; what became of them.
    pub(super) async fn submit(&self, key: &str, prompts: &[String]) -> anyhow::Result<Receipt> {
        // The key goes to this URL and nowhere else, whatever answers there.
        let client = Client::builder().redirect(redirect::Policy::none()).timeout(ANSWERED_WITHIN).build()?;
        let mut sum = Receipt::default();
        for some in prompts.chunks(SUBMITTED_AT_ONCE) {
            let Receipt { taken, refused, repeated, ignored } =
                self.submit_some(&client, key, some).await.with_context(|| {
                    format!("handed in {} of {} prompts to {}", sum.taken, prompts.len(), self.base)
                })?;
            sum.taken += taken;
            sum.refused += refused;
            sum.repeated += repeated;
            sum.ignored += ignored;
        }
        Ok(sum)
    }

    async fn submit_some(&self, client: &Client, key: &str, prompts: &[String]) -> anyhow::Result<Receipt> {
        let body = SubmitPrompts { prompts: prompts.to_vec() };
        let mut tries = 0;
        loop {
            tries += 1;
            let request = client.post(format!("{}/submit", self.base)).header("x-api-key", key);
            let (pause, error) = match request.json(&body).send().await {
                Ok(response) if response.status() == StatusCode::OK => {
                    return response.json().await.context("the collector's receipt cannot be read");
                }
                Ok(response) if response.status() == StatusCode::FORBIDDEN => {
                    return Err(refusal(response).await).context(
                        "the collector does not take this key; `sn17 keys add --owner prompts` makes one there",
                    );
                }
                Ok(response) if is_busy(response.status()) => (pause(&response), refusal(response).await),
                Ok(response) => return Err(refusal(response).await),
                Err(error) => (PAUSE, anyhow::Error::new(error).context("the collector cannot be reached")),
            };
            if tries == TRIES {
                return Err(error);
            }
            tracing::warn!("handing prompts in again after {} s: {error:#}", pause.as_secs());
            tokio::time::sleep(pause).await;
        }
    }

    /// Fetches the current batch by a signed request.
    pub(super) async fn fetch(&self, keypair: &Keypair) -> anyhow::Result<Vec<String>> {
        let nonce = host::Clock::default().now().0 * 1_000_000;
        let request = GetPrompts::sign(keypair, nonce, host::random_secret());
        // A large batch is a redirect to the store itself.
        let client = Client::builder().timeout(FETCHED_WITHIN).build()?;
        let url = format!("{}/get", self.base);
        let response =
            client.post(&url).json(&request).send().await.context("the collector cannot be reached")?;
        if response.status() == StatusCode::FORBIDDEN {
            return Err(refusal(response).await).context(
                "the collector gives prompts to hotkeys that are registered with a stake of at least 1, and to its own",
            );
        }
        if response.status() != StatusCode::OK {
            return Err(refusal(response).await);
        }
        let body = read(response, BATCH_BYTES_MAX).await?;
        let batch: Batch = serde_json::from_slice(&body).context("the collector's batch cannot be read")?;
        Ok(batch.prompts)
    }
}

fn is_busy(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

/// What a collector that is busy asks for, within bounds.
fn pause(response: &Response) -> Duration {
    let asked = response.headers().get(RETRY_AFTER).and_then(|secs| secs.to_str().ok()?.parse().ok());
    asked.map_or(PAUSE, Duration::from_secs).clamp(PAUSE, PAUSE_MAX)
}

/// A refusal in the collector's own words, as far as they can be read.
async fn refusal(response: Response) -> anyhow::Error {
    let status = response.status();
    let body = read(response, MESSAGE_BYTES_MAX).await.unwrap_or_default();
    match serde_json::from_slice::<Explanation>(&body) {
        Ok(Explanation { message }) => anyhow::anyhow!("the collector answered {status}: {message}"),
        Err(_) => anyhow::anyhow!("{status} is no answer of a collector; is its URL right?"),
    }
}

async fn read(mut response: Response, bytes_max: usize) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.context("the collector's answer broke off")? {
        anyhow::ensure!(body.len() + chunk.len() <= bytes_max, "the answer has more than {bytes_max} bytes");
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
