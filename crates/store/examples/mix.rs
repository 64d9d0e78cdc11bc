//! Measures the durable store: rate, CPU and latency of decisions, restart, size on disk, memory.
//!
//! The mix is half adding tasks, a third pulling, a fifth settling. `mix DIR SECS CALLERS…` measures on what lies
//! in DIR; `mix DIR fill N` adds N open tasks first; `mix DIR open` measures a start.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measuring tool"
)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sn17_app::ports::{Ledger, Queue, transact};
use sn17_core::index::OpenQueue;
use sn17_core::ledger::{DecisionId, Effect, LoadSpec, OpenPage, QueueName, Step, View, Write};
use sn17_core::state::{Assignment, Item, Key, Submission, SubmissionState, TaskKind};
use sn17_core::{Hotkey, TaskId, UnixMs};
use sn17_store::conformance::samples::{hotkey, session, submission, task};
use sn17_store::{Clock, Embedded, Options};

/// Miners that pull and settle.
const MINERS: u64 = 256;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
        match words[..] {
            [folder, "fill", tasks] => fill(Path::new(folder), tasks.parse().unwrap()).await,
            [folder, "open"] => drop(open(Path::new(folder)).await),
            [folder, secs, ref callers @ ..] => {
                let store = open(Path::new(folder)).await;
                register(&store).await;
                for callers in callers {
                    measure(&store, Duration::from_secs(secs.parse().unwrap()), callers.parse().unwrap())
                        .await;
                }
                read(&store).await;
                report(Path::new(folder));
            }
            _ => panic!("usage: mix DIR fill N | mix DIR open | mix DIR SECS CALLERS…"),
        }
    });
}

async fn open(folder: &Path) -> Arc<Embedded> {
    let started = Instant::now();
    let cpu = cpu_secs();
    let store = Embedded::open(folder, Clock::system(), Options::default()).unwrap();
    let open = store.open_tasks().await.unwrap();
    let cpu = cpu_secs() - cpu;
    println!(
        "open: {:.2} s, {cpu:.2} s cpu, {open} open tasks, {} MB",
        started.elapsed().as_secs_f64(),
        rss_mb()
    );
    Arc::new(store)
}

async fn fill(folder: &Path, tasks: u64) {
    let store = open(folder).await;
    let started = Instant::now();
    let cpu = cpu_secs();
    let next = Arc::new(AtomicU64::new(0));
    let callers = (0..256).map(|_| {
        let (store, next) = (Arc::clone(&store), Arc::clone(&next));
        tokio::spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < tasks {
                add(&store).await;
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    println!("fill: {:.1} s, {:.1} s cpu", started.elapsed().as_secs_f64(), cpu_secs() - cpu);
    report(folder);
}

async fn register(store: &Embedded) {
    for miner in 0..MINERS {
        let key = Key::Session(miner_key(miner));
        let decide = move |view: &View| match view.get(&key) {
            Some(_) => Step::Reply(()),
            None => {
                Step::Commit { writes: vec![Write::create(key, Item::Session(session(0)), None)], reply: () }
            }
        };
        transact(store, id(), now(), LoadSpec::keys([key]), decide).await.unwrap();
    }
}

async fn measure(store: &Arc<Embedded>, span: Duration, callers: u64) {
    let started = Instant::now();
    let cpu = cpu_secs();
    let tasks = (0..callers).map(|caller| {
        let store = Arc::clone(store);
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            let mut dice = caller;
            while started.elapsed() < span {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let miner = (dice >> 40) % MINERS;
                let begun = Instant::now();
                match (dice >> 33) % 10 {
                    0..=4 => add(&store).await,
                    5..=7 => pull(&store, miner).await,
                    _ => settle(&store, miner).await,
                }
                latencies.push(begun.elapsed());
            }
            latencies
        })
    });
    let mut latencies = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        latencies.extend(task.await.unwrap());
    }
    let decisions = latencies.len();
    let (secs, cpu) = (started.elapsed().as_secs_f64(), cpu_secs() - cpu);
    latencies.sort();
    let at = |share: usize| latencies[(decisions * share / 1000).min(decisions - 1)].as_secs_f64() * 1e3;
    println!(
        "{callers:>4} callers: {:>6.0} decisions/s, {:>5.1} us cpu, p50 {:.2} p99 {:.2} max {:.1} ms",
        decisions as f64 / secs,
        cpu * 1e6 / decisions as f64,
        at(500),
        at(990),
        at(1000),
    );
}

