//! Submissions that could not be scored, which are the business of whoever has the queues.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::host::{Host, on_edges, on_embedded, on_lambda};

on_embedded!(
    only_the_admin_key_opens_dead_letters,
    a_submission_that_could_not_be_scored_is_a_dead_letter_until_it_is_redriven,
);
on_lambda!(
    only_the_admin_key_opens_dead_letters,
    a_submission_that_could_not_be_scored_is_a_dead_letter_until_it_is_redriven,
);
on_edges!(an_edge_names_whoever_has_the_dead_letters);

/// The routes.
const DEAD_LETTERS: [(Method, &str); 2] =
    [(Method::GET, "/admin/dead-letters"), (Method::POST, "/admin/dead-letters/redrive")];
/// A submission whose last attempt has failed is listed within this.
const LISTED_WITHIN: Duration = Duration::from_secs(90);

async fn only_the_admin_key_opens_dead_letters(host: Host) {
    let mut server = host.mining(0).await;
    server.admin_key = "x".repeat(server.admin_key.len());
    for (method, path) in DEAD_LETTERS {
        let answer = server.operate(method, path, &json!({})).await;
        assert_eq!(answer.status, 401, "{path}: {}", answer.text());
    }
}

async fn a_submission_that_could_not_be_scored_is_a_dead_letter_until_it_is_redriven(host: Host) {
    let server = host.mining(1).await;
    let miner = server.miner(1);
    for _ in 0..server.policy.submissions.attempts_max {
        server.script(&miner, json!({ "fail": true })).await;
    }
    let task = miner.task(&server).await;
    let answer = miner.submit(&server, &task, b"a splat").await;
    assert_eq!(answer.message(), "Not scored: a failure of ours, without penalty");
    let letter = json!({ "task": task.id, "hotkey": miner.address() });
    let listed = async || {
        let letters = server.operate(Method::GET, "/admin/dead-letters", &Value::Null).await.json();
        letters.as_array().unwrap().contains(&letter)
    };
    let there = async {
        while !listed().await {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(LISTED_WITHIN, there).await.expect("it becomes a dead letter");
    let redriven = server.operate(Method::POST, "/admin/dead-letters/redrive", &Value::Null).await.json();
    assert!(redriven["redriven"].as_u64().unwrap() >= 1, "{redriven}");
    assert!(!listed().await, "it is with the others again");
    let again = miner.submit(&server, &task, b"a splat").await;
    assert_eq!(again.message(), answer.message(), "what is settled stays as it is");
}

async fn an_edge_names_whoever_has_the_dead_letters(host: Host) {
    let server = host.mining(0).await;
    for (method, path) in DEAD_LETTERS {
        let answer = server.operate(method, path, &Value::Null).await;
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert!(answer.text().contains("gateway"), "{}", answer.text());
    }
}
