//! Rendering and scoring for real, with synthetic models, in the process that `serve` starts for it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use sn17_splat::encode_ply;
use sn17_splat::procedural::{Quality, object};

use crate::binary;
use crate::deployment::{Deployment, Paused};
use crate::host::{Host, on_every_host};
use crate::hostile::stored;
use crate::miner::{Miner, Task};
use crate::payload;
use crate::server::{Answer, Server, Setup};

/// A verdict comes within this, on a machine that has much else to do.
const SCORED_WITHIN: Duration = Duration::from_secs(300);
const PROMPT: &str = "a red wooden robot";

async fn scoring(miners: u16) -> Server {
    let policy = json!({ "tasks": { "first_result_secs": 1 }, "submissions": { "wait_secs": 120 } });
    Server::start(Setup { miners, policy, ..Setup::default() }).await
}

on_every_host!(a_good_splat_is_accepted_and_what_is_none_is_refused_with_its_reason);

async fn a_good_splat_is_accepted_and_what_is_none_is_refused_with_its_reason(host: Host) {
    if !binary::can_score() {
        return;
    }
    let server = match host {
        Host::Embedded => scoring(8).await,
        Host::Deployed(_) => host.with_clients(8, json!({})).await,
    };
    let worker = match host.deployment() {
        None => None,
        Some(deployment) => Some(ScorerProcess::start(deployment).await),
    };
    let id = server.add_task(PROMPT).await;
    let good = payload::composed(PROMPT, Quality::Intact);
    let noise = payload::composed(PROMPT, Quality::Noisy);

    let miner = server.miner(1);
    let task = miner.task(&server).await;
    assert_eq!(task.id, id);
    let answer = verdict(&server, &miner, &task, &good).await;
    assert_eq!(answer.message(), "Success", "{}", answer.text());
    assert_eq!(answer.header("x-sn17-synthetic"), "true", "made-up weights are labelled");
    let score = answer.json()["feedback"]["task_fidelity_score"].as_f64().unwrap();
    assert!((0.6..=1.0).contains(&score), "{score}");

    let miner = server.miner(2);
    let task = miner.task(&server).await;
    let answer = verdict(&server, &miner, &task, &noise).await;
    let rejected = answer.json()["feedback"]["task_fidelity_score"].as_f64().unwrap();
    assert!(rejected < 0.6, "{rejected}");
    assert_eq!(answer.message(), format!("Rejected: the score {rejected:.3} is below the threshold 0.6"));
    assert_eq!(answer.json()["feedback"]["validation_failed"], true);

    let status = server.ended(&id).await;
    assert_eq!((&status["status"], &status["synthetic"]), (&json!("Success"), &json!(true)));
    assert!(server.get(&format!("/get_result?id={id}")).await.body == good);
    let ply = server.get(&format!("/get_result?id={id}&format=ply")).await;
    assert!(ply.body.starts_with(b"ply\n"), "{}", ply.status);
    for (picture, begins) in [("front", &b"\x89PNG"[..]), ("grid", b"\x89PNG"), ("turntable", b"RIFF")] {
        let shown = server.get(&format!("/get_preview?id={id}&picture={picture}")).await;
        assert!(shown.body.starts_with(begins), "{picture}: {}", shown.status);
    }
    let refused = server.get(&format!("/get_preview?id={id}&picture=neutral")).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    if worker.is_none() {
        assert!(stored(&server, "previews") > 0, "front view and grid are kept");
    }

    for (number, (what, payload)) in (3..).zip(worthless()) {
        let miner = server.miner(number);
        let task = miner.task(&server).await;
        let answer = verdict(&server, &miner, &task, &payload).await;
        assert!(answer.message().starts_with("Rejected: "), "{what}: {}", answer.message());
        let feedback = answer.json()["feedback"].take();
        assert_eq!(
            (&feedback["validation_failed"], &feedback["task_fidelity_score"]),
            (&json!(true), &json!(0.0))
        );
        println!("{what}: {}", answer.message());
    }
    if let Some(worker) = worker {
        worker.stop().await;
    }
}

