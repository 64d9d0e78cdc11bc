//! The miner's loop over HTTP, against scripted verdicts.

use serde_json::{Value, json};
use sn17_wire::ss58;

use crate::miner::Miner;
use crate::payload;
use crate::server::{Answer, Server};

const COOLDOWN_SECS: u64 = 300;
const THROTTLE_SECS: u64 = 30;
const PENALTY_SECS: u64 = 600;

/// Checks the shape that every answer to a miner has, and its status message.
#[track_caller]
fn succeeded(answer: &Answer, message: &str) {
    assert_eq!((answer.status, answer.message()), (200, message), "{}", answer.text());
    assert_eq!(answer.header("bt_header_axon_status_code"), "200");
    assert_eq!(answer.header("content-type"), "application/json");
}

#[track_caller]
fn refused(answer: &Answer, status: u16, part: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains(part), "{message}");
}

/// Checks a cooldown but for what a slow machine, or a verdict after several attempts, may take.
#[track_caller]
fn lasts(answer: &Answer, server: &Server, secs: u64) {
    let left = answer.cooldown_until().saturating_sub(server.now_secs());
    assert!((secs.saturating_sub(25)..=secs + 1).contains(&left), "{left} s left of {secs}");
}

fn near(value: &Value, expected: f64) -> bool {
    (value.as_f64().unwrap() - expected).abs() < 1e-6
}

#[tokio::test]
async fn as_1_cd_1_sb_1_a_miner_pulls_submits_learns_its_score_and_waits() {
    let server = Server::simulating(1).await;
    let miner = Miner::new(1);
    let first = miner.pull(&server).await;
    succeeded(&first, "Success");
    let body = first.json();
    assert_eq!(body["task"]["type"], "text");
    assert_eq!(
        (&body["validation_threshold"], &body["throttle_period"]),
        (&json!(0.6), &json!(THROTTLE_SECS))
    );
    let task = first.task().unwrap();
    assert_eq!(miner.task(&server).await, task, "AS-1: a repull returns the same task");

    server.script(json!({ "score": 0.83 })).await;
    let splat = payload::robot();
    let answer = miner.submit(&server, &task, &splat).await;
    succeeded(&answer, "Success");
    assert_eq!((answer.header("x-sn17-simulated"), answer.header("x-sn17-synthetic")), ("true", "true"));
    let feedback = answer.json()["feedback"].take();
    assert_eq!(feedback["validation_failed"], false);
    assert!(near(&feedback["task_fidelity_score"], 0.83), "{feedback}");
    assert!(near(&feedback["average_fidelity_score"], 0.95 + 0.05 * 0.83), "{feedback}");
    assert_eq!(feedback["generations_within_the_window"], 1);
    assert_eq!(
        (&feedback["current_duel_rating"], &feedback["current_miner_reward"]),
        (&json!(1500.0), &json!(1500.0))
    );
    lasts(&answer, &server, COOLDOWN_SECS);

    let again = miner.submit(&server, &task, &splat).await;
    succeeded(&again, "Success");
    assert_eq!(again.json()["feedback"], feedback, "SB-1: the same payload gets the recorded feedback");
    assert_eq!(again.cooldown_until(), answer.cooldown_until(), "SB-1");
    let other = miner.submit(&server, &task, &payload::Random(1).bytes(1000)).await;
    succeeded(&other, "Unchanged: this task was closed by an earlier submission");
    assert_eq!(other.json()["feedback"]["generations_within_the_window"], 1, "SB-1");
    assert_eq!(other.cooldown_until(), answer.cooldown_until(), "SB-1");

    let early = miner.pull(&server).await;
    succeeded(&early, "Success");
    assert_eq!(
        (&early.json()["task"], &early.json()["cooldown_violations"]),
        (&Value::Null, &json!(1)),
        "CD-1"
    );
    assert_eq!(early.cooldown_until(), answer.cooldown_until());
    server.advance(301).await;
    assert_ne!(miner.task(&server).await.id, task.id, "the cooldown has passed");
}

#[tokio::test]
async fn cd_2_time_spent_on_a_task_shortens_the_cooldown() {
    let server = Server::simulating(2).await;
    for (number, worked_secs) in [(1, 20), (2, 200)] {
        let miner = Miner::new(number);
        let task = miner.task(&server).await;
        server.advance(worked_secs).await;
        let answer = miner.submit(&server, &task, b"a splat").await;
        succeeded(&answer, "Success");
        let worked_secs = u64::try_from(worked_secs).unwrap();
        let expected = COOLDOWN_SECS - worked_secs.min(THROTTLE_SECS);
        let left = answer.cooldown_until().saturating_sub(server.now_secs());
        assert!((expected - 8..=expected + 1).contains(&left), "{left} s left of {expected}");
    }
}

