//! The requests that write objects, each with its checksum.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use sn17_app::ports::{PortErrorKind, PortResult};
use sn17_core::UnixMs;

use crate::error::port_error;

/// What the service checks each request's bytes against, and keeps for readers to check what they get: a CRC is what it
/// takes for whole objects and parts alike. The signature covers the SHA-256 of the bytes besides.
const CHECKSUM: ChecksumAlgorithm = ChecksumAlgorithm::Crc32;
/// Pages of multipart uploads that are listed at most, of up to 1,000 uploads each.
const PAGES_MAX: usize = 10;

/// The objects of a bucket.
pub(super) struct Objects {
    pub(super) client: Client,
    pub(super) bucket: String,
}

/// A multipart upload on the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Multipart {
    /// The object's key.
    pub(super) key: String,
    /// The service's name for the upload.
    pub(super) id: String,
}

impl Objects {
    /// Writes a whole object.
    pub(super) async fn put(&self, key: &str, bytes: Bytes) -> PortResult<()> {
        let request = self.client.put_object().bucket(&self.bucket).key(key);
        let request = request.checksum_algorithm(CHECKSUM).body(ByteStream::from(bytes));
        let outcome = request.send().await;
        outcome.map_err(|error| port_error(&format!("write blob `{key}`"), &error))?;
        Ok(())
    }

    /// Starts a multipart upload.
    pub(super) async fn create(&self, key: &str) -> PortResult<Multipart> {
        let request = self.client.create_multipart_upload().bucket(&self.bucket).key(key);
        // Of the whole object, not of its parts' checksums: only that one can a reader check.
        let request = request.checksum_algorithm(CHECKSUM).checksum_type(ChecksumType::FullObject);
        let output = request.send().await;
        let output = output.map_err(|error| port_error(&format!("begin blob `{key}`"), &error))?;
        let id = output.upload_id().unwrap_or_default().to_owned();
        Ok(Multipart { key: key.to_owned(), id })
    }

    /// Sends one part; `number` counts from 1.
    pub(super) async fn upload_part(
        &self,
        multipart: &Multipart,
        number: i32,
        bytes: Bytes,
    ) -> PortResult<CompletedPart> {
        let request = self.client.upload_part().bucket(&self.bucket).key(&multipart.key);
        let request = request.upload_id(&multipart.id).part_number(number);
        let outcome = request.checksum_algorithm(CHECKSUM).body(ByteStream::from(bytes)).send().await;
        let doing = || format!("write part {number} of blob `{}`", multipart.key);
        let output = outcome.map_err(|error| port_error(&doing(), &error))?;
        let part = CompletedPart::builder().part_number(number).set_e_tag(output.e_tag);
        Ok(part.set_checksum_crc32(output.checksum_crc32).build())
    }

    /// Makes the object of its parts.
    pub(super) async fn complete(&self, multipart: &Multipart, parts: Vec<CompletedPart>) -> PortResult<()> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.client.complete_multipart_upload().bucket(&self.bucket).key(&multipart.key);
        let outcome = request.upload_id(&multipart.id).multipart_upload(parts).send().await;
        outcome.map_err(|error| port_error(&format!("finish blob `{}`", multipart.key), &error))?;
        Ok(())
    }

    /// Removes a multipart upload with its parts; one that is gone already is no error.
    pub(super) async fn abort(&self, multipart: &Multipart) -> PortResult<()> {
        let request = self.client.abort_multipart_upload().bucket(&self.bucket).key(&multipart.key);
        let outcome = request.upload_id(&multipart.id).send().await;
        let doing = || format!("abort the upload of blob `{}`", multipart.key);
        match outcome.map_err(|error| port_error(&doing(), &error)) {
            Err(error) if error.kind != PortErrorKind::NotFound => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The multipart uploads begun before `before`.
    pub(super) async fn multipart_uploads(&self, before: UnixMs) -> PortResult<Vec<Multipart>> {
        let mut found = Vec::new();
        let (mut key_marker, mut id_marker) = (None, None);
        for _ in 0..PAGES_MAX {
            let request = self.client.list_multipart_uploads().bucket(&self.bucket);
            let request = request.set_key_marker(key_marker).set_upload_id_marker(id_marker);
            let page = request.send().await.map_err(|error| port_error("list unfinished uploads", &error))?;
            for upload in page.uploads() {
                let begun_ms = upload.initiated().and_then(|begun| begun.to_millis().ok());
                let is_old = begun_ms.and_then(|ms| u64::try_from(ms).ok()).is_some_and(|ms| ms < before.0);
                if let (true, Some(key), Some(id)) = (is_old, upload.key(), upload.upload_id()) {
                    found.push(Multipart { key: key.to_owned(), id: id.to_owned() });
                }
            }
            if page.is_truncated() != Some(true) {
                break;
            }
            (key_marker, id_marker) = (page.next_key_marker, page.next_upload_id_marker);
        }
        Ok(found)
    }
}
