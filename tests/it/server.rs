//! A running network to test: one started here over a folder of its own, or one that the environment names.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sn17_core::Hotkey;
use sn17_wire::ss58;
use sn17_wire::synapse::DendriteRequest;
use tempfile::TempDir;

use crate::binary;
use crate::miner::{Miner, Task};

/// A network is ready within this; the first one on a machine may have to fetch ONNX Runtime.
const READY_WITHIN: Duration = Duration::from_secs(300);
/// Nothing is asked for more often than this.
const POLL_EVERY: Duration = Duration::from_millis(5);
/// A network that was told to stop has stopped within this.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);

/// What a network is started with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// Miners 1 to this many are registered.
    pub(crate) miners: u16,
    /// What differs from the default policy.
    pub(crate) policy: Value,
    /// Further arguments of `serve`.
    pub(crate) arguments: Vec<String>,
}

/// A running network.
#[derive(Debug)]
pub(crate) struct Server {
    /// Without a slash at its end.
    pub(crate) url: String,
    pub(crate) api_key: String,
    pub(crate) validator: Hotkey,
    pub(crate) http: reqwest::Client,
    /// How far its clock is ahead of ours.
    clock_ahead_ms: AtomicI64,
    /// None if it was given.
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    setup: Setup,
    folder: TempDir,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { status, headers, body: response.bytes().await?.to_vec() })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The words that a validator puts to its status.
    pub(crate) fn message(&self) -> &str {
        self.header("bt_header_axon_status_message")
    }

    /// The task in an answer to `PullTask`.
    pub(crate) fn task(&self) -> Option<Task> {
        let task = self.json()["task"].take();
        let text = |name: &str| Some(task[name].as_str()?.to_owned());
        Some(Task { id: text("id")?, prompt: text("prompt")? })
    }

    pub(crate) fn cooldown_until(&self) -> u64 {
        self.json()["cooldown_until"].as_u64().unwrap()
    }
}

impl Server {
    /// The network that `SN17_BASE_URL`, `SN17_API_KEY` and `SN17_VALIDATOR_HOTKEY` name, else a simulating one. For tests that
    /// hold on every host.
    pub(crate) async fn any() -> Self {
        let Ok(url) = std::env::var("SN17_BASE_URL") else { return Self::simulating(1).await };
        let given =
            |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} goes with SN17_BASE_URL"));
        Self {
            url: url.trim_end_matches('/').to_owned(),
            api_key: given("SN17_API_KEY"),
            validator: ss58::decode(&given("SN17_VALIDATOR_HOTKEY")).unwrap(),
            http: client(),
            clock_ahead_ms: AtomicI64::new(0),
            process: None,
        }
    }

    /// A network with scripted verdicts and the default policy.
    pub(crate) async fn simulating(miners: u16) -> Self {
        Self::simulating_with(miners, json!({})).await
    }

    /// A network with scripted verdicts.
    pub(crate) async fn simulating_with(miners: u16, policy: Value) -> Self {
        Self::start(Setup { miners, policy, arguments: vec!["--simulate".into()] }).await
    }

    /// Starts a network and waits until it is ready.
    pub(crate) async fn start(setup: Setup) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let miners: Vec<Miner> = (1..=setup.miners).map(Miner::new).collect();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let data = folder.path().join("data");
        write_metagraph(&data, &miners.iter().collect::<Vec<_>>());
        std::fs::write(folder.path().join("policy.json"), setup.policy.to_string()).unwrap();
        let child = spawn(folder.path(), &setup, "127.0.0.1:0");
        let mut process = Process { child, setup, folder };
        let http = client();
        let url = process.ready(&http).await;
        let validator = std::fs::read_to_string(data.join("validator-hotkey")).unwrap();
        let mut server = Self {
            url,
            api_key: String::new(),
            validator: ss58::decode(validator.trim()).unwrap(),
            http,
            clock_ahead_ms: AtomicI64::new(0),
            process: Some(process),
        };
        server.api_key = server.new_key().await;
        server
    }

    /// Kills the process outright (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.process_mut().end();
    }

    /// Starts the process again over the same folder, on the same port.
    pub(crate) async fn restart(&mut self) {
        let address = self.url.strip_prefix("http://").unwrap().to_owned();
        let http = self.http.clone();
        let process = self.process_mut();
        process.end();
        process.child = spawn(process.folder.path(), &process.setup, &address);
        let url = process.ready(&http).await;
        assert_eq!(url, self.url, "it listens where it did");
    }

    /// Starts the killed process again and kills it `after` so long, ready or not.
    pub(crate) async fn start_and_kill(&mut self, after: Duration) {
        let address = self.url.strip_prefix("http://").unwrap().to_owned();
        let process = self.process_mut();
        process.child = spawn(process.folder.path(), &process.setup, &address);
        tokio::time::sleep(after).await;
        self.kill();
    }

    /// Asks the process to stop (SIGTERM) and tells whether it ended well.
    pub(crate) async fn stop(&mut self) -> bool {
        let pid = self.pid().to_string();
        assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
        let started = Instant::now();
        loop {
            if let Some(status) = self.process_mut().child.try_wait().unwrap() {
                return status.success();
            }
            assert!(started.elapsed() < STOPPED_WITHIN, "it does not stop");
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("a given network has no process here").child.id()
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.process.as_ref().expect("a given network has no folder here").folder.path().join("data")
    }

    /// Registers exactly these miners.
    pub(crate) fn register(&self, miners: &[&Miner]) {
        write_metagraph(&self.data(), miners);
    }

    fn process_mut(&mut self) -> &mut Process {
        self.process.as_mut().expect("a given network has no process here")
    }

    async fn new_key(&self) -> String {
        let admin_key = std::fs::read_to_string(self.data().join("admin-key")).unwrap();
        let request =
            self.http.post(format!("{}/admin/keys", self.url)).header("x-admin-key", admin_key.trim());
        let answer =
            Answer::read(request.json(&json!({ "owner": "tests" })).send().await.unwrap()).await.unwrap();
        answer.json()["key"].as_str().unwrap().to_owned()
    }

    /// The network's clock, in Unix milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
        u64::try_from(now).unwrap().strict_add_signed(self.clock_ahead_ms.load(Ordering::SeqCst))
    }

    pub(crate) fn now_secs(&self) -> u64 {
        self.now_ms() / 1000
    }

    /// Moves the clock of a simulating network.
    pub(crate) async fn advance(&self, secs: i64) {
        let ahead_ms = self.clock_ahead_ms.fetch_add(secs * 1000, Ordering::SeqCst) + secs * 1000;
        self.control("clock", json!({ "offset_ms": ahead_ms })).await;
    }

    /// Scripts the next verdict.
    pub(crate) async fn script(&self, verdict: Value) {
        self.control("verdict", verdict).await;
    }

    /// Uses a control route of a simulating network.
    pub(crate) async fn control(&self, route: &str, body: Value) {
        let answer = self.post(&format!("/simulate/{route}"), &body).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let request = self.http.post(format!("{}{path}", self.url)).header("x-api-key", &self.api_key);
        Answer::read(request.json(body).send().await.unwrap()).await.unwrap()
    }

    /// A client's GET.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = self.http.get(format!("{}{path}", self.url)).header("x-api-key", &self.api_key);
        Answer::read(request.send().await.unwrap()).await.unwrap()
    }

    /// A client's new task: its id.
    pub(crate) async fn add_task(&self, prompt: &str) -> String {
        let answer = Answer::read(self.add_task_request(prompt).send().await.unwrap()).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// A client's new task, not yet sent.
    pub(crate) fn add_task_request(&self, prompt: &str) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("{}/add_task", self.url)).header("x-api-key", &self.api_key);
        request.json(&json!({ "prompt": prompt }))
    }

    pub(crate) async fn status(&self, task: &str) -> Value {
        self.get(&format!("/get_status?id={task}")).await.json()
    }

    /// Waits until a client's task has ended: its last status.
    pub(crate) async fn ended(&self, task: &str) -> Value {
        const ENDS_WITHIN: Duration = Duration::from_secs(120);
        let started = Instant::now();
        loop {
            let status = self.status(task).await;
            if status["status"] != "NoResult" {
                return status;
            }
            assert!(started.elapsed() < ENDS_WITHIN, "task {task} does not end");
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }

    /// Sends a miner's request as it stands.
    pub(crate) async fn synapse(&self, request: DendriteRequest) -> Answer {
        Answer::read(self.synapse_request(request).send().await.unwrap()).await.unwrap()
    }

    /// A miner's request as it stands, not yet sent.
    pub(crate) fn synapse_request(&self, request: DendriteRequest) -> reqwest::RequestBuilder {
        let mut builder = self.http.post(format!("{}{}", self.url, request.path));
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        builder.body(request.body)
    }
}

