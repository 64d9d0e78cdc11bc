//! The models of those who name none.

use std::path::{Path, PathBuf};

use sn17_score::manifest::{Manifest, Role};
use sn17_score::{runtime, synthetic};

use crate::error::WorkerError;

/// The folder that is given, else one of synthetic models, written if need be; the log says so.
///
/// # Errors
/// Fails if the environment does not say where caches live, or the folder there cannot be written.
pub fn given_or_synthetic(given: Option<&Path>) -> Result<PathBuf, WorkerError> {
    if let Some(folder) = given {
        return Ok(folder.to_owned());
    }
    let folder = default_models_dir()?;
    ensure_synthetic(&folder)?;
    Ok(folder)
}

/// The models folder for those who name none: in the user's cache, one per version of the synthetic models.
///
/// # Errors
/// Fails if the environment does not say where caches live.
fn default_models_dir() -> Result<PathBuf, WorkerError> {
    let cache = runtime::user_cache().map_err(WorkerError::NoModelsFolder)?;
    Ok(cache.join("models").join(synthetic::VERSION))
}

/// Writes the synthetic models to a folder unless it holds them, or real ones, already; says so in the log either way.
///
/// # Errors
/// Fails if the folder cannot be written.
fn ensure_synthetic(folder: &Path) -> Result<(), WorkerError> {
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
            return Err(WorkerError::DamagedModels(folder.to_owned()));
        }
        Ok(_) | Err(_) => {
            synthetic::write(folder)?;
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