/// What `get_status` does: one item, no writer.
async fn read(store: &Embedded) {
    const READS: u32 = 200_000;
    let page = OpenPage { queue: OpenQueue::Anyone, after: None, limit: 1000 };
    let load = LoadSpec { keys: Vec::new(), open_tasks: vec![page] };
    let view = store.read(now(), load).await.unwrap();
    let tasks: Vec<TaskId> = view.pages()[0].1.iter().map(|position| position.task).collect();
    let cpu = cpu_secs();
    for number in 0..READS {
        let key = Key::Task(tasks[number as usize % tasks.len()]);
        store.read(now(), LoadSpec::keys([key])).await.unwrap();
    }
    println!("read: {:.2} us cpu", (cpu_secs() - cpu) * 1e6 / f64::from(READS));
}

async fn add(store: &Embedded) {
    let created = now();
    let key = Key::Task(TaskId::new(created, id().0));
    let value = sn17_core::state::Task { deadline: created.plus_secs(86_400), ..task(created, 1) };
    let effect = Effect::Timer { task: TaskId(1), at: value.deadline };
    let write = Write::create(key, Item::Task(value), None).causing(effect);
    let decide = move |_: &View| Step::Commit { writes: vec![write.clone()], reply: () };
    transact(store, id(), created, LoadSpec::keys([key]), decide).await.unwrap();
}

async fn pull(store: &Embedded, miner: u64) {
    let (hotkey, at) = (miner_key(miner), now());
    let key = Key::Session(hotkey);
    let page = OpenPage { queue: OpenQueue::Anyone, after: None, limit: 8 };
    let load = LoadSpec { keys: vec![key], open_tasks: vec![page] };
    let decide = move |view: &View| {
        let old = view.get(&key).unwrap();
        let Item::Session(mut session) = old.item.clone() else { panic!("no session") };
        let Some(position) = view.pages()[0].1.first() else { return Step::Reply(()) };
        let task_key = Key::Task(position.task);
        let old_task = view.get(&task_key).unwrap();
        let Item::Task(mut task) = old_task.item.clone() else { panic!("no task") };
        task.holders.push(sn17_core::state::Holder {
            hotkey,
            strong: true,
            assigned_at: at,
            finished: false,
        });
        let kind = TaskKind::Organic;
        let prompt = task.prompt.clone();
        session.assignment = Some(Assignment { task: position.task, assigned_at: at, kind, prompt });
        let writes = vec![
            Write::replace(key, old, Item::Session(session)),
            Write::replace(task_key, old_task, Item::Task(task)),
        ];
        Step::Commit { writes, reply: () }
    };
    transact(store, id(), at, load, decide).await.unwrap();
}

/// A submission and its verdict at once: the session, the task and a new submission.
async fn settle(store: &Embedded, miner: u64) {
    let (hotkey, at) = (miner_key(miner), now());
    let key = Key::Session(hotkey);
    let decide = move |view: &View| {
        let old = view.get(&key).unwrap();
        let Item::Session(session) = &old.item else { panic!("no session") };
        let Some(assignment) = &session.assignment else { return Step::Reply(()) };
        let task_key = Key::Task(assignment.task);
        let Some(old_task) = view.get(&task_key) else { return Step::Load(LoadSpec::keys([task_key])) };
        let Item::Task(mut task) = old_task.item.clone() else { panic!("no task") };
        task.first_result_due = Some(at.plus_secs(30));
        let mut idle = session.clone();
        idle.assignment = None;
        let submitted = Submission { state: SubmissionState::Empty, ..submission(at, at) };
        let submission_key = Key::Submission(assignment.task, hotkey);
        let writes = vec![
            Write::replace(key, old, Item::Session(idle)),
            Write::replace(task_key, old_task, Item::Task(task)),
            Write::create(submission_key, Item::Submission(submitted), Some(at.plus_secs(172_800)))
                .causing(Effect::Score { task: TaskId(1), hotkey }),
        ];
        Step::Commit { writes, reply: () }
    };
    transact(store, id(), at, LoadSpec::keys([key]), decide).await.unwrap();
    if miner.is_multiple_of(64) {
        for delivery in store.receive(QueueName::Scoring, 64, 60, 0).await.unwrap() {
            store.ack(&delivery.receipt).await.unwrap();
        }
    }
}

fn miner_key(miner: u64) -> Hotkey {
    let mut key = hotkey(9);
    key.0[..8].copy_from_slice(&miner.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    key
}

fn now() -> UnixMs {
    Clock::system().now()
}

/// A decision id, random enough to make task ids of too.
fn id() -> DecisionId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    DecisionId(
        u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64
            | u128::from(number)
            | u128::from(now().0) << 24,
    )
}

fn report(folder: &Path) {
    println!("{} MB on disk, {} MB resident", disk_bytes(folder) >> 20, rss_mb());
}

fn disk_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.metadata().unwrap() {
            metadata if metadata.is_dir() => disk_bytes(&entry.path()),
            metadata => metadata.len(),
        })
        .sum()
}

/// CPU seconds of this process, of all its threads.
fn cpu_secs() -> f64 {
    /// Clock ticks in a second, `USER_HZ` of Linux.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / TICKS
}

fn rss_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}