impl Process {
    /// Waits until the process serves, and tells where.
    async fn ready(&mut self, http: &reqwest::Client) -> String {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("serve ended with {status}:\n{}", self.log());
            }
            if let Some(url) = self.running_url()
                && http.get(format!("{url}/readyz")).send().await.is_ok_and(|answer| answer.status() == 200)
            {
                return url;
            }
            assert!(started.elapsed() < READY_WITHIN, "serve is not ready:\n{}", self.log());
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    /// Where this very process says it listens; the note of an earlier one is passed over.
    fn running_url(&self) -> Option<String> {
        let text = std::fs::read(self.folder.path().join("data/running.json")).ok()?;
        let running: Value = serde_json::from_slice(&text).ok()?;
        (running["pid"] == self.child.id()).then(|| running["url"].as_str().unwrap().to_owned())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn end(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("the network's log:\n{}", self.log());
        }
    }
}

fn spawn(folder: &Path, setup: &Setup, listen: &str) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    let mut command = std::process::Command::new(binary::path());
    command
        .args(["serve", "--listen", listen, "--data"])
        .arg(folder.join("data"))
        .arg("--policy")
        .arg(folder.join("policy.json"))
        .args(&setup.arguments)
        .env("RUST_LOG", "info,fjall=warn,lsm_tree=warn,ort=warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command.spawn().unwrap()
}

/// Writes the registered miners, each with its number as uid and a tenth of it as incentive in hundredths.
fn write_metagraph(data: &Path, miners: &[&Miner]) {
    let neuron = |miner: &&Miner| json!({ "uid": miner.number, "hotkey": miner.address(), "stake": 0.0, "incentive": f64::from(miner.number) / 1000.0 });
    let neurons: Vec<Value> = miners.iter().map(neuron).collect();
    let draft = data.join("metagraph.draft");
    std::fs::write(&draft, json!({ "neurons": neurons }).to_string()).unwrap();
    std::fs::rename(&draft, data.join("metagraph.json")).unwrap();
}

/// An HTTP client. Requests of this machine never go through a proxy.
pub(crate) fn client() -> reqwest::Client {
    static CRYPTO: Once = Once::new();
    CRYPTO.call_once(|| {
        // An error means that a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(120)).build().unwrap()
}
