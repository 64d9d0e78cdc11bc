//! Decompression with a running cap: a caller takes what the header announced and then asks for the end, so a
//! bomb inflates no further than its own header promised.

use std::error::Error;
use std::io::{self, BufRead, Chain, Cursor, Read};

use flate2::bufread::GzDecoder;

use crate::error::{Part, SplatError};
use crate::spz::frame::{FRAME_HEADER_BYTES_MAX, FrameHeader};

/// A reader whose first bytes were looked at and put back.
pub(crate) type Source<'a> = Chain<Cursor<Vec<u8>>, &'a mut dyn BufRead>;

/// A decoder of one compressed stream that leaves its source just behind the stream's end.
pub(crate) trait Inflate<'a>: Read {
    /// The source, with everything unread that follows the stream.
    fn into_source(self: Box<Self>) -> Source<'a>;
}

impl<'a> Inflate<'a> for GzDecoder<Source<'a>> {
    fn into_source(self: Box<Self>) -> Source<'a> {
        (*self).into_inner()
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl<'a> Inflate<'a> for zstd::stream::read::Decoder<'static, Source<'a>> {
    fn into_source(self: Box<Self>) -> Source<'a> {
        (*self).finish()
    }
}

#[cfg(any(test, target_arch = "wasm32"))]
impl<'a> Inflate<'a> for ruzstd::decoding::StreamingDecoder<Source<'a>, ruzstd::decoding::FrameDecoder> {
    fn into_source(self: Box<Self>) -> Source<'a> {
        (*self).into_inner()
    }
}

/// Which zstd decoder to use; the tests run both over the same vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Zstd {
    /// The reference implementation, in C.
    #[cfg(not(target_arch = "wasm32"))]
    Reference,
    /// A decoder in Rust, for targets without C. It keeps a window's length of history to itself until the frame
    /// ends and does not verify checksums.
    #[cfg(any(test, target_arch = "wasm32"))]
    Portable,
}

impl Zstd {
    /// The decoder of this target.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) const DEFAULT: Self = Self::Reference;
    /// The decoder of this target.
    #[cfg(target_arch = "wasm32")]
    pub(crate) const DEFAULT: Self = Self::Portable;

    fn start(self, source: Source<'_>) -> io::Result<Box<dyn Inflate<'_> + '_>> {
        match self {
            #[cfg(not(target_arch = "wasm32"))]
            Self::Reference => Ok(Box::new(zstd::stream::read::Decoder::with_buffer(source)?.single_frame())),
            #[cfg(any(test, target_arch = "wasm32"))]
            Self::Portable => {
                let window_bytes_max = crate::spz::frame::SIZED_WINDOW_BYTES_MAX;
                ruzstd::decoding::StreamingDecoder::new_with_max_window_size(source, window_bytes_max)
                    .map(|decoder| Box::new(decoder) as Box<dyn Inflate<'_>>)
                    .map_err(io::Error::other)
            }
        }
    }

    /// Opens a frame whose content is at most `content_bytes_max` long, and tells the size that it states.
    ///
    /// # Errors
    ///
    /// [`SplatError::Truncated`], [`SplatError::ContentSize`], [`SplatError::Window`] or [`SplatError::Inflate`].
    pub(crate) fn open<'a>(
        self,
        mut reader: &'a mut dyn BufRead,
        content_bytes_max: u64,
    ) -> Result<(Box<dyn Inflate<'a> + 'a>, Option<u64>), SplatError> {
        let prefix = take_prefix(&mut reader, FRAME_HEADER_BYTES_MAX)?;
        let Some(header) = FrameHeader::parse(&prefix) else {
            return Err(if prefix.len() < FRAME_HEADER_BYTES_MAX {
                SplatError::Truncated { part: Part::Header }
            } else {
                SplatError::Inflate(io::Error::other("not a zstd frame"))
            });
        };
        header.check(content_bytes_max)?;
        let inflate =
            self.start(Cursor::new(prefix).chain(reader)).map_err(|error| classify(error, Part::Header))?;
        Ok((inflate, header.content_bytes))
    }
}

/// Opens a gzip member.
pub(crate) fn open_gzip<'a>(reader: &'a mut dyn BufRead) -> Box<dyn Inflate<'a> + 'a> {
    Box::new(GzDecoder::new(Cursor::new(Vec::new()).chain(reader)))
}

/// Takes up to `count` bytes, fewer only at the end.
pub(crate) fn take_prefix(reader: &mut impl Read, count: usize) -> Result<Vec<u8>, SplatError> {
    let mut prefix = Vec::with_capacity(count);
    reader.take(count as u64).read_to_end(&mut prefix).map_err(SplatError::Io)?;
    Ok(prefix)
}

/// Fills `buffer` from an inflating reader.
///
/// # Errors
///
/// [`SplatError::Truncated`] if the compressed bytes run out, [`SplatError::Shortfall`] if the stream ends in good
/// order but early, [`SplatError::Inflate`] if it is damaged.
pub(crate) fn fill(reader: &mut impl Read, buffer: &mut [u8], part: Part) -> Result<(), SplatError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => return Err(SplatError::Shortfall { part }),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(classify(error, part)),
        }
    }
    Ok(())
}

/// Checks that the stream ends here, checksum included, and gives its reader back.
///
/// # Errors
///
/// [`SplatError::Surplus`] if there is more content; otherwise as [`fill`].
pub(crate) fn finish<'a>(mut inflate: Box<dyn Inflate<'a> + 'a>) -> Result<Source<'a>, SplatError> {
    match fill(&mut inflate, &mut [0], Part::Trailer) {
        Err(SplatError::Shortfall { .. }) => Ok(inflate.into_source()),
        Err(error) => Err(error),
        Ok(()) => Err(SplatError::Surplus),
    }
}

/// Checks that nothing follows.
///
/// # Errors
///
/// [`SplatError::TrailingBytes`], or [`SplatError::Io`] from the source.
pub(crate) fn expect_end(mut reader: impl BufRead) -> Result<(), SplatError> {
    if reader.fill_buf().map_err(SplatError::Io)?.is_empty() {
        Ok(())
    } else {
        Err(SplatError::TrailingBytes)
    }
}

/// Tells a stream that was cut off from one that is damaged: the decoders report the former as an end of file
/// somewhere in the chain of causes.
fn classify(error: io::Error, part: Part) -> SplatError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(current) = cause {
        let io_error = current.downcast_ref::<io::Error>();
        if io_error.is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof) {
            return SplatError::Truncated { part };
        }
        // `io::Error::source` skips the wrapped error itself and goes on with that error's source.
        cause = io_error
            .and_then(io::Error::get_ref)
            .map(|inner| inner as &(dyn Error + 'static))
            .or_else(|| current.source());
    }
    SplatError::Inflate(error)
}
