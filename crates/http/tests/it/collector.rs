//! The prompt collector, from generators to validators and our own tasks.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use sn17_app::KeyLimits;
use sn17_app::ports::{BlobKey, PortErrorKind};
use sn17_core::policy::Policy;
use sn17_core::prompts::shelf::{PromptBatch, SUBMISSIONS_MAX};
use sn17_core::state::Neuron;
use sn17_http::{HttpOptions, RateLimit, RateLimits};
use sn17_wire::prompts::GetPrompts;
use sn17_wire::sr25519::Keypair;

use crate::results::Addressed;
use crate::world::{Answer, World, miner, options, validator, world, world_of, world_over, world_with};

const LIGHTHOUSE: &str = "tall red lighthouse with white stripes";
const KETTLE: &str = "dented copper kettle with wooden handle";
const HOUR: u64 = 3600;

/// Batches of any size, however small.
fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.collector.batch_prompts_min = 1;
    policy
}

async fn generator_key(world: &World) -> String {
    world.app.add_key("prompts:tests", KeyLimits::default()).await.unwrap().text
}

async fn submit_body(world: &World, key: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post("/submit").header("x-api-key", key);
    world.send(request.body(body.into()).unwrap()).await
}

async fn submit(world: &World, key: &str, prompts: &[&str]) -> Answer {
    submit_body(world, key, json!({ "prompts": prompts }).to_string()).await
}

async fn fetch(world: &World, method: &str, path: &str, request: &GetPrompts) -> Answer {
    let body = serde_json::to_vec(request).unwrap();
    world.send(Request::builder().method(method).uri(path).body(Body::from(body)).unwrap()).await
}

/// The validator whose network this is.
fn owner() -> Keypair {
    let keypair = Keypair::from_mini_secret(&[200; 32]);
    assert_eq!(keypair.hotkey(), validator());
    keypair
}

/// A request signed now, or so many seconds off.
fn signed(world: &World, keypair: &Keypair, secs_off: i64) -> GetPrompts {
    let nanos = i64::try_from(world.app.now().0).unwrap() * 1_000_000 + secs_off * 1_000_000_000;
    GetPrompts::sign(keypair, nanos.unsigned_abs(), [5; 32])
}

