//! Blobs as files in a folder.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use sn17_app::ports::{BlobKey, BlobRead, Blobs, PortError, PortErrorKind, PortResult, UploadId};
use sn17_core::UnixMs;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{no_blob, no_upload};

/// Where uploads lie until they are finished; no blob's name begins with a dot.
const UPLOADS: &str = ".uploads";
/// Bytes of an upload gathered before they are written.
const BUFFER_BYTES: usize = 128 << 10;
/// Size of a chunk that is read, in bytes: a quarter of what the port allows, so that many slow readers at once
/// stay cheap.
const CHUNK_BYTES: usize = 256 << 10;
/// How often a finished upload is moved again when the sweeper has just removed its empty folder.
const MOVES_MAX: usize = 3;

/// What can be set about a folder of blobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderOptions {
    /// An upload that has got no bytes for so long is forgotten, in seconds.
    pub upload_secs: u64,
    /// How long blobs are kept, in seconds, by the first part of their names; others stay until deleted.
    pub retention_secs: Vec<(String, u64)>,
    /// Most uploads at once; each holds a file open and up to 128 KiB of memory.
    pub uploads_max: usize,
    /// Most blobs being read at once; each holds a file open and up to 256 KiB of memory.
    pub reads_max: usize,
}

impl Default for FolderOptions {
    fn default() -> Self {
        const DAY_SECS: u64 = 24 * 60 * 60;
        let days = [("submissions", 2), ("prompts", 2), ("previews", 2), ("duels", 30)];
        Self {
            upload_secs: 15 * 60,
            retention_secs: days.map(|(name, days)| (name.to_owned(), days * DAY_SECS)).to_vec(),
            uploads_max: 256,
            reads_max: 512,
        }
    }
}

/// Blobs as files in a folder, which several processes may share.
///
/// A name and the beginning of another (`a` and `a/b`) exclude each other.
#[derive(Debug)]
pub struct FolderBlobs {
    root: PathBuf,
    options: FolderOptions,
    uploads: Mutex<HashMap<String, Arc<Mutex<Upload>>>>,
    next_upload: AtomicU64,
    reads: Arc<Semaphore>,
}

/// An upload in progress. Its file goes when it is dropped unfinished.
#[derive(Debug)]
struct Upload {
    file: BufWriter<File>,
    path: PathBuf,
    target: PathBuf,
}

impl FolderBlobs {
    /// Opens the folder at `root`, or makes it.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(root: &Path, options: FolderOptions) -> io::Result<Self> {
        fs::create_dir_all(root.join(UPLOADS))?;
        let reads = Arc::new(Semaphore::new(options.reads_max));
        let uploads = Mutex::default();
        Ok(Self { root: root.to_owned(), options, uploads, next_upload: AtomicU64::new(0), reads })
    }

    /// Removes abandoned uploads and blobs past their retention, by the files' times; answers how many.
    ///
    /// # Errors
    /// `Unavailable` when the folder cannot be read.
    pub async fn sweep(&self, now: UnixMs) -> PortResult<usize> {
        let mut ages = vec![(self.root.join(UPLOADS), self.options.upload_secs)];
        for (name, secs) in &self.options.retention_secs {
            ages.push((self.root.join(name), *secs));
        }
        let removed = blocking(move || {
            let mut removed = Vec::new();
            for (folder, secs) in ages {
                let before =
                    UNIX_EPOCH + Duration::from_millis(now.0.saturating_sub(secs.saturating_mul(1000)));
                remove_older(&folder, before, &mut removed)?;
            }
            Ok(removed)
        })
        .await?;
        let mut uploads = self.uploads();
        for path in &removed {
            if path.parent().is_some_and(|folder| folder.ends_with(UPLOADS))
                && let Some(name) = path.file_name().and_then(|name| name.to_str())
            {
                uploads.remove(name);
            }
        }
        Ok(removed.len())
    }

    fn path(&self, key: &BlobKey) -> PortResult<PathBuf> {
        let mut path = self.root.clone();
        path.extend(key.parts()?);
        Ok(path)
    }

    fn uploads(&self) -> MutexGuard<'_, HashMap<String, Arc<Mutex<Upload>>>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name that no other upload has, of this process or another.
    fn upload_name(&self) -> String {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let number = self.next_upload.fetch_add(1, Ordering::Relaxed);
        format!("{nanos:x}-{:x}-{number:x}", std::process::id())
    }
}

#[async_trait]
impl Blobs for FolderBlobs {
    async fn begin(&self, key: &BlobKey) -> PortResult<UploadId> {
        let target = self.path(key)?;
        if self.uploads().len() >= self.options.uploads_max {
            return Err(PortError::new(PortErrorKind::Throttled, "too many uploads at once"));
        }
        let name = self.upload_name();
        let path = self.root.join(UPLOADS).join(&name);
        let upload = blocking(move || {
            let file = OpenOptions::new().write(true).create_new(true).open(&path)?;
            Ok(Upload { file: BufWriter::with_capacity(BUFFER_BYTES, file), path, target })
        })
        .await?;
        self.uploads().insert(name.clone(), Arc::new(Mutex::new(upload)));
        Ok(UploadId(name))
    }

