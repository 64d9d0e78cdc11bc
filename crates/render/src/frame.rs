//! Finished pictures.

/// An 8-bit RGB picture, row by row from the top left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `3 · width · height` bytes.
    pub pixels: Vec<u8>,
}

/// A picture that could not be written as PNG: it has no pixels, or not as many as its size says.
#[derive(Debug, thiserror::Error)]
#[error("cannot write a PNG of {width}x{height} px")]
pub struct PngError {
    width: u32,
    height: u32,
    source: png::EncodingError,
}

impl Frame {
    /// Makes a black picture.
    pub fn black(width: u32, height: u32) -> Self {
        Self { width, height, pixels: vec![0; width as usize * height as usize * 3] }
    }

    /// Encodes the picture as PNG.
    ///
    /// # Errors
    /// [`PngError`] if the picture has no pixels, or not as many as its size says.
    pub fn to_png(&self) -> Result<Vec<u8>, PngError> {
        self.encode().map_err(|source| PngError { width: self.width, height: self.height, source })
    }

    fn encode(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(bytes)
    }

    /// Copies `part` to (`left`, `top`); what does not fit is cut off.
    pub(crate) fn paste(&mut self, part: &Self, left: u32, top: u32) {
        let width = part.width.min(self.width.saturating_sub(left)) as usize * 3;
        let rows = part.height.min(self.height.saturating_sub(top)) as usize;
        let (from_stride, to_stride) = (part.width as usize * 3, self.width as usize * 3);
        for row in 0..rows {
            let from = row * from_stride;
            let to = (top as usize + row) * to_stride + left as usize * 3;
            self.pixels[to..to + width].copy_from_slice(&part.pixels[from..from + width]);
        }
    }
}
