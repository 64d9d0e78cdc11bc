//! The port of blobs on Amazon S3: each blob is an object whose key is the blob's name.
//!
//! | call | requests |
//! | --- | --- |
//! | `begin`, `forget` | none |
//! | `part` | none up to 5 MiB; beyond them one `UploadPart` for each 5 MiB, and one `CreateMultipartUpload` before the first |
//! | `finish` | one `PutObject` up to 5 MiB, else one `UploadPart` and one `CompleteMultipartUpload` |
//! | `abort` | one `AbortMultipartUpload` if there were parts |
//! | `get`, `delete` | one `GetObject`, one `DeleteObject` |
//! | `presign` | none: the link is signed here |
//!
//! The role must be allowed `s3:ListBucket` beside the objects: without it S3 answers 403 for an object that does
//! not exist, which is an error of another kind than `NotFound`.
//!
//! # What becomes of unfinished uploads
//! Bytes below the first 5 MiB never leave this process. A multipart upload that is aborted goes at once. One that
//! is forgotten or dropped is remembered here and goes with the next `finish` or `abort`; one that this process
//! takes with it to its end goes with the sweeper's [`S3Blobs::abort_stale`], and whatever is left then with the
//! bucket's lifecycle rule.
//!
//! # Memory (IN-1)
//! An upload holds at most one part of 5 MiB, and at most 7.5 MiB for the moment in which its buffer grows:
//! [`BlobOptions::uploads_max`] times that in all. A reader holds what its connection has received and not yet handed
//! on.

mod objects;
mod upload;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use sn17_app::Host;
use sn17_app::ports::{BlobKey, BlobRead, Blobs, PortError, PortErrorKind, PortResult, UploadId};
use sn17_core::UnixMs;

use crate::error::{chain, port_error};
use objects::Objects;
use upload::{Orphans, Upload};

/// Largest chunk that a reader is given, in bytes.
const CHUNK_BYTES_MAX: usize = 1 << 20;
/// An upload that has got no bytes for so long is forgotten, in seconds.
const UPLOAD_SECS: u64 = 15 * 60;
/// Longest time that a link may be valid, in seconds: a week, as Signature Version 4 allows.
const LINK_SECS_MAX: u32 = 604_800;
/// An upload without an end for so long has lost its sender, in seconds: the longest request takes a minute.
pub const UPLOAD_STALE_SECS: u64 = 15 * 60;
/// Most multipart uploads aborted in one sweep, where nothing else is said.
const STALE_MAX: usize = 1_000;

/// What can be set about the blobs in a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobOptions {
    /// The bucket's name.
    pub bucket: String,
    /// Most uploads at once in this process; each may hold 7.5 MiB of memory.
    pub uploads_max: usize,
    /// Most stale uploads of any process that are aborted in one go, each with a request of its own.
    pub stale_max: usize,
}

impl BlobOptions {
    /// Blobs in `bucket`, 1,000 stale uploads in one go, and 64 uploads at once: together they stay below the 512 MiB
    /// that submissions may take of a process.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), uploads_max: 64, stale_max: STALE_MAX }
    }
}

/// Blobs as the objects of a bucket.
pub struct S3Blobs {
    objects: Objects,
    uploads_max: usize,
    stale_max: usize,
    host: Host,
    uploads: Mutex<HashMap<String, Slot>>,
    orphans: Arc<Orphans>,
}

/// The place of an upload in progress.
struct Slot {
    /// When it last got bytes.
    touched: UnixMs,
    /// None while a call works on it.
    upload: Option<Upload>,
}

impl std::fmt::Debug for S3Blobs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("S3Blobs").field("bucket", &self.objects.bucket).finish_non_exhaustive()
    }
}

impl S3Blobs {
    /// The blobs in a bucket, which must exist.
    pub fn new(client: Client, options: BlobOptions, host: Host) -> Self {
        Self {
            objects: Objects { client, bucket: options.bucket },
            uploads_max: options.uploads_max,
            stale_max: options.stale_max,
            host,
            uploads: Mutex::default(),
            orphans: Arc::default(),
        }
    }

