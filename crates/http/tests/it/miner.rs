//! The miners' routes.

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use futures_util::FutureExt as _;
use serde_json::json;
use sn17_core::policy::Policy;
use sn17_core::settle::Finding;
use sn17_http::HttpOptions;
use sn17_wire::ss58;

use crate::world::{Answer, endless, measured, miner, options, post, world, world_of, world_with};

const COOLDOWN_SECS: u64 = 300;

#[track_caller]
fn refused(answer: &Answer, status: u16, message: &str) {
    assert_eq!((answer.status, answer.json()), (status, json!({ "message": message })));
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("bt_header_axon_status_code"), status.to_string());
    assert_eq!(answer.header("bt_header_axon_status_message"), message);
}

#[track_caller]
fn succeeded(answer: &Answer, message: &str) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("bt_header_axon_status_code"), "200");
    assert_eq!(answer.header("bt_header_axon_status_message"), message);
    assert_eq!(answer.json()["axon"]["status_code"], 200);
}

#[tokio::test]
async fn a_pull_gets_a_task_and_a_repull_the_same() {
    let world = world().await;
    let first = world.send_synapse(world.pull_request(&miner(1))).await;
    succeeded(&first, "Success");
    let body = first.json();
    assert_eq!(body["task"]["type"], "text");
    assert_eq!(body["task"]["prompt"], "a synthetic prompt");
    assert_eq!((&body["validation_threshold"], &body["throttle_period"]), (&json!(0.6), &json!(30)));
    assert_eq!((&body["cooldown_until"], &body["cooldown_violations"]), (&json!(0), &json!(0)));
    let again = world.send_synapse(world.pull_request(&miner(1))).await;
    assert_eq!(again.json()["task"], body["task"], "AS-1");
}

#[tokio::test]
async fn a_stranger_is_told_to_stay_away() {
    let world = world().await;
    let answer = world.send_synapse(world.pull_request(&miner(9))).await;
    succeeded(&answer, "Success");
    assert_eq!(answer.json()["task"], json!(null));
    assert_eq!(answer.json()["cooldown_until"], world.app.now().secs() + 3600);
}

#[tokio::test]
async fn au_1_and_au_2_only_fresh_and_signed_requests_are_served() {
    let world = world().await;
    let request = world.pull_request(&miner(1));
    succeeded(&world.send_synapse(request.clone()).await, "Success");
    let replay = "Not Verified with error: Nonce is too old, a newer one was last processed";
    refused(&world.send_synapse(request.clone()).await, 401, replay);

    let anonymous = Request::post("/PullTask").body(Body::from("{}")).unwrap();
    let text = "Not Verified with error: No SS58 formatted address or public key provided.";
    refused(&world.send(anonymous).await, 401, text);
    let cases = [
        ("bt_header_dendrite_signature", "", 401, "Missing Signature"),
        ("bt_header_dendrite_signature", "zz", 401, "Invalid signature format. Expected hex string."),
        ("bt_header_dendrite_uuid", "another", 401, "Signature mismatch"),
        ("bt_header_dendrite_nonce", "abc", 400, "Nonce is not a number of nanoseconds"),
        ("computed_body_hash", "", 401, "Body hash mismatch"),
    ];
    for (name, value, status, text) in cases {
        for path in ["/PullTask", "/SubmitResults", "/GetVersion"] {
            let mut request = post(world.pull_request(&miner(1)));
            *request.uri_mut() = path.parse().unwrap();
            request.headers_mut().insert(name, HeaderValue::from_static(value));
            refused(&world.send(request).await, status, &format!("Not Verified with error: {text}"));
        }
    }

    let mut foreign = world.pull_request(&miner(1));
    foreign.body = world.pull_request(&miner(2)).body;
    let text = "Not Verified with error: Body names another dendrite hotkey than the signed headers";
    refused(&world.send_synapse(foreign).await, 401, text);

    let old = world.pull_request(&miner(2));
    world.advance(17);
    let text = "Not Verified with error: Nonce is too old: acceptable delta is 16.00 seconds but request was 17.00 \
                seconds old";
    refused(&world.send_synapse(old).await, 401, text);
}