#[tokio::test]
async fn sb_4_refusals_and_failures_of_ours_say_what_they_are() {
    let server = Server::simulating(5).await;
    let below = "Rejected: the score 0.420 is below the threshold 0.6";
    let ours = "Not scored: a failure of ours, without penalty";
    let fail = json!({ "fail": true });
    let cases = [
        (vec![json!({ "score": 0.42 })], below, true, 0.42, COOLDOWN_SECS + PENALTY_SECS),
        (
            vec![json!({ "invalid": "no splats" })],
            "Rejected: no splats",
            true,
            0.0,
            COOLDOWN_SECS + PENALTY_SECS,
        ),
        (vec![fail.clone()], "Success", false, 0.8, COOLDOWN_SECS),
        (vec![fail; 3], ours, false, 0.0, COOLDOWN_SECS),
    ];
    for (number, (verdicts, message, validation_failed, score, cooldown_secs)) in (1..).zip(cases) {
        let miner = Miner::new(number);
        for mut verdict in verdicts {
            verdict["hotkey"] = json!(miner.address());
            server.script(verdict).await;
        }
        let task = miner.task(&server).await;
        let answer = miner.submit(&server, &task, b"a splat").await;
        succeeded(&answer, message);
        let feedback = answer.json()["feedback"].take();
        assert_eq!(feedback["validation_failed"], validation_failed, "{message}");
        assert!(near(&feedback["task_fidelity_score"], score), "{message}: {feedback}");
        lasts(&answer, &server, cooldown_secs);
    }
}

#[tokio::test]
async fn sb_2_sb_4_an_empty_result_is_free_and_a_false_consent_is_not() {
    let server = Server::simulating(3).await;
    let miner = Miner::new(1);
    let task = miner.task(&server).await;
    let empty = miner.submit(&server, &task, b"").await;
    succeeded(&empty, "Success; empty result");
    assert_eq!(empty.json()["feedback"]["validation_failed"], false);
    assert_eq!(empty.json()["feedback"]["generations_within_the_window"], 0, "SB-2");
    lasts(&empty, &server, COOLDOWN_SECS);

    // The consent covers the prompt, so one for other words is no consent.
    let miner = Miner::new(2);
    let mut task = miner.task(&server).await;
    task.prompt.push('!');
    let unsigned = miner.submit(&server, &task, b"a splat").await;
    assert!(unsigned.message().starts_with("Rejected: "), "{}", unsigned.message());
    assert_eq!(unsigned.json()["feedback"]["validation_failed"], true);
    lasts(&unsigned, &server, COOLDOWN_SECS + PENALTY_SECS);

    let miner = Miner::new(3);
    let task = miner.task(&server).await;
    let mut request = miner.submit_request(&server, &task, b"a splat");
    let body = String::from_utf8(request.body).unwrap();
    request.body = body.replace("\"compression\":2", "\"compression\":1").into_bytes();
    let other_format = server.synapse(request).await;
    succeeded(&other_format, "Rejected: compression must be 2 (SPZ)");
    assert_eq!(other_format.json()["feedback"]["validation_failed"], true);
}

#[tokio::test]
async fn au_1_au_2_only_fresh_requests_signed_by_their_sender_are_served() {
    let server = Server::simulating(2).await;
    let (miner, other) = (Miner::new(1), Miner::new(2));
    let request = miner.pull_request(&server);
    succeeded(&server.synapse(request.clone()).await, "Success");
    refused(&server.synapse(request).await, 401, "Nonce is too old");

    let task = miner.task(&server).await;
    let mut forged = miner.submit_request(&server, &task, b"a splat");
    for (name, value) in &mut forged.headers {
        if *name == "bt_header_dendrite_signature" {
            *value = format!("0x{}", "5".repeat(128));
        }
    }
    refused(&server.synapse(forged).await, 401, "Signature mismatch");
    let mut of_another = miner.submit_request(&server, &task, b"a splat");
    of_another.body = other.submit_request(&server, &task, b"a splat").body;
    refused(&server.synapse(of_another).await, 401, "Body names another dendrite hotkey");
    let mut unhashed = miner.pull_request(&server);
    for (name, value) in &mut unhashed.headers {
        if *name == "computed_body_hash" {
            *value = "0".repeat(64);
        }
    }
    refused(&server.synapse(unhashed).await, 401, "Body hash mismatch");
    let late = miner.pull_request(&server);
    server.advance(60).await;
    refused(&server.synapse(late).await, 401, "Nonce is too old");

    let answer = miner.submit(&server, &task, b"a splat").await;
    succeeded(&answer, "Success");
    assert_eq!(answer.json()["feedback"]["generations_within_the_window"], 1, "none of the others counted");
}