    /// Aborts the bucket's multipart uploads that were begun more than `older_than_secs` ago, by whichever process,
    /// at most [`BlobOptions::stale_max`] of them; answers how many there were. Uploads that end meanwhile are no error.
    ///
    /// # Errors
    /// Those of S3; what has been aborted by then stays so.
    pub async fn abort_stale(&self, older_than_secs: u64) -> PortResult<usize> {
        let before = UnixMs((self.host.now)().0.saturating_sub(older_than_secs.saturating_mul(1000)));
        let mut orphans = self.objects.multipart_uploads(before).await?;
        orphans.truncate(self.stale_max);
        for orphan in &orphans {
            self.objects.abort(orphan).await?;
        }
        Ok(orphans.len())
    }

    fn uploads(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an upload out of its place to work on it. A caller that is dropped meanwhile drops the upload.
    fn take(&self, id: &UploadId) -> PortResult<Upload> {
        let mut uploads = self.uploads();
        let slot = uploads.get_mut(&id.0);
        let slot = slot.ok_or_else(|| PortError::new(PortErrorKind::NotFound, "there is no such upload"))?;
        let busy = || PortError::new(PortErrorKind::Conflict, "an upload takes one part after the other");
        slot.upload.take().ok_or_else(busy)
    }

    /// Puts an upload back, unless it has been forgotten meanwhile.
    fn put_back(&self, id: &UploadId, upload: Upload) {
        let now = (self.host.now)();
        if let Some(slot) = self.uploads().get_mut(&id.0) {
            *slot = Slot { touched: now, upload: Some(upload) };
        }
    }

    /// Aborts one multipart upload that was left behind. Whether that succeeds is nobody's concern here: the
    /// sweeper aborts what this process cannot.
    async fn abort_an_orphan(&self) {
        let Some(orphan) = self.orphans.pop() else { return };
        if let Err(error) = self.objects.abort(&orphan).await {
            tracing::warn!(%error, "a forgotten upload could not be aborted yet");
            self.orphans.push(orphan);
        }
    }
}

#[async_trait]
impl Blobs for S3Blobs {
    async fn begin(&self, key: &BlobKey) -> PortResult<UploadId> {
        let upload = Upload::new(object_key(key)?, Arc::clone(&self.orphans));
        let now = (self.host.now)();
        let mut uploads = self.uploads();
        if uploads.len() >= self.uploads_max {
            uploads.retain(|_, slot| now.ms_since(slot.touched) < UPLOAD_SECS * 1000);
        }
        if uploads.len() >= self.uploads_max {
            return Err(PortError::new(PortErrorKind::Throttled, "too many uploads at once"));
        }
        let id = format!("{:032x}", (self.host.random)());
        uploads.insert(id.clone(), Slot { touched: now, upload: Some(upload) });
        Ok(UploadId(id))
    }

    async fn part(&self, upload: &UploadId, bytes: Bytes) -> PortResult<()> {
        let mut taken = self.take(upload)?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            if taken.is_full()
                && let Err(error) = taken.send_part(&self.objects).await
            {
                // What follows could only make a blob with a hole.
                self.forget(upload);
                return Err(error);
            }
            rest = taken.gather(rest);
        }
        self.put_back(upload, taken);
        Ok(())
    }

    async fn finish(&self, upload: &UploadId) -> PortResult<()> {
        let taken = self.take(upload)?;
        self.uploads().remove(&upload.0);
        taken.finish(&self.objects).await?;
        self.abort_an_orphan().await;
        Ok(())
    }

    async fn abort(&self, upload: &UploadId) -> PortResult<()> {
        // The upload leaves its multipart upload to the orphans as it is dropped.
        let dropped = self.uploads().remove(&upload.0);
        drop(dropped);
        self.abort_an_orphan().await;
        Ok(())
    }

    fn forget(&self, upload: &UploadId) {
        let dropped = self.uploads().remove(&upload.0);
        drop(dropped);
    }

    async fn get(&self, key: &BlobKey) -> PortResult<BlobRead> {
        let name = object_key(key)?;
        let doing = format!("read blob `{name}`");
        let request = self.objects.client.get_object().bucket(&self.objects.bucket).key(name);
        let request = request.checksum_mode(aws_sdk_s3::types::ChecksumMode::Enabled);
        let output = request.send().await.map_err(|error| port_error(&doing, &error))?;
        let bytes = output.content_length().and_then(|bytes| u64::try_from(bytes).ok());
        let no_length = || broken(PortErrorKind::Unavailable, &doing, "the answer says no length");
        let bytes = bytes.ok_or_else(no_length)?;
        let reading = Reading { body: output.body, pending: Bytes::new(), left: bytes, doing };
        Ok(BlobRead { bytes, stream: stream::try_unfold(reading, Reading::next).boxed() })
    }

