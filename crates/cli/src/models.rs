//! `sn17 models`: the files that scoring needs.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sn17_score::export::{ExportOptions, Weights, export};
use sn17_score::{Scorer, ScorerOptions, synthetic, verify};

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
    /// Make the original's models from their public weights, with torch, and compare each with its original.
    Export {
        /// Folder to write to; it is made if need be.
        folder: PathBuf,
        /// Folder of downloaded weights; without it they are downloaded.
        #[arg(long, value_name = "DIR")]
        weights: Option<PathBuf>,
        /// Make up weights for the exact architectures; scores say nothing about real quality.
        #[arg(long, conflicts_with = "weights")]
        random: bool,
        /// Weights and arithmetic in half precision, for GPUs.
        #[arg(long)]
        half: bool,
        /// Python that has the packages; without it, an environment is made once in the user's cache.
        #[arg(long, value_name = "FILE")]
        python: Option<PathBuf>,
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
        ModelsCommand::Export { folder, weights, random, half, python } => {
            let weights = match weights {
                Some(weights) => Weights::Folder(weights.clone()),
                None if *random => Weights::Random,
                None => Weights::Hub,
            };
            let options = ExportOptions { weights, half: *half, python: python.clone() };
            export(folder, &options, &mut |step| println!("{step}"))?;
            checked(folder)?;
        }
        ModelsCommand::Verify { folder } => checked(folder)?,
    }
    Ok(())
}

/// Prints what is found of every file; runs all models once if nothing is wrong with them.
fn checked(folder: &Path) -> anyhow::Result<()> {
    let (manifest, files) = verify(folder)?;
    println!("{:<12} {:<30} {:>10}  ", "MODEL", "FILE", "BYTES");
    for file in &files {
        let found = file.fault.as_ref().map_or_else(|| "ok".to_owned(), ToString::to_string);
        println!("{:<12} {:<30} {:>10}  {found}", file.name, file.file, file.bytes);
    }
    let faults = files.iter().filter(|file| file.fault.is_some()).count();
    anyhow::ensure!(faults == 0, "{faults} of {} are not as they should be", files.len());
    let scorer = Scorer::load(folder, &ScorerOptions::default())?;
    let label = if scorer.is_synthetic() { " (synthetic: scores say nothing about quality)" } else { "" };
    println!("{}{label}: every model runs", manifest.version);
    Ok(())
}
