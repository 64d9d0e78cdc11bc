//! `sn17 admin smoke` and `admin metagraph` against a network on this machine, which takes its roster from a file.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::json;
use sn17_wire::ss58;

use crate::binary::{self, failure, stdout};
use crate::server::Server;

/// A miner's process, ended with the test.
struct Mining(Child);

impl Mining {
    fn start(hotkey_file: &str, validator: &str) -> Self {
        let mut command = Command::new(binary::path());
        command.args(["miner", "--procedural", "--hotkey", hotkey_file, "--validator", validator]);
        command.env("RUST_LOG", "error").stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Mining {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a command off the test's own thread: a network runs beside it.
async fn beside<T: Send + 'static>(command: fn(&[&str]) -> T, arguments: &[&str]) -> T {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let run = move || command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test]
async fn a_network_is_tested_with_the_miners_of_its_file() {
    let policy = json!({
        "miners": { "cooldown_secs": 0, "throttle_secs": 0 },
        "tasks": { "first_result_secs": 0 },
    });
    let server = Server::simulating_with(0, policy).await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let admin_key = std::fs::read_to_string(server.data().join("admin-key")).unwrap();
    let (url, admin_key) = (server.url.as_str(), admin_key.trim());
    let smoke = ["admin", "smoke", url, "--admin-key", admin_key, "--within", "120"];

    let words = beside(failure, &smoke).await;
    assert!(
        words.starts_with("error: step miner: ") && words.contains("follows a metagraph file"),
        "{words}"
    );

    let hotkey_file = path("hotkey");
    let address = beside(stdout, &["miner", "new-key", &hotkey_file]).await.trim().to_owned();
    let roster = json!({ "neurons": [{ "uid": 5, "hotkey": address }] }).to_string();
    let draft = path("metagraph.json");
    std::fs::write(&draft, roster).unwrap();
    let put = ["admin", "metagraph", "put", draft.as_str(), "--url", url, "--admin-key", admin_key];
    assert!(beside(failure, &put).await.contains("409 Conflict"), "the file is what counts here");
    std::fs::rename(&draft, server.data().join("metagraph.json")).unwrap();
    let get = ["admin", "metagraph", "get", "--url", url, "--admin-key", admin_key];
    while !beside(stdout, &get).await.contains(&address) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    let validator = format!("{}@{}", ss58::encode(&server.validator), url.strip_prefix("http://").unwrap());
    let _miner = Mining::start(&hotkey_file, &validator);
    let table = beside(stdout, &smoke).await;
    let steps: Vec<&str> = table.lines().map(|line| line[..10].trim_end()).collect();
    let expected =
        ["STEP", "readyz", "roster", "key", "miner", "add_task", "get_status", "get_result", "clean up"];
    assert_eq!(steps, expected, "{table}");
    assert!(table.contains("Success by uid 5") && table.contains(" splats in "), "{table}");
    let data = server.data().to_str().unwrap().to_owned();
    let keys = beside(stdout, &["keys", "list", "--data", &data]).await;
    assert!(!keys.contains("smoke"), "its key is revoked: {keys}");
}
