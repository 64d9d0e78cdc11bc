//! Standings that operators take from one network to another.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use sn17_core::Hotkey;
use sn17_core::policy::Policy;
use sn17_core::state::Neuron;
use sn17_http::HttpOptions;
use sn17_wire::ss58;

use crate::world::{ADMIN_KEY, Answer, World, measured, miner, options, world, world_with};

const PATH: &str = "/admin/standings";

impl World {
    async fn standings(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path).header("x-admin-key", ADMIN_KEY);
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn exported(&self) -> Value {
        let answer = self.standings("GET", PATH, "").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }
}

fn results(answer: &Answer) -> Vec<(u64, String)> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let rows = answer.json()["miners"].take();
    let row = |row: &Value| (row["uid"].as_u64().unwrap(), row["outcome"].as_str().unwrap().to_owned());
    rows.as_array().unwrap().iter().map(row).collect()
}

#[tokio::test]
async fn what_miners_have_earned_moves_to_another_network() {
    let old = world().await;
    old.deliver(&miner(1), b"a splat", measured(0.9, false).0).await;
    let document = old.exported().await;
    let earned = &document["miners"][0];
    assert_eq!(earned["accepted"], json!([old.app.now().secs()]));
    assert_eq!(earned["cooldown_until"], json!(old.app.now().secs() + 300));
    assert_eq!((&document["version"], &document["next"]), (&json!(1), &Value::Null));

    let new = world().await;
    let fresh = new.exported().await;
    let path = format!("{PATH}?dry_run=true");
    let tried = new.standings("PUT", &path, &document.to_string()).await;
    let expected =
        [(1, "restored"), (2, "unchanged"), (3, "unchanged")].map(|(uid, word)| (uid, word.to_owned()));
    assert_eq!(results(&tried), expected);
    assert_eq!(tried.json()["dry_run"], true);
    assert_eq!(new.exported().await, fresh, "nothing has changed yet");

    let restored = new.standings("PUT", PATH, &document.to_string()).await;
    assert_eq!(results(&restored), expected);
    assert_eq!(restored.json()["dry_run"], false);
    assert_eq!(new.exported().await, document);
    let again = new.standings("PUT", PATH, &document.to_string()).await;
    assert!(results(&again).iter().all(|(_, word)| word == "unchanged"));
    let wait = new.send_synapse(new.pull_request(&miner(1))).await;
    assert_eq!(wait.json()["cooldown_until"], earned["cooldown_until"], "moving does not end a cooldown");
}

#[tokio::test]
async fn who_cannot_be_restored_is_told_apart_with_a_reason() {
    let world = world().await;
    let mut document = world.exported().await;
    document["miners"][0]["hotkey"] = json!(ss58::encode(&miner(9).hotkey()));
    document["miners"][1]["uid"] = json!(77);
    document["miners"][2]["rating"]["rating"] = json!(9000);
    let answer = world.standings("PUT", PATH, &document.to_string()).await;
    let row = |uid: u16, number: u8, reason: &str| json!({ "uid": uid, "hotkey": ss58::encode(&miner(number).hotkey()), "outcome": "skipped", "reason": reason });
    let rows = [
        row(1, 9, "it is not registered here"),
        row(3, 3, "its rating lies outside the policy's bounds"),
        row(77, 2, "it is registered at uid 2 here"),
    ];
    assert_eq!((answer.status, answer.json()), (200, json!({ "dry_run": false, "miners": rows })));
}

#[tokio::test]
async fn a_whole_subnet_comes_in_pages() {
    let world = world().await;
    let neuron = |uid: u8| {
        let hotkey = Hotkey([uid; 32]);
        Neuron { uid: uid.into(), hotkey, coldkey: None, stake: 0.0, incentive: 0.0 }
    };
    world.app.apply_roster((0..=255).map(neuron).collect()).await.unwrap();
    let (mut path, mut uids, mut pages) = (PATH.to_owned(), Vec::new(), 0);
    loop {
        let answer = world.standings("GET", &path, "").await;
        let page = answer.json();
        let restored = world.standings("PUT", PATH, answer.text()).await;
        assert!(results(&restored).iter().all(|(_, word)| word == "unchanged"));
        uids.extend(page["miners"].as_array().unwrap().iter().map(|miner| miner["uid"].as_u64().unwrap()));
        pages += 1;
        let Some(next) = page["next"].as_u64() else { break };
        path = format!("{PATH}?after={next}");
    }
    assert_eq!((pages, uids), (8, (0..=255).collect()));
}

#[tokio::test]
async fn malformed_standings_are_refused_and_change_nothing() {
    let world = world().await;
    let document = world.exported().await;
    let with = |change: &dyn Fn(&mut Value)| {
        let mut changed = document.clone();
        change(&mut changed);
        changed.to_string()
    };
    let miners = (0..33).map(|uid: u8| {
        let mut entry = document["miners"][0].clone();
        entry["uid"] = json!(uid);
        entry["hotkey"] = json!(ss58::encode(&Hotkey([uid; 32])));
        entry
    });
    let miners: Vec<Value> = miners.collect();
    for (path, body, status, words) in [
        (PATH, String::new(), 400, "malformed JSON: EOF"),
        (PATH, with(&|all| all["version"] = json!(2)), 400, "version 2 of the standings, only version 1"),
        (PATH, with(&|all| all["miners"][0]["wins"] = json!(-1)), 400, "malformed JSON: invalid value"),
        (PATH, with(&|all| all["miners"][1] = all["miners"][0].clone()), 400, "uid 1 or its hotkey stands"),
        (PATH, with(&|all| all["miners"] = json!(miners)), 400, "more than 32 miners in one request"),
        (PATH, " ".repeat((4 << 20) + 1), 413, "body is larger than 4194304 bytes"),
        ("/admin/standings?dry_run=yes", document.to_string(), 400, "dry_run is neither true nor false"),
    ] {
        let refused = world.standings("PUT", path, &body).await;
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(refused.status == status && message.starts_with(words), "{} {message}", refused.status);
    }
    for after in ["", "x", "-1", "65536"] {
        let refused = world.standings("GET", &format!("{PATH}?after={after}"), "").await;
        assert_eq!((refused.status, refused.json()), (400, json!({ "message": "after is not a uid" })));
    }
    assert_eq!(world.exported().await, document);
}

#[tokio::test]
async fn au_1_only_the_admin_key_opens_the_standings() {
    let world = world().await;
    for (method, key) in
        [("GET", None), ("PUT", None), ("GET", Some("wrong")), ("PUT", Some(world.key.as_str()))]
    {
        let mut request = Request::builder().method(method).uri(PATH);
        if let Some(key) = key {
            request = request.header("x-admin-key", key);
        }
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        let message = json!({ "message": "wrong or missing admin key" });
        assert_eq!((answer.status, answer.json()), (401, message), "{method}");
    }
    let none = world_with(Policy::default(), HttpOptions { admin_key: None, ..options() }).await;
    assert_eq!(none.standings("GET", PATH, "").await.status, 404, "no admin key, no route");
    let other = world.standings("DELETE", PATH, "").await;
    assert_eq!((other.status, other.header("allow")), (405, "GET,HEAD,PUT"));
}
