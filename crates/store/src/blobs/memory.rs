//! Blobs in memory, for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use sn17_app::ports::{BlobKey, BlobRead, Blobs, PortResult, UploadId};

use super::{no_blob, no_upload};

/// Size of a chunk in bytes, as the port allows.
const CHUNK_BYTES: usize = 1 << 20;

/// Blobs in a map.
#[derive(Debug, Default)]
pub struct MemoryBlobs(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    finished: BTreeMap<BlobKey, Bytes>,
    uploads: BTreeMap<String, (BlobKey, BytesMut)>,
    next_upload: u64,
}

impl MemoryBlobs {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn begin(&self, key: &BlobKey) -> PortResult<UploadId> {
        key.parts()?;
        let mut state = self.state();
        let upload = state.next_upload.to_string();
        state.next_upload += 1;
        state.uploads.insert(upload.clone(), (key.clone(), BytesMut::new()));
        Ok(UploadId(upload))
    }

    async fn part(&self, upload: &UploadId, bytes: Bytes) -> PortResult<()> {
        let mut state = self.state();
        let (_, content) = state.uploads.get_mut(&upload.0).ok_or_else(no_upload)?;
        content.extend_from_slice(&bytes);
        Ok(())
    }

    async fn finish(&self, upload: &UploadId) -> PortResult<()> {
        let mut state = self.state();
        let (key, content) = state.uploads.remove(&upload.0).ok_or_else(no_upload)?;
        state.finished.insert(key, content.freeze());
        Ok(())
    }

    async fn abort(&self, upload: &UploadId) -> PortResult<()> {
        self.state().uploads.remove(&upload.0);
        Ok(())
    }

    fn forget(&self, upload: &UploadId) {
        self.state().uploads.remove(&upload.0);
    }

    async fn get(&self, key: &BlobKey) -> PortResult<BlobRead> {
        key.parts()?;
        let content = self.state().finished.get(key).cloned().ok_or_else(|| no_blob(key))?;
        let bytes = content.len() as u64;
        let chunks = (0..content.len()).step_by(CHUNK_BYTES).map(move |start| {
            let end = content.len().min(start + CHUNK_BYTES);
            Ok(content.slice(start..end))
        });
        Ok(BlobRead { bytes, stream: futures_util::stream::iter(chunks).boxed() })
    }

    async fn delete(&self, key: &BlobKey) -> PortResult<()> {
        key.parts()?;
        self.state().finished.remove(key);
        Ok(())
    }
}
