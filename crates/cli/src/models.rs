//! `sn17 models`: the files that scoring needs.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use sn17_score::manifest::{Manifest, Role};
use sn17_score::{Scorer, ScorerOptions, runtime, synthetic};

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

/// The models folder for those who name none: in the user's cache, one per version of the synthetic models.
///
/// # Errors
/// Fails if the environment does not say where caches live.
pub(crate) fn default_models_dir() -> anyhow::Result<PathBuf> {
    Ok(runtime::user_cache()?.join("models").join(synthetic::VERSION))
}

/// Writes the synthetic models to a folder unless it holds them, or real ones, already; says so in the log either way.
///
/// # Errors
/// Fails if the folder cannot be written.
pub(crate) fn ensure_synthetic(folder: &Path) -> anyhow::Result<()> {
    let is_whole = |manifest: &Manifest| {
        Role::ALL.iter().all(|&role| manifest.model_path(folder, role).is_ok())
            && (!manifest.synthetic || manifest.version == synthetic::VERSION)
    };
    match Manifest::read(folder) {
        Ok(manifest) if is_whole(&manifest) => {
            if !manifest.synthetic {
                return Ok(());
            }
        }
        Ok(manifest) if !manifest.synthetic => {
            anyhow::bail!("the models in {} are damaged; `sn17 models verify` says how", folder.display());
        }
        Ok(_) | Err(_) => {
            synthetic::write(folder).context("cannot write the synthetic models")?;
        }
    }
    tracing::warn!(
        models.folder = %folder.display(),
        "no models given: using synthetic ones, whose scores say nothing about real quality"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synthetic_models_are_written_once_and_repaired() {
        let folder = tempfile::tempdir().unwrap();
        let graph = folder.path().join("iqa.onnx");
        ensure_synthetic(folder.path()).unwrap();
        let written = std::fs::metadata(&graph).unwrap().modified().unwrap();
        ensure_synthetic(folder.path()).unwrap();
        assert_eq!(std::fs::metadata(&graph).unwrap().modified().unwrap(), written);
        std::fs::write(&graph, "damaged").unwrap();
        ensure_synthetic(folder.path()).unwrap();
        assert_eq!(std::fs::read(&graph).unwrap(), synthetic::bytes(Role::Iqa));
    }
}