    async fn part(&self, upload: &UploadId, bytes: Bytes) -> PortResult<()> {
        let upload = self.uploads().get(&upload.0).cloned().ok_or_else(no_upload)?;
        if upload.lock().unwrap_or_else(PoisonError::into_inner).gather(&bytes) {
            return Ok(());
        }
        blocking(move || {
            let mut upload = upload.lock().unwrap_or_else(PoisonError::into_inner);
            upload.file.write_all(&bytes)
        })
        .await
    }

    async fn finish(&self, upload: &UploadId) -> PortResult<()> {
        let upload = self.uploads().remove(&upload.0).ok_or_else(no_upload)?;
        let root = self.root.clone();
        blocking(move || upload.lock().unwrap_or_else(PoisonError::into_inner).finish(&root)).await
    }

    async fn abort(&self, upload: &UploadId) -> PortResult<()> {
        let upload = self.uploads().remove(&upload.0);
        blocking(move || {
            drop(upload);
            Ok(())
        })
        .await
    }

    fn forget(&self, upload: &UploadId) {
        // Closing and removing one file is quick enough for any thread.
        drop(self.uploads().remove(&upload.0));
    }

    async fn get(&self, key: &BlobKey) -> PortResult<BlobRead> {
        let path = self.path(key)?;
        let permit = Arc::clone(&self.reads).try_acquire_owned();
        let permit =
            permit.map_err(|_| PortError::new(PortErrorKind::Throttled, "too many reads at once"))?;
        let missing = no_blob(key);
        let opened = blocking(move || match File::open(path) {
            Ok(file) => Reading::start(file, permit),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        });
        let (bytes, first, reading) = opened.await?.ok_or(missing)?;
        let rest = stream::try_unfold(reading, |reading| blocking(move || next_chunk(reading)));
        let first = stream::iter(first.map(Ok));
        Ok(BlobRead { bytes, stream: first.chain(rest).boxed() })
    }

    async fn delete(&self, key: &BlobKey) -> PortResult<()> {
        let path = self.path(key)?;
        blocking(move || match fs::remove_file(path) {
            Err(error) if !is_missing(&error) => Err(error),
            Ok(()) | Err(_) => Ok(()),
        })
        .await
    }
}

impl Upload {
    /// Takes bytes without touching the disk, if there is room for them.
    fn gather(&mut self, bytes: &[u8]) -> bool {
        let has_room = self.file.buffer().len() + bytes.len() < self.file.capacity();
        has_room && self.file.write_all(bytes).is_ok()
    }

    /// Makes the file durable, then visible, then its visibility durable.
    fn finish(&mut self, root: &Path) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        let folder = self.target.parent().unwrap_or(root);
        for _ in 1..MOVES_MAX {
            fs::create_dir_all(folder)?;
            match fs::rename(&self.path, &self.target) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                outcome => return outcome.and_then(|()| sync_folders(folder, root)),
            }
        }
        fs::create_dir_all(folder)?;
        fs::rename(&self.path, &self.target)?;
        sync_folders(folder, root)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // After `finish` the file has moved and there is nothing to remove; otherwise the sweeper tries again.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes the entries of `folder` and of those above it durable, up to `root`.
fn sync_folders(folder: &Path, root: &Path) -> io::Result<()> {
    for folder in folder.ancestors() {
        File::open(folder)?.sync_all()?;
        if folder == root {
            break;
        }
    }
    Ok(())
}

/// A file's size, its first chunk and the rest.
type Started = (u64, Option<Bytes>, Option<Reading>);

/// A file on its way out.
struct Reading {
    file: File,
    left: u64,
    _permit: OwnedSemaphorePermit,
}

impl Reading {
    /// The file's size, its first chunk and the rest; none for a folder.
    fn start(file: File, permit: OwnedSemaphorePermit) -> io::Result<Option<Started>> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(None);
        }
        let reading = Self { file, left: metadata.len(), _permit: permit };
        let (first, rest) = next_chunk(Some(reading))?.unzip();
        Ok(Some((metadata.len(), first, rest.flatten())))
    }
}

/// Reads the next chunk, if one is left, and says what remains then. The last chunk frees the file at once.
fn next_chunk(reading: Option<Reading>) -> io::Result<Option<(Bytes, Option<Reading>)>> {
    let Some(mut reading) = reading.filter(|reading| reading.left > 0) else { return Ok(None) };
    let wanted = usize::try_from(reading.left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
    let mut chunk = vec![0; wanted];
    reading.file.read_exact(&mut chunk)?;
    reading.left -= wanted as u64;
    let rest = Some(reading).filter(|reading| reading.left > 0);
    Ok(Some((chunk.into(), rest)))
}

/// Removes the files in `folder` last written before `before`, and folders that are empty then.
fn remove_older(folder: &Path, before: SystemTime, removed: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_missing(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if is_missing(&error) => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_dir() {
            remove_older(&path, before, removed)?;
            // Fails unless the folder is empty, which is what is wanted.
            let _ = fs::remove_dir(&path);
        } else if metadata.modified()? < before {
            match fs::remove_file(&path) {
                Ok(()) => removed.push(path),
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Whether nothing is there, or a file where a folder is asked for.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Runs file work on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> PortResult<T> {
    let unavailable = |message: String| PortError::new(PortErrorKind::Unavailable, message);
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(unavailable(format!("cannot access a blob: {error}"))),
        Err(error) => Err(unavailable(format!("file work broke off: {error}"))),
    }
}
