//! What a request costs in CPU time in a Worker, against the same router and adapters in a native process over the same
//! table and bucket.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};
use sn17_core::Hotkey;
use sn17_wire::sr25519::Keypair;
use sn17_wire::{ss58, synapse};
use tokio::runtime::Runtime;

use crate::connection::{Connection, Transport, request};
use crate::contest::{Benchmark, Contest, Figure, Missing, Run, Size};
use crate::load;
use crate::machine;
use crate::miner::{axon, bytes, signing};
use crate::native_edge;
use crate::own_process::OwnProcess;

/// Names the file that says where the Worker is and what it works on: target/aws/worker.json.
const OUTPUTS: &str = "SN17_AWS_OUTPUTS";
/// The name of Cloudflare's runtime.
const RUNTIME: &str = "workerd";
/// Requests of each kind in a run: a few seconds of CPU time, counted in hundredths.
const REQUESTS: u32 = 200;
/// The native process's own secret: API keys are good where they were made.
const KEY_SECRET: &str = "known to everybody, as this is a measurement";

pub(crate) const BENCHMARK: Benchmark = Benchmark {
    figures: &[
        Figure { name: "edge.worker.get_status", unit: "µs CPU", budget: None },
        Figure { name: "edge.worker.add_task", unit: "µs CPU", budget: None },
        Figure { name: "edge.worker.pull", unit: "µs CPU", budget: None },
    ],
    prepare,
};

fn prepare(_: Size) -> anyhow::Result<Contest> {
    let Some(file) = std::env::var_os(OUTPUTS) else {
        return Err(Missing(format!(
            "{OUTPUTS} names no Worker: `cargo xtask aws up && cargo xtask edge up worker` starts one"
        ))
        .into());
    };
    let outputs = Outputs::read(file.as_ref())?;
    let runtime = load::runtime()?;
    let native = native_edge::start(&outputs.variables())?;
    let address = outputs.address()?;
    let baseline = Side::open(&runtime, 0, native.address, native.pid(), &outputs)?;
    let variant = Side::open(&runtime, 1, address, worker_at(address)?, &outputs)?;
    let same_runtime = Arc::clone(&runtime);
    let side = |runtime: Arc<Runtime>, side: Side, kept: Option<OwnProcess>| -> Run {
        Box::new(move || {
            let _alive = &kept;
            runtime.block_on(side.run())
        })
    };
    Ok(Contest {
        variant: side(runtime, variant, None),
        baseline: side(same_runtime, baseline, Some(native)),
        note: format!(
            "{REQUESTS} requests of each kind, one after the other, without wrangler's proxy; a pull is signed \
             and checked; baseline: the same router in a native process"
        ),
        is_judged: true,
    })
}

/// The process that runs the Worker. `wrangler dev` has two: one listens at the address and hands on to the other.
fn worker_at(address: SocketAddr) -> anyhow::Result<u32> {
    let processes = machine::processes(RUNTIME)?;
    let listens = format!("entry={address} ");
    let front = processes.iter().find(|process| process.words.contains(&listens));
    let front = front.with_context(|| format!("no process of {RUNTIME} listens at {address}"))?;
    let behind = processes.iter().find(|other| other.parent == front.parent && other.pid != front.pid);
    Ok(behind.unwrap_or(front).pid)
}

/// What the Worker was started with.
#[derive(Debug, Deserialize)]
struct Outputs {
    url: String,
    admin_key: String,
    validator: String,
    policy: Value,
    endpoint: String,
    region: String,
    key: String,
    table: String,
    bucket: String,
}

impl Outputs {
    fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is of another kind", file.display()))
    }

    fn address(&self) -> anyhow::Result<SocketAddr> {
        let address = self.url.trim_start_matches("http://").trim_end_matches('/');
        address.parse().with_context(|| format!("{} is no address of this machine", self.url))
    }

    /// An edge's variables.
    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SN17_TABLE", self.table.clone()),
            ("SN17_BUCKET", self.bucket.clone()),
            ("SN17_VALIDATOR_HOTKEY", self.validator.clone()),
            ("SN17_API_KEY_SECRET", KEY_SECRET.to_owned()),
            ("SN17_ADMIN_KEY", self.admin_key.clone()),
            ("SN17_POLICY", self.policy.to_string()),
            ("AWS_REGION", self.region.clone()),
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", self.key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.key.clone()),
        ]
    }
}

/// The miner of a side.
fn miner(number: u8) -> Keypair {
    Keypair::from_mini_secret(&[number + 1; 32])
}

/// One of the two hosts, with a client and a miner of its own.
struct Side {
    address: SocketAddr,
    pid: u32,
    api_key: String,
    validator: Hotkey,
    miner: Keypair,
}

impl Side {
    fn open(
        runtime: &Runtime,
        number: u8,
        address: SocketAddr,
        pid: u32,
        outputs: &Outputs,
    ) -> anyhow::Result<Self> {
        // Both sides' miners, whichever side says so: there is one metagraph.
        let neuron = |number: u8| json!({ "uid": number, "hotkey": ss58::encode(&miner(number).hotkey()) });
        let metagraph = json!({ "neurons": [neuron(0), neuron(1)] }).to_string();
        let api_key = runtime.block_on(async {
            let mut connection = Transport::Plain.connect(address).await?;
            let headers = [("x-admin-key", outputs.admin_key.as_str()), ("content-type", "application/json")];
            let key = connection
                .exchange(&request("POST", "/admin/keys", &headers, br#"{"owner":"bench"}"#))
                .await?
                .json()?;
            connection.exchange(&request("PUT", "/admin/metagraph", &headers, metagraph.as_bytes())).await?;
            key["key"].as_str().map(str::to_owned).context("the answer has no key")
        })?;
        let validator = ss58::decode(&outputs.validator)?;
        Ok(Self { address, pid, api_key, validator, miner: miner(number) })
    }

    /// Microseconds of CPU time for a request of each kind.
    async fn run(&self) -> anyhow::Result<Vec<f64>> {
        let mut connection = Transport::Plain.connect(self.address).await?;
        let (key, json) = (("x-api-key", self.api_key.as_str()), ("content-type", "application/json"));
        let add = request("POST", "/add_task", &[key, json], br#"{"prompt":"a red wooden robot"}"#);
        let added = connection.exchange(&add).await?.json()?;
        let path = format!("/get_status?id={}", added["id"].as_str().unwrap_or_default());
        let status = request("GET", &path, &[key], b"");
        let pull = || bytes(&synapse::pull_task(&axon(self.validator), &signing(&self.miner)));
        // So that it holds one from here on.
        connection.exchange(&pull()).await?;
        Ok(vec![
            self.cost(&mut connection, || status.clone()).await?,
            self.cost(&mut connection, || add.clone()).await?,
            self.cost(&mut connection, pull).await?,
        ])
    }

    async fn cost(
        &self,
        connection: &mut Connection,
        mut request: impl FnMut() -> Vec<u8>,
    ) -> anyhow::Result<f64> {
        let before = machine::cpu_secs(self.pid)?;
        for _ in 0..REQUESTS {
            connection.exchange(&request()).await?;
        }
        Ok((machine::cpu_secs(self.pid)? - before) * 1e6 / f64::from(REQUESTS))
    }
}
