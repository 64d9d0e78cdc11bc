//! Memory of `serve` with many open tasks, and how long it takes to come back after a `kill -9`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::connection::{Transport, request};
use crate::contest::{Benchmark, Budget, Contest, Figure, Size};
use crate::load;
use crate::machine;
use crate::network::{Network, Verdicts};

/// Connections that fill the store.
const CONNECTIONS: usize = 128;

pub(crate) const BENCHMARK: Benchmark = Benchmark {
    figures: &[
        Figure { name: "serve.memory.1m_tasks", unit: "MB", budget: Some(Budget::ValueMax(1000.0)) },
        Figure { name: "restart.1m_tasks", unit: "s", budget: Some(Budget::ValueMax(3.0)) },
        Figure { name: "restart.1m_tasks.cpu", unit: "CPU s", budget: None },
    ],
    prepare,
};

fn prepare(size: Size) -> anyhow::Result<Contest> {
    let tasks = match size {
        Size::Quick => 100_000,
        Size::Full => 1_000_000,
    };
    // No task may end in between.
    let policy = json!({ "tasks": { "assignable_secs": 86_400, "deadline_secs": 86_400 } });
    let (mut full, mut empty) =
        (Network::start(Verdicts::None, &policy)?, Network::start(Verdicts::None, &policy)?);
    let filled = load::runtime()?.block_on(fill(&full, tasks))?;
    // Whoever took the tasks has them in other places than whoever found them: the larger figure counts.
    let filled_mb = machine::resident_peak_mb(full.pid())?;
    Ok(Contest {
        variant: Box::new(move || {
            let [restarted_mb, restart_secs, cpu_secs] = restart(&mut full)?;
            Ok(vec![restarted_mb.max(filled_mb), restart_secs, cpu_secs])
        }),
        baseline: Box::new(move || Ok(restart(&mut empty)?.to_vec())),
        note: format!(
            "peak memory and kill -9 to /readyz with {tasks} open tasks (taken in {:.0} s, the slowest answer after {:.0} ms); baseline: with none",
            filled.total.as_secs_f64(),
            filled.slowest.as_secs_f64() * 1000.0,
        ),
        is_judged: size == Size::Full,
    })
}

/// Peak memory in MB, start in seconds, and the CPU time that it took, which the kernel may count as none.
fn restart(network: &mut Network) -> anyhow::Result<[f64; 3]> {
    let secs = network.restart()?.as_secs_f64();
    let cpu_secs = machine::cpu_secs(network.pid())?.max(machine::TICK_SECS);
    Ok([machine::resident_peak_mb(network.pid())?, secs, cpu_secs])
}

/// How long the tasks took.
struct Filled {
    total: Duration,
    slowest: Duration,
}

async fn fill(network: &Network, tasks: u32) -> anyhow::Result<Filled> {
    let start = Instant::now();
    let headers = [("x-api-key", network.api_key.as_str()), ("content-type", "application/json")];
    let body = br#"{"prompt":"a red wooden robot with a hammer in one hand and a lamp in the other"}"#;
    let add = Arc::new(request("POST", "/add_task", &headers, body));
    let left = Arc::new(AtomicU32::new(tasks));
    let mut clients = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Transport::Plain.connect(network.address()).await?;
        let (add, left) = (Arc::clone(&add), Arc::clone(&left));
        clients.spawn(async move {
            let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            let mut slowest = Duration::ZERO;
            while take().is_ok() {
                let asked = Instant::now();
                connection.exchange(&add).await?;
                slowest = slowest.max(asked.elapsed());
            }
            anyhow::Ok(slowest)
        });
    }
    let mut slowest = Duration::ZERO;
    while let Some(client) = clients.join_next().await {
        slowest = slowest.max(client??);
    }
    Ok(Filled { total: start.elapsed(), slowest })
}
