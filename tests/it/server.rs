//! A running network to test, as its miners, clients and operators see it.

use std::path::PathBuf;
use std::sync::Once;
use std::sync::atomic::{AtomicI64, AtomicU16, Ordering};
use std::time::{Duration, Instant, SystemTime};

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sn17_core::Hotkey;
use sn17_core::policy::Policy;
use sn17_wire::ss58;
use sn17_wire::synapse::DendriteRequest;

use crate::deployment::{Deployment, Turn};
use crate::miner::{Miner, Task};
use crate::process::{Process, write_metagraph};

/// What a network is started with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    /// Miners 1 to this many are registered.
    pub(crate) miners: u16,
    /// What differs from the default policy.
    pub(crate) policy: Value,
    /// Further arguments of `serve`.
    pub(crate) arguments: Vec<String>,
    /// Whether clients have tasks in it, which any miner may get: a network that tests share is then this test's alone.
    pub(crate) has_clients: bool,
}

/// A running network.
#[derive(Debug)]
pub(crate) struct Server {
    /// Without a slash at its end.
    pub(crate) url: String,
    pub(crate) api_key: String,
    pub(crate) admin_key: String,
    pub(crate) validator: Hotkey,
    pub(crate) policy: Policy,
    pub(crate) http: reqwest::Client,
    /// How far its clock is ahead of ours.
    clock_ahead_ms: AtomicI64,
    /// Miners that were registered later or not at all.
    strangers: AtomicU16,
    backing: Backing,
}

/// What a network stands on.
#[derive(Debug)]
enum Backing {
    /// A process of the test's own.
    Process(Process),
    /// A part of a deployment.
    Deployment(Turn),
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
    /// A network of its own with scripted verdicts and the default policy.
    pub(crate) async fn simulating(miners: u16) -> Self {
        Self::simulating_with(miners, json!({})).await
    }

    /// A network of its own with scripted verdicts.
    pub(crate) async fn simulating_with(miners: u16, policy: Value) -> Self {
        Self::start(Setup { miners, policy, arguments: vec!["--simulate".into()], ..Setup::default() }).await
    }

    /// Starts a network of its own and waits until it is ready.
    pub(crate) async fn start(setup: Setup) -> Self {
        let neurons: Vec<Value> = (1..=setup.miners).map(|number| Miner::new(number).neuron()).collect();
        let policy = serde_json::from_value(setup.policy.clone()).unwrap();
        let mut process = Process::start(setup, &neurons);
        let http = client();
        let url = process.ready(&http).await;
        let said = |name: &str| std::fs::read_to_string(process.data().join(name)).unwrap().trim().to_owned();
        let (validator, admin_key) = (ss58::decode(&said("validator-hotkey")).unwrap(), said("admin-key"));
        let backing = Backing::Process(process);
        Self::over(url, admin_key, validator, policy, backing).with_new_key().await
    }

    /// A part of a deployment: so many of its miners, and its clients if need be.
    pub(crate) async fn deployed(deployment: &'static Deployment, setup: &Setup) -> Self {
        let turn = deployment.turn(setup.miners, setup.has_clients).await;
        let outputs = &deployment.outputs;
        let (url, admin_key) = (outputs.url.clone(), outputs.admin_key.clone());
        let (validator, policy) = (deployment.validator, outputs.worker.policy);
        Self::over(url, admin_key, validator, policy, Backing::Deployment(turn)).with_new_key().await
    }

    fn over(url: String, admin_key: String, validator: Hotkey, policy: Policy, backing: Backing) -> Self {
        Self {
            url,
            api_key: String::new(),
            admin_key,
            validator,
            policy,
            http: client(),
            clock_ahead_ms: AtomicI64::new(0),
            strangers: AtomicU16::new(0),
            backing,
        }
    }

    async fn with_new_key(mut self) -> Self {
        let answer = self.operate(reqwest::Method::POST, "/admin/keys", &json!({ "owner": "tests" })).await;
        answer.json()["key"].as_str().unwrap().clone_into(&mut self.api_key);
        self
    }

    /// Registered miner `number` of this network, from 1.
    pub(crate) fn miner(&self, number: u16) -> Miner {
        match &self.backing {
            Backing::Process(_) => Miner::new(number),
            Backing::Deployment(turn) => turn.miner(number),
        }
    }

    /// A miner that is not registered.
    pub(crate) fn stranger(&self) -> Miner {
        match &self.backing {
            Backing::Process(_) => Miner::new(200 + self.strangers.fetch_add(1, Ordering::SeqCst)),
            Backing::Deployment(turn) => turn.deployment.stranger(),
        }
    }

    /// Registers one more miner, whose place is `uid`, beside those of the start.
    pub(crate) async fn admit(&self, uid: u16, address: &str) {
        self.admit_neuron(json!({ "uid": uid, "hotkey": address })).await;
    }

