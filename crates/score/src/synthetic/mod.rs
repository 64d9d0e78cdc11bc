//! Small made-up models with the inputs and outputs of the real ones, so that everything around them runs and can be
//! tested without weights.
//!
//! The graphs compute from pixels and tokens and know nothing else: an intact object, noise and an empty view get
//! clearly different figures, a colour named in the prompt counts for or against a view. They say nothing about
//! quality that a person would see. The bytes are the same on every machine.

mod graph;
mod hash;
mod onnx;
mod quality;
mod towers;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::manifest::{
    FILE_NAME, File, Manifest, Model, Models, Preprocessing, Role, Vocabulary, sha256_hex,
};

/// The version in the manifest of these models; it changes whenever their bytes do.
pub const VERSION: &str = "synthetic-1";

/// A models folder could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{}`", path.display())]
pub struct WriteError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Writes the five graphs and then the manifest into a folder, each file with one rename, and makes the folder.
///
/// # Errors
/// When something cannot be written.
pub fn write(folder: &Path) -> Result<Manifest, WriteError> {
    fs::create_dir_all(folder).map_err(|source| WriteError { path: folder.to_owned(), source })?;
    let model = |role: Role| {
        let bytes = bytes(role);
        let name = format!("{role}.onnx");
        replace(folder, &name, &bytes)?;
        let (inputs, outputs) = role.contract();
        let file = File { name, sha256: sha256_hex(&bytes) };
        Ok(Model { file, inputs, outputs, preprocessing: preprocessing(role) })
    };
    let manifest = Manifest {
        version: VERSION.to_owned(),
        synthetic: true,
        tokenizer: Vocabulary::Bytes,
        models: Models {
            clip_image: model(Role::ClipImage)?,
            clip_text: model(Role::ClipText)?,
            image_image: model(Role::ImageImage)?,
            iqa: model(Role::Iqa)?,
            lpips: model(Role::Lpips)?,
        },
    };
    let mut json = serde_json::to_vec_pretty(&manifest).expect("a manifest has only string keys");
    json.push(b'\n');
    replace(folder, FILE_NAME, &json)?;
    Ok(manifest)
}

/// The graph of a role.
pub fn bytes(role: Role) -> Vec<u8> {
    match role {
        Role::ClipImage => towers::clip_image(),
        Role::ClipText => towers::clip_text(),
        Role::ImageImage => towers::image_image(),
        Role::Iqa => quality::iqa(),
        Role::Lpips => quality::lpips(),
    }
}

fn preprocessing(role: Role) -> Option<Preprocessing> {
    let pixels = |size_px, filter: &str| {
        Some(Preprocessing { size_px, filter: filter.to_owned(), mean: [0.0; 3], std: [1.0; 3] })
    };
    match role {
        Role::ClipText => None,
        Role::ClipImage => pixels(74, "box"),
        Role::ImageImage => pixels(74, "bilinear, antialiased"),
        Role::Iqa | Role::Lpips => pixels(518, "none"),
    }
}

/// Writes a file beside its place and moves it there, so that a reader sees the old or the new one.
pub(crate) fn replace(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
    let path = folder.join(name);
    let write = || {
        let mut builder = tempfile::Builder::new();
        // Temporary files are their owner's alone by default; models are read by whom the umask lets.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.persist(&path)?;
        Ok(())
    };
    write().map_err(|source| WriteError { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_are_small_and_always_the_same() {
        for role in Role::ALL {
            let graph = bytes(role);
            assert!(graph.len() < 300_000, "{role} has {} bytes", graph.len());
            assert_eq!(graph, bytes(role));
        }
    }

    #[cfg(unix)]
    #[test]
    fn files_may_be_read_by_whom_the_umask_lets() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let ordinary = folder.path().join("ordinary");
        fs::write(&ordinary, "").unwrap();
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(folder.path().join(FILE_NAME)), mode(ordinary));
    }

    #[test]
    fn a_folder_can_be_written_again_and_read() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = write(folder.path()).unwrap();
        assert_eq!(write(folder.path()).unwrap(), manifest);
        assert_eq!(Manifest::read(folder.path()).unwrap(), manifest);
        for role in Role::ALL {
            manifest.model_path(folder.path(), role).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6, "no scratch files are left");
    }
}
