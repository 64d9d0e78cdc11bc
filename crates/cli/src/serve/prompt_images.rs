//! Pictures for synthetic image tasks: checked like a client's, kept in the blob store for good.

use std::path::Path;

use anyhow::Context as _;
use futures_util::{StreamExt as _, stream};
use sn17_app::PromptImage;
use sn17_app::ports::{BlobKey, Blobs};
use sn17_core::policy::TaskRules;

use crate::outbound::Outbound;

/// Most URLs of a list: what the original's validators take in a batch of pictures.
const URLS_MAX: usize = 10_000;
/// Pictures fetched at once.
const FETCHED_AT_ONCE: usize = 16;

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

/// Fetches every picture of a list, before anybody needs one. What cannot be had is a warning, as long as something can.
pub(super) async fn prefetch(
    list: &Path,
    rules: &TaskRules,
    blobs: &dyn Blobs,
    outbound: &Outbound,
) -> anyhow::Result<Vec<PromptImage>> {
    let mut images: Vec<PromptImage> = Vec::new();
    fetch(list, rules, outbound, async |bytes| {
        let image = keep(bytes, blobs).await?;
        if !images.contains(&image) {
            images.push(image);
        }
        Ok(())
    })
    .await?;
    Ok(images)
}

/// Fetches every picture of a list and hands over each that a client could have sent, as they come; how many they were.
///
/// # Errors
/// Those of `take`, a list that cannot be read, and one of which nothing can be had.
pub(crate) async fn fetch(
    list: &Path,
    rules: &TaskRules,
    outbound: &Outbound,
    mut take: impl AsyncFnMut(Vec<u8>) -> anyhow::Result<()>,
) -> anyhow::Result<usize> {
    let text = std::fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    let urls: Vec<(usize, &str)> = urls(&text).collect();
    anyhow::ensure!(!urls.is_empty(), "{} names no URL; it takes one a line", list.display());
    anyhow::ensure!(urls.len() <= URLS_MAX, "{} names more than {URLS_MAX} URLs", list.display());
    let get = |(line, url)| async move { (line, get(url, rules, outbound).await) };
    let mut answers = stream::iter(urls.iter().copied().map(get)).buffer_unordered(FETCHED_AT_ONCE);
    let (mut taken, mut failures) = (0, Vec::new());
    while let Some((line, answer)) = answers.next().await {
        match answer {
            Ok(bytes) => {
                take(bytes).await?;
                taken += 1;
            }
            Err(error) => {
                tracing::warn!(line, "{}: no picture: {error:#}", list.display());
                failures.push((line, error));
            }
        }
    }
    if taken == 0 {
        let (line, error) = failures.swap_remove(0);
        return Err(error).with_context(|| {
            format!("no URL in {} leads to a picture; line {line}, for one", list.display())
        });
    }
    Ok(taken)
}

/// The URLs of a list with the numbers of their lines; empty lines and those that begin with `#` are none.
fn urls(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = (1..).zip(text.lines().map(str::trim));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

async fn get(url: &str, rules: &TaskRules, outbound: &Outbound) -> anyhow::Result<Vec<u8>> {
    let bytes = outbound.get(url, rules.image_bytes_max).await?;
    check(&bytes, rules)?;
    Ok(bytes)
}

fn check(bytes: &[u8], rules: &TaskRules) -> anyhow::Result<()> {
    anyhow::ensure!(bytes.len() <= rules.image_bytes_max, "it has more than {} bytes", rules.image_bytes_max);
    let (width, height) = reader(bytes)?.into_dimensions().context("it is neither PNG, JPEG nor WebP")?;
    let pixels_max = rules.image_pixels_max;
    anyhow::ensure!(width.max(height) <= pixels_max, "it is larger than {pixels_max} pixels a side");
    reader(bytes)?.decode().context("it is broken")?;
    Ok(())
}

fn reader(bytes: &[u8]) -> anyhow::Result<image::ImageReader<std::io::Cursor<&[u8]>>> {
    Ok(image::ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format()?)
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

#[cfg(test)]
mod tests {
    use sn17_store::MemoryBlobs;

    use super::*;
    use crate::outbound::tests::{found, outbound, serve};

    fn picture(side: u32) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        image::DynamicImage::new_rgb8(side, side).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    /// What a list leads to: lines after `{here}`, the test's own server.
    async fn prefetched(lines: &str) -> anyhow::Result<(Vec<PromptImage>, MemoryBlobs)> {
        let here = serve(|path| match path {
            "/64.png" => found(&picture(64)),
            "/same.png" => found(&picture(64)),
            "/1024.png" => found(&picture(1024)),
            "/1025.png" => found(&picture(1025)),
            "/half.png" => found(&picture(512)[..600]),
            "/page.html" => found(b"<html>"),
            "/large.png" => found(&vec![0; (2 << 20) + 1]),
            _ => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
        })
        .await;
        let list = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(list.path(), lines.replace("{here}", &here)).unwrap();
        let blobs = MemoryBlobs::default();
        let images = prefetch(list.path(), &TaskRules::default(), &blobs, &outbound()).await?;
        Ok((images, blobs))
    }

    #[tokio::test]
    async fn what_can_be_had_is_kept_under_its_hash_and_the_rest_is_passed_over() {
        let lines = "# pictures\n\n{here}/64.png\n  {here}/1024.png  \n{here}/same.png\n{here}/1025.png\n\
                     {here}/half.png\n{here}/page.html\n{here}/large.png\n{here}/gone.png\nhttp://10.0.0.1/64.png\n";
        let (images, blobs) = prefetched(lines).await.unwrap();
        assert_eq!(images.len(), 2, "{images:?}");
        for image in images {
            let kept = blobs.get(&BlobKey(image.blob.clone())).await.unwrap();
            assert!(kept.bytes > 0);
            assert_eq!(image.blob, format!("library/{}", hex::encode(image.sha256)));
        }
    }

    #[tokio::test]
    async fn a_list_of_which_nothing_can_be_had_is_an_error_that_names_a_line() {
        let error = prefetched("# nothing\n{here}/gone.png\n").await.map(|_| ()).unwrap_err();
        let words = format!("{error:#}");
        assert!(words.contains("line 2, for one: it is answered with status 404"), "{words}");
        let inside = prefetched("https://inside.example/1.png").await.map(|_| ()).unwrap_err();
        assert!(
            format!("{inside:#}").contains("10.0.0.7, which is not on the public internet"),
            "{inside:#}"
        );
        let empty = prefetched("# none yet\n").await.map(|_| ()).unwrap_err();
        assert!(empty.to_string().contains("it takes one a line"), "{empty}");
        let many = "{here}/64.png\n".repeat(URLS_MAX + 1);
        assert!(prefetched(&many).await.map(|_| ()).unwrap_err().to_string().contains("more than 10000"));
    }
}
