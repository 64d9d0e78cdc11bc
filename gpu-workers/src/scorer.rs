//! The `scorer` program: submissions from SQS, figures from child processes, verdicts into DynamoDB.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use sn17_aws::settings::Role;
use sn17_worker::{ChildArgs, ChildProgram, RendererChoice, ScoringProcess, models};

use crate::fleet::{Hand, PROCESSES_MAX};
use crate::program::{self, ProgramArgs};
use crate::timed::Timed;

/// Most submissions in hand of one process: each stage has one, and more only wait in memory.
const IN_FLIGHT_MAX: u16 = 8;

/// How the worker runs.
#[derive(Args, Clone, Debug)]
pub struct ScorerArgs {
    /// Scoring processes, each with the models in its own memory.
    #[arg(
        long, default_value_t = 1, env = "SN17_PROCESSES",
        value_parser = clap::value_parser!(u16).range(1..=i64::from(PROCESSES_MAX)),
    )]
    processes: u16,
    /// Submissions that each process has in hand: while the models look at one, the next is rendered, and another one
    /// downloaded and unpacked.
    #[arg(
        long, default_value_t = 4, env = "SN17_IN_FLIGHT",
        value_parser = clap::value_parser!(u16).range(1..=i64::from(IN_FLIGHT_MAX)),
    )]
    in_flight: u16,
    /// Folder of the model files; without it, synthetic ones are made.
    #[arg(long, env = "SN17_MODELS", value_name = "DIR")]
    models: Option<PathBuf>,
    /// What renders.
    #[arg(long, value_enum, default_value_t, env = "SN17_RENDERER")]
    renderer: RendererChoice,
    #[command(flatten)]
    program: ProgramArgs,
}

/// Scores until it is told to stop.
///
/// # Errors
/// Fails if the environment is not as it should be, or if scoring cannot start or fails.
pub fn run(args: &ScorerArgs) -> anyhow::Result<()> {
    program::run(&args.program, Role::Scorer, |app| async move {
        scorers(args, app.policy().submissions.splats_max).await
    })
}

/// Starts the scoring processes one after the other, so that the first may fetch what all of them need.
async fn scorers(args: &ScorerArgs, splats_max: usize) -> anyhow::Result<Vec<Hand>> {
    let models = models::given_or_synthetic(args.models.as_deref())?;
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let program = ChildProgram { program, subcommand: "worker" };
    let mut hands = Vec::new();
    for _ in 0..args.processes {
        let child = ChildArgs { models: models.clone(), splats_max, renderer: args.renderer };
        let process = ScoringProcess::new(program.clone(), child);
        let ready = process.start().await.context("scoring cannot start")?;
        tracing::info!(
            models.version = ready.model_version,
            models.synthetic = ready.synthetic,
            "models loaded"
        );
        let hand = Hand::Scorer(Arc::new(Timed(process)));
        hands.extend(std::iter::repeat_n(hand, usize::from(args.in_flight)));
    }
    Ok(hands)
}
