//! The other commands of the binary, as people type them.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::extract::Multipart;
use axum::routing::post;
use serde_json::Value;
use sn17_splat::encode_ply;
use sn17_splat::procedural::{Quality, object};
use sn17_wire::ss58;
use tokio::sync::Mutex;

use crate::binary::{self, failure, stdout};
use crate::host::{Host, on_every_host};
use crate::payload;
use crate::server::Server;

/// A command that needs a running network beside it, off the test's own thread.
async fn beside<T: Send + 'static>(command: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(command).await.unwrap()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A hotkey file made by the binary, whose owner is registered.
async fn registered_key(server: &Server, folder: &Path, uid: u16) -> String {
    let file = text(&folder.join(format!("hotkey-{uid}")));
    let address = stdout(&["miner", "new-key", &file]).trim().to_owned();
    server.admit(uid, &address).await;
    file
}

fn validator(server: &Server) -> String {
    format!("{}@{}", ss58::encode(&server.validator), server.address())
}

/// Waits until the doctor finds nothing wrong: the metagraph is read again after a moment.
async fn healthy(file: &str, validator: &str) -> String {
    for _ in 0..100 {
        let (file, validator) = (file.to_owned(), validator.to_owned());
        let output =
            beside(move || binary::run(&["miner", "doctor", "--hotkey", &file, "--validator", &validator]))
                .await;
        if output.status.success() {
            return String::from_utf8(output.stdout).unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    panic!("the doctor is never content");
}

on_every_host!(the_doctor_tells_a_miner_what_is_wrong, the_miner_hands_in_what_its_sources_give);

async fn the_doctor_tells_a_miner_what_is_wrong(host: Host) {
    let server = host.mining(0).await;
    let folder = tempfile::tempdir().unwrap();
    let stranger = text(&folder.path().join("stranger"));
    stdout(&["miner", "new-key", &stranger]);
    let address = validator(&server);
    let output =
        beside(move || binary::run(&["miner", "doctor", "--hotkey", &stranger, "--validator", &address]))
            .await;
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && words.contains("BAD  registration"), "{words}");
    assert!(words.contains("ok   clock") && words.contains("ok   signature"), "{words}");

    let file = registered_key(&server, folder.path(), server.free_uid()).await;
    let words = healthy(&file, &validator(&server)).await;
    assert!(words.contains("registered, no task is assigned"), "{words}");

    let nobody = validator(&server).rsplit_once(':').unwrap().0.to_owned() + ":9";
    let output =
        beside(move || binary::run(&["miner", "doctor", "--hotkey", &file, "--validator", &nobody])).await;
    let words = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && words.contains("cannot be reached"), "{words}");
}

async fn the_miner_hands_in_what_its_sources_give(host: Host) {
    let server = host.with_clients(0, serde_json::json!({ "tasks": { "first_result_secs": 0 } })).await;
    let folder = tempfile::tempdir().unwrap();

    let asked = Arc::new(Mutex::new(Vec::new()));
    let generator = generator(Arc::clone(&asked)).await;
    let splats = folder.path().join("splats");
    std::fs::create_dir(&splats).unwrap();
    std::fs::write(splats.join("marble lighthouse.spz"), payload::composed("a house", Quality::Intact))
        .unwrap();
    std::fs::write(splats.join("clay amphora.spz"), payload::composed("a bottle", Quality::Intact)).unwrap();
    let sources = [
        vec!["--procedural".to_owned()],
        vec!["--splats".to_owned(), text(&splats)],
        vec!["--generator".to_owned(), generator],
    ];
    for source in sources {
        // Each has a miner of its own: none waits for the cooldown of another.
        let uid = server.free_uid();
        let file = registered_key(&server, folder.path(), uid).await;
        healthy(&file, &validator(&server)).await;
        let id = server.add_task("a marble lighthouse").await;
        let validator = validator(&server);
        let is_folder = source[0] == "--splats";
        beside(move || {
            let mut arguments =
                vec!["miner", "--hotkey", &file, "--validator", &validator, "--submissions", "1"];
            arguments.extend(source.iter().map(String::as_str));
            stdout(&arguments);
        })
        .await;
        let status = server.ended(&id).await;
        assert_eq!((&status["status"], &status["miner_uid"]), (&Value::from("Success"), &Value::from(uid)));
        let result = server.get(&format!("/get_result?id={id}")).await;
        if is_folder {
            assert!(
                result.body == payload::composed("a house", Quality::Intact),
                "the file that fits the words"
            );
        }
    }
    assert_eq!(*asked.lock().await, ["a marble lighthouse"]);
}