    /// The same as the metagraph lists it.
    pub(crate) async fn admit_neuron(&self, neuron: Value) {
        match &self.backing {
            Backing::Process(process) => {
                let miners = process.miners();
                let mut neurons: Vec<Value> =
                    (1..=miners).map(|number| Miner::new(number).neuron()).collect();
                neurons.push(neuron);
                write_metagraph(&process.data(), &neurons);
            }
            Backing::Deployment(turn) => turn.deployment.admit(neuron).await,
        }
    }

    /// A place that no miner of the start has.
    pub(crate) fn free_uid(&self) -> u16 {
        match &self.backing {
            Backing::Process(process) => process.miners() + 1 + self.strangers.fetch_add(1, Ordering::SeqCst),
            Backing::Deployment(turn) => turn.deployment.free_uid(),
        }
    }

    /// The deployment that this network is a part of.
    pub(crate) fn deployment(&self) -> &'static Deployment {
        match &self.backing {
            Backing::Process(_) => panic!("this network is a process"),
            Backing::Deployment(turn) => turn.deployment,
        }
    }

    /// Whether verdicts come from the server itself, which then labels every answer.
    pub(crate) fn is_simulated(&self) -> bool {
        matches!(self.backing, Backing::Process(_))
    }

    /// Kills the process outright (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.process_mut().kill();
    }

    /// Starts the process again over the same folder, on the same port.
    pub(crate) async fn restart(&mut self) {
        let address = self.address().to_owned();
        let http = self.http.clone();
        let process = self.process_mut();
        process.kill();
        process.start_again(&address);
        let url = process.ready(&http).await;
        assert_eq!(url, self.url, "it listens where it did");
    }

    /// Starts the killed process again and kills it `after` so long, ready or not.
    pub(crate) async fn start_and_kill(&mut self, after: Duration) {
        let address = self.address().to_owned();
        self.process_mut().start_again(&address);
        tokio::time::sleep(after).await;
        self.kill();
    }

    /// Asks the process to stop (SIGTERM) and tells whether it ended well.
    pub(crate) async fn stop(&mut self) -> bool {
        self.process_mut().stop().await
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.process().data()
    }

    fn process(&self) -> &Process {
        match &self.backing {
            Backing::Process(process) => process,
            Backing::Deployment(_) => panic!("a deployed network has no process here"),
        }
    }

    fn process_mut(&mut self) -> &mut Process {
        match &mut self.backing {
            Backing::Process(process) => process,
            Backing::Deployment(_) => panic!("a deployed network has no process here"),
        }
    }

    /// An operator's request.
    pub(crate) async fn operate(&self, method: reqwest::Method, path: &str, body: &Value) -> Answer {
        let request =
            self.http.request(method, format!("{}{path}", self.url)).header("x-admin-key", &self.admin_key);
        Answer::read(request.json(body).send().await.unwrap()).await.unwrap()
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

    /// Lets so many seconds pass.
    pub(crate) async fn pass(&self, secs: u64) {
        match &self.backing {
            Backing::Process(_) => self.advance(i64::try_from(secs).unwrap()).await,
            Backing::Deployment(_) => tokio::time::sleep(Duration::from_secs(secs)).await,
        }
    }

    /// Scripts the next verdict on what a miner hands in.
    pub(crate) async fn script(&self, miner: &Miner, mut verdict: Value) {
        match &self.backing {
            Backing::Process(_) => {
                verdict["hotkey"] = json!(miner.address());
                self.control("verdict", verdict).await;
            }
            Backing::Deployment(turn) => {
                turn.deployment.script(miner.keypair.hotkey(), serde_json::from_value(verdict).unwrap());
            }
        }
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

    /// A client's new task, which miners know of: its id.
    pub(crate) async fn add_task(&self, prompt: &str) -> String {
        let answer = Answer::read(self.add_task_request(prompt).send().await.unwrap()).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        self.miners_know_of(&[&id]).await;
        id
    }

    /// Waits until new tasks are given away.
    pub(crate) async fn miners_know_of(&self, tasks: &[&str]) {
        match &self.backing {
            Backing::Process(_) => {}
            Backing::Deployment(turn) => turn.tasks_added(tasks).await,
        }
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
                if let Backing::Deployment(turn) = &self.backing {
                    turn.task_ended(task);
                }
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

/// An HTTP client. Requests of this machine never go through a proxy.
pub(crate) fn client() -> reqwest::Client {
    static CRYPTO: Once = Once::new();
    CRYPTO.call_once(|| {
        // An error means that a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(120))
        // Every host keeps an idle connection for longer: a request must not be sent on one that is just being closed.
        .pool_idle_timeout(Duration::from_secs(1))
        .build()
        .unwrap()
}
