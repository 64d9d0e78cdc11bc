//! `sn17 admin export`, `restore` and `import`, as an operator types them, between networks on this machine.

use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{failure, stdout};
use crate::miner::Miner;
use crate::payload;
use crate::server::Server;

/// Runs a command off the test's own thread: a network runs beside it.
async fn beside(command: fn(&[&str]) -> String, arguments: &[&str]) -> String {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let run = move || command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// What a network's miners have earned, as its data folder gives it away.
async fn exported(server: &Server) -> Value {
    let words = beside(stdout, &["admin", "export", "--data", &text(&server.data())]).await;
    serde_json::from_str(&words).unwrap()
}

#[tokio::test]
async fn what_miners_have_earned_moves_to_a_new_network() {
    let old = Server::simulating(3).await;
    let miner = old.miner(1);
    let task = miner.task(&old).await;
    assert_eq!(miner.submit(&old, &task, &payload::robot()).await.status, 200);
    let document = exported(&old).await;
    let earned = &document["miners"][0];
    assert_eq!((&earned["uid"], earned["accepted"].as_array().unwrap().len()), (&json!(1), 1));

    let folder = tempfile::tempdir().unwrap();
    let file = text(&folder.path().join("standings.json"));
    let said = beside(stdout, &["admin", "export", "--out", &file, "--data", &text(&old.data())]).await;
    assert_eq!(said, format!("exported 3 miners to {file}\n"));

    let mut new = Server::simulating(3).await;
    let data = text(&new.data());
    let fresh = exported(&new).await;
    let said = beside(stdout, &["admin", "restore", &file, "--dry-run", "--data", &data]).await;
    assert!(said.ends_with("\nwould be restored 1, unchanged 2, skipped 0\n"), "{said}");
    assert_eq!(exported(&new).await["miners"], fresh["miners"], "nothing has changed yet");

    let network = ["--url", &new.url, "--admin-key", &new.admin_key];
    let said = beside(stdout, &[&["admin", "restore", &file], &network[..]].concat()).await;
    assert!(said.ends_with("\nrestored 1, unchanged 2, skipped 0\n"), "{said}");
    assert!(said.contains(&format!("    1  {}  restored\n", miner.address())), "{said}");
    assert_eq!(exported(&new).await["miners"], document["miners"]);
    let by_url = beside(stdout, &[&["admin", "export"], &network[..]].concat()).await;
    assert_eq!(serde_json::from_str::<Value>(&by_url).unwrap()["miners"], document["miners"]);
    assert_eq!(miner.pull(&new).await.cooldown_until(), earned["cooldown_until"].as_u64().unwrap());

    new.kill();
    let stopped = exported(&new).await;
    assert_eq!(
        stopped["miners"][0]["accepted"], earned["accepted"],
        "durable, and readable without a server"
    );
    let said = beside(failure, &["admin", "restore", "/nowhere.json", "--data", &data]).await;
    assert!(said.contains("cannot read /nowhere.json"), "{said}");
}

/// Writes `state.txt` and `ratings.json` as the original does, with miners 1 to 4 at their uids.
fn write_originals(folder: &Path, now_secs: u64) -> (String, String) {
    let miner = |uid: u16| {
        let hotkey = (1..=4).contains(&uid).then(|| Miner::new(uid).address());
        json!({
            "uid": uid, "hotkey": hotkey, "observations": [now_secs - 600, now_secs - 60],
            "fidelity_score": 0.875, "assigned_task": { "id": "7", "prompt": "a fox", "type": "text" },
            "assignment_time": 1_799_999_990.5, "cooldown_until": now_secs + 240, "cooldown_violations": uid % 5,
            "validation_locked_until": 0, "last_submit_time": now_secs - 60,
        })
    };
    let rating = |uid: u16| json!({ "glicko": { "rating": 1500.0 + f64::from(uid) / 3.0, "rd": 71.9, "vol": 0.0599 } });
    let write = |name: &str, content: Value| {
        let file = folder.join(name);
        std::fs::write(&file, content.to_string()).unwrap();
        text(&file)
    };
    let state = json!({ "miners": (0..256).map(miner).collect::<Vec<_>>() });
    let ratings = json!({ "ratings": (0..256).map(rating).collect::<Vec<_>>() });
    (write("state.txt", state), write("ratings.json", ratings))
}

#[tokio::test]
async fn the_originals_miners_keep_what_they_have_earned() {
    let server = Server::simulating(3).await;
    let folder = tempfile::tempdir().unwrap();
    let now_secs = server.now_secs();
    let (state, ratings) = write_originals(folder.path(), now_secs);
    let data = text(&server.data());
    let import = ["admin", "import", "--state", &state, "--ratings", &ratings, "--data", &data];
    let said = beside(stdout, &import).await;
    assert!(said.ends_with("\nrestored 3, unchanged 0, skipped 1\n"), "{said}");
    let unknown =
        format!("    4  {}  skipped: nobody is registered at its uid here\n", Miner::new(4).address());
    assert!(said.contains(&unknown), "{said}");

    let miner = exported(&server).await["miners"][1].take();
    assert_eq!((&miner["uid"], &miner["hotkey"]), (&json!(2), &json!(Miner::new(2).address())));
    let rating = json!({ "rating": 1500.0 + 2.0 / 3.0, "deviation": 71.9, "volatility": 0.0599 });
    assert_eq!((&miner["rating"], &miner["average_score"]), (&rating, &json!(0.875)));
    assert_eq!(miner["accepted"], json!([now_secs - 600, now_secs - 60]));
    assert_eq!((&miner["cooldown_until"], &miner["violations"]), (&json!(now_secs + 240), &json!(2)));
    let said = beside(stdout, &import).await;
    assert!(said.ends_with("\nrestored 0, unchanged 3, skipped 1\n"), "{said}");
}
