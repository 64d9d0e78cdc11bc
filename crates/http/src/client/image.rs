//! Whether bytes are a picture that miners may get.

use std::io::Cursor;

use image::{ImageFormat, ImageReader, Limits};
use sn17_core::policy::TaskRules;
use sn17_wire::client::ClientError;

/// Most that reading a header may allocate, in bytes; pixels are never decoded.
const HEADER_ALLOC_BYTES_MAX: u64 = 4 << 20;

/// Checks size, format and dimensions, reading the header alone: a bomb stays packed (IN-1).
pub(super) fn check_image(bytes: &[u8], rules: &TaskRules) -> Result<(), ClientError> {
    if bytes.len() > rules.image_bytes_max {
        let (bytes, bytes_max) = (bytes.len() as u64, rules.image_bytes_max as u64);
        return Err(ClientError::ImageTooLarge { bytes, bytes_max });
    }
    let unreadable = |error: image::ImageError| ClientError::ImageUnreadable(error.to_string());
    let format = image::guess_format(bytes).map_err(unreadable)?;
    if !matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP) {
        let name = format.extensions_str().first().copied().unwrap_or("unknown");
        return Err(ClientError::ImageFormat(name.to_owned()));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(HEADER_ALLOC_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let (width, height) = reader.into_dimensions().map_err(unreadable)?;
    let pixels_max = rules.image_pixels_max;
    if width > pixels_max {
        return Err(ClientError::ImageTooWide { pixels: width, pixels_max });
    }
    if height > pixels_max {
        return Err(ClientError::ImageTooTall { pixels: height, pixels_max });
    }
    Ok(())
}
