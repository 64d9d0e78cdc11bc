//! The miner's loop over HTTP, against scripted verdicts.

use serde_json::{Value, json};
use sn17_wire::ss58;

use crate::host::{Host, on_every_host};
use crate::miner::taken;
use crate::payload;
use crate::server::{Answer, Server};

on_every_host!(
    as_1_cd_1_sb_1_a_miner_pulls_submits_learns_its_score_and_waits,
    cd_2_time_spent_on_a_task_shortens_the_cooldown,
    sb_4_refusals_and_failures_of_ours_say_what_they_are,
    sb_2_sb_4_an_empty_result_is_free_and_a_false_consent_is_not,
    au_1_au_2_only_fresh_requests_signed_by_their_sender_are_served,
    a_hotkey_is_served_once_the_metagraph_names_it,
    a_verdict_that_is_late_is_pending_and_can_be_asked_for_again,
    sb_1_the_same_submission_sent_in_parallel_counts_once,
    tk_2_bl_1_a_clients_task_goes_through_miners_and_back,
    tk_1_a_task_that_nobody_takes_ends_too,
);

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

/// Checks a cooldown that lasts so long from when the task was assigned, which was not before `since`.
#[track_caller]
fn lasts(answer: &Answer, server: &Server, since: u64, secs: u64) {
    let (until, latest) = (answer.cooldown_until(), server.now_secs() + secs);
    assert!((since + secs..=latest).contains(&until), "{until} is not within {} and {latest}", since + secs);
}

fn near(value: &Value, expected: f64) -> bool {
    (value.as_f64().unwrap() - expected).abs() < 1e-6
}

async fn as_1_cd_1_sb_1_a_miner_pulls_submits_learns_its_score_and_waits(host: Host) {
    let server = host.mining(1).await;
    let miner = server.miner(1);
    let since = server.now_secs();
    let first = miner.pull(&server).await;
    succeeded(&first, "Success");
    let body = first.json();
    assert_eq!(body["task"]["type"], "text");
    assert_eq!(
        (&body["validation_threshold"], &body["throttle_period"]),
        (&json!(0.6), &json!(server.policy.miners.throttle_secs))
    );
    let task = first.task().unwrap();
    assert_eq!(miner.task(&server).await, task, "AS-1: a repull returns the same task");

    server.script(&miner, json!({ "score": 0.83 })).await;
    let splat = payload::robot();
    let answer = miner.submit(&server, &task, &splat).await;
    succeeded(&answer, "Success");
    assert_eq!(answer.header("x-sn17-synthetic"), "true");
    assert_eq!(answer.header("x-sn17-simulated") == "true", server.is_simulated());
    let feedback = answer.json()["feedback"].take();
    assert_eq!(feedback["validation_failed"], false);
    assert!(near(&feedback["task_fidelity_score"], 0.83), "{feedback}");
    assert!(near(&feedback["average_fidelity_score"], 0.95 + 0.05 * 0.83), "{feedback}");
    assert_eq!(feedback["generations_within_the_window"], 1);
    assert_eq!(
        (&feedback["current_duel_rating"], &feedback["current_miner_reward"]),
        (&json!(1500.0), &json!(1500.0))
    );
    lasts(&answer, &server, since, server.policy.miners.cooldown_secs);

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
    server.pass((answer.cooldown_until() + 1).saturating_sub(server.now_secs())).await;
    assert_ne!(miner.task(&server).await.id, task.id, "the cooldown has passed");
}

async fn cd_2_time_spent_on_a_task_shortens_the_cooldown(host: Host) {
    let server = host.mining(2).await;
    let (cooldown_secs, throttle_secs) =
        (server.policy.miners.cooldown_secs, server.policy.miners.throttle_secs);
    for (number, worked_secs) in [(1, throttle_secs * 2 / 3), (2, throttle_secs * 3)] {
        let miner = server.miner(number);
        let since = server.now_secs();
        let task = miner.task(&server).await;
        let assigned_by = server.now_secs();
        server.pass(worked_secs).await;
        let received_from = server.now_secs();
        let answer = miner.submit(&server, &task, b"a splat").await;
        succeeded(&answer, "Success");
        let until = answer.cooldown_until();
        // max(receipt - throttle, assignment) + cooldown, each known to lie between two times of ours.
        let earliest = since.max(received_from - throttle_secs) + cooldown_secs;
        let latest = assigned_by.max(server.now_secs() - throttle_secs) + cooldown_secs;
        assert!((earliest..=latest).contains(&until), "{until} is not within {earliest} and {latest}");
    }
}