#[tokio::test]
async fn paths_methods_and_bodies_are_refused_in_json() {
    let world = world().await;
    let get = |path| Request::get(path).body(Body::empty()).unwrap();
    let wrong = world.send(get("/PullTask")).await;
    refused(&wrong, 405, "Method not allowed");
    assert_eq!(wrong.header("allow"), "POST");
    let unknown =
        "Synapse name 'Nope' not found. Available synapses ['PullTask', 'SubmitResults', 'GetVersion']";
    refused(&world.send(get("/Nope")).await, 404, unknown);
    refused(&world.send(get("/PullTask/extra")).await, 404, "Not found");

    let mut broken = world.pull_request(&miner(1));
    broken.body = b"nonsense".to_vec();
    let answer = world.send_synapse(broken).await;
    assert_eq!(answer.status, 400);
    assert!(answer.json()["message"].as_str().unwrap().starts_with("malformed JSON: "));
    let mut huge = world.pull_request(&miner(1));
    huge.body = vec![b' '; (64 << 10) + 1];
    refused(&world.send_synapse(huge).await, 413, "body is larger than 65536 bytes");

    let (task, prompt) = world.pull(&miner(1)).await;
    let mut broken = world.submit_request(&miner(1), &task, &prompt, b"x");
    broken.body.truncate(30);
    refused(&world.send_synapse(broken).await, 400, "malformed JSON: the body ends too early");
    let mut announced = post(world.submit_request(&miner(1), &task, &prompt, b"x"));
    announced.headers_mut().insert("content-length", HeaderValue::from((48 << 20) + 1));
    refused(&world.send(announced).await, 413, "body is larger than 50331648 bytes");
    let mut request = post(world.pull_request(&miner(1)));
    request.headers_mut().insert("x-pad", HeaderValue::from_str(&"x".repeat(16 << 10)).unwrap());
    refused(&world.send(request).await, 431, "headers have more than 16384 bytes");
}

#[tokio::test]
async fn get_version_answers_like_the_original() {
    let world = world().await;
    let mut request = world.pull_request(&miner(1));
    request.path = "/GetVersion";
    let answer = world.send_synapse(request.clone()).await;
    succeeded(&answer, "Success");
    assert_eq!(answer.json()["version"], 45);
    assert_eq!(world.send_synapse(request).await.status, 401, "AU-2");
}

#[tokio::test]
async fn submissions_without_a_right_to_are_forbidden() {
    let world = world().await;
    let address = ss58::encode(&miner(9).hotkey());
    let text = format!("Forbidden. Key is blacklisted: Unrecognized hotkey {address} (203.0.113.7).");
    let stranger = world.submit_request(&miner(9), "x", "prompt", b"x");
    refused(&world.send_synapse(stranger).await, 403, &text);
    let text = "Forbidden. Key is blacklisted: [1] submitted results while having no task assigned. It could happen if \
                validator restarts or miner faults.";
    let idle = world.submit_request(&miner(1), "x", "prompt", b"x");
    refused(&world.send_synapse(idle).await, 403, text);
}

#[tokio::test]
async fn feedback_tells_the_verdict_and_the_figures() {
    let (good, score) = measured(0.9, true);
    let world = world().await;
    let cooldown_until = world.app.now().secs() + COOLDOWN_SECS;
    let answer = world.deliver(&miner(1), b"a splat", good).await;
    succeeded(&answer, "Success");
    assert_eq!(answer.header("x-sn17-synthetic"), "true");
    let body = answer.json();
    assert_eq!((&body["results"], &body["signature"]), (&json!(""), &json!("")));
    assert_eq!(body["cooldown_until"], cooldown_until);
    let feedback = &body["feedback"];
    assert_eq!(feedback["validation_failed"], false);
    assert!((feedback["task_fidelity_score"].as_f64().unwrap() - score.min(1.0)).abs() < 1e-12);
    assert_eq!(feedback["generations_within_the_window"], 1);
    assert_eq!(feedback["current_duel_rating"], 1500.0);
    assert_eq!(feedback["current_miner_reward"], 1500.0);

    let early = world.send_synapse(world.pull_request(&miner(1))).await;
    succeeded(&early, "Success");
    let early = early.json();
    assert_eq!((&early["task"], &early["cooldown_violations"]), (&json!(null), &json!(1)));
    assert_eq!(early["cooldown_until"], cooldown_until);
}

