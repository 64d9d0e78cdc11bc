//! `sn17 models`: the files that scoring needs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sn17_score::manifest::Role;
use sn17_score::{Scorer, ScorerOptions, synthetic};

/// Makes and checks models folders.
#[derive(Args, Debug)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// Write small made-up models, whose scores say nothing about real quality.
    Synthetic {
        /// Folder to write to; it is made if need be.
        folder: PathBuf,
    },
    /// Check a folder's manifest, checksums and graphs, and run each model once.
    Verify {
        /// Folder with a `models.json`.
        folder: PathBuf,
    },
}

/// Runs the subcommand.
///
/// # Errors
/// Fails if the folder cannot be written, or is not as its manifest says.
pub(crate) fn run(args: &ModelsArgs) -> anyhow::Result<()> {
    match &args.command {
        ModelsCommand::Synthetic { folder } => {
            let manifest = synthetic::write(folder)?;
            println!("wrote {} (synthetic) to {}", manifest.version, folder.display());
        }
        ModelsCommand::Verify { folder } => {
            let scorer = Scorer::load(folder, &ScorerOptions::default())?;
            let label = if scorer.is_synthetic() { " (synthetic)" } else { "" };
            println!("{}{label}: {} models are as they should be", scorer.version(), Role::ALL.len());
        }
    }
    Ok(())
}
