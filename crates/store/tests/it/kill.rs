//! Killing the process that writes, and looking at what it leaves.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use sn17_app::ports::{Ledger, Nonce, transact};
use sn17_core::ledger::{LoadSpec, Step, View, Write};
use sn17_core::state::{Item, Key};
use sn17_core::{TaskId, UnixMs};
use sn17_store::conformance::ManualClock;
use sn17_store::conformance::samples::{
    decision_id, holder, hotkey, read, score_effect, session, task, task_id, timer_effect,
};
use sn17_store::{Embedded, Options};

/// How often the writing process is killed; `SN17_KILLS` asks for more.
const KILLS: u64 = 20;
/// Set for the process that writes: the folder of its store.
const FOLDER: &str = "SN17_KILL_FOLDER";
/// Set for the process that writes: which one it is.
const ROUND: &str = "SN17_KILL_ROUND";
/// Callers at the same time in the process that writes.
const CALLERS: u8 = 16;

/// TK-1: whatever was acknowledged before a kill -9 is there after it, and the indexes agree with the items.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_nothing_acknowledged() {
    if let Ok(folder) = std::env::var(FOLDER) {
        return write_until_killed(Path::new(&folder)).await;
    }
    let kills = std::env::var("SN17_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::default();
    let mut delay_ms = 7_919_u64;
    for round in 0..kills {
        let mut child = spawn_writer(folder.path(), round);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reader = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
        // No promise is tied to this time: it only moves the kill about, from the opening on.
        delay_ms = delay_ms * 48_271 % 2_147_483_647;
        tokio::time::sleep(Duration::from_millis(50 + delay_ms % 400)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        for line in reader.join().unwrap() {
            acknowledged.note(&line);
        }
        check(folder.path(), &acknowledged).await;
    }
    assert!(acknowledged.tasks.len() > 100, "only {} tasks were acknowledged", acknowledged.tasks.len());
    eprintln!(
        "{kills} kills, {} tasks and {} counts acknowledged",
        acknowledged.tasks.len(),
        acknowledged.total()
    );
}

fn spawn_writer(folder: &Path, round: u64) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kill::kill_9_loses_nothing_acknowledged", "--nocapture"]);
    command.env(FOLDER, folder).env(ROUND, round.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// What the killed processes said they had done.
#[derive(Default)]
struct Acknowledged {
    tasks: Vec<TaskId>,
    /// By caller: how often it has counted up.
    counts: BTreeMap<u8, u64>,
}

impl Acknowledged {
    /// Reads one line; one that was cut off by the kill, or is not ours, does not count.
    fn note(&mut self, line: &str) {
        let parts: Vec<&str> = line.split(' ').collect();
        let [tag, caller, count, task, "."] = parts[..] else { return };
        if tag != "done" {
            return;
        }
        self.counts.insert(caller.parse().unwrap(), count.parse().unwrap());
        self.tasks.push(task.parse().unwrap());
    }

    fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// Adds tasks and counts up in the same commit, and says so after each answer.
async fn write_until_killed(folder: &Path) {
    let round: u64 = std::env::var(ROUND).unwrap().parse().unwrap();
    let clock = ManualClock::default();
    let store = Embedded::open(folder, clock.clock(), Options::default()).unwrap();
    let store = Arc::new(store);
    let mut callers = Vec::new();
    for caller in 0..CALLERS {
        let (store, now) = (Arc::clone(&store), clock.now().plus_secs(round));
        callers.push(tokio::spawn(async move { write_as(&store, caller, now).await }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
}

async fn write_as(store: &Embedded, caller: u8, now: UnixMs) {
    for number in 0.. {
        let id = task_id(now, number * u64::from(CALLERS) + u64::from(caller));
        let load = LoadSpec::keys([Key::Session(hotkey(caller))]);
        let decide = move |view: &View| count_up(view, caller, id, now);
        let count = transact(store, decision_id(), now, load, decide).await.unwrap();
        let nonce = Nonce { hotkey: hotkey(caller), uuid: now.0.to_string(), nonce: number };
        assert!(store.claim_nonce(&nonce, now, now.plus_secs(300)).await.unwrap());
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(format!("done {caller} {count} {id} .\n").as_bytes()).unwrap();
        stdout.flush().unwrap();
    }
}

fn count_up(view: &View, caller: u8, id: TaskId, now: UnixMs) -> Step<u64> {
    let key = Key::Session(hotkey(caller));
    let old = view.get(&key);
    let count = match old.map(|old| &old.item) {
        Some(Item::Session(session)) => session.cooldown_until + 1,
        _ => 1,
    };
    let item = Item::Session(session(count));
    let counted = old
        .map_or_else(|| Write::create(key, item.clone(), None), |old| Write::replace(key, old, item.clone()));
    let mut value = task(now, 2);
    if count % 3 == 0 {
        value.holders = vec![holder(1, false, now), holder(2, count % 2 == 0, now)];
    }
    let task = Write::create(Key::Task(id), Item::Task(value), Some(now.plus_secs(900)))
        .causing(score_effect(caller))
        .causing(timer_effect(now.plus_secs(600)));
    Step::Commit { writes: vec![counted, task], reply: count }
}

/// Opens what a killed process left and compares it with what that process said.
async fn check(folder: &Path, acknowledged: &Acknowledged) {
    let clock = ManualClock::default();
    let store = Embedded::open(folder, clock.clock(), Options::default()).unwrap();
    store.verify().await.unwrap();
    for id in &acknowledged.tasks {
        assert!(read(&store, clock.now(), Key::Task(*id)).await.is_some(), "task {id} is lost");
    }
    for (caller, count) in &acknowledged.counts {
        let stored = read(&store, clock.now(), Key::Session(hotkey(*caller))).await.unwrap();
        let Item::Session(session) = stored.item else { panic!("a session holds a session") };
        assert!(session.cooldown_until >= *count, "caller {caller}: {} of {count}", session.cooldown_until);
        assert_eq!(stored.rev, session.cooldown_until, "caller {caller} counted twice or not at all");
    }
}
