//! The program on real engines, or on AWS itself: the table, bucket and queue that its environment names.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sn17_app::Ports;
use sn17_app::ports::BlobKey;
use sn17_aws::clients::Clients;
use sn17_aws::native;
use sn17_aws::settings::{Role, Settings};
use sn17_core::ledger::{Effect, QueueName, Write};
use sn17_core::state::{Item, Key, Prompt, Submission, SubmissionState, TaskKind};
use sn17_core::{Hotkey, TaskId, UnixMs};
use sn17_score::{runtime, synthetic};
use sn17_splat::SpzDialect;
use sn17_splat::procedural::{Quality, object};
use sn17_store::conformance::samples;

use crate::program::{PROGRAM, Worker};

const PROMPT: &str = "a red wooden robot";
/// Loading models, scoring two splats and the end of a long poll take seconds.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

#[tokio::test]
async fn submissions_go_from_the_queue_to_their_verdicts() {
    if std::env::var_os("SN17_TABLE").is_none() {
        eprintln!("skipped: SN17_TABLE is not set");
        return;
    }
    if let Err(error) = runtime::ensure_library() {
        eprintln!("skipped: {error}");
        return;
    }
    let settings = Settings::from_env(Role::Scorer).unwrap();
    let host = native::host();
    let ports = native::ports(&settings, &Clients::load().await, &host).unwrap();
    let (now, task) = ((host.now)(), TaskId((host.random)()));
    let splat = sn17_splat::encode_spz(&object(PROMPT, Quality::Intact, 17), SpzDialect::Network, 1).unwrap();
    let (good, bad) = (Hotkey([1; 32]), Hotkey([2; 32]));
    submit(&ports, now, task, good, Bytes::from(splat)).await;
    submit(&ports, now, task, bad, Bytes::from_static(b"no splat")).await;

    let models = tempfile::tempdir().unwrap();
    synthetic::write(models.path()).unwrap();
    let mut worker = start(models.path());
    let state = verdict(&ports, &mut worker, task, good).await;
    assert!(matches!(state, SubmissionState::Accepted(verdict) if verdict.synthetic), "{state:?}");
    let state = verdict(&ports, &mut worker, task, bad).await;
    assert!(matches!(&state, SubmissionState::Rejected { verdict: None, .. }), "{state:?}");

    let pid = worker.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let told = Instant::now();
    while worker.0.try_wait().unwrap().is_none() {
        assert!(told.elapsed() < ENDS_WITHIN, "it does not end");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(worker.0.wait().unwrap().code(), Some(0));
    assert_eq!(ports.queue.backlog(QueueName::Scoring).await.unwrap(), 0, "both are acknowledged");
}

fn start(models: &Path) -> Worker {
    Worker(Command::new(PROGRAM).args(["--processes", "2", "--models"]).arg(models).spawn().unwrap())
}

/// Leaves a submission as the miners' function does, and its message as the dispatching one.
async fn submit(ports: &Ports, now: UnixMs, task: TaskId, hotkey: Hotkey, splat: Bytes) {
    let blob = BlobKey(format!("submissions/{task}/{}", hotkey.0[0]));
    let upload = ports.blobs.begin(&blob).await.unwrap();
    ports.blobs.part(&upload, splat).await.unwrap();
    ports.blobs.finish(&upload).await.unwrap();
    let submission = Submission {
        kind: TaskKind::Synthetic,
        prompt: Prompt::Text(PROMPT.to_owned()),
        blob: Some(blob.0),
        ..samples::submission(now, now.plus_secs(900))
    };
    let item = Item::Submission(submission);
    let write = Write::create(Key::Submission(task, hotkey), item, Some(now.plus_secs(3600)));
    samples::commit(&*ports.ledger, now, vec![write]).await.unwrap();
    ports.queue.send(Effect::Score { task, hotkey }, None).await.unwrap();
}

/// What the worker makes of a submission.
async fn verdict(ports: &Ports, worker: &mut Worker, task: TaskId, hotkey: Hotkey) -> SubmissionState {
    let begun = Instant::now();
    loop {
        let now = (native::host().now)();
        let stored = samples::read(&*ports.ledger, now, Key::Submission(task, hotkey)).await.unwrap();
        let Item::Submission(submission) = stored.item else { panic!("it is something else") };
        if !matches!(submission.state, SubmissionState::Submitted { .. }) {
            return submission.state;
        }
        assert!(begun.elapsed() < ENDS_WITHIN, "it is never scored");
        assert!(worker.0.try_wait().unwrap().is_none(), "the worker has ended");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
