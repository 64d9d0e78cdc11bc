//! A deployment, which `cargo xtask aws up` makes, served by its functions or by an edge over the same table and bucket:
//! one for all tests of a process, each of which takes its share of the miners.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use sn17_app::App;
use sn17_aws::ledger::LedgerOptions;
use sn17_core::index::OpenQueue;
use sn17_core::ledger::{LoadSpec, OpenPage};
use sn17_core::state::{Key, TaskState};
use sn17_core::{Hotkey, TaskId};
use sn17_wire::ss58;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard, watch};

use crate::miner::Miner;
use crate::scripted::{Script, Verdict};
use crate::server::{Answer, client};
use crate::worker::{self, OUTPUTS, Outputs};

/// Miners that are registered for all tests together; the rest of a subnet's 256 places is for those that tests admit.
const MINERS: u16 = 160;

/// The table's hints name a new task within this.
const HINTED_WITHIN: Duration = Duration::from_secs(30);
/// A task that nobody works on has ended within this.
const ENDED_WITHIN: Duration = Duration::from_secs(150);
/// How often the table is looked at.
const POLL_EVERY: Duration = Duration::from_millis(50);
/// More tasks than ever are open at once in these tests.
const OPEN_TASKS_MAX: usize = 500;

/// What serves a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeployedHost {
    /// The Lambda functions.
    Lambda,
    /// The edge on Cloudflare's runtime.
    Worker,
    /// The edge in Spin's world.
    Spin,
}

/// What was deployed, as `cargo xtask aws up` and `cargo xtask edge up` write it.
#[derive(Debug, Deserialize)]
pub(crate) struct DeployedOutputs {
    /// What serves at `url`.
    pub(crate) host: DeployedHost,
    pub(crate) url: String,
    pub(crate) admin_key: String,
    /// Named by the refusal of large bodies.
    pub(crate) edge_url: String,
    /// The functions without anything in front.
    pub(crate) gateway_url: String,
    pub(crate) miner_url: String,
    #[serde(flatten)]
    pub(crate) worker: Outputs,
}

/// The deployment and what the tests of this process share in it.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) outputs: DeployedOutputs,
    pub(crate) validator: Hotkey,
    /// Makes the miners of this process strangers to those of every other one.
    seed: u64,
    /// Miners that no test has yet.
    unused: AtomicU16,
    strangers: AtomicU16,
    neurons: tokio::sync::Mutex<Vec<Value>>,
    script: Arc<Script>,
    worker: Mutex<Option<Worker>>,
    /// Held alone where clients have tasks: whoever pulls may get one.
    turns: RwLock<()>,
    /// Tasks of clients whose tests have ended before them.
    leftovers: Mutex<Vec<TaskId>>,
    /// Looks at the table as any other process would.
    bystander: OnceCell<App>,
}

/// The worker whose verdicts are scripted.
#[derive(Debug)]
struct Worker {
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

/// While this lives, the worker whose verdicts are scripted does nothing.
#[derive(Debug)]
pub(crate) struct Paused(&'static Deployment);

impl Drop for Paused {
    fn drop(&mut self) {
        self.0.start_worker();
    }
}

/// A test's part of the deployment.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) deployment: &'static Deployment,
    /// The number before the first of its miners.
    before: u16,
    /// Tasks of its clients that are not known to have ended.
    open_tasks: Mutex<Vec<TaskId>>,
    _guard: Guard,
}

#[expect(dead_code, reason = "guards are held, not read")]
#[derive(Debug)]
enum Guard {
    Shared(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// The deployment that the environment names, made ready by the first test that asks for it. The error says why there
/// is none that `wanted` serves.
pub(crate) async fn given(wanted: DeployedHost) -> Result<&'static Deployment, String> {
    static GIVEN: OnceCell<Deployment> = OnceCell::const_new();
    let file = std::env::var_os(OUTPUTS).ok_or_else(|| format!("{OUTPUTS} names no deployment"))?;
    let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let outputs: DeployedOutputs = serde_json::from_slice(&text).unwrap();
    if outputs.host != wanted {
        return Err(format!("the deployment of {OUTPUTS} is served by {:?}", outputs.host));
    }
    Ok(GIVEN.get_or_init(|| Deployment::open(outputs)).await)
}

impl Deployment {
    async fn open(outputs: DeployedOutputs) -> Self {
        let seed = u64::try_from(SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
        let neurons = (1..=MINERS).map(|number| Miner::of(seed, number).neuron()).collect();
        let deployment = Self {
            validator: ss58::decode(&outputs.worker.validator).unwrap(),
            seed,
            unused: AtomicU16::new(0),
            strangers: AtomicU16::new(1000),
            neurons: tokio::sync::Mutex::new(neurons),
            script: Arc::new(Script::new(outputs.worker.policy)),
            worker: Mutex::new(None),
            outputs,
            turns: RwLock::new(()),
            leftovers: Mutex::default(),
            bystander: OnceCell::new(),
        };
        deployment.register(&deployment.neurons.lock().await).await;
        deployment.start_worker();
        deployment
    }

    /// Waits for a test's turn and gives it its miners.
    pub(crate) async fn turn(&'static self, miners: u16, has_clients: bool) -> Turn {
        let guard = if has_clients {
            Guard::Alone(self.turns.write().await)
        } else {
            Guard::Shared(self.turns.read().await)
        };
        self.end_leftovers().await;
        let before = self.unused.fetch_add(miners, Ordering::SeqCst);
        assert!(before + miners <= MINERS, "the tests need more miners than {MINERS}");
        Turn { deployment: self, before, open_tasks: Mutex::default(), _guard: guard }
    }

    /// Waits until no task of an earlier test is open: it would be given to the miners of the next one, or keep them
    /// from finding theirs.
    async fn end_leftovers(&self) {
        let leftovers = self.leftovers.lock().unwrap().clone();
        let ended = async {
            for task in leftovers {
                while is_open(self.bystander().await, task).await {
                    tokio::time::sleep(POLL_EVERY).await;
                }
                self.leftovers.lock().unwrap().retain(|left| *left != task);
            }
        };
        tokio::time::timeout(ENDED_WITHIN, ended).await.expect("every task ends");
    }

    /// A process of the deployment that only looks.
    async fn bystander(&self) -> &App {
        self.bystander.get_or_init(|| self.outputs.worker.app()).await
    }

    /// A miner that is not registered.
    pub(crate) fn stranger(&self) -> Miner {
        Miner::of(self.seed, self.strangers.fetch_add(1, Ordering::SeqCst))
    }

    /// A place that is not given away.
    pub(crate) fn free_uid(&self) -> u16 {
        MINERS + 1 + (self.strangers.fetch_add(1, Ordering::SeqCst) - 1000)
    }

    /// Registers one more miner.
    pub(crate) async fn admit(&self, neuron: Value) {
        let mut neurons = self.neurons.lock().await;
        neurons.push(neuron);
        self.register(&neurons).await;
    }

    /// Scripts the next verdict on what a miner hands in.
    pub(crate) fn script(&self, miner: Hotkey, verdict: Verdict) {
        self.script.push(miner, verdict);
    }

    /// Starts the worker whose verdicts are scripted.
    fn start_worker(&self) {
        let (outputs, script) = (self.outputs.worker.clone(), Arc::clone(&self.script));
        let (stop, stopped) = watch::channel(false);
        // A runtime of its own: that of the test that happens to come first ends with it.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(worker::work(&outputs, script, stopped));
        });
        *self.worker.lock().unwrap() = Some(Worker { stop, thread });
    }