/// Hands a splat in and waits for its verdict, however often it must be asked for.
async fn verdict(server: &Server, miner: &Miner, task: &Task, splat: &[u8]) -> Answer {
    let started = Instant::now();
    loop {
        let answer = miner.submit(server, task, splat).await;
        if answer.message() != "Success; verdict pending" {
            return answer;
        }
        assert!(started.elapsed() < SCORED_WITHIN, "it is never scored");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// The scoring worker of a deployment, as a process that takes its work from the queue.
#[derive(Debug)]
struct ScorerProcess {
    child: Child,
    /// Its place is that of the worker whose verdicts are scripted.
    _paused: Paused,
}

impl ScorerProcess {
    async fn start(deployment: &'static Deployment) -> Self {
        let paused = deployment.pause_worker().await;
        let mut command = Command::new(binary::scorer());
        command.envs(deployment.outputs.worker.environment()).env("RUST_LOG", "error").stdin(Stdio::null());
        Self { child: command.spawn().unwrap(), _paused: paused }
    }

    /// Tells it to end (SIGTERM), which it does when nothing is in hand.
    async fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        let status = tokio::task::spawn_blocking(move || self.child.wait().unwrap()).await.unwrap();
        assert!(status.success(), "the worker ended with {status}");
    }
}

impl Drop for ScorerProcess {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

/// Payloads that are no splats, or none that can be scored.
fn worthless() -> Vec<(&'static str, Vec<u8>)> {
    let mut poisoned = object(PROMPT, Quality::Intact, 17);
    for position in &mut poisoned.positions {
        position[1] = f32::NAN;
    }
    let mut short = payload::composed(PROMPT, Quality::Intact);
    short.truncate(short.len() / 2);
    vec![
        ("garbage", payload::Random(4).bytes(50_000)),
        ("cut short", short),
        ("a PLY of NaN", encode_ply(&poisoned).unwrap()),
        ("one splat of nothing but NaN", nan_ply()),
        ("a picture", payload::picture()),
    ]
}

/// One splat whose every figure is not a number.
fn nan_ply() -> Vec<u8> {
    let names = "x y z f_dc_0 f_dc_1 f_dc_2 opacity scale_0 scale_1 scale_2 rot_0 rot_1 rot_2 rot_3";
    let properties: String = names.split(' ').map(|name| format!("property float {name}\n")).collect();
    let header = format!("ply\nformat binary_little_endian 1.0\nelement vertex 1\n{properties}end_header\n");
    let row = [f32::NAN; 14];
    header.into_bytes().into_iter().chain(row.iter().flat_map(|value| value.to_le_bytes())).collect()
}

#[tokio::test]
async fn a_scoring_process_that_dies_costs_one_attempt_and_nothing_else() {
    if !binary::can_score() || !std::path::Path::new("/proc/self/stat").exists() {
        return;
    }
    let server = scoring(1).await;
    let miner = Miner::new(1);
    let task = miner.task(&server).await;
    let splat = payload::composed(PROMPT, Quality::Intact);
    let first = scorer_of(&server).expect("there is a scoring process");
    let idle = cpu_ticks(first).unwrap();
    let kill = async {
        // Once it computes, it has the job in hand.
        while cpu_ticks(first).is_some_and(|ticks| ticks < idle + 5) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(Command::new("kill").args(["-9", &first.to_string()]).status().unwrap().success());
    };
    let (answer, ()) = tokio::join!(miner.submit(&server, &task, &splat), kill);
    assert!(
        ["Success", "Rejected: "].iter().any(|words| answer.message().starts_with(words)),
        "{}",
        answer.message()
    );
    assert_ne!(answer.json()["feedback"]["task_fidelity_score"], json!(0.0), "it was scored after all");
    let second = scorer_of(&server).expect("it was started again");
    assert_ne!(first, second);
    assert_eq!(server.get("/healthz").await.status, 200);
}

/// The process id of the network's one child, the scoring process.
fn scorer_of(server: &Server) -> Option<u32> {
    let parent = server.pid().to_string();
    std::fs::read_dir("/proc").unwrap().find_map(|entry| {
        let pid = entry.unwrap().file_name().to_str()?.parse().ok()?;
        (stat(pid)?.get(1)? == &parent).then_some(pid)
    })
}

/// Processor time of a process, in the system's ticks.
fn cpu_ticks(pid: u32) -> Option<u64> {
    stat(pid)?.get(11)?.parse().ok()
}

/// What Linux tells about a process, from its state on (proc(5)).
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}

#[tokio::test]
async fn tk_1_sb_4_what_nobody_scores_is_given_up_as_a_failure_of_ours() {
    let policy = json!({
        "tasks": { "assignable_secs": 10, "deadline_secs": 10 },
        "submissions": { "wait_secs": 1, "resend_secs": 1, "resends_max": 2 },
    });
    let server =
        Server::start(Setup { miners: 1, policy, arguments: vec!["--no-worker".into()], ..Setup::default() })
            .await;
    let id = server.add_task(PROMPT).await;
    let miner = Miner::new(1);
    let task = miner.task(&server).await;
    assert_eq!(task.id, id);
    let pending = miner.submit(&server, &task, b"a splat").await;
    assert_eq!(pending.message(), "Success; verdict pending");

    let started = Instant::now();
    let given_up = loop {
        let answer = miner.submit(&server, &task, b"a splat").await;
        if answer.message() != "Success; verdict pending" {
            break answer;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "it is never given up");
        tokio::time::sleep(Duration::from_millis(250)).await;
    };
    assert_eq!(given_up.message(), "Not scored: a failure of ours, without penalty");
    assert_eq!(given_up.json()["feedback"]["validation_failed"], false);
    assert_eq!(given_up.cooldown_until(), pending.cooldown_until(), "SB-4: nothing but the plain cooldown");
    assert_eq!(server.ended(&id).await["status"], "Failure", "TK-1");
}
