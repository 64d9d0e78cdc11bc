//! The process killed (SIGKILL) again and again under load. Takes about two minutes.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::RwLock;

use crate::miner::{Miner, Task};
use crate::payload::Random;
use crate::server::{Answer, Server};

/// How often the process is killed.
const KILLS: u64 = 200;
/// A process lives so long at most once it is ready, in milliseconds.
const LIFE_MS_MAX: u64 = 300;
/// Every fifth one is followed by one that is killed within so many milliseconds of its start, most of them unready.
const START_MS_MAX: u64 = 80;
const MINERS: u16 = 4;
const CLIENTS: u64 = 3;
/// What was accepted has ended this long after the last kill.
const ENDS_WITHIN: Duration = Duration::from_secs(90);

/// What clients and miners know: every answer that they got.
#[derive(Debug, Default)]
struct Known {
    /// Tasks whose acceptance was acknowledged.
    accepted_tasks: Mutex<Vec<String>>,
    /// By miner and task: whether an answer said that the result was accepted.
    submissions: Mutex<BTreeMap<(u16, Task), bool>>,
    is_over: AtomicBool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tk_1_sb_1_two_hundred_kills_lose_no_task_and_count_nothing_twice() {
    let seed = match std::env::var("SN17_SEED") {
        Ok(seed) => seed.parse().expect("SN17_SEED is a number"),
        Err(_) => u64::from(SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos()),
    };
    println!("seed {seed} (SN17_SEED sets it)");
    let server = RwLock::new(Server::simulating_with(MINERS, policy()).await);
    let known = Known::default();
    let miners: Vec<Miner> = (1..=MINERS).map(Miner::new).collect();
    let load = async {
        let clients = join_all((0..CLIENTS).map(|number| ask(&server, &known, Random(seed ^ number << 32))));
        let working = join_all(miners.iter().map(|miner| mine(&server, &known, miner)));
        tokio::join!(clients, working);
    };
    let kills = async {
        let mut random = Random(seed);
        for number in 0..KILLS {
            // Scripts do not outlive their process: some verdicts come late, so that kills meet them under way.
            let server_now = server.read().await;
            for _ in 0..3 {
                server_now.control("verdict", json!({ "delay_ms": random.below(40) })).await;
            }
            drop(server_now);
            tokio::time::sleep(Duration::from_millis(random.below(LIFE_MS_MAX))).await;
            // The load never holds the lock across a request, so requests are under way now.
            let mut server_now = server.write().await;
            server_now.kill();
            if number % 5 == 0 {
                server_now.start_and_kill(Duration::from_millis(random.below(START_MS_MAX))).await;
            }
            server_now.restart().await;
            drop(server_now);
            if number % 50 == 49 {
                println!("{} kills", number + 1);
            }
        }
        known.is_over.store(true, Ordering::SeqCst);
    };
    tokio::join!(load, kills);

    let mut server = server.into_inner();
    let tasks = known.accepted_tasks.into_inner().unwrap();
    let submissions = known.submissions.into_inner().unwrap();
    println!("{} tasks acknowledged, {} results sent", tasks.len(), submissions.len());
    assert!(tasks.len() > 100 && submissions.len() > 100, "that was no load");
    every_task_ends(&server, &tasks).await;
    for miner in &miners {
        nothing_counts_twice(&mut server, miner, &submissions).await;
    }
    assert!(server.stop().await, "it ends well when told to");
}

/// No cooldowns, short deadlines, and patience with a scoring that is interrupted all the time.
fn policy() -> serde_json::Value {
    json!({
        "miners": { "cooldown_secs": 0, "throttle_secs": 0, "penalty_secs": 0 },
        "tasks": { "copies": 2, "assignable_secs": 5, "first_result_secs": 1, "deadline_secs": 10 },
        "submissions": { "visibility_secs": 1, "attempts_max": 10_000, "resend_secs": 2, "resends_max": 250 },
        "rewards": { "results_max": 1_000_000 },
    })
}

/// A client that asks for one thing after another.
async fn ask(server: &RwLock<Server>, known: &Known, mut random: Random) {
    while !known.is_over.load(Ordering::SeqCst) {
        let asked = {
            let request = server.read().await.add_task_request("a robot that survives");
            request.send().await
        };
        if let Ok(response) = asked
            && let Ok(answer) = Answer::read(response).await
        {
            assert_eq!(answer.status, 200, "{}", answer.text());
            known.accepted_tasks.lock().unwrap().push(answer.json()["id"].as_str().unwrap().to_owned());
        }
        tokio::time::sleep(Duration::from_millis(20 + random.below(60))).await;
    }
}

/// A miner that pulls again whenever something goes wrong.
async fn mine(server: &RwLock<Server>, known: &Known, miner: &Miner) {
    while !known.is_over.load(Ordering::SeqCst) {
        let pulled = {
            let server = server.read().await;
            server.synapse_request(miner.pull_request(&server))
        };
        let Some(answer) = sent(pulled).await else { continue };
        assert_eq!(answer.status, 200, "{}", answer.text());
        let Some(task) = answer.task() else { continue };
        let entry = (miner.number, task);
        known.submissions.lock().unwrap().entry(entry.clone()).or_insert(false);
        let submitted = {
            let server = server.read().await;
            server.synapse_request(miner.submit_request(&server, &entry.1, &payload(&entry.1)))
        };
        let Some(answer) = sent(submitted).await else { continue };
        assert_eq!(answer.status, 200, "{}", answer.text());
        if answer.message() == "Success" {
            known.submissions.lock().unwrap().insert(entry, true);
        }
    }
}

/// The answer, unless the process died first.
async fn sent(request: reqwest::RequestBuilder) -> Option<Answer> {
    let answer = match request.send().await {
        Ok(response) => Answer::read(response).await.ok(),
        Err(_) => None,
    };
    if answer.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    answer
}

/// A task's payload, the same whenever it is made: now and then one that takes several writes.
fn payload(task: &Task) -> Vec<u8> {
    let mut random = Random(task.id.bytes().fold(0, |hash, byte| hash.rotate_left(7) ^ u64::from(byte)));
    let bytes = if random.below(20) == 0 { 400_000 } else { 2_000 };
    random.bytes(bytes)
}

/// TK-1: each one is known and ends. Results are asked for, as their route has no limit by address.
async fn every_task_ends(server: &Server, tasks: &[String]) {
    let started = Instant::now();
    let mut ended = BTreeMap::new();
    for task in tasks {
        let outcome = loop {
            let answer = server.get(&format!("/get_result?id={task}")).await;
            match answer.status {
                200 => break "success",
                404 if answer.text().starts_with("No results found") => {}
                404 if answer.text().ends_with("not found") => panic!("task {task} is lost"),
                404 => break "failure",
                status => panic!("{status}: {}", answer.text()),
            }
            assert!(started.elapsed() < ENDS_WITHIN, "task {task} does not end: {}", answer.text());
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        *ended.entry(outcome).or_insert(0) += 1;
    }
    println!("{ended:?}");
    assert!(ended.contains_key("success"), "no task succeeded");
}

/// SB-1: every result handed in again gets its one recorded verdict, and the window holds exactly the accepted ones.
async fn nothing_counts_twice(server: &mut Server, miner: &Miner, submissions: &BTreeMap<(u16, Task), bool>) {
    let (mut accepted, mut in_window) = (0, None);
    for ((number, task), was_acknowledged) in submissions {
        if *number != miner.number {
            continue;
        }
        let mut answer = miner.submit(server, task, &payload(task)).await;
        while answer.status == 429 || answer.message() == "Success; verdict pending" {
            if answer.status == 429 {
                // Requests of a hotkey are counted by the process: a new one asks for no patience.
                server.restart().await;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            answer = miner.submit(server, task, &payload(task)).await;
        }
        match answer.message() {
            "Success" => {
                accepted += 1;
                in_window = Some(answer);
            }
            words => {
                let is_unknown = answer.status == 403 || words == "Unchanged: another task is assigned";
                assert!(is_unknown && !was_acknowledged, "task {}: {words} {}", task.id, answer.text());
            }
        }
    }
    let feedback = in_window.expect("something was accepted").json()["feedback"].take();
    println!("miner {}: {accepted} accepted", miner.number);
    assert_eq!(feedback["generations_within_the_window"], accepted, "{feedback}");
}