/// What a validator gets now; nothing else is asked at the same instant.
async fn prompts(world: &World) -> Vec<String> {
    world.advance(1);
    let answer = fetch(world, "POST", "/text-prompts/get/", &signed(world, &owner(), 0)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_value(answer.json()["prompts"].clone()).unwrap()
}

async fn refresh(world: &World) -> PromptBatch {
    // As hosts do it, beside everything else.
    let app = Arc::clone(&world.app);
    let refreshed = tokio::spawn(async move { app.refresh_prompts().await });
    refreshed.await.unwrap().unwrap().expect("it is due")
}

fn refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!((answer.status, answer.json()), (status, json!({ "message": message })));
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn what_a_generator_hands_in_is_what_validators_fetch() {
    let world = world_with(policy(), options()).await;
    let key = generator_key(&world).await;
    let receipt =
        submit(&world, &key, &[LIGHTHOUSE, KETTLE, LIGHTHOUSE, "too short", "a river in a forest at night"]);
    let expected = json!({ "taken": 2, "refused": 2, "repeated": 1, "ignored": 0 });
    assert_eq!(receipt.await.json(), expected);
    assert_eq!(prompts(&world).await.len(), 1, "there is no batch yet: as many are written as one must have");
    let batch = refresh(&world).await;
    assert_eq!((batch.prompts, batch.pages), (2, 1));
    for (method, path) in [("GET", "/get"), ("POST", "/get"), ("POST", "/text-prompts/get/")] {
        world.advance(1);
        let answer = fetch(&world, method, path, &signed(&world, &owner(), 0)).await;
        assert_eq!(answer.status, 200, "{method} {path}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("content-length"), answer.body.len().to_string());
        assert_eq!(answer.header("cache-control"), "no-store");
        let mut prompts: Vec<String> = serde_json::from_value(answer.json()["prompts"].clone()).unwrap();
        prompts.sort_unstable();
        assert_eq!(prompts, [KETTLE, LIGHTHOUSE]);
    }
    let nothing = submit(&world, &key, &["nothing"]).await;
    assert_eq!(nothing.json()["taken"], 0);
    assert_eq!(world.app.refresh_prompts().await.unwrap(), None, "an hour has not passed");
}

#[tokio::test]
async fn validators_get_a_batch_of_a_size_they_take_from_the_first_minute() {
    let world = world().await;
    let written = prompts(&world).await;
    assert_eq!(written.len(), 1_000);
    submit(&world, &generator_key(&world).await, &[LIGHTHOUSE]).await;
    assert_eq!(refresh(&world).await.prompts, 1_000);
    let filled = prompts(&world).await;
    assert!(filled.len() == 1_000 && filled.contains(&LIGHTHOUSE.to_owned()));
    let distinct: std::collections::BTreeSet<_> = filled.iter().collect();
    assert_eq!(distinct.len(), 1_000);
}

#[tokio::test]
async fn au_1_only_a_generators_key_hands_in_prompts() {
    let wrong_keys = Some(RateLimit { requests: 6, window_secs: 60, ban_secs: 0 });
    let limits = RateLimits { wrong_keys, ..RateLimits::NONE };
    let world = world_with(policy(), HttpOptions { limits, ..options() }).await;
    let good = generator_key(&world).await;
    let alike = world.app.add_key("promptsmith", KeyLimits::default()).await.unwrap().text;
    let revoked = generator_key(&world).await;
    world.app.revoke_keys(&revoked).await.unwrap();
    let bare = Request::post("/submit").body(Body::from("{\"prompts\":[]}")).unwrap();
    refused(&world.send(bare).await, 403, "Invalid API Key");
    let unknown = "0c4b5f0e-5c1a-4b57-9f7e-000000000000";
    for key in [&*world.key, &*alike, &*revoked, "no uuid", unknown] {
        refused(&submit(&world, key, &[LIGHTHOUSE]).await, 403, "Invalid API Key");
    }
    let flooded = submit(&world, unknown, &[LIGHTHOUSE]).await;
    refused(&flooded, 429, "too many wrong keys");
    assert_eq!(flooded.header("retry-after"), "60");
    refused(&submit(&world, &good, &[LIGHTHOUSE]).await, 429, "too many wrong keys");
    world.advance(60);
    assert_eq!(submit(&world, &good, &[LIGHTHOUSE]).await.status, 200);
    let plain = world.app.add_key("prompts", KeyLimits::default()).await.unwrap().text;
    assert_eq!(submit(&world, &plain, &[KETTLE]).await.status, 200);
}

#[tokio::test]
async fn in_1_submissions_are_bounded() {
    let mut policy = policy();
    policy.collector.submission_prompts_max = 2;
    let world = world_with(policy, options()).await;
    let key = generator_key(&world).await;
    let many = submit(&world, &key, &[LIGHTHOUSE, KETTLE, "one prompt more than may be"]).await;
    assert_eq!(many.json(), json!({ "taken": 2, "refused": 0, "repeated": 0, "ignored": 1 }));
    let large = submit_body(&world, &key, vec![b' '; (1 << 20) + 1]).await;
    refused(&large, 413, "body is larger than 1048576 bytes");
    for body in ["", "[]", "{}", "{\"prompts\":\"one\"}", "{\"prompts\":[1]}", "{\"prompts\":[\"\\ud800\"]}"]
    {
        let answer = submit_body(&world, &key, body).await;
        assert_eq!(answer.status, 400, "{body}");
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("malformed JSON: "), "{message}");
    }
    for (method, path, allow) in
        [("GET", "/submit", "POST"), ("PUT", "/get", "GET,HEAD,POST"), ("GET", "/text-prompts/get/", "POST")]
    {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let answer = world.send(request).await;
        refused(&answer, 405, "Method not allowed");
        assert_eq!(answer.header("allow"), allow, "{path}");
    }
}

#[tokio::test]
async fn in_1_a_full_shelf_asks_generators_to_come_back_and_is_emptied_early() {
    let world = world_with(policy(), options()).await;
    let key = generator_key(&world).await;
    submit(&world, &key, &[LIGHTHOUSE]).await;
    refresh(&world).await;
    for number in 0..SUBMISSIONS_MAX {
        let prompt = format!("{KETTLE} number {number}");
        assert_eq!(submit(&world, &key, &[&prompt]).await.status, 200, "{number}");
    }
    let full = submit(&world, &key, &["dented copper pot without a handle"]).await;
    refused(&full, 503, "the collector has no room for more submissions");
    assert_eq!(full.header("retry-after"), "60");
    world.advance(60);
    assert_eq!(refresh(&world).await.prompts, 1 + 256);
    assert_eq!(submit(&world, &key, &["dented copper pan without a handle"]).await.status, 200);
}

#[tokio::test]
async fn au_1_prompts_are_for_validators_of_this_subnet() {
    let wrong_signatures = Some(RateLimit { requests: 3, window_secs: 60, ban_secs: 0 });
    let limits = RateLimits { wrong_signatures, ..RateLimits::NONE };
    let world = world_with(policy(), HttpOptions { limits, ..options() }).await;
    let staked = |number: u8, stake| Neuron {
        uid: number.into(),
        hotkey: miner(number).hotkey(),
        coldkey: None,
        stake,
        incentive: 0.0,
    };
    world.app.apply_roster(vec![staked(1, 1.0), staked(2, 0.99)]).await.unwrap();
    let ask = async |request: &GetPrompts| fetch(&world, "POST", "/get", request).await;
    assert_eq!(ask(&signed(&world, &miner(1), 0)).await.status, 200);
    for stranger in [miner(2), miner(9)] {
        let answer = ask(&signed(&world, &stranger, 0)).await;
        refused(&answer, 403, "the hotkey is not registered with a stake of at least 1");
    }
    let good = signed(&world, &miner(1), 1);
    let others = signed(&world, &miner(9), 1);
    for bad in [
        GetPrompts { signature: others.signature.clone(), ..good.clone() },
        GetPrompts { hotkey: "nobody".to_owned(), ..good.clone() },
        GetPrompts { nonce: good.nonce + 1, ..good.clone() },
    ] {
        refused(&ask(&bad).await, 403, "Invalid signature provided.");
    }
    let flooded = ask(&GetPrompts { nonce: 7, ..good.clone() }).await;
    refused(&flooded, 429, "too many requests with a wrong signature");
    refused(&ask(&good).await, 429, "too many requests with a wrong signature");
    world.advance(60);
    assert_eq!(ask(&good).await.status, 200);
    for body in ["", "{}", "{\"hotkey\":1}", "{\"hotkey\":\"5\",\"nonce\":-1,\"signature\":\"\"}"] {
        let answer = world.send(Request::post("/get").body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status, 400, "{body}");
    }
    let large = world.send(Request::get("/get").body(Body::from(vec![b' '; 4097])).unwrap()).await;
    refused(&large, 413, "body is larger than 4096 bytes");
}

#[tokio::test]
async fn au_2_a_signed_request_for_prompts_counts_once_and_for_minutes() {
    let world = world_with(policy(), options()).await;
    let request = signed(&world, &owner(), 0);
    assert_eq!(fetch(&world, "GET", "/get", &request).await.status, 200);
    for (method, path) in [("GET", "/get"), ("POST", "/get"), ("POST", "/text-prompts/get/")] {
        refused(&fetch(&world, method, path, &request).await, 403, "the nonce was used before");
    }
    let resigned = GetPrompts::sign(&owner(), request.nonce, [6; 32]);
    assert_ne!(resigned.signature, request.signature);
    refused(&fetch(&world, "GET", "/get", &resigned).await, 403, "the nonce was used before");
    for (secs_off, message) in [
        (-305, "the nonce is too old: it has to be the time now"),
        (61, "the nonce is too far ahead: it has to be the time now"),
    ] {
        refused(&fetch(&world, "GET", "/get", &signed(&world, &owner(), secs_off)).await, 403, message);
    }
    world.advance(304);
    refused(&fetch(&world, "GET", "/get", &request).await, 403, "the nonce was used before");
    world.advance(1);
    let too_old = "the nonce is too old: it has to be the time now";
    refused(&fetch(&world, "GET", "/get", &request).await, 403, too_old);
    let metrics = world.get("/metrics").await;
    let line = "sn17_http_refusals_total{route=\"/get\",reason=\"replay\",invariant=\"AU-2\"} 4";
    assert!(metrics.text().lines().any(|found| found == line), "{}", metrics.text());
}

#[tokio::test]
async fn readers_are_limited_by_address() {
    let public = Some(RateLimit { requests: 1, window_secs: 60, ban_secs: 0 });
    let limits = RateLimits { public, ..RateLimits::NONE };
    let world = world_with(policy(), HttpOptions { limits, ..options() }).await;
    assert_eq!(fetch(&world, "GET", "/get", &signed(&world, &owner(), 0)).await.status, 200);
    refused(&fetch(&world, "GET", "/get", &signed(&world, &owner(), 1)).await, 429, "too many requests");
}

#[tokio::test]
async fn a_large_batch_is_fetched_from_the_store_itself() {
    let host = HttpOptions { redirect_above: Some(100), ..options() };
    let world = world_over(Arc::new(Addressed::default()), host).await;
    submit(&world, &generator_key(&world).await, &[LIGHTHOUSE]).await;
    refresh(&world).await;
    let answer = fetch(&world, "POST", "/get", &signed(&world, &owner(), 0)).await;
    assert_eq!((answer.status, answer.body.len()), (303, 0));
    let location = answer.header("location");
    assert!(location.starts_with("https://store.example/prompts/batches/"), "{location}");
    assert!(location.ends_with("/whole.json?valid=300&as=prompts.json"), "{location}");
}

#[tokio::test]
async fn our_own_tasks_draw_from_the_batch_whatever_becomes_of_it() {
    let world = world_with(policy(), options()).await;
    let key = generator_key(&world).await;
    let (_, prompt) = world.pull(&miner(1)).await;
    assert_eq!(prompt, "a synthetic prompt", "there is no batch: the host's own");
    submit(&world, &key, &[LIGHTHOUSE]).await;
    let batch = refresh(&world).await;
    world.advance(60);
    let (_, prompt) = world.pull(&miner(2)).await;
    assert_eq!(prompt, LIGHTHOUSE);
    for name in ["0.json", "whole.json", "collector.json"] {
        world.app.ports().blobs.delete(&BlobKey(format!("{}/{name}", batch.folder))).await.unwrap();
    }
    world.advance(600);
    let (_, prompt) = world.pull(&miner(3)).await;
    assert_eq!(prompt, LIGHTHOUSE, "the page at hand stays good");
    assert_eq!(prompts(&world).await.len(), 1, "validators get written ones");
    world.advance(HOUR);
    assert_eq!(
        refresh(&world).await.prompts,
        1,
        "a lost collector begins again, with what the grammar writes"
    );
    submit(&world, &key, &[KETTLE]).await;
    world.advance(HOUR);
    assert_eq!(refresh(&world).await.prompts, 1);
    assert_eq!(prompts(&world).await, [KETTLE]);
}

#[tokio::test]
async fn a_day_of_submissions_is_served_hour_by_hour_and_leaves_nothing_behind() {
    let mut policy = policy();
    policy.collector.batch_prompts_max = 30;
    let world = world_of(policy, options(), validator(), 1_800_000_000_000).await;
    let key = generator_key(&world).await;
    let mut batches = Vec::new();
    for hour in 0..24 {
        let prompts: Vec<String> = (0..10).map(|n| format!("{KETTLE} number {n} of hour {hour}")).collect();
        let prompts: Vec<&str> = prompts.iter().map(String::as_str).collect();
        assert_eq!(submit(&world, &key, &prompts).await.json()["taken"], 10);
        let (one, other) = tokio::join!(world.app.refresh_prompts(), world.app.refresh_prompts());
        let made = [one.unwrap(), other.unwrap()].into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(made.len(), 1, "of two refreshes at once one counts");
        assert_eq!(world.app.refresh_prompts().await.unwrap(), None);
        batches.extend(made);
        world.advance(HOUR);
    }
    assert!(batches[2..].iter().all(|batch| batch.prompts == 30), "{batches:?}");
    let last = prompts(&world).await;
    assert!(last.iter().all(|prompt| prompt.contains("of hour 2")), "the latest first: {last:?}");
    let blobs = &world.app.ports().blobs;
    for (batch, is_kept) in batches.iter().zip((1..=24).map(|number| number > 22)) {
        let whole = blobs.get(&BlobKey(format!("{}/whole.json", batch.folder))).await;
        let is_gone = whole.is_err_and(|error| error.kind == PortErrorKind::NotFound);
        assert_eq!(is_gone, !is_kept, "{batch:?}");
    }
}