async fn sb_4_refusals_and_failures_of_ours_say_what_they_are(host: Host) {
    let server = host.mining(4).await;
    let rules = server.policy.miners;
    let penalised_secs = rules.cooldown_secs + rules.penalty_secs;
    let below = "Rejected: the score 0.420 is below the threshold 0.6";
    let ours = "Not scored: a failure of ours, without penalty";
    let fail = json!({ "fail": true });
    let cases = [
        (vec![json!({ "score": 0.42 })], below, true, 0.42, penalised_secs),
        (vec![json!({ "invalid": "no splats" })], "Rejected: no splats", true, 0.0, penalised_secs),
        (vec![fail.clone()], "Success", false, 0.8, rules.cooldown_secs),
        (vec![fail; 3], ours, false, 0.0, rules.cooldown_secs),
    ];
    for (number, (verdicts, message, validation_failed, score, cooldown_secs)) in (1..).zip(cases) {
        let miner = server.miner(number);
        for verdict in verdicts {
            server.script(&miner, verdict).await;
        }
        let since = server.now_secs();
        let task = miner.task(&server).await;
        let answer = miner.submit(&server, &task, b"a splat").await;
        succeeded(&answer, message);
        let feedback = answer.json()["feedback"].take();
        assert_eq!(feedback["validation_failed"], validation_failed, "{message}");
        assert!(near(&feedback["task_fidelity_score"], score), "{message}: {feedback}");
        lasts(&answer, &server, since, cooldown_secs);
    }
}

async fn sb_2_sb_4_an_empty_result_is_free_and_a_false_consent_is_not(host: Host) {
    let server = host.mining(3).await;
    let rules = server.policy.miners;
    let (miner, since) = (server.miner(1), server.now_secs());
    let task = miner.task(&server).await;
    let empty = miner.submit(&server, &task, b"").await;
    succeeded(&empty, "Success; empty result");
    assert_eq!(empty.json()["feedback"]["validation_failed"], false);
    assert_eq!(empty.json()["feedback"]["generations_within_the_window"], 0, "SB-2");
    lasts(&empty, &server, since, rules.cooldown_secs);

    // The consent covers the prompt, so one for other words is no consent.
    let (miner, since) = (server.miner(2), server.now_secs());
    let mut task = miner.task(&server).await;
    task.prompt.push('!');
    let unsigned = miner.submit(&server, &task, b"a splat").await;
    assert!(unsigned.message().starts_with("Rejected: "), "{}", unsigned.message());
    assert_eq!(unsigned.json()["feedback"]["validation_failed"], true);
    lasts(&unsigned, &server, since, rules.cooldown_secs + rules.penalty_secs);

    let miner = server.miner(3);
    let task = miner.task(&server).await;
    let other_format = taken(async || {
        let mut request = miner.submit_request(&server, &task, b"a splat");
        let body = String::from_utf8(request.body).unwrap();
        request.body = body.replace("\"compression\":2", "\"compression\":1").into_bytes();
        server.synapse(request).await
    });
    let other_format = other_format.await;
    succeeded(&other_format, "Rejected: compression must be 2 (SPZ)");
    assert_eq!(other_format.json()["feedback"]["validation_failed"], true);
}

async fn au_1_au_2_only_fresh_requests_signed_by_their_sender_are_served(host: Host) {
    let server = host.mining(2).await;
    let (miner, other) = (server.miner(1), server.miner(2));
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
    let of_another = taken(async || {
        let mut request = miner.submit_request(&server, &task, b"a splat");
        request.body = other.submit_request(&server, &task, b"a splat").body;
        server.synapse(request).await
    });
    refused(&of_another.await, 401, "Body names another dendrite hotkey");
    let mut unhashed = miner.pull_request(&server);
    for (name, value) in &mut unhashed.headers {
        if *name == "computed_body_hash" {
            *value = "0".repeat(64);
        }
    }
    refused(&server.synapse(unhashed).await, 401, "Body hash mismatch");
    let late = miner.pull_request(&server);
    // As old as a nonce may be, and the time-out that the miner waits for at most.
    server.pass(4 + 12 + 1).await;
    refused(&server.synapse(late).await, 401, "Nonce is too old");

    let answer = miner.submit(&server, &task, b"a splat").await;
    succeeded(&answer, "Success");
    assert_eq!(answer.json()["feedback"]["generations_within_the_window"], 1, "none of the others counted");
}