    /// Lets the worker finish what it has in hand; another one may take its place until the answer is dropped.
    pub(crate) async fn pause_worker(&'static self) -> Paused {
        let worker = self.worker.lock().unwrap().take().expect("it was started");
        worker.stop.send_replace(true);
        tokio::task::spawn_blocking(|| worker.thread.join().unwrap()).await.unwrap();
        Paused(self)
    }

    async fn register(&self, neurons: &[Value]) {
        let request = client().request(Method::PUT, format!("{}/admin/metagraph", self.outputs.url));
        let request =
            request.header("x-admin-key", &self.outputs.admin_key).json(&json!({ "neurons": neurons }));
        let answer = Answer::read(request.send().await.unwrap()).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
}

impl Turn {
    /// Miner `number` of this test, from 1.
    pub(crate) fn miner(&self, number: u16) -> Miner {
        Miner::of(self.deployment.seed, self.before + number)
    }

    /// Notes that a client has added tasks, and waits until every process of the deployment gives them away: each
    /// remembers for a moment where tasks wait, and takes that from hints in the table.
    pub(crate) async fn tasks_added(&self, tasks: &[&str]) {
        let tasks: Vec<TaskId> = tasks.iter().map(|task| task.parse().unwrap()).collect();
        self.open_tasks.lock().unwrap().extend(&tasks);
        let bystander = self.deployment.bystander().await;
        let hinted = async {
            for task in tasks {
                while !is_hinted(bystander, task).await {
                    tokio::time::sleep(POLL_EVERY).await;
                }
            }
        };
        tokio::time::timeout(HINTED_WITHIN, hinted).await.expect("new tasks are hinted at");
        // The table's hints name them; nobody uses older ones for longer than this.
        let hints_ms = LedgerOptions::new("").hints_ms;
        tokio::time::sleep(Duration::from_millis(hints_ms)).await;
    }

    /// Notes that one has ended.
    pub(crate) fn task_ended(&self, task: &str) {
        let task = task.parse().unwrap();
        self.open_tasks.lock().unwrap().retain(|open| *open != task);
    }
}

/// Whether the task may still be given away, or stands in the way of others.
async fn is_open(bystander: &App, task: TaskId) -> bool {
    let view =
        bystander.ports().ledger.read(bystander.now(), LoadSpec::keys([Key::Task(task)])).await.unwrap();
    view.task(task).is_some_and(|(_, task)| matches!(task.state, TaskState::Open))
}

/// Whether a process that is told by the hints alone finds the task.
async fn is_hinted(bystander: &App, task: TaskId) -> bool {
    let page = OpenPage { queue: OpenQueue::Anyone, after: None, limit: OPEN_TASKS_MAX };
    let load = LoadSpec { open_tasks: vec![page], ..LoadSpec::default() };
    let view = bystander.ports().ledger.read(bystander.now(), load).await.unwrap();
    view.pages().iter().flat_map(|(_, positions)| positions).any(|position| position.task == task)
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.deployment.leftovers.lock().unwrap().append(&mut self.open_tasks.lock().unwrap());
    }
}
