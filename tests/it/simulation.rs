//! `serve --simulate` itself: control routes, labels, and where it refuses to run.

use serde_json::json;

use crate::binary;
use crate::miner::Miner;
use crate::server::{Answer, Server};

#[tokio::test]
async fn the_next_tasks_of_a_miner_can_be_chosen() {
    let server = Server::simulating(2).await;
    let miner = Miner::new(2);
    for prompt in ["a chosen chair", "a chosen table"] {
        server.control("task", json!({ "hotkey": miner.address(), "prompt": prompt })).await;
    }
    assert_ne!(Miner::new(1).task(&server).await.prompt, "a chosen chair", "it was chosen for another");
    for prompt in ["a chosen chair", "a chosen table"] {
        let task = miner.task(&server).await;
        assert_eq!(task.prompt, prompt);
        assert_eq!(miner.submit(&server, &task, b"a splat").await.message(), "Success");
        server.advance(301).await;
    }
}

#[tokio::test]
async fn what_cannot_be_scripted_is_refused() {
    let server = Server::simulating(1).await;
    let cases = [
        ("/simulate/verdict", json!({ "score": 1.5 }), 400),
        ("/simulate/verdict", json!({ "hotkey": "5Grw" }), 400),
        ("/simulate/task", json!({ "hotkey": "nobody", "prompt": "a robot" }), 400),
        ("/simulate/verdict", json!({ "points": 1 }), 422),
        ("/simulate/clock", json!({ "offset_ms": "soon" }), 422),
        ("/simulate/nothing", json!({}), 404),
    ];
    for (path, body, status) in cases {
        let answer = server.post(path, &body).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
        assert_eq!(answer.header("x-sn17-simulated"), "true");
    }
}

#[tokio::test]
async fn every_answer_says_that_it_is_simulated() {
    let server = Server::simulating(1).await;
    let mut answers = Vec::new();
    for path in
        ["/", "/healthz", "/readyz", "/metrics", "/add_task", "/get_status?id=x", "/nothing", "/PullTask"]
    {
        answers.push(server.get(path).await);
    }
    let url = &server.url;
    answers
        .push(Answer::read(server.http.post(format!("{url}/add_task")).send().await.unwrap()).await.unwrap());
    answers.push(Miner::new(1).pull(&server).await);
    answers.push(Miner::new(9).pull(&server).await);
    for answer in &answers {
        assert_eq!(answer.header("x-sn17-simulated"), "true", "{answer:?}");
    }
}

#[test]
fn a_public_address_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    for address in ["0.0.0.0:0", "[::]:0"] {
        let words = binary::failure(&["serve", "--simulate", "--listen", address, "--data", data]);
        assert!(words.contains("loopback only"), "{words}");
    }
}

#[tokio::test]
async fn a_network_that_scores_has_no_control_routes() {
    let server = Server::start(crate::server::Setup {
        miners: 1,
        policy: json!({}),
        arguments: vec!["--no-worker".into()],
        ..crate::server::Setup::default()
    })
    .await;
    for route in ["verdict", "task", "clock"] {
        assert_eq!(server.post(&format!("/simulate/{route}"), &json!({})).await.status, 404);
    }
    assert_eq!(server.get("/healthz").await.header("x-sn17-simulated"), "");
}
