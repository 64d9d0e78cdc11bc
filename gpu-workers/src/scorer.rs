//! The `scorer` program: submissions from SQS, figures from child processes, verdicts into DynamoDB.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use sn17_app::{App, PromptBook, Scorer};
use sn17_aws::clients::Clients;
use sn17_aws::native;
use sn17_aws::settings::{Role, Settings};
use sn17_worker::{ChildArgs, ChildProgram, ScoringProcess, models};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::fleet::{DRAIN_SECS_DEFAULT, Fleet, PROCESSES_MAX};
use crate::heartbeat::Heartbeat;
use crate::timed::Timed;

/// How the worker runs; what it works on is said by the environment ([`sn17_aws::settings`]).
#[derive(Args, Clone, Debug)]
pub struct ScorerArgs {
    /// Scoring processes, each with the models in its own memory and a submission of its own in hand.
    #[arg(
        long, default_value_t = 1, env = "SN17_PROCESSES",
        value_parser = clap::value_parser!(u16).range(1..=i64::from(PROCESSES_MAX)),
    )]
    processes: u16,
    /// Folder of the model files; without it, synthetic ones are made.
    #[arg(long, env = "SN17_MODELS", value_name = "DIR")]
    models: Option<PathBuf>,
    /// Seconds that submissions in hand get after SIGTERM; what is left of them is then given back to the queue.
    #[arg(long, default_value_t = DRAIN_SECS_DEFAULT, env = "SN17_DRAIN_SECS", value_name = "SECS")]
    drain_secs: u64,
    /// File that is touched while the worker lives, for `scorer healthy`.
    #[arg(long, env = "SN17_HEARTBEAT", value_name = "FILE")]
    heartbeat: Option<PathBuf>,
}

/// Scores until SIGTERM or Ctrl-C, and then ends as [`Fleet::run`] says; a second signal gives everything back at once.
///
/// # Errors
/// Fails if the environment is not as it should be, or if scoring cannot start or fails.
pub fn run(args: &ScorerArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start the async runtime")?.block_on(async {
        let mut told = words_to_stop()?;
        let fleet = tokio::select! {
            fleet = fleet(args) => fleet?,
            _ = told.recv() => return Ok(()),
        };
        fleet.run(told).await?;
        tracing::info!("stopped: nothing is in hand");
        Ok(())
    })
}

async fn fleet(args: &ScorerArgs) -> anyhow::Result<Fleet> {
    let settings = Settings::from_env(Role::Scorer)?;
    let network = settings.network()?;
    let host = native::host();
    let ports = native::ports(&settings, &Clients::load().await, &host)?;
    // A worker hashes no API keys, so no key shall be good here.
    let secret = native::random_key_secret();
    let policy = network.policy;
    let app = App::new(ports, host, policy, network.validator, secret, PromptBook::default());
    let scorers = scorers(args, policy.submissions.splats_max).await?;
    let loops = scorers.len();
    let heartbeat = args.heartbeat.clone().map(|file| Arc::new(Heartbeat::new(file, loops)));
    tracing::info!(loops, table = settings.table, "scoring");
    Ok(Fleet { app: Arc::new(app), scorers, heartbeat, drain: Duration::from_secs(args.drain_secs) })
}

/// Starts the scoring processes one after the other, so that the first may fetch what all of them need.
async fn scorers(args: &ScorerArgs, splats_max: usize) -> anyhow::Result<Vec<Arc<dyn Scorer>>> {
    let models = models::given_or_synthetic(args.models.as_deref())?;
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let program = ChildProgram { program, subcommand: "worker" };
    let mut scorers: Vec<Arc<dyn Scorer>> = Vec::new();
    for _ in 0..args.processes {
        let child = ChildArgs { models: models.clone(), splats_max };
        let process = ScoringProcess::new(program.clone(), child);
        let ready = process.start().await.context("scoring cannot start")?;
        tracing::info!(
            models.version = ready.model_version,
            models.synthetic = ready.synthetic,
            "models loaded"
        );
        scorers.push(Arc::new(Timed(process)));
    }
    Ok(scorers)
}

/// A word for each SIGTERM and each Ctrl-C.
fn words_to_stop() -> anyhow::Result<mpsc::Receiver<()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let (tell, told) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            // A word that finds no room says nothing that the one before it has not.
            let _ = tell.try_send(());
        }
    });
    Ok(told)
}
