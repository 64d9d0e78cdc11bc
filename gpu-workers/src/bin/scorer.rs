//! The scoring worker: leases submissions from SQS, has them measured by child processes, settles them.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sn17_gpu_workers::scorer::{self, ScorerArgs};
use sn17_gpu_workers::{Healthy, logs, report};
use sn17_worker::ChildArgs;

/// Score what miners hand in, from a queue on AWS; the environment says which.
#[derive(Debug, Parser)]
#[command(name = "scorer", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    args: ScorerArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Healthy(Healthy),
    /// Score splats for the process that started this one, over standard input and output.
    #[command(hide = true)]
    Worker(ChildArgs),
}

fn main() -> ExitCode {
    logs::init();
    let cli = Cli::parse();
    report(match &cli.command {
        None => scorer::run(&cli.args),
        Some(Command::Healthy(healthy)) => healthy.run(),
        Some(Command::Worker(args)) => sn17_worker::run_child(args).map_err(Into::into),
    })
}
