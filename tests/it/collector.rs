//! The prompt collector: what generators hand in, and what validators fetch.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use sn17_wire::prompts::GetPrompts;
use sn17_wire::sr25519::Keypair;

use crate::host::{Host, on_every_host};
use crate::server::{Answer, Server};

on_every_host!(
    au_1_generators_hand_prompts_in_by_their_key_alone,
    au_2_validators_fetch_prompts_and_each_request_counts_once,
);

/// Whatever one instance of a host has learnt, the others know within this.
const KNOWN_WITHIN: Duration = Duration::from_secs(90);
/// How often they are asked.
const POLL_EVERY: Duration = Duration::from_millis(500);
/// What the original's validators fetch from, and what the newer ones do.
const PATHS: [&str; 2] = ["/get", "/text-prompts/get/"];

#[track_caller]
fn refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!((answer.status, answer.text()), (status, json!({ "message": message }).to_string()));
    assert_eq!(answer.header("content-type"), "application/json");
}

/// A generator's submission by this key, or by none.
async fn submit(server: &Server, key: Option<&str>, body: &Value) -> Answer {
    let mut request = server.http.post(format!("{}/submit", server.url)).json(body);
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    Answer::read(request.send().await.unwrap()).await.unwrap()
}

async fn new_key(server: &Server, owner: &str) -> String {
    let answer = server.operate(Method::POST, "/admin/keys", &json!({ "owner": owner })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["key"].as_str().unwrap().to_owned()
}

async fn au_1_generators_hand_prompts_in_by_their_key_alone(host: Host) {
    let server = host.mining(0).await;
    let lighthouse = format!("tall red lighthouse with white stripes number {}", server.now_ms());
    let prompts = json!({ "prompts": [lighthouse, "too short", lighthouse] });
    let alike = new_key(&server, "promptsmith").await;
    for key in [None, Some("no uuid"), Some(&*server.api_key), Some(&*alike)] {
        refused(&submit(&server, key, &prompts).await, 403, "Invalid API Key");
    }
    let key = new_key(&server, "prompts:tests").await;
    let taken = submit(&server, Some(&key), &prompts).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert_eq!(taken.json(), json!({ "taken": 1, "refused": 1, "repeated": 1, "ignored": 0 }));
    let malformed = submit(&server, Some(&key), &json!({ "prompts": "one" })).await;
    assert_eq!(malformed.status, 400);
    let message = malformed.json()["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("malformed JSON: "), "{message}");
    let read = server.get("/submit").await;
    refused(&read, 405, "Method not allowed");
    assert_eq!(read.header("allow"), "POST");
}

/// A request for prompts, signed now; `later` makes requests of one instant different ones.
fn signed(server: &Server, keypair: &Keypair, later: u64) -> GetPrompts {
    GetPrompts::sign(keypair, server.now_ms() * 1_000_000 + later, [5; 32])
}

async fn fetch(server: &Server, path: &str, request: &GetPrompts) -> Answer {
    let request = server.http.post(format!("{}{path}", server.url)).json(request);
    Answer::read(request.send().await.unwrap()).await.unwrap()
}

async fn au_2_validators_fetch_prompts_and_each_request_counts_once(host: Host) {
    let server = host.mining(0).await;
    let [validator, stranger] = [server.stranger(), server.stranger()];
    let neuron = json!({ "uid": server.free_uid(), "hotkey": validator.address(), "stake": 1.0 });
    server.admit_neuron(neuron).await;
    let known = async {
        while fetch(&server, "/get", &signed(&server, &validator.keypair, 0)).await.status == 403 {
            tokio::time::sleep(POLL_EVERY).await;
        }
    };
    tokio::time::timeout(KNOWN_WITHIN, known).await.expect("the validator is registered");

    for (later, path) in (1..).zip(PATHS) {
        let request = signed(&server, &validator.keypair, later);
        // A batch may be in the bucket, where the client then fetches it.
        let answer = fetch(&server, path, &request).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let prompts = answer.json()["prompts"].as_array().unwrap().clone();
        assert!(prompts.len() >= server.policy.collector.batch_prompts_min, "{path}: {}", prompts.len());
        assert!(prompts.iter().all(|prompt| prompt.as_str().is_some_and(|text| !text.is_empty())));
        for path in PATHS {
            refused(&fetch(&server, path, &request).await, 403, "the nonce was used before");
        }
    }
    let mut forged = signed(&server, &validator.keypair, 3);
    forged.nonce += 1;
    refused(&fetch(&server, "/get", &forged).await, 403, "Invalid signature provided.");
    let old = GetPrompts::sign(&validator.keypair, server.now_secs() - 3600, [5; 32]);
    let message = "the nonce is too old: it has to be the time now";
    refused(&fetch(&server, "/get", &old).await, 403, message);
    let message = "the hotkey is not registered with a stake of at least 1";
    refused(&fetch(&server, "/get", &signed(&server, &stranger.keypair, 0)).await, 403, message);
}