async fn a_hotkey_is_served_once_the_metagraph_names_it(host: Host) {
    let server = host.mining(1).await;
    let (stranger, since) = (server.stranger(), server.now_secs());
    let answer = stranger.pull(&server).await;
    succeeded(&answer, "Success");
    assert_eq!(answer.json()["task"], Value::Null);
    lasts(&answer, &server, since, server.policy.miners.unregistered_secs);
    let task = server.miner(1).task(&server).await;
    refused(&stranger.submit(&server, &task, b"a splat").await, 403, &stranger.address());

    server.admit(server.free_uid(), &stranger.address()).await;
    let registered = async {
        while stranger.pull(&server).await.task().is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), registered)
        .await
        .expect("the file is read again");
    assert_eq!(server.miner(1).task(&server).await, task, "who stays keeps the task");
    let of_another = stranger.task(&server).await;
    let answer = server.miner(1).submit(&server, &of_another, b"a splat").await;
    succeeded(&answer, "Unchanged: another task is assigned");
}

async fn a_verdict_that_is_late_is_pending_and_can_be_asked_for_again(host: Host) {
    let server = host.mining(1).await;
    let mut miner = server.miner(1);
    // The answer comes three seconds before the miner gives up.
    miner.timeout_secs = 5.0;
    let since = server.now_secs();
    let task = miner.task(&server).await;
    server.script(&miner, json!({ "score": 0.7, "delay_ms": 6000 })).await;
    let answer = miner.submit(&server, &task, b"a splat").await;
    succeeded(&answer, "Success; verdict pending");
    let feedback = answer.json()["feedback"].take();
    assert_eq!(
        (&feedback["validation_failed"], &feedback["generations_within_the_window"]),
        (&json!(false), &json!(0))
    );
    lasts(&answer, &server, since, server.policy.miners.cooldown_secs);
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

async fn sb_1_the_same_submission_sent_in_parallel_counts_once(host: Host) {
    let server = host.mining(1).await;
    let miner = server.miner(1);
    let task = miner.task(&server).await;
    server.script(&miner, json!({ "delay_ms": 300 })).await;
    let splat = payload::Random(2).bytes(200_000);
    let sent = (0..8).map(|_| miner.submit(&server, &task, &splat));
    for answer in futures_util::future::join_all(sent).await {
        succeeded(&answer, "Success");
        assert_eq!(answer.json()["feedback"]["generations_within_the_window"], 1);
    }
}

async fn tk_2_bl_1_a_clients_task_goes_through_miners_and_back(host: Host) {
    let policy = json!({ "tasks": { "copies": 2, "first_result_secs": 1 } });
    let server = host.with_clients(3, policy).await;
    let id = server.add_task("a marble lighthouse").await;
    assert_eq!(server.status(&id).await, json!({ "status": "NoResult" }));
    assert_eq!(server.get(&format!("/get_result?id={id}")).await.status, 404);

    let splats = [payload::robot(), payload::Random(3).bytes(5000)];
    let miners = [server.miner(1), server.miner(2)];
    let mut tasks = Vec::new();
    for (miner, score) in miners.iter().zip([0.9, 0.7]) {
        let task = miner.task(&server).await;
        assert_eq!(
            (&task.id, task.prompt.as_str()),
            (&id, "a marble lighthouse"),
            "TK-2: organic before synthetic"
        );
        server.script(miner, json!({ "score": score })).await;
        tasks.push(task);
    }
    assert_ne!(server.miner(3).task(&server).await.id, id, "AS-2: two copies are enough");
    // At once: the first result ends the task soon.
    let submitted = [0, 1].map(|place| miners[place].submit(&server, &tasks[place], &splats[place]));
    for answer in futures_util::future::join_all(submitted).await {
        succeeded(&answer, "Success");
    }

    let status = server.ended(&id).await;
    let winner = server.miner(1);
    assert_eq!((&status["status"], &status["miner_uid"]), (&json!("Success"), &json!(winner.number)));
    assert_eq!(status["miner_hotkey"], ss58::encode(&winner.keypair.hotkey()));
    for _ in 0..2 {
        let result = server.get(&format!("/get_result?id={id}")).await;
        assert_eq!(result.status, 200);
        assert!(result.header("content-disposition").starts_with("attachment"), "{:?}", result.headers);
        assert!(result.body == splats[0], "BL-1: the best result, as often as one likes");
    }
}

async fn tk_1_a_task_that_nobody_takes_ends_too(host: Host) {
    let policy = json!({ "tasks": { "assignable_secs": 1, "deadline_secs": 2 } });
    let server = host.with_clients(0, policy).await;
    let id = server.add_task("something nobody makes").await;
    let status = server.ended(&id).await;
    assert_eq!(status["status"], "Failure");
    assert_ne!(status["reason"], "", "a failure has its reason");
}
