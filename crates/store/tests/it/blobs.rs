//! Blobs in a folder and in memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::StreamExt;
use sn17_app::ports::{BlobKey, Blobs, PortErrorKind};
use sn17_core::UnixMs;
use sn17_store::{FolderBlobs, FolderOptions};

mod in_memory {
    sn17_store::blobs_conformance!(Box::new(sn17_store::MemoryBlobs::default()));
}

mod in_a_folder {
    use super::TemporaryBlobs;
    sn17_store::blobs_conformance!(TemporaryBlobs::default());
}

/// Blobs in a folder that goes with them.
struct TemporaryBlobs {
    blobs: FolderBlobs,
    folder: tempfile::TempDir,
}

impl Default for TemporaryBlobs {
    fn default() -> Self {
        Self::with(FolderOptions::default())
    }
}

impl TemporaryBlobs {
    fn with(options: FolderOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { blobs: FolderBlobs::open(folder.path(), options).unwrap(), folder }
    }

    async fn put(&self, name: &str) {
        let upload = self.blobs.begin(&key(name)).await.unwrap();
        self.blobs.part(&upload, Bytes::from_static(b"content")).await.unwrap();
        self.blobs.finish(&upload).await.unwrap();
    }

    /// Every file below the folder, by its path in it.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        list(self.folder.path(), &mut files);
        let root = self.folder.path();
        files.iter().map(|file| file.strip_prefix(root).unwrap().to_owned()).collect()
    }
}

impl std::ops::Deref for TemporaryBlobs {
    type Target = FolderBlobs;

    fn deref(&self) -> &FolderBlobs {
        &self.blobs
    }
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { list(&path, files) } else { files.push(path) }
    }
}

fn key(name: &str) -> BlobKey {
    BlobKey(name.to_owned())
}

/// `secs` seconds after the present, as sweepers are told it.
fn in_secs(secs: u64) -> UnixMs {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + Duration::from_secs(secs);
    UnixMs(u64::try_from(since_epoch.as_millis()).unwrap())
}

#[tokio::test]
async fn abandoned_uploads_are_swept_after_15_minutes() {
    let blobs = TemporaryBlobs::default();
    let upload = blobs.begin(&key("submissions/a")).await.unwrap();
    assert_eq!(blobs.sweep(in_secs(14 * 60)).await.unwrap(), 0);
    assert_eq!(blobs.files().len(), 1);
    assert_eq!(blobs.sweep(in_secs(15 * 60 + 1)).await.unwrap(), 1);
    assert_eq!(blobs.files().len(), 0);
    assert_eq!(blobs.finish(&upload).await.unwrap_err().kind, PortErrorKind::NotFound);
}

#[tokio::test]
async fn an_upload_of_a_process_that_died_is_swept() {
    let blobs = TemporaryBlobs::default();
    let upload = blobs.begin(&key("submissions/a")).await.unwrap();
    fs::write(blobs.folder.path().join(".uploads").join("of-another-process"), b"left").unwrap();
    assert_eq!(blobs.sweep(in_secs(15 * 60 + 1)).await.unwrap(), 2);
    assert_eq!(blobs.files().len(), 0);
    blobs.abort(&upload).await.unwrap();
}

#[tokio::test]
async fn blobs_are_swept_after_two_days_and_duels_after_thirty() {
    const DAY_SECS: u64 = 24 * 60 * 60;
    let blobs = TemporaryBlobs::default();
    let two_days = ["submissions/task/miner.spz", "prompts/one.png", "previews/one.png"];
    for name in two_days.into_iter().chain(["duels/1750000000.json", "models/kept.onnx"]) {
        blobs.put(name).await;
    }
    assert_eq!(blobs.sweep(in_secs(2 * DAY_SECS - 60)).await.unwrap(), 0);
    assert_eq!(blobs.sweep(in_secs(2 * DAY_SECS + 1)).await.unwrap(), 3);
    assert_eq!(blobs.sweep(in_secs(30 * DAY_SECS - 60)).await.unwrap(), 0);
    assert_eq!(blobs.sweep(in_secs(30 * DAY_SECS + 1)).await.unwrap(), 1);
    assert_eq!(blobs.files(), [Path::new("models/kept.onnx")]);
    assert!(!blobs.folder.path().join("submissions/task").exists(), "an empty folder stays behind");
    blobs.put("submissions/task/miner.spz").await;
}

#[tokio::test]
async fn aborted_and_dropped_uploads_leave_no_file() {
    let blobs = TemporaryBlobs::default();
    let upload = blobs.begin(&key("submissions/a")).await.unwrap();
    blobs.part(&upload, Bytes::from(vec![0; 1 << 20])).await.unwrap();
    assert_eq!(blobs.files().len(), 1);
    blobs.abort(&upload).await.unwrap();
    assert_eq!(blobs.files().len(), 0);
}

#[tokio::test]
async fn uploads_and_reads_at_once_are_bounded() {
    let blobs =
        TemporaryBlobs::with(FolderOptions { uploads_max: 2, reads_max: 2, ..FolderOptions::default() });
    blobs.put("a").await;
    let uploads = [blobs.begin(&key("b")).await.unwrap(), blobs.begin(&key("c")).await.unwrap()];
    assert_eq!(blobs.begin(&key("d")).await.unwrap_err().kind, PortErrorKind::Throttled);
    blobs.abort(&uploads[0]).await.unwrap();
    blobs.begin(&key("d")).await.unwrap();
    blobs.forget(&uploads[1]);
    blobs.begin(&key("e")).await.unwrap();
}

#[tokio::test]
async fn readers_hold_a_place_until_their_last_chunk() {
    let blobs = TemporaryBlobs::with(FolderOptions { reads_max: 1, ..FolderOptions::default() });
    let upload = blobs.begin(&key("a")).await.unwrap();
    blobs.part(&upload, Bytes::from(vec![7; 300 << 10])).await.unwrap();
    blobs.finish(&upload).await.unwrap();
    let mut read = blobs.get(&key("a")).await.unwrap();
    assert_eq!(blobs.get(&key("a")).await.unwrap_err().kind, PortErrorKind::Throttled);
    while let Some(chunk) = read.stream.next().await {
        chunk.unwrap();
    }
    drop(blobs.get(&key("a")).await.unwrap());
    drop(blobs.get(&key("a")).await.unwrap());
}
