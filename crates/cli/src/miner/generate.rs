//! Where a miner's splats come from.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use sn17_splat::procedural::{self, Quality};
use sn17_splat::{Limits, SpzDialect};
use sn17_wire::synapse::{PromptKind, ProtocolTask};

/// A generator may take so long for one object.
const GENERATED_WITHIN: Duration = Duration::from_secs(280);
/// What the published miner compresses with.
const COMPRESSION_LEVEL: i32 = 1;

/// A source of splats.
#[derive(Debug)]
pub(crate) enum Generator {
    /// A server that makes a PLY of a prompt, as the base miners do.
    Endpoint {
        /// `URL/generate/`.
        url: String,
        client: reqwest::Client,
    },
    /// Files that exist.
    Folder(Vec<PathBuf>),
    /// Objects composed from simple shapes.
    Procedural(Quality),
}

impl Generator {
    pub(crate) fn endpoint(url: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(GENERATED_WITHIN).build()?;
        Ok(Self::Endpoint { url: format!("{}/generate/", url.trim_end_matches('/')), client })
    }

    pub(crate) fn folder(folder: &Path) -> anyhow::Result<Self> {
        let entries =
            std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|file| file.extension().is_some_and(|ending| ending == "ply" || ending == "spz"))
            .collect();
        files.sort();
        anyhow::ensure!(!files.is_empty(), "{} holds neither .ply nor .spz", folder.display());
        Ok(Self::Folder(files))
    }

    /// A compressed splat for a task; none to pass.
    pub(crate) async fn generate(&self, task: &ProtocolTask) -> anyhow::Result<Option<Vec<u8>>> {
        let bytes = match self {
            Self::Endpoint { url, client } => {
                let form = reqwest::multipart::Form::new().text("prompt", task.prompt.clone());
                let response = client.post(url).multipart(form).send().await?.error_for_status()?;
                response.bytes().await?.to_vec()
            }
            Self::Folder(files) => {
                let file = best_match(files, &task.prompt);
                tokio::fs::read(file).await.with_context(|| format!("cannot read {}", file.display()))?
            }
            Self::Procedural(quality) => {
                // A picture says nothing to shapes; they take it for a hamburger.
                let words = match task.kind {
                    PromptKind::Text => task.prompt.clone(),
                    PromptKind::Image => "hamburger".to_owned(),
                };
                return procedural_spz(words, *quality).await.map(Some);
            }
        };
        if bytes.is_empty() {
            return Ok(None);
        }
        tokio::task::spawn_blocking(move || compress(&bytes)).await?.map(Some)
    }
}

async fn procedural_spz(words: String, quality: Quality) -> anyhow::Result<Vec<u8>> {
    let make = move || {
        let splats = procedural::object(&words, quality, 17);
        sn17_splat::encode_spz(&splats, SpzDialect::Network, COMPRESSION_LEVEL)
    };
    Ok(tokio::task::spawn_blocking(make).await??)
}

/// The network's container around any splat file; one that is in it already passes unchanged.
fn compress(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    let info = sn17_splat::inspect(bytes)?;
    if info.format == sn17_splat::Format::Spz(sn17_splat::Container::Network) {
        return Ok(bytes.to_vec());
    }
    let splats = sn17_splat::decode(bytes, &Limits::default())?;
    Ok(sn17_splat::encode_spz(&splats, SpzDialect::Network, COMPRESSION_LEVEL)?)
}

/// The file whose name shares most words with the prompt, the first among equals.
fn best_match<'a>(files: &'a [PathBuf], prompt: &str) -> &'a Path {
    let prompt = prompt.to_lowercase();
    let shared = |file: &PathBuf| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        name.split(|letter: char| !letter.is_alphanumeric())
            .filter(|word| !word.is_empty() && prompt.split_whitespace().any(|other| other == *word))
            .count()
    };
    let mut best = &files[0];
    for file in &files[1..] {
        if shared(file) > shared(best) {
            best = file;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_with_most_words_of_the_prompt_is_taken() {
        let files: Vec<PathBuf> =
            ["a hat.ply", "robocop with hammer.spz", "robot.spz"].map(PathBuf::from).into();
        assert_eq!(best_match(&files, "Robocop with a hammer"), Path::new("robocop with hammer.spz"));
        assert_eq!(best_match(&files, "something else"), Path::new("a hat.ply"));
    }
}
