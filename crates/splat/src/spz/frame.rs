//! The header of a zstd frame (RFC 8878, section 3.1.1.1), read before any decoder allocates for it.

use crate::error::SplatError;

/// First bytes of a zstd frame.
pub(crate) const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Longest frame header: magic, descriptor, window, dictionary id, content size.
pub(crate) const FRAME_HEADER_BYTES_MAX: usize = 4 + 1 + 1 + 4 + 8;
/// Largest window of a frame that does not state its content size: what RFC 8878 recommends every decoder to
/// support, and all that compression levels up to 19 use.
pub(crate) const WINDOW_BYTES_MAX: u64 = 8 << 20;
/// Largest window of a frame that does: that of compression level 22.
pub(crate) const SIZED_WINDOW_BYTES_MAX: u64 = 128 << 20;

/// What a frame's header says about the memory it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    /// Bytes of history that the frame refers back to.
    pub(crate) window_bytes: u64,
    /// Size of the content if the frame states it.
    pub(crate) content_bytes: Option<u64>,
}

impl FrameHeader {
    /// Reads the header at the start of `bytes`; `None` if it is cut off or no zstd frame.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&ZSTD_MAGIC)?;
        let (descriptor, mut rest) = rest.split_first()?;
        let single_segment = descriptor & 0x20 != 0;
        let mut window_bytes = 0;
        if !single_segment {
            let (window, after) = rest.split_first()?;
            let base = 1_u64 << (10 + (window >> 3));
            window_bytes = base + base / 8 * u64::from(window & 7);
            rest = after;
        }
        let dictionary_id_bytes = [0, 1, 2, 4][usize::from(descriptor & 3)];
        rest = rest.get(dictionary_id_bytes..)?;
        let little_endian =
            |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let content_bytes = match descriptor >> 6 {
            0 if !single_segment => None,
            0 => Some(little_endian(rest.get(..1)?)),
            1 => Some(little_endian(rest.get(..2)?) + 256),
            2 => Some(little_endian(rest.get(..4)?)),
            _ => Some(little_endian(rest.get(..8)?)),
        };
        if let (true, Some(content_bytes)) = (single_segment, content_bytes) {
            window_bytes = content_bytes;
        }
        Some(Self { window_bytes, content_bytes })
    }

    /// Refuses frames that a decoder would need more memory for than their content justifies.
    ///
    /// # Errors
    ///
    /// [`SplatError::ContentSize`] above `content_bytes_max`, or [`SplatError::Window`].
    pub(crate) fn check(&self, content_bytes_max: u64) -> Result<(), SplatError> {
        if let Some(stated) = self.content_bytes
            && stated > content_bytes_max
        {
            return Err(SplatError::ContentSize { stated, expected: content_bytes_max });
        }
        let limit = if self.content_bytes.is_some() { SIZED_WINDOW_BYTES_MAX } else { WINDOW_BYTES_MAX };
        if self.window_bytes > limit {
            return Err(SplatError::Window { bytes: self.window_bytes, limit });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(rest: &[u8]) -> Option<FrameHeader> {
        FrameHeader::parse(&[&ZSTD_MAGIC, rest].concat())
    }

    #[test]
    fn headers_of_every_shape() {
        let sized = |window_bytes, content_bytes| {
            Some(FrameHeader { window_bytes, content_bytes: Some(content_bytes) })
        };
        assert_eq!(frame(&[0x20, 35]), sized(35, 35), "single segment, one byte");
        assert_eq!(frame(&[0x60, 0x2c, 0x01]), sized(556, 556), "two bytes, offset by 256");
        assert_eq!(frame(&[0x80, 0x48, 1, 0, 0, 1]), sized(512 << 10, 0x0100_0001), "windowed, four bytes");
        assert_eq!(
            frame(&[0xe3, 9, 9, 9, 9, 1, 0, 0, 0, 0, 0, 0, 0]),
            sized(1, 1),
            "dictionary, eight bytes"
        );
        assert_eq!(
            frame(&[0x00, 0x4c]),
            Some(FrameHeader { window_bytes: (512 << 10) / 8 * 12, content_bytes: None }),
            "no content size"
        );
        assert_eq!(frame(&[0x80, 0x48, 1, 0, 0]), None, "cut off");
        assert_eq!(FrameHeader::parse(b"NGSP\x20\x01"), None, "not zstd");
    }

    #[test]
    fn memory_hungry_frames_are_refused() {
        let unsized_frame = FrameHeader { window_bytes: WINDOW_BYTES_MAX, content_bytes: None };
        assert!(unsized_frame.check(0).is_ok(), "the limit itself passes");
        let wide = FrameHeader { window_bytes: WINDOW_BYTES_MAX + 1, ..unsized_frame };
        assert!(matches!(wide.check(u64::MAX), Err(SplatError::Window { limit: WINDOW_BYTES_MAX, .. })));
        let sized = FrameHeader { window_bytes: 1 << 30, content_bytes: Some(1 << 30) };
        assert!(matches!(sized.check(u64::MAX), Err(SplatError::Window { .. })));
        assert!(matches!(sized.check(1000), Err(SplatError::ContentSize { expected: 1000, .. })));
    }
}
