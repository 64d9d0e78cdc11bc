//! The duelist: leases results from SQS, has a judge compare them, lets its verdicts take effect.

use std::process::ExitCode;

use clap::Parser;
use sn17_gpu_workers::duelist::{self, DuelistArgs};
use sn17_gpu_workers::{Healthy, logs, report};

/// Compare what miners hand in, from a queue on AWS; the environment says which.
#[derive(Debug, Parser)]
#[command(name = "duelist", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    args: DuelistArgs,
    #[command(subcommand)]
    command: Option<Healthy>,
}

fn main() -> ExitCode {
    logs::init();
    let cli = Cli::parse();
    report(match &cli.command {
        None => duelist::run(&cli.args),
        Some(healthy) => healthy.run(),
    })
}
