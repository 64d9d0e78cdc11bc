//! What operators and machines look at.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;
use sn17_app::ports::{Ledger as _, Queue as _};
use sn17_app::{Attempt, ScoreError, Scored, Scorer, ScoringJob};
use sn17_core::Hotkey;
use sn17_core::ledger::{LoadSpec, QueueName};
use sn17_core::policy::Policy;
use sn17_core::state::{Key, Neuron};
use sn17_http::{HttpOptions, RosterSource};

use crate::world::{ADMIN_KEY, Answer, World, measured, miner, options, world, world_with};

async fn admin(world: &World, method: &str, path: &str, key: &str, body: &str) -> Answer {
    let request = Request::builder().method(method).uri(path).header("x-admin-key", key);
    world.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn probes_and_the_index_answer() {
    let world = world().await;
    for (path, text) in [("/healthz", "ok\n"), ("/readyz", "ready\n")] {
        let answer = world.get(path).await;
        assert_eq!((answer.status, answer.text()), (200, text));
    }
    assert!(world.get("/").await.text().starts_with("sn17: "));
}

#[tokio::test]
async fn metrics_count_by_route_reason_and_verdict() {
    let world = world().await;
    world.task("a robot").await;
    world.get("/get_status?id=7").await;
    world.get("/whatever/anybody/makes/up").await;
    world.send_synapse(world.pull_request(&miner(9))).await;
    let request = world.pull_request(&miner(1));
    world.send_synapse(request.clone()).await;
    world.send_synapse(request).await;
    world.deliver(&miner(1), b"a splat", measured(0.9, false).0).await;
    let answer = world.get("/metrics").await;
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for line in [
        "sn17_http_requests_total{route=\"/add_task\",method=\"POST\",status=\"200\"} 1",
        "sn17_http_requests_total{route=\"unknown\",method=\"GET\",status=\"404\"} 1",
        "sn17_http_requests_total{route=\"/PullTask\",method=\"POST\",status=\"200\"} 3",
        "sn17_http_refusals_total{route=\"/get_status\",reason=\"query\",invariant=\"\"} 1",
        "sn17_http_refusals_total{route=\"/PullTask\",reason=\"replay\",invariant=\"AU-2\"} 1",
        "sn17_submissions_total{verdict=\"accepted\"} 1",
        "sn17_open_tasks 1",
        "sn17_submission_memory_bytes 0",
        "sn17_http_request_duration_seconds_count{route=\"/add_task\"} 1",
    ] {
        assert!(answer.text().lines().any(|found| found == line), "{line} is not in {}", answer.text());
    }
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked() {
    let mut world = world().await;
    let body = "{\"owner\":\"ada\",\"hourly\":2}";
    let made = admin(&world, "POST", "/admin/keys", ADMIN_KEY, body).await;
    let key = made.json()["key"].as_str().unwrap().to_owned();
    assert_eq!(made.json(), json!({ "key": key, "prefix": key[..8] }));
    let listed = admin(&world, "GET", "/admin/keys", ADMIN_KEY, "").await;
    let created = world.app.now().secs();
    let row = json!({ "owner": "ada", "prefix": key[..8], "created": created, "hourly": 2, "daily": null });
    assert!(listed.json().as_array().unwrap().contains(&row), "{}", listed.text());
    assert!(!listed.text().contains(&key), "a key's text is shown once");
    world.key = key.clone();
    world.task("a robot").await;

    let path = format!("/admin/keys/{}", &key[..8]);
    let revoked = admin(&world, "DELETE", &path, ADMIN_KEY, "").await;
    assert_eq!((revoked.status, revoked.text()), (200, "{\"revoked\":1}"));
    let again = admin(&world, "DELETE", &path, ADMIN_KEY, "").await;
    assert_eq!((again.status, again.json()), (404, json!({ "message": "no key begins so" })));
    let refused = world.add("application/json", "{\"prompt\":\"a fox\"}").await;
    assert_eq!(refused.text(), "Unauthorized request: Invalid API key");
}

#[tokio::test]
async fn the_roster_is_shown_and_replaced() {
    let options = HttpOptions { roster_from: RosterSource::Operator, ..options() };
    let world = world_with(Policy::default(), options).await;
    let address = |number| sn17_wire::ss58::encode(&miner(number).hotkey());
    let validator = sn17_wire::ss58::encode(&world.app.validator());
    let neuron = |uid: u8, incentive: f64| json!({ "uid": uid, "hotkey": address(uid), "stake": 0.0, "incentive": incentive });
    let shown = admin(&world, "GET", "/admin/metagraph", ADMIN_KEY, "").await;
    let before = [neuron(1, 0.1), neuron(2, 0.2), neuron(3, 0.3)];
    assert_eq!(shown.json(), json!({ "validator": validator, "neurons": before }));

    let body = json!({ "neurons": [neuron(2, 0.5), { "uid": 7, "hotkey": address(9) }] }).to_string();
    for _ in 0..2 {
        let put = admin(&world, "PUT", "/admin/metagraph", ADMIN_KEY, &body).await;
        assert_eq!((put.status, put.json()), (200, json!({ "miners": 2 })));
    }
    world.pull(&miner(9)).await;
    let gone = world.send_synapse(world.pull_request(&miner(1))).await;
    assert_eq!(gone.json()["cooldown_until"], world.app.now().secs() + 3600, "a stranger by now");

    for (body, words) in [
        ("{\"miners\":[]}".to_owned(), "malformed JSON: unknown field `miners`"),
        (body.replace(&address(9), &address(2)), "uid 7 or its hotkey stands there twice"),
        (" ".repeat((256 << 10) + 1), "body is larger than 262144 bytes"),
    ] {
        let refused = admin(&world, "PUT", "/admin/metagraph", ADMIN_KEY, &body).await;
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(matches!(refused.status, 400 | 413) && message.starts_with(words), "{message}");
    }
    assert_eq!(world.app.roster().await.unwrap().len(), 2, "the last good roster stays");
}

#[tokio::test]
async fn a_roster_that_comes_from_a_file_cannot_be_replaced() {
    let world = world().await;
    let put = admin(&world, "PUT", "/admin/metagraph", ADMIN_KEY, "{\"neurons\":[]}").await;
    let message = "this network follows a metagraph file: change that file instead";
    assert_eq!((put.status, put.json()), (409, json!({ "message": message })));
    assert_eq!(world.app.roster().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_whole_metagraph_comes_moves_and_leaves() {
    let world = world().await;
    let neuron = |uid: u16, number: u8| Neuron {
        uid,
        hotkey: Hotkey([number; 32]),
        coldkey: None,
        stake: 0.0,
        incentive: f64::from(uid),
    };
    let full: Vec<Neuron> = (0..=255).map(|number| neuron(number.into(), number)).collect();
    let moved: Vec<Neuron> = (0..128).map(|number| neuron(255 - u16::from(number), number)).collect();
    for roster in [full, moved.clone(), moved] {
        world.app.apply_roster(roster.clone()).await.unwrap();
        let keys = (0..=255).map(|number| Key::Session(Hotkey([number; 32])));
        let view = world.store.read(world.app.now(), LoadSpec::keys(keys)).await.unwrap();
        let sessions = (0..=255).filter_map(|number| view.session(&Hotkey([number; 32])));
        let uids: Vec<u16> = sessions.map(|(_, session)| session.uid).collect();
        assert_eq!(uids, roster.iter().map(|neuron| neuron.uid).collect::<Vec<_>>());
    }
}

/// A scorer that never gets anywhere, as one that a splat brings down each time.
struct Broken;

#[async_trait::async_trait]
impl Scorer for Broken {
    async fn score(&self, _: ScoringJob) -> Result<Scored, ScoreError> {
        Err(ScoreError("the scoring process ended".into()))
    }
}

#[tokio::test]
async fn sb_1_a_dead_letter_is_settled_as_ours_and_its_redrive_pays_nobody() {
    let world = world().await;
    let (task, prompt) = world.pull(&miner(1)).await;
    let submit = world.send_synapse(world.submit_request(&miner(1), &task, &prompt, b"a splat"));
    let poison = async {
        let mut attempts = Vec::new();
        loop {
            let deliveries = world.store.receive(QueueName::Scoring, 1, 60, 0).await.unwrap();
            let Some(delivery) = deliveries.first() else {
                if attempts.is_empty() {
                    tokio::task::yield_now().await;
                    continue;
                }
                return attempts;
            };
            attempts.push(world.app.attempt(delivery, &Broken).await.unwrap());
            world.store.extend(&delivery.receipt, 0).await.unwrap();
        }
    };
    let (answer, attempts) = tokio::join!(submit, poison);
    assert_eq!(attempts, [Attempt::Retry, Attempt::Retry, Attempt::GivenUp, Attempt::Done]);
    let feedback = &answer.json()["feedback"];
    assert_eq!(feedback["validation_failed"], false, "SB-4: a failure of ours is not the miner's");
    let cooldown_until = answer.json()["cooldown_until"].as_u64().unwrap();
    assert_eq!(cooldown_until, world.app.now().secs() + 300, "SB-4: the plain cooldown");

    let letters = admin(&world, "GET", "/admin/dead-letters", ADMIN_KEY, "").await;
    let hotkey = sn17_wire::ss58::encode(&miner(1).hotkey());
    assert_eq!(letters.json(), json!([{ "task": task, "hotkey": hotkey }]));
    let redriven = admin(&world, "POST", "/admin/dead-letters/redrive", ADMIN_KEY, "").await;
    assert_eq!(redriven.json(), json!({ "redriven": 1 }));
    let delivery = world.store.receive(QueueName::Scoring, 1, 60, 0).await.unwrap().remove(0);
    assert_eq!(world.app.attempt(&delivery, &Broken).await.unwrap(), Attempt::Done);
    let figures = world.app.figures(miner(1).hotkey()).await.unwrap().unwrap();
    assert_eq!((figures.accepted, figures.cooldown_until), (0, cooldown_until));
}

#[tokio::test]
async fn tk_1_a_letter_that_died_unseen_is_settled_once() {
    let world = world().await;
    let (task, prompt) = world.pull(&miner(1)).await;
    let submit = world.send_synapse(world.submit_request(&miner(1), &task, &prompt, b"a splat"));
    let deaths = async {
        while world.app.dead_letters(10).await.unwrap().is_empty() {
            for delivery in world.store.receive(QueueName::Scoring, 1, 60, 0).await.unwrap() {
                world.store.extend(&delivery.receipt, 0).await.unwrap();
            }
            tokio::task::yield_now().await;
        }
        let letters = world.app.dead_letters(10).await.unwrap();
        assert_eq!(world.app.settle_dead_letters(&letters).await.unwrap(), 1);
        assert_eq!(world.app.settle_dead_letters(&letters).await.unwrap(), 0);
    };
    let (answer, ()) = tokio::join!(submit, deaths);
    assert_eq!(answer.json()["feedback"]["validation_failed"], false, "SB-4: it was our failure");
    assert_eq!(answer.json()["cooldown_until"], world.app.now().secs() + 300);
}

#[tokio::test]
async fn the_admin_routes_are_locked() {
    let world = world().await;
    let text = json!({ "message": "wrong or missing admin key" });
    for (method, path) in [
        ("GET", "/admin/keys"),
        ("POST", "/admin/keys"),
        ("DELETE", "/admin/keys/12345678"),
        ("GET", "/admin/metagraph"),
        ("PUT", "/admin/metagraph"),
        ("GET", "/admin/dead-letters"),
        ("POST", "/admin/dead-letters/redrive"),
    ] {
        for key in ["", "wrong", "an admin key of the testt"] {
            let answer = admin(&world, method, path, key, "{\"owner\":\"eve\"}").await;
            assert_eq!((answer.status, answer.json()), (401, text.clone()), "{method} {key}");
        }
    }
    let bad = admin(&world, "POST", "/admin/keys", ADMIN_KEY, "{\"owner\":\" \"}").await;
    assert_eq!((bad.status, bad.json()), (400, json!({ "message": "owner must have 1 to 128 characters" })));
    let wrong = admin(&world, "PUT", "/admin/keys", ADMIN_KEY, "").await;
    assert_eq!((wrong.status, wrong.json()), (405, json!({ "message": "Method not allowed" })));

    let without = world_with(Policy::default(), HttpOptions { admin_key: None, ..options() }).await;
    let absent = admin(&without, "GET", "/admin/keys", ADMIN_KEY, "").await;
    assert_eq!((absent.status, absent.json()), (404, json!({ "message": "Not found" })));
}
