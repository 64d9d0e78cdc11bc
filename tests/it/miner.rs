//! A miner that signs as the bittensor SDK does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sn17_core::Hotkey;
use sn17_wire::sr25519::Keypair;
use sn17_wire::ss58;
use sn17_wire::synapse::{self, Axon, DendriteRequest, Signing, Submission};

use crate::server::{Answer, Server};

/// Parts of the refusals of a host whose memory is taken, and of one that takes few uploads of the same miner at once;
/// and how long that lasts at most.
const TOO_MANY_OF_ALL: (u16, &str) = (503, "too many submissions are being received");
const TOO_MANY_OF_ONE: (u16, &str) = (429, "too many submissions at once");
const TAKEN_WITHIN: Duration = Duration::from_secs(20);

/// A task as a miner knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) prompt: String,
}

/// A miner; number `n` of a network has the uid `n`.
#[derive(Debug)]
pub(crate) struct Miner {
    pub(crate) keypair: Keypair,
    pub(crate) number: u16,
    /// Sent with each request, which the server holds against the clock.
    last_nonce: AtomicU64,
    /// How long it waits for an answer to a submission.
    pub(crate) timeout_secs: f64,
}

impl Miner {
    /// Miner `number` of a network that is a process; its key is the same in every one of them.
    pub(crate) fn new(number: u16) -> Self {
        Self::of(7, number)
    }

    /// Miner `number` of the network of this seed.
    pub(crate) fn of(seed: u64, number: u16) -> Self {
        Self { keypair: keypair(seed, number), number, last_nonce: AtomicU64::new(0), timeout_secs: 60.0 }
    }

    /// How a metagraph lists it: its number as uid, and a tenth of that as incentive in hundredths.
    pub(crate) fn neuron(&self) -> Value {
        let incentive = f64::from(self.number) / 1000.0;
        json!({ "uid": self.number, "hotkey": self.address(), "stake": 0.0, "incentive": incentive })
    }

    pub(crate) fn address(&self) -> String {
        ss58::encode(&self.keypair.hotkey())
    }

    /// A signed `PullTask`.
    pub(crate) fn pull_request(&self, server: &Server) -> DendriteRequest {
        synapse::pull_task(&axon(server), &self.signing(server))
    }

    /// A signed `SubmitResults` with its signed consent.
    pub(crate) fn submit_request(&self, server: &Server, task: &Task, results: &[u8]) -> DendriteRequest {
        let submission = Submission {
            task_id: &task.id,
            prompt: &task.prompt,
            results,
            submit_time: i64::try_from(server.now_ms() * 1_000_000).unwrap(),
            timeout_secs: self.timeout_secs,
            randomness: [3; 32],
        };
        synapse::submit_results(&axon(server), &self.signing(server), &submission)
    }

    pub(crate) async fn pull(&self, server: &Server) -> Answer {
        server.synapse(self.pull_request(server)).await
    }

    /// Submits, again as long as the host is full.
    pub(crate) async fn submit(&self, server: &Server, task: &Task, results: &[u8]) -> Answer {
        taken(async || server.synapse(self.submit_request(server, task, results)).await).await
    }

    /// Pulls; there must be a task.
    pub(crate) async fn task(&self, server: &Server) -> Task {
        let answer = self.pull(server).await;
        answer.task().unwrap_or_else(|| panic!("no task: {}", answer.text()))
    }

    fn signing(&self, server: &Server) -> Signing<'_> {
        let now = server.now_ms() * 1_000_000;
        let nonce =
            self.last_nonce.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(now.max(last + 1)));
        let nonce = now.max(nonce.unwrap() + 1);
        Signing {
            keypair: &self.keypair,
            ip: "192.0.2.1",
            nonce,
            uuid: "0c4b5f0e-black-box",
            randomness: [5; 32],
        }
    }
}

/// The answer to a submission, sent again after a moment if the host takes no more at once, be it of all miners or of
/// this one: an edge has memory for a few, and the tests of a deployment share it. Each is to be signed anew.
pub(crate) async fn taken(mut submit: impl AsyncFnMut() -> Answer) -> Answer {
    let started = Instant::now();
    loop {
        let answer = submit().await;
        let is_full = [TOO_MANY_OF_ALL, TOO_MANY_OF_ONE]
            .iter()
            .any(|(status, part)| answer.status == *status && answer.text().contains(part));
        if !is_full || started.elapsed() > TAKEN_WITHIN {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn keypair(seed: u64, number: u16) -> Keypair {
    let mut secret = [7; 32];
    secret[..2].copy_from_slice(&number.to_le_bytes());
    secret[2..10].copy_from_slice(&seed.to_le_bytes());
    Keypair::from_mini_secret(&secret)
}

fn axon(server: &Server) -> Axon {
    let validator: Hotkey = server.validator;
    Axon { ip: "127.0.0.1".into(), port: 4443, hotkey: validator }
}