#[tokio::test]
async fn sb_4_a_refusal_shows_itself_and_a_failure_of_ours_does_not() {
    let (bad, score) = measured(0.4, false);
    let invalid = || Finding::Invalid { reason: "no splats".into() };
    let failed = || Finding::Failed { reason: "gpu-7 at 10.0.0.3 is on fire".into() };
    let below = format!("Rejected: the score {score:.3} is below the threshold 0.6");
    let ours = "Not scored: a failure of ours, without penalty";
    let cases = [
        (false, bad.clone(), below.as_str(), true, score, 900),
        (false, invalid(), "Rejected: no splats", true, 0.0, 900),
        (false, failed(), ours, false, 0.0, 300),
        (true, bad, below.as_str(), false, 0.0, 900),
        (true, invalid(), "Rejected: no splats", false, 0.0, 900),
        (true, failed(), ours, true, 0.0, 300),
    ];
    for (upstream_feedback, finding, message, validation_failed, score, cooldown_secs) in cases {
        let mut policy = Policy::default();
        policy.submissions.upstream_feedback = upstream_feedback;
        let world = world_with(policy, options()).await;
        let until = world.app.now().secs() + cooldown_secs;
        let answer = world.deliver(&miner(1), b"a splat", finding).await;
        succeeded(&answer, message);
        let body = answer.json();
        assert_eq!(body["feedback"]["validation_failed"], validation_failed, "{message}");
        assert!(
            (body["feedback"]["task_fidelity_score"].as_f64().unwrap() - score).abs() < 1e-12,
            "{message}"
        );
        assert_eq!(body["cooldown_until"], until, "{message}");
        assert_eq!(answer.header("x-sn17-synthetic"), "");
    }
}

#[tokio::test]
async fn what_needs_no_scoring_is_answered_at_once() {
    let mut policy = Policy::default();
    policy.submissions.wait_secs = 0;
    let world = world_with(policy, options()).await;
    let (task, prompt) = world.pull(&miner(1)).await;
    let send = async |number, task: &str, results: &[u8]| {
        world.send_synapse(world.submit_request(&miner(number), task, &prompt, results)).await
    };
    let other = send(1, "123e4567-e89b-12d3-a456-426614174001", b"a splat").await;
    succeeded(&other, "Unchanged: another task is assigned");
    assert_eq!(other.json()["cooldown_until"], 0);
    let pending = send(1, &task, b"a splat").await;
    succeeded(&pending, "Success; verdict pending");
    assert_eq!(pending.json()["feedback"]["average_fidelity_score"], 1.0);
    succeeded(&send(1, &task, b"a splat").await, "Success; verdict pending");
    succeeded(&send(1, &task, b"another").await, "Unchanged: this task was closed by an earlier submission");

    let (task, _) = world.pull(&miner(2)).await;
    let empty = send(2, &task, b"").await;
    succeeded(&empty, "Success; empty result");
    assert_eq!(empty.json()["cooldown_until"], world.app.now().secs() + COOLDOWN_SECS, "SB-2");
}

#[tokio::test]
async fn a_margin_without_bounds_is_no_overflow() {
    let mut policy = Policy::default();
    policy.submissions.wait_margin_secs = u64::MAX;
    policy.nonces.timeout_secs_max = u64::MAX;
    let world = world_with(policy, options()).await;
    world.advance(1);
    let (task, prompt) = world.pull(&miner(1)).await;
    let answer = world.send_synapse(world.submit_request(&miner(1), &task, &prompt, b"a splat")).await;
    succeeded(&answer, "Success; verdict pending");
}

#[tokio::test]
async fn nobody_waits_for_verdicts_that_nobody_makes() {
    let world = world().await;
    for number in 1..=3 {
        // Twice as many as have a right to wait at the pace that is taken for granted.
        for _ in 0..4 {
            let task = sn17_core::TaskId::new(world.app.now(), world.app.random());
            let effect = sn17_core::ledger::Effect::Score { task, hotkey: miner(number).hotkey() };
            world.app.ports().queue.send(effect, None).await.unwrap();
        }
    }
    let (task, prompt) = world.pull(&miner(1)).await;
    let request = world.send_synapse(world.submit_request(&miner(1), &task, &prompt, b"a splat"));
    // The clock of this world stands still, so that a wait would never end.
    let answer = tokio::time::timeout(std::time::Duration::from_secs(60), request).await.unwrap();
    succeeded(&answer, "Success; verdict pending");
}