    async fn delete(&self, key: &BlobKey) -> PortResult<()> {
        let name = object_key(key)?;
        let doing = format!("delete blob `{name}`");
        let request = self.objects.client.delete_object().bucket(&self.objects.bucket).key(name);
        match request.send().await.map_err(|error| port_error(&doing, &error)) {
            Err(error) if error.kind != PortErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The link also ends with the credentials that sign it: a function's role signs for some hours at most.
    async fn presign(&self, key: &BlobKey, valid_secs: u32, filename: &str) -> PortResult<Option<String>> {
        let name = object_key(key)?;
        let doing = format!("make a link to blob `{name}`");
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis((self.host.now)().0);
        let valid = Duration::from_secs(valid_secs.clamp(1, LINK_SECS_MAX).into());
        let config = PresigningConfig::builder().start_time(now).expires_in(valid).build();
        let config = config.map_err(|error| broken(PortErrorKind::Corrupt, &doing, &error.to_string()))?;
        let request = self.objects.client.get_object().bucket(&self.objects.bucket).key(name);
        let request = request.response_content_disposition(attachment(filename));
        let signed = request.presigned(config).await.map_err(|error| port_error(&doing, &error))?;
        Ok(Some(signed.uri().to_owned()))
    }
}

/// The object of a blob.
fn object_key(key: &BlobKey) -> PortResult<String> {
    Ok(key.parts()?.join("/"))
}

/// The header that has a download saved as `filename`, whose other characters than letters, digits, `-`, `_` and
/// `.` become `_`.
fn attachment(filename: &str) -> String {
    let plain = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    let name: String = filename.chars().map(|char| if plain(char) { char } else { '_' }).collect();
    format!("attachment; filename=\"{name}\"")
}

fn broken(kind: PortErrorKind, doing: &str, reason: &str) -> PortError {
    PortError::new(kind, format!("cannot {doing}: {reason}"))
}

/// An object on its way in.
struct Reading {
    body: ByteStream,
    /// What has come and was not handed on.
    pending: Bytes,
    /// Bytes to be handed on, the pending ones included.
    left: u64,
    doing: String,
}

impl Reading {
    /// The next chunk, if one is left. The last one is kept back until the whole content agrees with its checksum,
    /// so that nobody takes damaged bytes for a complete blob.
    async fn next(mut self) -> PortResult<Option<(Bytes, Self)>> {
        while self.pending.is_empty() {
            match self.body.try_next().await {
                Ok(Some(bytes)) => self.pending = bytes,
                Ok(None) if self.left == 0 => return Ok(None),
                Ok(None) => return Err(self.error(PortErrorKind::Unavailable, "it broke off")),
                Err(error) => return Err(self.error(PortErrorKind::Unavailable, &chain(&error))),
            }
        }
        let chunk = self.pending.split_to(self.pending.len().min(CHUNK_BYTES_MAX));
        let Some(left) = self.left.checked_sub(chunk.len() as u64) else {
            return Err(self.error(PortErrorKind::Corrupt, "it is longer than it was said to be"));
        };
        self.left = left;
        if left == 0 {
            self.end().await?;
        }
        Ok(Some((chunk, self)))
    }

    /// Reads to the end after the last byte.
    async fn end(&mut self) -> PortResult<()> {
        loop {
            match self.body.try_next().await {
                Ok(None) => return Ok(()),
                Ok(Some(bytes)) if bytes.is_empty() => {}
                Ok(Some(_)) => {
                    return Err(self.error(PortErrorKind::Corrupt, "it is longer than it was said to be"));
                }
                Err(error) => return Err(self.error(PortErrorKind::Corrupt, &chain(&error))),
            }
        }
    }

    fn error(&self, kind: PortErrorKind, reason: &str) -> PortError {
        broken(kind, &self.doing, reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_cannot_leave_their_header() {
        assert_eq!(attachment("a-b_c.ply"), "attachment; filename=\"a-b_c.ply\"");
        assert_eq!(attachment("a\"\r\nb: ä/c"), "attachment; filename=\"a___b____c\"");
    }
}
