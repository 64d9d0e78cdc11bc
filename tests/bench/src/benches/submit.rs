//! From the first byte of a submission to the last of its feedback, with a verdict that takes no time.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use crate::bare;
use crate::connection::Transport;
use crate::contest::{Benchmark, Budget, Contest, Figure, Size};
use crate::inputs;
use crate::load;
use crate::miner::Miner;
use crate::network::{Network, Verdicts};

/// Size of the splat in bytes: a common one with a quarter of a million splats.
const RESULT_BYTES: usize = 3_400_000;
/// Submissions in a run, one after the other.
const SUBMISSIONS: usize = 20;
/// The header of an answer that carries a good verdict.
const VERDICT: &str = "bt_header_axon_status_message: Success\r\n";

pub(crate) const BENCHMARK: Benchmark = Benchmark {
    figures: &[
        Figure { name: "submit.overhead", unit: "ms", budget: Some(Budget::ValueMax(50.0)) },
        Figure { name: "submit.overhead.p95", unit: "ms", budget: None },
    ],
    prepare,
};

fn prepare(_: Size) -> anyhow::Result<Contest> {
    let network =
        Network::start(Verdicts::Scripted, &json!({ "miners": { "cooldown_secs": 0, "throttle_secs": 0 } }))?;
    let bare = bare::start(&network.scratch)?;
    let runtime = load::runtime()?;
    let splat = inputs::noise(RESULT_BYTES);
    let miner = Miner::new(&network);
    let (mut connection, mut bare_connection) = runtime.block_on(async {
        let connection = Transport::Plain.connect(network.address()).await?;
        anyhow::Ok((connection, Transport::Plain.connect(bare.address).await?))
    })?;
    // The handler reads whatever is sent, so one body does for all runs.
    let body = runtime.block_on(async {
        let task = miner.pull(&mut connection).await?;
        anyhow::Ok(miner.submission(&task, &splat))
    })?;
    let same_runtime = Arc::clone(&runtime);
    Ok(Contest {
        variant: Box::new(move || {
            let _alive = &network;
            runtime.block_on(async {
                let mut latencies_ms = Vec::with_capacity(SUBMISSIONS);
                for _ in 0..SUBMISSIONS {
                    let task = miner.pull(&mut connection).await?;
                    let request = miner.submission(&task, &splat);
                    let start = Instant::now();
                    let answer = connection.exchange(&request).await?;
                    latencies_ms.push(millis_since(start));
                    anyhow::ensure!(answer.says(VERDICT), "{}", String::from_utf8_lossy(answer.head));
                }
                Ok(percentiles(latencies_ms))
            })
        }),
        baseline: Box::new(move || {
            let _alive = &bare;
            same_runtime.block_on(async {
                let mut latencies_ms = Vec::with_capacity(SUBMISSIONS);
                for _ in 0..SUBMISSIONS {
                    let start = Instant::now();
                    bare_connection.exchange(&body).await?;
                    latencies_ms.push(millis_since(start));
                }
                Ok(percentiles(latencies_ms))
            })
        }),
        note: format!(
            "p50 and p95 of {SUBMISSIONS} submissions of {RESULT_BYTES} bytes, one at a time; baseline: a bare handler that reads the same body"
        ),
        is_judged: true,
    })
}

fn millis_since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1000.0
}

/// The median and the value that one in twenty exceeds.
fn percentiles(mut latencies_ms: Vec<f64>) -> Vec<f64> {
    latencies_ms.sort_by(f64::total_cmp);
    vec![latencies_ms[SUBMISSIONS / 2], latencies_ms[SUBMISSIONS * 95 / 100]]
}
