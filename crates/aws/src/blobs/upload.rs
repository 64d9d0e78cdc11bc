//! An upload in progress, and those that nobody finishes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_s3::types::CompletedPart;
use bytes::Bytes;
use sn17_app::ports::{PortError, PortErrorKind, PortResult};

use super::objects::{Multipart, Objects};

/// Bytes of a part, the fewest that S3 takes for any but the last one. What does not exceed them goes in one request.
const PART_BYTES: usize = 5 << 20;
/// The first allocation of a buffer in bytes; it doubles from there.
const BUFFER_BYTES_MIN: usize = 64 << 10;
/// Multipart uploads that are remembered to be aborted; beyond them the oldest is left to the sweeper.
const ORPHANS_MAX: usize = 256;

/// An upload in progress. Its multipart upload goes to the orphans when it is dropped unfinished.
pub(super) struct Upload {
    key: String,
    buffer: Vec<u8>,
    multipart: Option<Multipart>,
    parts: Vec<CompletedPart>,
    orphans: Arc<Orphans>,
}

impl Upload {
    /// An upload without bytes.
    pub(super) fn new(key: String, orphans: Arc<Orphans>) -> Self {
        Self { key, buffer: Vec::new(), multipart: None, parts: Vec::new(), orphans }
    }

    /// Whether the buffer holds a whole part.
    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= PART_BYTES
    }

    /// Takes as many bytes as there is room for, and answers the rest.
    pub(super) fn gather<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (taken, rest) = bytes.split_at(bytes.len().min(PART_BYTES - self.buffer.len()));
        let needed = self.buffer.len() + taken.len();
        if needed > self.buffer.capacity() {
            let capacity = needed.max(2 * self.buffer.capacity()).clamp(BUFFER_BYTES_MIN, PART_BYTES);
            self.buffer.reserve_exact(capacity - self.buffer.len());
        }
        self.buffer.extend_from_slice(taken);
        rest
    }

    /// Sends what the buffer holds as the next part.
    pub(super) async fn send_part(&mut self, objects: &Objects) -> PortResult<()> {
        let multipart = match &self.multipart {
            Some(multipart) => multipart,
            None => self.multipart.insert(objects.create(&self.key).await?),
        };
        let too_many = |_| PortError::new(PortErrorKind::Corrupt, "a blob has too many parts");
        let number = i32::try_from(self.parts.len() + 1).map_err(too_many)?;
        let bytes = Bytes::from(std::mem::take(&mut self.buffer));
        self.parts.push(objects.upload_part(multipart, number, bytes).await?);
        Ok(())
    }

    /// Makes the object.
    pub(super) async fn finish(mut self, objects: &Objects) -> PortResult<()> {
        if self.multipart.is_none() {
            let bytes = Bytes::from(std::mem::take(&mut self.buffer));
            return objects.put(&self.key, bytes).await;
        }
        self.send_part(objects).await?;
        if let Some(multipart) = &self.multipart {
            objects.complete(multipart, std::mem::take(&mut self.parts)).await?;
        }
        self.multipart = None;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(multipart) = self.multipart.take() {
            self.orphans.push(multipart);
        }
    }
}

/// The multipart uploads that nobody will finish.
#[derive(Default)]
pub(super) struct Orphans(Mutex<VecDeque<Multipart>>);

impl Orphans {
    /// Remembers one; the oldest goes if there are too many.
    pub(super) fn push(&self, multipart: Multipart) {
        let mut list = self.list();
        if list.len() >= ORPHANS_MAX {
            list.pop_front();
        }
        list.push_back(multipart);
    }

    /// Takes the one that came last, which is the caller's own if it has just dropped one.
    pub(super) fn pop(&self) -> Option<Multipart> {
        self.list().pop_back()
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Multipart>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_holds_a_part_and_never_more() {
        let mut upload = Upload::new("a".to_owned(), Arc::default());
        let bytes = vec![7; 700_000];
        let mut gathered = 0;
        while !upload.is_full() {
            gathered += bytes.len() - upload.gather(&bytes).len();
            assert!(upload.buffer.capacity() <= PART_BYTES, "{}", upload.buffer.capacity());
        }
        assert_eq!(gathered, PART_BYTES);
        assert_eq!(upload.gather(&bytes).len(), bytes.len());
    }

    #[test]
    fn dropped_uploads_are_remembered_the_newest_first() {
        let orphans: Arc<Orphans> = Arc::default();
        for number in 0..=ORPHANS_MAX {
            let mut upload = Upload::new("a".to_owned(), Arc::clone(&orphans));
            upload.multipart = Some(Multipart { key: "a".to_owned(), id: number.to_string() });
        }
        drop(Upload::new("b".to_owned(), Arc::clone(&orphans)));
        let remembered: Vec<String> = std::iter::from_fn(|| orphans.pop()).map(|orphan| orphan.id).collect();
        let expected: Vec<String> = (1..=ORPHANS_MAX).rev().map(|number| number.to_string()).collect();
        assert_eq!(remembered, expected);
    }
}
