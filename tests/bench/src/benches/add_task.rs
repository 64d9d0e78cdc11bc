//! `add_task` through the whole stack: every answer is durable.

use std::sync::Arc;

use serde_json::json;

use crate::bare;
use crate::connection::{Transport, request};
use crate::contest::{Benchmark, Budget, Contest, Figure, Size};
use crate::load::{self, Target};
use crate::network::{Network, Verdicts};

/// Clients that ask at once.
const CONNECTIONS: usize = 64;

pub(crate) const BENCHMARK: Benchmark = Benchmark {
    figures: &[
        Figure {
            name: "http.add_task.durable",
            unit: "requests/CPU s",
            budget: Some(Budget::RatioMin(0.25)),
        },
        Figure {
            name: "http.add_task.durable.rate",
            unit: "requests/s",
            budget: Some(Budget::RatioMin(0.25)),
        },
    ],
    prepare,
};

fn prepare(_: Size) -> anyhow::Result<Contest> {
    // No task may end in between, and none be refused.
    let network = Network::start(
        Verdicts::None,
        &json!({
            "tasks": { "assignable_secs": 86_400, "deadline_secs": 86_400, "open_max": 100_000_000 },
        }),
    )?;
    let bare = bare::start(&network.scratch)?;
    let runtime = load::runtime()?;
    let headers = [("x-api-key", network.api_key.as_str()), ("content-type", "application/json")];
    let add = request(
        "POST",
        "/add_task",
        &headers,
        br#"{"prompt":"a red wooden robot with a hammer in one hand"}"#,
    );
    let add = Arc::new(add);
    let requests: Arc<Vec<_>> = Arc::new((0..CONNECTIONS).map(|_| Arc::clone(&add)).collect());
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
        note: format!("{CONNECTIONS} connections, HTTP/1.1; baseline: a bare axum handler, JSON in and out"),
        is_judged: true,
    })
}
