//! The program as cargo builds it.

use std::path::Path;
use std::process::{Command, Output};

use bytes::Bytes;
use sn17_app::{Scored, Scorer as _, ScoringJob, ScoringPrompt};
use sn17_core::{Hotkey, TaskId};
use sn17_score::{runtime, synthetic};
use sn17_splat::SpzDialect;
use sn17_splat::procedural::{Quality, object};
use sn17_worker::{ChildArgs, ChildProgram, ScoringProcess};

const PROGRAM: &str = env!("CARGO_BIN_EXE_scorer");

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

#[tokio::test]
async fn its_child_scores_a_splat() {
    if let Err(error) = runtime::ensure_library() {
        eprintln!("skipped: {error}");
        return;
    }
    let models = tempfile::tempdir().unwrap();
    synthetic::write(models.path()).unwrap();
    let program = ChildProgram { program: Path::new(PROGRAM).to_owned(), subcommand: "worker" };
    let child = ChildArgs { models: models.path().to_owned(), splats_max: 100_000 };
    let process = ScoringProcess::new(program, child);
    assert!(process.start().await.unwrap().synthetic);
    let job = |splat: Vec<u8>| ScoringJob {
        task: TaskId(1),
        hotkey: Hotkey([1; 32]),
        splat: Bytes::from(splat),
        prompt: ScoringPrompt::Text("a red wooden robot".to_owned()),
    };
    let splats = object("a red wooden robot", Quality::Intact, 17);
    let spz = sn17_splat::encode_spz(&splats, SpzDialect::Network, 1).unwrap();
    match process.score(job(spz)).await.unwrap() {
        Scored::Measured { views, synthetic, previews } => {
            assert_eq!((views.cosines.len(), synthetic), (16, true));
            assert!(previews.unwrap().front.starts_with(b"\x89PNG"));
        }
        Scored::Invalid { reason } => panic!("{reason}"),
    }
    let answer = process.score(job(b"no splat".to_vec())).await.unwrap();
    assert!(matches!(answer, Scored::Invalid { .. }), "{answer:?}");
}
