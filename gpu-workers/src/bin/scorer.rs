//! The scoring worker: leases submissions from SQS, has them measured by child processes, settles them.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Parser, Subcommand};
use sn17_gpu_workers::scorer::{self, ScorerArgs};
use sn17_gpu_workers::{heartbeat, logs};
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
    /// Tell by the exit code whether the worker on this machine lives.
    Healthy {
        /// The file that the worker touches.
        #[arg(long, env = "SN17_HEARTBEAT", value_name = "FILE")]
        heartbeat: PathBuf,
    },
    /// Score splats for the process that started this one, over standard input and output.
    #[command(hide = true)]
    Worker(ChildArgs),
}

fn main() -> ExitCode {
    logs::init();
    let cli = Cli::parse();
    let result = match &cli.command {
        None => scorer::run(&cli.args),
        Some(Command::Healthy { heartbeat }) => {
            heartbeat::check(heartbeat, SystemTime::now()).map_err(Into::into)
        }
        Some(Command::Worker(args)) => sn17_worker::run_child(args).map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
