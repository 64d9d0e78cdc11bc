//! The registered miner of a network.

use std::time::SystemTime;

use anyhow::Context as _;
use serde::Deserialize;
use sn17_core::Hotkey;
use sn17_wire::sr25519::Keypair;
use sn17_wire::synapse::{self, Axon, DendriteRequest, Signing, Submission};

use crate::connection::{Connection, request};
use crate::network::{self, Network};

/// Seconds that a miner waits for its verdict, as the published loop does.
const TIMEOUT_SECS: f64 = 30.0;

#[derive(Debug)]
pub(crate) struct Miner {
    keypair: Keypair,
    axon: Axon,
}

/// A task as a miner knows it.
#[derive(Debug, Deserialize)]
pub(crate) struct Task {
    pub(crate) id: String,
    pub(crate) prompt: String,
}

impl Miner {
    pub(crate) fn new(network: &Network) -> Self {
        Self { keypair: network::miner(), axon: axon(network.validator) }
    }

    /// Pulls; there must be a task.
    pub(crate) async fn pull(&self, connection: &mut Connection) -> anyhow::Result<Task> {
        #[derive(Deserialize)]
        struct Pulled {
            task: Option<Task>,
        }
        let asked = bytes(&synapse::pull_task(&self.axon, &signing(&self.keypair)));
        let answer = connection.exchange(&asked).await?;
        let pulled: Pulled = serde_json::from_slice(answer.body)?;
        pulled.task.with_context(|| format!("no task: {}", String::from_utf8_lossy(answer.body)))
    }

    /// A signed `SubmitResults` as it goes over the wire.
    pub(crate) fn submission(&self, task: &Task, results: &[u8]) -> Vec<u8> {
        let submission = Submission {
            task_id: &task.id,
            prompt: &task.prompt,
            results,
            submit_time: now_ns().cast_signed(),
            timeout_secs: TIMEOUT_SECS,
            randomness: [3; 32],
        };
        bytes(&synapse::submit_results(&self.axon, &signing(&self.keypair), &submission))
    }
}

/// The address of a validator; nobody looks at more than its hotkey.
pub(crate) fn axon(hotkey: Hotkey) -> Axon {
    Axon { ip: "127.0.0.1".to_owned(), port: 4443, hotkey }
}

/// What signs a request made now.
pub(crate) fn signing(keypair: &Keypair) -> Signing<'_> {
    Signing { keypair, ip: "192.0.2.1", nonce: now_ns(), uuid: "0c4b5f0e-bench", randomness: [5; 32] }
}

fn now_ns() -> u64 {
    let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since_epoch.as_nanos()).unwrap_or(u64::MAX)
}

/// A request as it goes over the wire.
pub(crate) fn bytes(built: &DendriteRequest) -> Vec<u8> {
    let headers: Vec<(&str, &str)> =
        built.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    request("POST", built.path, &headers, &built.body)
}
