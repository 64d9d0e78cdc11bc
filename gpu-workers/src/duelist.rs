//! The `duelist` program: results from SQS, answers from a judge, ratings into DynamoDB.

use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use sn17_app::Judge;
use sn17_aws::native;
use sn17_aws::settings::Role;
use sn17_llm::JudgeArgs;

use crate::fleet::{Hand, PROCESSES_MAX};
use crate::minutes;
use crate::program::{self, ProgramArgs};

/// How the worker runs.
#[derive(Args, Clone, Debug)]
pub struct DuelistArgs {
    /// Pairs in hand at the same time.
    #[arg(
        long, default_value_t = 4, env = "SN17_PAIRS",
        value_parser = clap::value_parser!(u16).range(1..=i64::from(PROCESSES_MAX)),
    )]
    pairs: u16,
    #[command(flatten)]
    judge: JudgeArgs,
    #[command(flatten)]
    program: ProgramArgs,
}

/// Judges until it is told to stop.
///
/// # Errors
/// Fails if the environment is not as it should be, if no judge is named, or if a loop fails.
pub fn run(args: &DuelistArgs) -> anyhow::Result<()> {
    program::run(&args.program, Role::Duelist, |app| async move {
        let judge = args.judge.judge(native::host(), Arc::clone(&app.ports().ledger))?;
        let judge = judge.context("SN17_JUDGE_URL names no judge")?;
        anyhow::ensure!(
            app.policy().judge.enabled,
            "the policy says that there is no judge: set SN17_JUDGE_URL for every program"
        );
        tokio::spawn(minutes::log(Arc::clone(&app)));
        let judge: Arc<dyn Judge> = Arc::new(judge);
        Ok(vec![Hand::Judge(judge); usize::from(args.pairs)])
    })
}
