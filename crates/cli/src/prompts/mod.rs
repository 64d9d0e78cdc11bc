//! `sn17 prompts`: what miners work on while no client asks for anything, from language models to validators.

mod collect;
mod collector;
mod figures;
mod generate;
mod pictures;
mod serve;

use clap::{Args, Subcommand};

use crate::serve::runtime;

#[derive(Args, Debug)]
pub(crate) struct PromptsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write prompts, by language models or from the bundled grammar, and say how good they are.
    Generate(generate::GenerateArgs),
    /// Fetch the current batch of a collector, as a validator does.
    Collect(collect::CollectArgs),
    /// Run a collector alone: generators hand prompts in, validators fetch them.
    Serve(serve::CollectorArgs),
    /// Make a folder of pictures for image tasks, from generated splats or from a list of URLs.
    Pictures(pictures::PicturesArgs),
}

pub(crate) fn run(args: PromptsArgs) -> anyhow::Result<()> {
    match args.action {
        Action::Generate(args) => runtime()?.block_on(generate::run(args)),
        Action::Collect(args) => runtime()?.block_on(collect::run(&args)),
        Action::Serve(args) => runtime()?.block_on(serve::run(args)),
        Action::Pictures(args) => pictures::run(&args),
    }
}
