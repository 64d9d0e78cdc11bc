//! `sn17 prompts`, as operators of generators, collectors and validators type it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sn17_core::prompts::{PromptRules, clean, clean_sentence, grammar};
use sn17_judge_server::ModelServer;
use tempfile::TempDir;

use crate::binary::{self, failure, run, stdout};
use crate::miner::Miner;
use crate::process::ends_when_told;
use crate::server::{Server, Setup, client};

/// A collector is up, and has made a batch of what it was handed in, within this.
const READY_WITHIN: Duration = Duration::from_secs(120);
const POLL_EVERY: Duration = Duration::from_millis(50);

/// `sn17 prompts serve` over a folder of its own.
struct Collector {
    child: Child,
    folder: TempDir,
    url: String,
}

impl Collector {
    /// A collector whose own hotkey lies in the file `hotkey` of its folder.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| text(&folder.path().join(name));
        let address = stdout(&["miner", "new-key", &path("hotkey")]);
        let mut command = Command::new(binary::path());
        command.args(["prompts", "serve", "--listen", "127.0.0.1:0", "--data", &path("data")]);
        command.args(["--validator-hotkey", address.trim()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Instant::now();
        let url = loop {
            let note = std::fs::read(folder.path().join("data/running.json")).unwrap_or_default();
            if let Ok(note) = serde_json::from_slice::<Value>(&note) {
                break note["url"].as_str().unwrap().to_owned();
            }
            assert!(started.elapsed() < READY_WITHIN, "the collector does not start");
            tokio::time::sleep(POLL_EVERY).await;
        };
        Self { child, folder, url }
    }

    fn path(&self, name: &str) -> String {
        text(&self.folder.path().join(name))
    }

    fn key(&self, owner: &str) -> String {
        stdout(&["keys", "add", "--owner", owner, "--data", &self.path("data")]).trim().to_owned()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn lines(file: &str) -> Vec<String> {
    std::fs::read_to_string(file).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn prompts_go_from_the_grammar_through_a_collector_to_a_validator() {
    let mut collector = Collector::start().await;
    let key = collector.key("prompts:tests");
    let written = collector.path("written.txt");
    let submit = ["--submit", &collector.url, "--key", &key];
    let generate = ["prompts", "generate", "--bundled", "--seed", "3", "--count", "990", "--out", &written];
    let table = stdout(&[&generate[..], &submit].concat());
    assert!(table.contains("categories             30, of 33 to 33 prompts"), "{table}");
    let written: BTreeSet<String> = lines(&written).into_iter().collect();
    assert_eq!(written.len(), 990);

    let (hotkey, fetched) = (collector.path("hotkey"), collector.path("fetched.txt"));
    let collect = ["prompts", "collect", "--url", &collector.url, "--hotkey", &hotkey, "--out", &fetched];
    let started = Instant::now();
    let batch = loop {
        stdout(&collect);
        let batch: BTreeSet<String> = lines(&fetched).into_iter().collect();
        // A thousand are written for whoever asks before the first batch is made, and fill that up.
        assert_eq!(batch.len(), 1_000);
        if written.is_subset(&batch) {
            break batch;
        }
        assert!(started.elapsed() < READY_WITHIN, "no batch is made");
        tokio::time::sleep(POLL_EVERY).await;
    };
    assert!(batch.iter().all(|prompt| clean(prompt, &PromptRules::default()).as_ref() == Ok(prompt)));

    let http = client();
    for path in ["/add_task", "/PullTask", "/leaderboard"] {
        let answer = http.post(format!("{}{path}", collector.url)).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
    assert!(ends_when_told(&mut collector.child).await);
}

#[tokio::test]
async fn a_collector_tells_generators_and_validators_what_to_do() {
    let collector = Collector::start().await;
    let generate = ["prompts", "generate", "--bundled", "--count", "5", "--submit", &collector.url, "--key"];
    let client_key = collector.key("a studio");
    let said = failure(&[&generate[..], &[&client_key]].concat());
    assert!(said.contains("Invalid API Key") && said.contains("sn17 keys add --owner prompts"), "{said}");

    let stranger = collector.path("stranger");
    stdout(&["miner", "new-key", &stranger]);
    let said = failure(&["prompts", "collect", "--url", &collector.url, "--hotkey", &stranger]);
    assert!(said.contains("registered with a stake of at least 1"), "{said}");

    let elsewhere =
        ["prompts", "collect", "--url", &format!("{}/else", collector.url), "--hotkey", &stranger];
    assert!(failure(&elsewhere).contains("is its URL right?"));
}

/// A model that writes lists of prompts that it has not written before, or sentences if it is asked for JSON.
async fn model() -> ModelServer {
    let next = AtomicUsize::new(0);
    let answer = move |asked: &sn17_judge_server::Asked| {
        let start = next.fetch_add(20, Ordering::SeqCst);
        if asked.response_format.is_some() {
            let prompt = format!("An old kettle, mended more than {start} times, is made of brass.");
            return Ok(json!({ "category": "kitchen", "object": "kettle", "prompt": prompt }).to_string());
        }
        let lines = (0..20).map(|n| format!("{}. A {}.\n", n + 1, grammar::nth(start + n)));
        Ok(format!("Here they are:\n\n{}", lines.collect::<String>()))
    };
    ModelServer::start(([127, 0, 0, 1], 0).into(), None, answer).await.unwrap()
}

#[tokio::test]
async fn models_write_lists_and_sentences_that_pass_every_filter() {
    let (model, folder) = (model().await, tempfile::tempdir().unwrap());
    let (file, report) = (text(&folder.path().join("prompts.txt")), text(&folder.path().join("report.json")));
    let url = model.url();
    let generate = async |extra: &[&str]| {
        let fixed = ["prompts", "generate", "--endpoint", &url, "--count", "40", "--out", &file];
        let arguments: Vec<String> = fixed.iter().chain(extra).map(|text| (*text).to_owned()).collect();
        let run = move || stdout(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    let table = generate(&["--model", "a", "--model", "b", "--report", &report]).await;
    assert!(table.contains("refused: has a stop word"), "{table}");
    assert!(table.contains("by                     a: 40 of 42 lines"), "{table}");
    assert!(table.contains("calls                  2: 2 answered"), "{table}");
    let first = lines(&file);
    assert_eq!(first.len(), 40);
    let figures: Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert_eq!((&figures["lines"], &figures["kept"]), (&json!(42), &json!(40)));

    let table = generate(&["--model", "c", "--method", "2"]).await;
    assert!(table.contains("categories             1, of 40 to 40 prompts"), "{table}");
    let both = lines(&file);
    assert_eq!(both.len(), 80, "what was there stays");
    let rules = PromptRules::default();
    assert!(both.iter().all(|prompt| clean_sentence(prompt, &rules).as_ref() == Ok(prompt)));
    assert_eq!(both.iter().collect::<BTreeSet<_>>().len(), 80);
    let asked: Vec<String> = model.received().iter().map(|asked| asked.model.clone()).collect();
    assert_eq!((asked[0].as_str(), asked.last().unwrap().as_str()), ("a", "c"));
}

#[tokio::test]
async fn without_any_model_a_generator_says_so_and_the_network_goes_on() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let endpoint = format!("http://{closed}/v1");
    let generate = move || failure(&["prompts", "generate", "--endpoint", &endpoint, "--within", "2"]);
    let said = tokio::task::spawn_blocking(generate).await.unwrap();
    assert!(said.contains("no model wrote a prompt; check --endpoint, --model and --api-key"), "{said}");

    let server = Server::simulating(1).await;
    let task = Miner::new(1).task(&server).await;
    assert_eq!(clean(&task.prompt, &PromptRules::default()), Ok(task.prompt));
}

#[tokio::test]
async fn a_network_without_pictures_draws_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let draw = |name: &str, seed: &str| {
        let out = folder.path().join(name);
        let said = stdout(&[
            "prompts",
            "pictures",
            "--out",
            &text(&out),
            "--count",
            "3",
            "--seed",
            seed,
            "--size",
            "96",
        ]);
        assert!(said.starts_with("3 pictures in "), "{said}");
        let mut files: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files.iter().map(|file| std::fs::read(file).unwrap()).collect::<Vec<_>>()
    };
    let pictures = draw("pictures", "5");
    assert_eq!(pictures, draw("again", "5"), "equal seeds, equal pictures");
    assert_ne!(pictures, draw("others", "6"));

    let arguments =
        vec!["--simulate".to_owned(), "--prompt-images".to_owned(), text(&folder.path().join("pictures"))];
    let policy = json!({ "miners": { "text_share": 0.0 } });
    let server = Server::start(Setup { miners: 1, policy, arguments, ..Setup::default() }).await;
    let answer = Miner::new(1).pull(&server).await;
    assert_eq!(answer.json()["task"]["type"], "image");
    let prompt = answer.task().unwrap().prompt;
    let given = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, prompt).unwrap();
    assert!(pictures.contains(&given));
}

#[test]
fn pictures_are_fetched_from_the_public_internet_only() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("urls.txt");
    for (url, reason) in [
        ("http://127.0.0.1/1.png", "it must be https"),
        ("https://127.0.0.1/1.png", "127.0.0.1, which is not on the public internet"),
        ("https://169.254.169.254/latest/meta-data/", "169.254.169.254, which is not on the public internet"),
        ("https://localhost/1.png", "which is not on the public internet"),
        ("https://[::ffff:10.0.0.1]/1.png", "::ffff:10.0.0.1, which is not on the public internet"),
    ] {
        std::fs::write(&list, format!("# pictures\n{url}\n")).unwrap();
        let data = text(&folder.path().join("data"));
        let serve = ["serve", "--no-worker", "--listen", "127.0.0.1:0", "--data", &data];
        let said = failure(&[&serve[..], &["--prompt-image-urls", &text(&list)]].concat());
        assert!(said.contains("no URL in") && said.contains(reason), "{url}: {said}");
    }
    let out = text(&folder.path().join("pictures"));
    let said = failure(&["prompts", "pictures", "--urls", &text(&list), "--out", &out]);
    assert!(said.contains("line 2, for one"), "{said}");
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_asked() {
    let cases: [(&[&str], &str); 4] = [
        (&["--bundled", "--endpoint", "http://127.0.0.1/v1"], "cannot be used with"),
        (&["--bundled", "--forever"], "cannot be used with"),
        (&[], "--endpoint"),
        (&["--bundled", "--submit", "http://127.0.0.1:1"], "--key"),
    ];
    for (arguments, expected) in cases {
        let output = run(&[&["prompts", "generate"][..], arguments].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(expected), "{arguments:?}: {said}");
    }
    let many = failure(&["prompts", "generate", "--bundled", "--count", "33601"]);
    assert!(many.contains("ask for no more with --count"), "{many}");
    let plain = failure(&["prompts", "generate", "--endpoint", "http://models.example/v1", "--model", "m"]);
    assert!(plain.contains("must be https"), "{plain}");
}
