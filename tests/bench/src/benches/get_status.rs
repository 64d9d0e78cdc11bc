//! `get_status` through the whole stack: TLS, HTTP, limits, key, ledger.

use std::sync::Arc;

use serde_json::json;

use crate::bare;
use crate::connection::{Transport, request};
use crate::contest::{Benchmark, Budget, Contest, Figure, Size};
use crate::load::{self, Target};
use crate::network::{Network, Verdicts};

/// Connections, each of which asks for a task of its own.
const CONNECTIONS: usize = 64;

pub(crate) const BENCHMARK: Benchmark = Benchmark {
    figures: &[
        // By CPU time, because the rate of one pair of runs says more about what else the machine does.
        Figure { name: "http.get_status.tls", unit: "requests/CPU s", budget: Some(Budget::RatioMin(0.8)) },
        Figure { name: "http.get_status.tls.rate", unit: "requests/s", budget: None },
    ],
    prepare,
};

fn prepare(_: Size) -> anyhow::Result<Contest> {
    let network = Network::start(Verdicts::None, &json!({}))?;
    let bare = bare::start(&network.scratch)?;
    let runtime = load::runtime()?;
    let transport = Transport::tls(&network.scratch)?;
    let requests = Arc::new(runtime.block_on(requests(&network))?);
    let bare_target = Target { address: bare.address, pid: bare.pid() };
    let (same_runtime, same_transport, same_requests) =
        (Arc::clone(&runtime), transport.clone(), Arc::clone(&requests));
    Ok(Contest {
        variant: Box::new(move || {
            Ok(runtime.block_on(load::run(&transport, network.target(), &requests))?.figures())
        }),
        baseline: Box::new(move || {
            let _alive = &bare;
            Ok(same_runtime.block_on(load::run(&same_transport, bare_target, &same_requests))?.figures())
        }),
        note: format!("{CONNECTIONS} connections, HTTP/1.1 over TLS; baseline: a bare axum JSON handler"),
        is_judged: true,
    })
}

async fn requests(network: &Network) -> anyhow::Result<Vec<Arc<Vec<u8>>>> {
    let key = ("x-api-key", network.api_key.as_str());
    let json = ("content-type", "application/json");
    let add = request("POST", "/add_task", &[key, json], br#"{"prompt":"a red wooden robot"}"#);
    let mut connection = Transport::Plain.connect(network.address()).await?;
    let mut requests = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let added = connection.exchange(&add).await?.json()?;
        let path = format!("/get_status?id={}", added["id"].as_str().unwrap_or_default());
        requests.push(Arc::new(request("GET", &path, &[key], b"")));
    }
    Ok(requests)
}
