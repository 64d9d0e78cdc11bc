//! The `sn17` binary: every role of the network in one program.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line program speaks on its terminal"
)]

mod admin;
mod demo;
mod door;
mod host;
mod keys;
mod miner;
mod models;
mod outbound;
mod prompts;
mod redirector;
mod render;
mod score;
mod serve;
mod spz;

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// The 404-GEN network (Bittensor subnet 17): prompts in, Gaussian splats out.
#[derive(Debug, Parser)]
#[command(name = "sn17", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole network at work: two miners, two prompts, scored splats, a contact sheet.
    Demo(demo::DemoArgs),
    /// Run the network on this machine: HTTP surface, store and scoring.
    Serve(serve::ServeArgs),
    /// Mine: pull tasks, generate, sign, submit.
    Miner(miner::MinerArgs),
    /// Manage the API keys of a network on this machine.
    Keys(keys::KeysArgs),
    /// Look after a network, on this machine or deployed.
    Admin(admin::AdminArgs),
    /// Send miners on from a fixed address to an edge that has only a name.
    Redirector(redirector::RedirectorArgs),
    /// Draw a splat as a PNG.
    Render(render::RenderArgs),
    /// Score a splat as the network does.
    Score(score::ScoreArgs),
    /// Look into SPZ files and convert them.
    Spz(spz::SpzArgs),
    /// Write prompts for synthetic tasks, hand them to a collector, fetch them, run one.
    Prompts(prompts::PromptsArgs),
    /// Make and check the model files that scoring needs.
    Models(models::ModelsArgs),
    /// Score splats for the process that started this one, over standard input and output.
    #[command(hide = true)]
    Worker(sn17_worker::ChildArgs),
}

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,fjall=warn,lsm_tree=warn,ort=warn"));
    let is_terminal = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal)
        .with_target(false)
        .init();
    let result = match Cli::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Miner(args) => miner::run(&args),
        Command::Keys(args) => keys::run(&args),
        Command::Admin(args) => admin::run(args),
        Command::Redirector(args) => redirector::run(args),
        Command::Render(args) => render::run(&args),
        Command::Score(args) => score::run(&args),
        Command::Spz(args) => spz::run(&args),
        Command::Prompts(args) => prompts::run(args),
        Command::Models(args) => models::run(&args),
        Command::Worker(args) => sn17_worker::run_child(&args).map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