#[tokio::test]
async fn memory_for_submissions_is_bounded_at_its_edge() {
    const SHARE: usize = 4 << 20;
    for (shares, is_taken) in [(1, false), (2, true)] {
        let mut policy = Policy::default();
        policy.submissions.wait_secs = 0;
        let options = HttpOptions { submission_memory_bytes: shares * SHARE, ..options() };
        let world = world_with(policy, options).await;
        let (task, prompt) = world.pull(&miner(1)).await;
        let (task_of_2, prompt_of_2) = world.pull(&miner(2)).await;
        // The first one's body never ends, so its share stays taken until its sender goes away.
        let first = post(world.submit_request(&miner(1), &task, &prompt, b"a splat"));
        let mut first = Box::pin(world.send(endless(first)));
        for _ in 0..1000 {
            assert!((&mut first).now_or_never().is_none());
            tokio::task::yield_now().await;
            if world
                .send(Request::get("/metrics").body(Body::empty()).unwrap())
                .await
                .text()
                .contains(&format!("sn17_submission_memory_bytes {SHARE}"))
            {
                break;
            }
        }
        let second = world.submit_request(&miner(2), &task_of_2, &prompt_of_2, b"a splat");
        let answer = world.send_synapse(second).await;
        if is_taken {
            succeeded(&answer, "Success; verdict pending");
        } else {
            refused(&answer, 503, "too many submissions are being received");
            assert_eq!(answer.header("retry-after"), "5");
            drop(first);
            let second = world.submit_request(&miner(2), &task_of_2, &prompt_of_2, b"a splat");
            succeeded(&world.send_synapse(second).await, "Success; verdict pending");
        }
    }
}

#[tokio::test]
async fn a_body_of_unannounced_length_is_counted() {
    let mut policy = Policy::default();
    policy.submissions.wait_secs = 0;
    for (spare_bytes, is_taken) in [(0, true), (-1, false)] {
        let mut size = 0;
        for is_measured in [false, true] {
            policy.submissions.body_bytes_max = if is_measured { size } else { 1 << 20 };
            let world = world_with(policy, options()).await;
            let (task, prompt) = world.pull(&miner(1)).await;
            let request = world.submit_request(&miner(1), &task, &prompt, &[9; 300]);
            if !is_measured {
                size = u64::try_from(request.body.len()).unwrap().strict_add_signed(spare_bytes);
                continue;
            }
            let (parts, _) = post(request.clone()).into_parts();
            let chunks: Vec<_> =
                request.body.chunks(7).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
            let body = Body::from_stream(futures_util::stream::iter(chunks));
            let answer = world.send(Request::from_parts(parts, body)).await;
            if is_taken {
                succeeded(&answer, "Success; verdict pending");
            } else {
                refused(&answer, 413, &format!("body is larger than {size} bytes"));
            }
        }
    }
}

#[tokio::test]
async fn recorded_requests_of_real_miners_are_served() {
    let Some(folder) = std::env::var_os("SN17_FIXTURES") else {
        eprintln!("skipped: SN17_FIXTURES is not set");
        return;
    };
    for version in ["7.4.0", "8.5.2", "9.9.0", "9.12.2", "10.5.0"] {
        let path = std::path::Path::new(&folder).join(format!("bittensor/pull-request-bt{version}.json"));
        let recorded: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let (headers, body) = recording(&recorded);
        let nonce = headers.iter().find(|(name, _)| name == "bt_header_dendrite_nonce").unwrap().1.clone();
        let sent_ms = nonce.parse::<u64>().unwrap() / 1_000_000;
        let validator =
            ss58::decode(&headers.iter().find(|(name, _)| name == "bt_header_axon_hotkey").unwrap().1);
        let world = world_of(Policy::default(), options(), validator.unwrap(), sent_ms).await;
        let mut request = Request::post("/PullTask");
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let answer = world.send(request.body(Body::from(body)).unwrap()).await;
        succeeded(&answer, "Success");
        assert_eq!(
            answer.json()["task"],
            json!(null),
            "{version}: the recording's miner is not registered here"
        );
    }
}

/// Headers, with names in lower case, and body of a recording.
fn recording(recorded: &serde_json::Value) -> (Vec<(String, String)>, String) {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let headers = recorded["headers"].as_array().unwrap().iter();
    let headers = headers.map(|pair| (text(&pair[0]).to_lowercase(), text(&pair[1]))).collect();
    (headers, text(&recorded["body"]))
}
