//! The program as cargo builds it.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sn17_app::{Scored, Scorer as _, ScoringJob, ScoringPrompt};
use sn17_core::{Hotkey, TaskId};
use sn17_score::{runtime, synthetic};
use sn17_splat::SpzDialect;
use sn17_splat::procedural::{Quality, object};
use sn17_worker::{ChildArgs, ChildProgram, RendererChoice, ScoringProcess};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_scorer");
/// Loading models twice and stopping take seconds.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).env_clear().output().unwrap()
}

#[test]
fn it_says_everything_that_its_environment_lacks() {
    let output = run(&[]);
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stderr).unwrap();
    for name in ["SN17_TABLE", "SN17_BUCKET", "SN17_SCORING_QUEUE_URL", "SN17_VALIDATOR_HOTKEY"] {
        assert!(log.contains(name), "{name} in {log}");
    }
    assert!(log.starts_with('{') && log.lines().count() == 1, "one line of JSON: {log}");
}

#[test]
fn its_health_is_told_by_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("heartbeat");
    let healthy = || run(&["healthy", "--heartbeat", file.to_str().unwrap()]).status.code();
    assert_eq!(healthy(), Some(1), "it has not begun");
    std::fs::write(&file, "").unwrap();
    assert_eq!(healthy(), Some(0));
}

/// A worker that does not outlive its test.
pub(crate) struct Worker(pub(crate) Child);

impl Drop for Worker {
    fn drop(&mut self) {
        // It has ended already if all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that scores with synthetic models, and their folder; none where there is no runtime for them.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn scoring_process() -> Option<(ScoringProcess, tempfile::TempDir)> {
    if let Err(error) = runtime::ensure_library() {
        eprintln!("skipped: {error}");
        return None;
    }
    let models = tempfile::tempdir().unwrap();
    synthetic::write(models.path()).unwrap();
    let program = ChildProgram { program: Path::new(PROGRAM).to_owned(), subcommand: "worker" };
    let child =
        ChildArgs { models: models.path().to_owned(), splats_max: 100_000, renderer: RendererChoice::Cpu };
    Some((ScoringProcess::new(program, child), models))
}

/// A submission of a client's task.
fn job(splat: Vec<u8>, wants_pictures: bool) -> ScoringJob {
    ScoringJob {
        task: TaskId(1),
        hotkey: Hotkey([1; 32]),
        splat: Bytes::from(splat),
        prompt: ScoringPrompt::Text("a red wooden robot".to_owned()),
        wants_pictures,
    }
}

fn spz(quality: Quality) -> Vec<u8> {
    let splats = object("a red wooden robot", quality, 17);
    sn17_splat::encode_spz(&splats, SpzDialect::Network, 1).unwrap()
}

#[tokio::test]
async fn its_child_scores_a_splat() {
    let Some((process, _models)) = scoring_process() else { return };
    assert!(process.start().await.unwrap().synthetic);
    let spz = spz(Quality::Intact);
    for wants_pictures in [true, false] {
        match process.score(job(spz.clone(), wants_pictures)).await.unwrap() {
            Scored::Measured { views, synthetic, previews, likeness } => {
                assert_eq!((views.cosines.len(), synthetic), (16, true));
                assert_eq!([likeness.is_some(), previews.is_some()], [wants_pictures; 2]);
                if let Some(previews) = previews {
                    for png in [Some(previews.front), Some(previews.grid), previews.neutral] {
                        assert!(png.unwrap().starts_with(b"\x89PNG"));
                    }
                    assert!(previews.turntable.unwrap().starts_with(b"RIFF"));
                }
            }
            Scored::Invalid { reason } => panic!("{reason}"),
        }
    }
    let answer = process.score(job(b"no splat".to_vec(), true)).await.unwrap();
    assert!(matches!(answer, Scored::Invalid { .. }), "{answer:?}");
}

#[tokio::test]
async fn its_child_answers_jobs_in_flight_each_with_its_own() {
    let Some((process, _models)) = scoring_process() else { return };
    let scored = |splat: Vec<u8>| process.score(job(splat, false));
    let (intact, noisy) = (spz(Quality::Intact), spz(Quality::Noisy));
    let alone = [scored(intact.clone()).await.unwrap(), scored(noisy.clone()).await.unwrap()];
    assert_ne!(alone[0], alone[1]);
    let (first, second, none, again) =
        tokio::join!(scored(intact.clone()), scored(noisy), scored(b"no splat".to_vec()), scored(intact));
    assert_eq!([first.unwrap(), second.unwrap()], alone);
    assert!(matches!(none.unwrap(), Scored::Invalid { .. }));
    assert_eq!(again.unwrap(), alone[0]);
}

#[test]
fn it_takes_one_to_eight_submissions_in_flight() {
    for (in_flight, is_taken) in [("0", false), ("1", true), ("8", true), ("9", false)] {
        // What its environment lacks is said after what is wrong with its arguments, and by another code.
        let code = run(&["--in-flight", in_flight]).status.code();
        assert_eq!(code, Some(if is_taken { 1 } else { 2 }), "{in_flight}");
    }
}

#[test]
fn sigterm_ends_it_well_even_while_the_queue_does_not_answer() {
    let library = match runtime::ensure_library() {
        Ok(library) => library,
        Err(error) => {
            eprintln!("skipped: {error}");
            return;
        }
    };
    let folder = tempfile::tempdir().unwrap();
    synthetic::write(folder.path()).unwrap();
    let (heartbeat, log) = (folder.path().join("heartbeat"), folder.path().join("log"));
    // TCP port 9 is the discard service (RFC 863), which nobody runs: every request is refused.
    let worker = Command::new(PROGRAM)
        .args(["--processes", "2", "--drain-secs", "20"])
        .env_clear()
        .env(runtime::PATH_VARIABLE, library)
        .env("SN17_MODELS", folder.path())
        .env("SN17_HEARTBEAT", &heartbeat)
        .env("SN17_TABLE", "sn17-test")
        .env("SN17_BUCKET", "sn17-test")
        .env("SN17_SCORING_QUEUE_URL", "http://127.0.0.1:9/000000000000/scoring")
        .env("SN17_VALIDATOR_HOTKEY", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_REGION", "eu-central-1")
        .env("AWS_ACCESS_KEY_ID", "nobody")
        .env("AWS_SECRET_ACCESS_KEY", "nothing")
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let mut worker = Worker(worker);
    let begun = Instant::now();
    while !heartbeat.exists() && worker.0.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < ENDS_WITHIN, "{}", std::fs::read_to_string(&log).unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = worker.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let status = loop {
        if let Some(status) = worker.0.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < ENDS_WITHIN, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    };
    let log = std::fs::read_to_string(&log).unwrap();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("stopped: nothing is in hand"), "{log}");
}