#[tokio::test]
async fn a_hotkey_is_served_once_the_metagraph_names_it() {
    let server = Server::simulating(1).await;
    let stranger = Miner::new(2);
    let answer = stranger.pull(&server).await;
    succeeded(&answer, "Success");
    assert_eq!(answer.json()["task"], Value::Null);
    lasts(&answer, &server, 3600);
    let task = Miner::new(1).task(&server).await;
    refused(&stranger.submit(&server, &task, b"a splat").await, 403, &stranger.address());

    server.register(&[&Miner::new(1), &stranger]);
    let registered = async {
        while stranger.pull(&server).await.task().is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), registered)
        .await
        .expect("the file is read again");
    assert_eq!(Miner::new(1).task(&server).await, task, "who stays keeps the task");
    let of_another = stranger.task(&server).await;
    let answer = Miner::new(1).submit(&server, &of_another, b"a splat").await;
    succeeded(&answer, "Unchanged: another task is assigned");
}

#[tokio::test]
async fn a_verdict_that_is_late_is_pending_and_can_be_asked_for_again() {
    let policy = json!({ "submissions": { "wait_secs": 1 } });
    let server = Server::simulating_with(1, policy).await;
    let miner = Miner::new(1);
    let task = miner.task(&server).await;
    server.script(json!({ "score": 0.7, "delay_ms": 3000 })).await;
    let answer = miner.submit(&server, &task, b"a splat").await;
    succeeded(&answer, "Success; verdict pending");
    let feedback = answer.json()["feedback"].take();
    assert_eq!(
        (&feedback["validation_failed"], &feedback["generations_within_the_window"]),
        (&json!(false), &json!(0))
    );
    lasts(&answer, &server, COOLDOWN_SECS);
    for _ in 0..100 {
        let again = miner.submit(&server, &task, b"a splat").await;
        assert_eq!(again.cooldown_until(), answer.cooldown_until(), "SB-3");
        if again.message() == "Success" {
            assert!(near(&again.json()["feedback"]["task_fidelity_score"], 0.7));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    panic!("the verdict never came");
}

#[tokio::test]
async fn sb_1_the_same_submission_sent_in_parallel_counts_once() {
    let server = Server::simulating(1).await;
    let miner = Miner::new(1);
    let task = miner.task(&server).await;
    server.script(json!({ "delay_ms": 300 })).await;
    let splat = payload::Random(2).bytes(200_000);
    let sent = (0..8).map(|_| miner.submit(&server, &task, &splat));
    for answer in futures_util::future::join_all(sent).await {
        succeeded(&answer, "Success");
        assert_eq!(answer.json()["feedback"]["generations_within_the_window"], 1);
    }
}

#[tokio::test]
async fn tk_2_bl_1_a_clients_task_goes_through_miners_and_back() {
    let policy = json!({ "tasks": { "copies": 2, "first_result_secs": 1 } });
    let server = Server::simulating_with(3, policy).await;
    let id = server.add_task("a marble lighthouse").await;
    assert_eq!(server.status(&id).await, json!({ "status": "NoResult" }));
    assert_eq!(server.get(&format!("/get_result?id={id}")).await.status, 404);

    let splats = [payload::robot(), payload::Random(3).bytes(5000)];
    for (number, (splat, score)) in (1..).zip(splats.iter().zip([0.9, 0.7])) {
        let miner = Miner::new(number);
        let task = miner.task(&server).await;
        assert_eq!(
            (&task.id, task.prompt.as_str()),
            (&id, "a marble lighthouse"),
            "TK-2: organic before synthetic"
        );
        server.script(json!({ "score": score })).await;
        succeeded(&miner.submit(&server, &task, splat).await, "Success");
    }
    assert_ne!(Miner::new(3).task(&server).await.id, id, "AS-2: two copies are enough");

    let status = server.ended(&id).await;
    let winner = Miner::new(1);
    assert_eq!((&status["status"], &status["miner_uid"]), (&json!("Success"), &json!(1)));
    assert_eq!(status["miner_hotkey"], ss58::encode(&winner.keypair.hotkey()));
    for _ in 0..2 {
        let result = server.get(&format!("/get_result?id={id}")).await;
        assert_eq!(result.status, 200);
        assert!(result.header("content-disposition").starts_with("attachment"), "{:?}", result.headers);
        assert!(result.body == splats[0], "BL-1: the best result, as often as one likes");
    }
}

#[tokio::test]
async fn tk_1_a_task_that_nobody_takes_ends_too() {
    let policy = json!({ "tasks": { "assignable_secs": 1, "deadline_secs": 2 } });
    let server = Server::simulating_with(0, policy).await;
    let id = server.add_task("something nobody makes").await;
    let status = server.ended(&id).await;
    assert_eq!(status["status"], "Failure");
    assert_ne!(status["reason"], "", "a failure has its reason");
}
