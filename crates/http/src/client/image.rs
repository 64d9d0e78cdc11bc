//! Whether bytes are a picture that miners may get.

use std::io::Cursor;

use bytes::Bytes;
use image::{ImageFormat, ImageReader, Limits};
use sn17_core::policy::TaskRules;
use sn17_wire::client::ClientError;

use crate::Server;
use crate::refusal::Refusal;

/// Most that reading a header may allocate, in bytes; no pixel is decoded by then.
const HEADER_ALLOC_BYTES_MAX: u64 = 4 << 20;
/// Most that decoding may allocate, in bytes: thrice the 8 MiB of 1024² pixels of four 16-bit channels, as a decoder
/// keeps planes or an earlier frame beside its output, and a little.
const DECODE_ALLOC_BYTES_MAX: usize = 32 << 20;
/// Seconds after which a picture that found no memory is worth another try.
const DECODE_RETRY_SECS: u64 = 2;

impl Server {
    /// Checks a picture: size, format and dimensions by its header alone, so that a bomb stays packed (IN-1), then its
    /// pixels, so that no miner works on what no worker can read.
    pub(super) async fn check_image(&self, picture: Bytes) -> Result<Bytes, Refusal> {
        let format = check_header(&picture, &self.app.policy().tasks)?;
        let alloc_bytes_max = self
            .options
            .conversion_bytes_max
            .map_or(DECODE_ALLOC_BYTES_MAX, |max| max.min(DECODE_ALLOC_BYTES_MAX));
        let share = self.conversions.take(alloc_bytes_max).ok_or_else(|| {
            let message = "too many pictures are being read";
            Refusal::busy("conversion_memory", message, DECODE_RETRY_SECS).upholding("IN-1")
        })?;
        let decode = move || {
            let _share = share;
            reader(&picture, format, alloc_bytes_max as u64).decode()?;
            Ok(picture)
        };
        Ok(self.options.blocking.run(decode).await?.map_err(unreadable)?)
    }
}

fn check_header(picture: &[u8], rules: &TaskRules) -> Result<ImageFormat, ClientError> {
    if picture.len() > rules.image_bytes_max {
        let (bytes, bytes_max) = (picture.len() as u64, rules.image_bytes_max as u64);
        return Err(ClientError::ImageTooLarge { bytes, bytes_max });
    }
    let format = image::guess_format(picture).map_err(unreadable)?;
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP) {
        let name = format.extensions_str().first().copied().unwrap_or("unknown");
        return Err(ClientError::ImageFormat(name.to_owned()));
    }
    let header = reader(picture, format, HEADER_ALLOC_BYTES_MAX);
    let (width, height) = header.into_dimensions().map_err(unreadable)?;
    let pixels_max = rules.image_pixels_max;
    if width > pixels_max {
        return Err(ClientError::ImageTooWide { pixels: width, pixels_max });
    }
    if height > pixels_max {
        return Err(ClientError::ImageTooTall { pixels: height, pixels_max });
    }
    Ok(format)
}

fn reader(picture: &[u8], format: ImageFormat, alloc_bytes_max: u64) -> ImageReader<Cursor<&[u8]>> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(alloc_bytes_max);
    let mut reader = ImageReader::with_format(Cursor::new(picture), format);
    reader.limits(limits);
    reader
}

fn unreadable(error: image::ImageError) -> ClientError {
    ClientError::ImageUnreadable(error.to_string())
}
