//! A ZIP archive that is written while it is sent.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use sn17_app::ports::{BlobRead, PortError, PortErrorKind, PortResult};
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

/// The archive of these files, stored and not compressed again, as `1.spz`, `2.spz` and so on. One chunk of one file is in
/// memory at a time.
pub(super) fn of(files: Vec<BlobRead>) -> BlobRead {
    let content_bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let bytes = overhead_bytes(files.len()) + content_bytes;
    let archive = Archive { writer: ArchiveWriter::new(), files: files.into_iter().enumerate(), open: None };
    let chunks = stream::try_unfold(Some(archive), |archive| async move {
        match archive {
            None => Ok(None),
            Some(archive) => archive.advance().await.map(Some),
        }
    });
    BlobRead { bytes, stream: chunks.boxed() }
}

struct Archive {
    writer: ArchiveWriter,
    files: std::iter::Enumerate<std::vec::IntoIter<BlobRead>>,
    open: Option<BoxStream<'static, PortResult<Bytes>>>,
}

impl Archive {
    /// Takes the next chunk of a file, the next file, or the end; gives what the archive has grown by.
    async fn advance(mut self) -> PortResult<(Bytes, Option<Self>)> {
        if let Some(file) = &mut self.open {
            match file.next().await {
                Some(chunk) => self.writer.write(&chunk?).map_err(broken)?,
                None => self.open = None,
            }
            return Ok((self.writer.grown(), Some(self)));
        }
        match self.files.next() {
            Some((index, file)) => {
                self.writer.begin(index).map_err(broken)?;
                self.open = Some(file.stream);
                Ok((self.writer.grown(), Some(self)))
            }
            None => Ok((self.writer.finish().map_err(broken)?, None)),
        }
    }
}

/// What an archive of so many files has besides their content. Neither names nor content change it.
fn overhead_bytes(files: usize) -> u64 {
    let mut writer = ArchiveWriter::new();
    let mut bytes = 0;
    for index in 0..files {
        if writer.begin(index).is_err() {
            break;
        }
        bytes += writer.grown().len() as u64;
    }
    bytes + writer.finish().map_or(0, |end| end.len() as u64)
}

/// A writer that hands out what it has written so far.
struct ArchiveWriter {
    zip: ZipWriter<StreamWriter<Growth>>,
    growth: Growth,
}

impl ArchiveWriter {
    fn new() -> Self {
        let growth = Growth::default();
        Self { zip: ZipWriter::new_stream(growth.clone()), growth }
    }

    fn begin(&mut self, index: usize) -> zip::result::ZipResult<()> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        self.zip.start_file(format!("{}.spz", index + 1), options)
    }

    fn write(&mut self, chunk: &[u8]) -> zip::result::ZipResult<()> {
        Ok(self.zip.write_all(chunk)?)
    }

    fn grown(&self) -> Bytes {
        std::mem::take(&mut *self.growth.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }

    fn finish(self) -> zip::result::ZipResult<Bytes> {
        self.zip.finish()?;
        Ok(std::mem::take(&mut *self.growth.0.lock().unwrap_or_else(PoisonError::into_inner)).into())
    }
}

#[derive(Clone, Default)]
struct Growth(Arc<Mutex<Vec<u8>>>);

impl Write for Growth {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn broken(error: zip::result::ZipError) -> PortError {
    PortError::new(PortErrorKind::Corrupt, format!("cannot write an archive: {error}"))
}
