//! Developer commands of the workspace: `cargo xtask COMMAND`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod aws;
mod ci;
mod dependencies;
mod edge;
mod environment;
mod hand_over;
mod language_model;
mod libtest;
mod process;
mod python;
mod report;
mod rust_tests;
mod stages;
mod vulkan;
mod wasm;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Developer commands of the workspace")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs every check and test; ends with a line `N passed, N failed, N skipped`.
    ///
    /// Writes target/report/tests.json.
    Test,
    /// Runs `test`, the licence and advisory check, and the commands of the README.
    Ci,
    /// Measures in a release build; prints a table and writes target/report/bench.json.
    Bench {
        /// Measure what the budgets speak of where that takes minutes.
        #[arg(long)]
        full: bool,
        /// The measurements to make, by their names or what these begin with (`render`); all of them without a name.
        names: Vec<String>,
    },
    /// Plays seasons of the competition in virtual time: how well each policy ranks miners of known quality.
    ///
    /// Prints a table and writes season.json, season.svg, leaderboard.json and leaderboard.svg to target/report.
    Season {
        /// Play 200 miners for four days, five times for each policy and judge; takes many minutes.
        #[arg(long)]
        full: bool,
    },
    /// The network on AWS, on this machine: engines in place of AWS, and the shipped template deployed to them.
    Aws {
        #[command(subcommand)]
        action: aws::Action,
    },
    /// The edges, built as they are shipped and run over the network of `aws up`.
    Edge {
        #[command(subcommand)]
        action: edge::Action,
    },
    /// Checks which package may depend on which, and that the manifests follow the workspace.
    CheckDeps,
    /// Writes small ONNX models with the real input and output contract.
    Models {
        /// The folder to write to, which is made if need be.
        #[arg(long, value_name = "DIR")]
        synthetic: PathBuf,
    },
    /// Writes sample splats of our own making.
    Fixtures {
        /// The folder to write to, which is made if need be.
        folder: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything is as it should be.
fn run(command: Command) -> anyhow::Result<bool> {
    let workspace = Workspace::load()?;
    match command {
        Command::Test => stages::test(&workspace),
        Command::Ci => ci::ci(&workspace),
        Command::Bench { full, names } => hand_over::bench(&workspace, full, &names),
        Command::Season { full } => hand_over::season(&workspace, full),
        Command::Aws { action } => aws::run(&workspace, &action),
        Command::Edge { action } => edge::run(&workspace, &action),
        Command::CheckDeps => {
            let faults = dependencies::check(&workspace)?;
            for fault in &faults {
                println!("{fault}");
            }
            for dependency in dependencies::not_yet() {
                println!("not yet: {dependency}");
            }
            println!("{} packages, {} faults", workspace.packages.len(), faults.len());
            Ok(faults.is_empty())
        }
        Command::Models { synthetic } => hand_over::golden(&workspace, "models", &synthetic),
        Command::Fixtures { folder } => hand_over::golden(&workspace, "splats", &folder),
    }
}
