//! Whether a models folder is what its manifest says, model by model.

use std::path::Path;

use crate::manifest::{Manifest, Role};
use crate::scorer::{ScoreError, ScorerOptions};
use crate::session::LoadedModel;

/// What is found of one file of a models folder.
#[derive(Debug)]
pub struct Checked {
    /// The model's role, or "tokenizer".
    pub name: &'static str,
    /// The file's name; empty for a tokenizer without one.
    pub file: String,
    /// The file's size in bytes; 0 if it cannot be read.
    pub bytes: u64,
    /// What is wrong with it.
    pub fault: Option<ScoreError>,
}

/// Checks the checksum of every file, and the inputs and outputs of every graph in ONNX Runtime; a fault of one does
/// not hide those of others.
///
/// # Errors
/// When the manifest itself cannot be used.
pub fn verify(folder: &Path) -> Result<(Manifest, Vec<Checked>), ScoreError> {
    let manifest = Manifest::read(folder)?;
    let bytes = |file: &str| folder.join(file).metadata().map_or(0, |metadata| metadata.len());
    let mut checked: Vec<Checked> = Role::ALL
        .iter()
        .map(|&role| {
            let file = manifest.models.get(role).file.name.clone();
            let loaded = LoadedModel::load(folder, &manifest, role, &ScorerOptions::default());
            Checked { name: role.name(), bytes: bytes(&file), file, fault: loaded.err() }
        })
        .collect();
    let file = manifest.tokenizer.file().map(|file| file.name.clone()).unwrap_or_default();
    let fault = manifest.tokenizer(folder).err().map(ScoreError::from);
    checked.push(Checked {
        name: "tokenizer",
        bytes: if file.is_empty() { 0 } else { bytes(&file) },
        file,
        fault,
    });
    Ok((manifest, checked))
}