/// A generator as the base miners serve it: a prompt in a form, a PLY back. Its URL.
async fn generator(asked: Arc<Mutex<Vec<String>>>) -> String {
    let generate = move |mut form: Multipart| {
        let asked = Arc::clone(&asked);
        async move {
            let field = form.next_field().await.unwrap().unwrap();
            assert_eq!(field.name(), Some("prompt"));
            asked.lock().await.push(field.text().await.unwrap());
            encode_ply(&object("a lamp", Quality::Intact, 1)).unwrap()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/generate/", post(generate));
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn keys_are_managed_with_and_without_a_running_network() {
    let mut server = Server::simulating(0).await;
    let data = text(&server.data());
    for is_running in [true, false] {
        if !is_running {
            server.kill();
        }
        let data = data.clone();
        let key = beside(move || {
            let key = stdout(&["keys", "add", "--owner", "a studio", "--hourly", "7", "--data", &data]);
            let key = key.trim().to_owned();
            let list = stdout(&["keys", "list", "--data", &data]);
            let row =
                list.lines().find(|line| line.starts_with(&key[..8])).unwrap_or_else(|| panic!("{list}"));
            assert!(row.contains("a studio") && row.contains('7'), "{row}");
            assert!(!list.contains(&key), "keys are never shown again");
            key
        })
        .await;
        if !is_running {
            server.restart().await;
        }
        server.api_key.clone_from(&key);
        assert_eq!(server.get("/get_status?id=123e4567-e89b-12d3-a456-426614174001").await.status, 200);
        let data = text(&server.data());
        beside(move || {
            let named = if is_running { &key[..8] } else { &key };
            assert_eq!(stdout(&["keys", "revoke", named, "--data", &data]).trim(), "revoked 1");
        })
        .await;
        assert_eq!(server.get("/get_status?id=123e4567-e89b-12d3-a456-426614174001").await.status, 401);
    }
}

#[tokio::test]
async fn serve_says_why_it_cannot_start() {
    let server = Server::simulating(0).await;
    let (occupied, used) = (text(&server.data()), server.url.strip_prefix("http://").unwrap().to_owned());
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, content).unwrap();
        text(&file)
    };
    let data = text(&folder.path().join("data"));
    let throttle = write("throttle.json", r#"{ "miners": { "throttle_secs": 301 } }"#);
    let misspelt = write("misspelt.json", r#"{ "miners": { "cooldown": 1 } }"#);
    let twice = {
        let neuron =
            |uid| format!(r#"{{ "uid": {uid}, "hotkey": "{}" }}"#, crate::miner::Miner::new(1).address());
        write("twice.json", &format!(r#"{{ "neurons": [{}, {}] }}"#, neuron(1), neuron(2)))
    };
    let cases = [
        (vec!["--data", &occupied], "does another process use it?"),
        (vec!["--data", &data, "--listen", &used], "cannot listen on"),
        (vec!["--data", &data, "--policy", &throttle], "throttle_secs exceeds"),
        (vec!["--data", &data, "--policy", &misspelt], "unknown field `cooldown`"),
        (vec!["--data", &data, "--policy", "/nowhere.json"], "cannot read /nowhere.json"),
        (vec!["--data", &data, "--metagraph", &twice], "stands there twice"),
        (vec!["--data", &data, "--validator-hotkey", "5Grw"], "--validator-hotkey 5Grw"),
    ];
    for (arguments, words) in cases {
        let mut all = vec!["serve", "--simulate", "--listen", "127.0.0.1:0"];
        if arguments.contains(&"--listen") {
            all.truncate(2);
        }
        all.extend(arguments);
        let all: Vec<String> = all.into_iter().map(str::to_owned).collect();
        let said = beside(move || failure(&all.iter().map(String::as_str).collect::<Vec<_>>())).await;
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(server.get("/healthz").await.status, 200, "the one that runs does not mind");
}

#[test]
fn splats_are_looked_into_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let file = text(&folder.path().join("robot.spz"));
    std::fs::write(&file, payload::robot()).unwrap();
    let info: Value = serde_json::from_str(&stdout(&["spz", "info", &file, "--json"])).unwrap();
    assert!(info.as_object().is_some_and(|info| !info.is_empty()), "{info}");
    for (arguments, edge) in [(vec!["--size", "64"], 64..65), (vec!["--contact-sheet"], 518..5000)] {
        let picture = text(&folder.path().join("picture.png"));
        let mut all = vec!["render", file.as_str(), "-o", picture.as_str()];
        all.extend(arguments);
        stdout(&all);
        let drawn = image::open(&picture).unwrap();
        assert!(edge.contains(&drawn.width()) && edge.contains(&drawn.height()), "{all:?}");
    }
    let words = failure(&["spz", "info", "/nowhere/at-all.spz"]);
    assert!(words.starts_with("error: ") && words.contains("at-all.spz"), "{words}");
}

#[test]
fn a_splat_is_scored_on_the_spot() {
    if !binary::can_score() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let score = |quality| {
        let file = text(&folder.path().join("splat.spz"));
        std::fs::write(&file, payload::composed("a red wooden robot", quality)).unwrap();
        let result = stdout(&["score", &file, "--prompt", "a red wooden robot", "--json"]);
        let result: Value = serde_json::from_str(&result).unwrap();
        assert_eq!(result["synthetic"], true, "made-up weights are labelled");
        result["score"].as_f64().unwrap()
    };
    let (intact, noisy) = (score(Quality::Intact), score(Quality::Noisy));
    assert!(intact >= 0.6 && noisy < 0.6, "{intact} {noisy}");
}

#[test]
fn the_demo_shows_one_accepted_and_one_rejected_result() {
    if !binary::can_score() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let words = stdout(&["demo", "--out", folder.path().to_str().unwrap()]);
    let table = words.split("MINER").nth(1).unwrap_or_else(|| panic!("no table: {words}"));
    let careful = table.lines().any(|line| line.starts_with("careful ") && line.ends_with("Success"));
    let careless =
        table.lines().any(|line| line.starts_with("careless") && line.contains("below the threshold 0.6"));
    assert!(careful && careless, "{words}");
    assert!(words.contains("SYNTHETIC"), "made-up weights are labelled: {words}");
    for file in ["prompt.png", "text-result.spz", "image-result.spz", "contact-sheet.png"] {
        let bytes = std::fs::metadata(folder.path().join(file)).unwrap().len();
        assert!(bytes > 1000, "{file} has {bytes} bytes");
    }
}
