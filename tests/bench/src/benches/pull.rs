//! What a pull costs beyond the check of its signature: session, nonce, decision and durable commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use cpu_time::ProcessTime;
use sn17_app::ports::{Ledger, Queue, transact};
use sn17_app::{AddTask, App, Caller, Host, KeySecret, NewPrompt, Ports, PromptBook, PullAnswer};
use sn17_core::ledger::LoadSpec;
use sn17_core::policy::Policy;
use sn17_core::state::{ApiKey, Key, KeyHash, Neuron, Origin};
use sn17_core::{Hotkey, UnixMs, miner};
use sn17_store::{Clock, Embedded, MemoryBlobs, Options};
use sn17_wire::dendrite::{DendriteHeaders, NonceWindow};
use sn17_wire::sr25519::Keypair;
use sn17_wire::synapse;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::contest::{Benchmark, Budget, Contest, Figure, Run, Size};
use crate::load;
use crate::miner::{axon, signing};

/// Pulls under way at once.
const CALLERS: usize = 64;
/// Pulls in a run, each by a miner of its own that gets a client's task.
const PULLS: usize = 1024;
/// Clients' tasks for a run, with some to spare: four miners work on each.
const TASKS: usize = PULLS / 4 + 64;
/// Two miners in five are strong, as 100 of 256.
const STRONG_OF_FIVE: u64 = 2;
const VALIDATOR: Hotkey = Hotkey([9; 32]);

pub(crate) const BENCHMARK: Benchmark = Benchmark {
    figures: &[Figure { name: "pull.embedded", unit: "µs CPU", budget: Some(Budget::RatioMax(3.0)) }],
    prepare,
};

fn prepare(_: Size) -> anyhow::Result<Contest> {
    let bench = Arc::new(Bench::new()?);
    let side = |bench: Arc<Bench>, work: Work| -> Run { Box::new(move || Ok(vec![bench.run(work)?])) };
    Ok(Contest {
        variant: side(Arc::clone(&bench), Work::Pull),
        baseline: side(bench, Work::Verify),
        note: format!(
            "{PULLS} pulls, {CALLERS} at once, on disk; baseline: the check of the signature alone"
        ),
        is_judged: true,
    })
}

#[derive(Clone, Copy)]
enum Work {
    Verify,
    Pull,
}

struct Bench {
    runtime: Arc<Runtime>,
    app: Arc<App>,
    next_miner: AtomicU64,
    _folder: TempDir,
}

impl Bench {
    fn new() -> anyhow::Result<Self> {
        let runtime = load::runtime()?;
        let folder = tempfile::tempdir()?;
        let store = Embedded::open(folder.path(), Clock::system(), Options::default())?;
        let ports = Ports {
            ledger: Arc::new(store.clone()) as Arc<dyn Ledger>,
            blobs: Arc::new(MemoryBlobs::default()),
            queue: Arc::new(store) as Arc<dyn Queue>,
        };
        let host = Host { now: Arc::new(now), random: Arc::new(random) };
        let prompts = PromptBook::new(vec!["a red wooden robot".to_owned()], Vec::new());
        let app = App::new(ports, host, Policy::default(), VALIDATOR, KeySecret([1; 32]), prompts);
        Ok(Self { runtime, app: Arc::new(app), next_miner: AtomicU64::new(0), _folder: folder })
    }

    /// Microseconds of CPU time for each of a run's pulls.
    fn run(&self, work: Work) -> anyhow::Result<f64> {
        self.runtime.block_on(async {
            let miners = self.register().await?;
            self.add_tasks().await?;
            let mut requests = miners.iter().map(headers).collect::<anyhow::Result<Vec<_>>>()?;
            let start = ProcessTime::now();
            let mut callers = JoinSet::new();
            for _ in 0..CALLERS {
                let share = requests.split_off(requests.len() - PULLS / CALLERS);
                callers.spawn(call(Arc::clone(&self.app), share, work));
            }
            while let Some(caller) = callers.join_next().await {
                caller??;
            }
            let pulls = u32::try_from(PULLS)?;
            Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(pulls))
        })
    }

    /// Miners that have never pulled.
    async fn register(&self) -> anyhow::Result<Vec<Keypair>> {
        let first = self.next_miner.fetch_add(PULLS as u64, Ordering::Relaxed);
        let (mut keypairs, mut registering) = (Vec::with_capacity(PULLS), JoinSet::new());
        for number in first..first + PULLS as u64 {
            let mut secret = [7; 32];
            secret[..8].copy_from_slice(&number.to_le_bytes());
            let keypair = Keypair::from_mini_secret(&secret);
            let hotkey = keypair.hotkey();
            keypairs.push(keypair);
            let neuron = Neuron { uid: 0, hotkey, coldkey: None, stake: 0.0, incentive: 0.0 };
            let (app, is_strong) = (Arc::clone(&self.app), number % 5 < STRONG_OF_FIVE);
            registering.spawn(async move {
                let policy = *app.policy();
                let load = LoadSpec::keys([Key::Session(hotkey), Key::Record(hotkey)]);
                let decide = move |view: &_| miner::register(view, &neuron, is_strong, &policy);
                let id = sn17_core::ledger::DecisionId(random());
                transact(&*app.ports().ledger, id, app.now(), load, decide).await
            });
        }
        while let Some(registered) = registering.join_next().await {
            registered??;
        }
        Ok(keypairs)
    }

    async fn add_tasks(&self) -> anyhow::Result<()> {
        let key = ApiKey {
            owner: "bench".to_owned(),
            prefix: String::new(),
            created: self.app.now(),
            hourly: None,
            daily: None,
        };
        let caller = Caller { hash: KeyHash([2; 32]), key };
        let mut adding = JoinSet::new();
        for _ in 0..TASKS {
            let (app, caller) = (Arc::clone(&self.app), caller.clone());
            let prompt = NewPrompt::Text("a red wooden robot with a hammer in one hand".to_owned());
            adding.spawn(async move { app.add_task(&caller, AddTask { prompt, origin: Origin::Api }).await });
        }
        while let Some(added) = adding.join_next().await {
            added??;
        }
        Ok(())
    }
}

/// The headers of a signed pull, read but not verified.
fn headers(keypair: &Keypair) -> anyhow::Result<DendriteHeaders> {
    let request = synapse::pull_task(&axon(VALIDATOR), &signing(keypair));
    let lookup = |name: &str| {
        let header = request.headers.iter().find(|(known, _)| *known == name);
        header.map(|(_, value)| value.as_bytes())
    };
    Ok(DendriteHeaders::parse(lookup)?)
}

async fn call(app: Arc<App>, requests: Vec<DendriteHeaders>, work: Work) -> anyhow::Result<()> {
    for request in requests {
        let caller = request.verify(&VALIDATOR, app.now(), &NonceWindow::default())?;
        match work {
            Work::Verify => tokio::task::yield_now().await,
            Work::Pull => {
                let answer = app.pull(&caller).await?;
                anyhow::ensure!(matches!(answer, PullAnswer::Task(_)), "a pull got no task: {answer:?}");
            }
        }
    }
    Ok(())
}

fn now() -> UnixMs {
    let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    UnixMs(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// Numbers that never repeat, which is all that is asked of them here (a counter through splitmix64's finaliser).
fn random() -> u128 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    u128::from(mixed) << 64 | u128::from(number)
}
