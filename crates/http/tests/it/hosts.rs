//! What a host chooses: its routes, its platform's limit, who counts.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use sn17_core::policy::Policy;
use sn17_http::{HttpOptions, Observer, PlatformLimit, Refused, Routes, Served};

use crate::world::{ADMIN_KEY, World, measured, miner, options, post, world_with};

async fn world_of_host(host: HttpOptions) -> World {
    world_with(Policy::default(), host).await
}

#[tokio::test]
async fn a_host_has_its_own_routes_and_knows_no_others() {
    let collector = ["/submit", "/get", "/text-prompts/get/", "/metrics", "/admin/keys", "/admin/metagraph"];
    let only_clients = [
        "/add_task",
        "/get_status",
        "/get_result",
        "/get_preview",
        "/admin/standings",
        "/leaderboard",
        "/leaderboard/x/history",
        "/duels",
        "/duels/1",
        "/duels/1/left.png",
    ];
    let clients = [&only_clients[..], &collector].concat();
    let letters = ["/admin/dead-letters", "/admin/dead-letters/redrive"];
    let miners = ["/PullTask", "/SubmitResults", "/GetVersion"];
    let everyone = ["/", "/healthz", "/readyz"];
    for (routes, present, absent) in [
        (Routes::All, [&clients[..], &letters, &miners, &everyone].concat(), vec![]),
        (Routes::Clients, [&clients[..], &letters, &everyone].concat(), miners.to_vec()),
        (Routes::Miners, [&miners[..], &everyone].concat(), [&clients[..], &letters].concat()),
        (Routes::Edge, [&clients[..], &miners, &everyone].concat(), letters.to_vec()),
        (
            Routes::Collector,
            [&collector[..], &everyone].concat(),
            [&only_clients[..], &miners, &letters].concat(),
        ),
    ] {
        let world = world_of_host(HttpOptions { routes, ..options() }).await;
        let statuses = async |paths: Vec<&'static str>| {
            let mut statuses = Vec::new();
            for path in paths {
                let request = Request::patch(path).header("x-admin-key", ADMIN_KEY).body(Body::empty());
                statuses.push((path, world.send(request.unwrap()).await.status));
            }
            statuses
        };
        for (path, status) in statuses(present).await {
            assert_eq!(status, 405, "{routes:?} {path}: there, if not by this method");
        }
        for (path, status) in statuses(absent).await {
            assert_eq!(status, 404, "{routes:?} {path}");
        }
    }
    let world = world_of_host(HttpOptions { routes: Routes::Clients, ..options() }).await;
    let pull = world.send_synapse(world.pull_request(&miner(1))).await;
    assert_eq!(pull.json(), json!({ "message": "Synapse name 'PullTask' not found. Available synapses []" }));
    let world = world_of_host(HttpOptions { routes: Routes::Miners, ..options() }).await;
    world.pull(&miner(1)).await;
    assert_eq!(world.get("/get_status?id=x").await.text(), "Not found");
}

#[tokio::test]
async fn an_edge_says_who_has_the_dead_letters() {
    let world = world_of_host(HttpOptions { routes: Routes::Edge, ..options() }).await;
    let words = json!({ "message": "this host reaches no queue: the gateway function has the dead letters" });
    for request in [Request::get("/admin/dead-letters"), Request::post("/admin/dead-letters/redrive")] {
        let request = request.header("x-admin-key", ADMIN_KEY).body(Body::empty());
        let answer = world.send(request.unwrap()).await;
        assert_eq!((answer.status, answer.json()), (404, words.clone()));
    }
}

#[tokio::test]
async fn in_1_the_platforms_limit_is_told_before_anything_else_is_looked_at() {
    let edge = "http://edge.example:4443";
    let limit = |edge: Option<&str>| PlatformLimit { bytes_max: 6 << 20, edge: edge.map(str::to_owned) };
    let world = world_of_host(HttpOptions { body_limit: Some(limit(Some(edge))), ..options() }).await;
    let words = "AWS Lambda takes at most 6 MiB a request, and a body of 6291456 bytes; send larger ones to http://edge.example:4443";
    // Neither key nor signature nor body is there: the announced length alone decides.
    let announce = |path: &str, bytes: u64| {
        let request =
            Request::post(path).header("content-length", bytes).header("content-type", "application/json");
        request.body(Body::empty()).unwrap()
    };
    let above = (6 << 20) + 1;
    let client = world.send(announce("/add_task", above)).await;
    assert_eq!((client.status, client.text()), (413, &*format!("Payload too large: {words}")));
    assert_eq!(client.header("access-control-allow-origin"), "*");
    for path in ["/SubmitResults", "/admin/keys"] {
        let answer = world.send(announce(path, above)).await;
        assert_eq!((answer.status, answer.json()), (413, json!({ "message": words })), "{path}");
    }
    let miner_ = world.send(announce("/SubmitResults", above)).await;
    assert_eq!(miner_.header("bt_header_axon_status_code"), "413");
    assert_eq!(world.send(announce("/add_task", 6 << 20)).await.status, 401, "at the limit it is looked at");
    let metrics = world.get("/metrics").await;
    let line =
        "sn17_http_refusals_total{route=\"/SubmitResults\",reason=\"platform_limit\",invariant=\"IN-1\"} 2";
    assert!(metrics.text().contains(line), "{}", metrics.text());

    let alone = world_of_host(HttpOptions { body_limit: Some(limit(None)), ..options() }).await;
    let answer = alone.send(announce("/add_task", above)).await;
    assert!(answer.text().ends_with("bytes; this network has no other host for larger ones"));
}

#[tokio::test]
async fn an_observer_is_told_of_every_request_once_and_counts_instead() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let teller = Arc::clone(&told);
    let observer = Observer::new(move |served: &Served| teller.lock().unwrap().push(*served));
    let world = world_of_host(HttpOptions { observer: Some(observer), ..options() }).await;
    let answered = |route, method, status| Served {
        route,
        method,
        status,
        duration_ms: 0,
        refusal: None,
        verdict: None,
    };
    let refused = |reason, invariant| Some(Refused { reason, invariant });

    world.task("a robot").await;
    world.get("/get_status?id=7").await;
    let request = world.pull_request(&miner(1));
    world.send(post(request.clone())).await;
    world.send(post(request)).await;
    world.deliver(&miner(2), b"a splat", measured(0.9, false).0).await;
    world.send(Request::put("/nowhere").body(Body::empty()).unwrap()).await;
    let expected = [
        answered("/add_task", "POST", 200),
        Served { refusal: refused("query", None), ..answered("/get_status", "GET", 400) },
        answered("/PullTask", "POST", 200),
        Served { refusal: refused("replay", Some("AU-2")), ..answered("/PullTask", "POST", 401) },
        answered("/PullTask", "POST", 200),
        Served { verdict: Some("accepted"), ..answered("/SubmitResults", "POST", 200) },
        Served { refusal: refused("unknown_path", None), ..answered("unknown", "PUT", 404) },
    ];
    assert_eq!(*told.lock().unwrap(), expected);

    let metrics = world.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let text = metrics.text();
    assert!(
        text.starts_with("# Requests are counted by the platform (CloudWatch on AWS), not here;"),
        "{text}"
    );
    let values: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(values, ["sn17_open_tasks 1"]);
}
