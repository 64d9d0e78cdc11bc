//! A deployment, which `cargo xtask aws up` makes, served by its functions or by an edge over the same table and bucket:
//! one for all tests of a process, each of which takes its share of the miners.

use std::sync::atomic::{AtomicI32, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use sn17_core::Hotkey;
use sn17_wire::ss58;
use tokio::sync::{OnceCell, RwLock, RwLockReadGuard, RwLockWriteGuard, watch};
use tokio::time::Instant;

use crate::miner::Miner;
use crate::scripted::{Script, Verdict};
use crate::server::{Answer, client};
use crate::worker::{self, OUTPUTS, Outputs};

/// Miners that are registered for all tests together; the rest of a subnet's 256 places is for those that tests admit.
const MINERS: u16 = 160;

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
    host: DeployedHost,
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
    /// No task of a client's is given away from then on.
    quiet_from: Mutex<Instant>,
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
    /// Tasks of its clients that are not known to have ended, and when the last one was added.
    open_tasks: AtomicI32,
    last_added: Mutex<Instant>,
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
            quiet_from: Mutex::new(Instant::now()),
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
        let quiet_from = *self.quiet_from.lock().unwrap();
        tokio::time::sleep_until(quiet_from).await;
        let before = self.unused.fetch_add(miners, Ordering::SeqCst);
        assert!(before + miners <= MINERS, "the tests need more miners than {MINERS}");
        let (open_tasks, last_added) = (AtomicI32::new(0), Mutex::new(Instant::now()));
        Turn { deployment: self, before, open_tasks, last_added, _guard: guard }
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

    /// Notes that a client has added a task.
    pub(crate) fn task_added(&self) {
        self.open_tasks.fetch_add(1, Ordering::SeqCst);
        *self.last_added.lock().unwrap() = Instant::now();
    }

    /// Notes that one has ended.
    pub(crate) fn task_ended(&self) {
        self.open_tasks.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Turn {
    /// What nobody took would still be given to the miners of the next test.
    fn drop(&mut self) {
        if self.open_tasks.load(Ordering::SeqCst) > 0 {
            let is_given_away =
                Duration::from_secs(self.deployment.outputs.worker.policy.tasks.assignable_secs + 1);
            let quiet_from = *self.last_added.lock().unwrap() + is_given_away;
            *self.deployment.quiet_from.lock().unwrap() = quiet_from;
        }
    }
}
