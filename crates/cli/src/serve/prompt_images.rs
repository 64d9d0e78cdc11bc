//! Pictures for synthetic image tasks: checked like a client's, kept in the blob store for good.

use std::path::Path;

use anyhow::Context as _;
use sn17_app::PromptImage;
use sn17_app::ports::{BlobKey, Blobs};
use sn17_core::policy::TaskRules;

/// Takes over every picture of a folder; one that a client could not have sent is refused by name.
pub(super) async fn load(
    folder: &Path,
    rules: &TaskRules,
    blobs: &dyn Blobs,
) -> anyhow::Result<Vec<PromptImage>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file()).collect();
    files.sort();
    let mut images = Vec::with_capacity(files.len());
    for file in files {
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        check(&bytes, rules).with_context(|| format!("{} cannot be a prompt", file.display()))?;
        images.push(keep(bytes, blobs).await?);
    }
    anyhow::ensure!(!images.is_empty(), "{} holds no picture", folder.display());
    Ok(images)
}

fn check(bytes: &[u8], rules: &TaskRules) -> anyhow::Result<()> {
    anyhow::ensure!(bytes.len() <= rules.image_bytes_max, "it has more than {} bytes", rules.image_bytes_max);
    let reader = image::ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format()?;
    let (width, height) = reader.into_dimensions().context("it is neither PNG, JPEG nor WebP")?;
    let pixels_max = rules.image_pixels_max;
    anyhow::ensure!(width.max(height) <= pixels_max, "it is larger than {pixels_max} pixels a side");
    Ok(())
}

/// Stores a picture under its hash, outside of everything that is swept.
async fn keep(bytes: Vec<u8>, blobs: &dyn Blobs) -> anyhow::Result<PromptImage> {
    let sha256 = sn17_app::sha256(&bytes);
    let blob = format!("library/{}", hex::encode(sha256));
    let upload = blobs.begin(&BlobKey(blob.clone())).await?;
    blobs.part(&upload, bytes.into()).await?;
    blobs.finish(&upload).await?;
    Ok(PromptImage { blob, sha256 })
}
