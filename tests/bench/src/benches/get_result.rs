//! `get_result` of a splat of 1.5 MB.

use std::sync::Arc;

use anyhow::Context as _;
use serde_json::json;

use crate::bare;
use crate::connection::{Transport, request};
use crate::contest::{Benchmark, Budget, Contest, Figure, Size};
use crate::load::{self, Target};
use crate::miner::Miner;
use crate::network::{Network, Verdicts};

/// Size of the result in bytes.
const RESULT_BYTES: usize = 1_500_000;
/// Clients that download at once.
const CONNECTIONS: usize = 16;

pub(crate) const BENCHMARK: Benchmark = Benchmark {
    figures: &[
        Figure { name: "http.get_result.1_5mb", unit: "requests/CPU s", budget: Some(Budget::RatioMin(0.9)) },
        Figure { name: "http.get_result.1_5mb.rate", unit: "requests/s", budget: None },
    ],
    prepare,
};

fn prepare(_: Size) -> anyhow::Result<Contest> {
    // One result ends the task.
    let network =
        Network::start(Verdicts::Scripted, &json!({ "tasks": { "copies": 1, "first_result_secs": 0 } }))?;
    let result = crate::inputs::noise(RESULT_BYTES);
    bare::put_result(&network.scratch, &result)?;
    let bare = bare::start(&network.scratch)?;
    let runtime = load::runtime()?;
    let get = Arc::new(runtime.block_on(done(&network, &result))?);
    let requests: Arc<Vec<_>> = Arc::new((0..CONNECTIONS).map(|_| Arc::clone(&get)).collect());
    let bare_target = Target { address: bare.address, pid: bare.pid() };
    let (same_runtime, same_requests) = (Arc::clone(&runtime), Arc::clone(&requests));
    Ok(Contest {
        variant: Box::new(move || {
            Ok(runtime.block_on(load::run(&Transport::Plain, network.target(), &requests))?.figures())
        }),
        baseline: Box::new(move || {
            let _alive = &bare;
            let run = load::run(&Transport::Plain, bare_target, &same_requests);
            Ok(same_runtime.block_on(run)?.figures())
        }),
        note: format!(
            "{CONNECTIONS} connections, HTTP/1.1; baseline: a bare handler that reads a file and answers it"
        ),
        is_judged: true,
    })
}

/// Brings a task to its end with `result`; the request that fetches it.
async fn done(network: &Network, result: &[u8]) -> anyhow::Result<Vec<u8>> {
    let key = ("x-api-key", network.api_key.as_str());
    let json = ("content-type", "application/json");
    let add = request("POST", "/add_task", &[key, json], br#"{"prompt":"a red wooden robot"}"#);
    let mut connection = Transport::Plain.connect(network.address()).await?;
    let added = connection.exchange(&add).await?.json()?;
    let id = added["id"].as_str().context("an added task has an id")?.to_owned();
    let miner = Miner::new(network);
    let task = miner.pull(&mut connection).await?;
    anyhow::ensure!(task.id == id, "the miner got another task");
    connection.exchange(&miner.submission(&task, result)).await?;
    let status = request("GET", &format!("/get_status?id={id}"), &[key], b"");
    // The verdict has been told, and the task ends in the same commit.
    let answer = connection.exchange(&status).await?.json()?;
    anyhow::ensure!(answer["status"] == "Success", "the task did not end: {answer}");
    Ok(request("GET", &format!("/get_result?id={id}"), &[key], b""))
}
