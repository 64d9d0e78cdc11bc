//! Writing of SPZ.

use std::io::Write;

use crate::error::SplatError;
use crate::splats::Splats;
use crate::spz::header::{ANTIALIASED, Container, Header};
use crate::spz::quantize::{FRACTIONAL_BITS, pack};

/// The SPZ dialects that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpzDialect {
    /// The network's own, its `compression: 2`: version 2 in one zstd frame that states its size, as the original's
    /// reader needs it. Harmonics up to degree 3. Levels 1 to 22; the original's miners use 1.
    Network,
    /// Niantic's version 3 in gzip, which stock viewers read. Harmonics up to degree 4. Levels 0 to 9.
    NianticV3,
}

impl SpzDialect {
    /// The level to use where nobody asked for another: 1 for the network as in the original, 6 for gzip.
    pub const fn default_level(self) -> i32 {
        match self {
            Self::Network => 1,
            Self::NianticV3 => 6,
        }
    }
}

/// Compresses splats. Coordinates are written as they are: Niantic's own tools turn the axes of a PLY file
/// (right, down, front) to right, up, back when they write SPZ, the network's do not.
///
/// Peak memory beside the arguments is the packed arrays (about a third of the floats) and the result.
///
/// On WASM the network's dialect is compressed by a pure Rust encoder that has one speed, whatever the level.
///
/// # Errors
///
/// Those of [`Splats::check`], [`SplatError::NonFinite`], [`SplatError::PositionRange`],
/// [`SplatError::ZeroRotation`], [`SplatError::Degree`] beyond the dialect and [`SplatError::Level`].
pub fn encode_spz(splats: &Splats, dialect: SpzDialect, level: i32) -> Result<Vec<u8>, SplatError> {
    let (container, version, levels) = match dialect {
        SpzDialect::Network => (Container::Network, 2, 1..=22),
        SpzDialect::NianticV3 => (Container::Gzip, 3, 0..=9),
    };
    splats.check()?;
    if splats.sh_degree > container.degree_max() {
        return Err(SplatError::Degree { degree: splats.sh_degree, max: container.degree_max() });
    }
    if !levels.contains(&level) {
        return Err(SplatError::Level { level, min: *levels.start(), max: *levels.end() });
    }
    let count = u32::try_from(splats.len())
        .map_err(|_wide| SplatError::TooManySplats { count: splats.len() as u64, limit: u32::MAX })?;
    let header = Header {
        version,
        count,
        sh_degree: splats.sh_degree,
        fractional_bits: FRACTIONAL_BITS,
        flags: if splats.antialiased { ANTIALIASED } else { 0 },
        streams: 0,
    };
    let payload = pack(splats, header)?;
    match dialect {
        SpzDialect::Network => deflate_zstd(&payload, level),
        SpzDialect::NianticV3 => {
            let compression = flate2::Compression::new(level.unsigned_abs());
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), compression);
            encoder.write_all(&payload).map_err(SplatError::Io)?;
            encoder.finish().map_err(SplatError::Io)
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn deflate_zstd(payload: &[u8], level: i32) -> Result<Vec<u8>, SplatError> {
    zstd::bulk::compress(payload, level).map_err(SplatError::Io)
}

#[cfg(target_arch = "wasm32")]
fn deflate_zstd(payload: &[u8], _level: i32) -> Result<Vec<u8>, SplatError> {
    Ok(portable_zstd(payload))
}

/// Compresses in Rust and adds the content size that the encoder leaves out: without it the original's reader
/// guesses a buffer of six times the compressed size and fails beyond.
#[cfg(any(test, target_arch = "wasm32"))]
fn portable_zstd(payload: &[u8]) -> Vec<u8> {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    /// Magic, descriptor and window: the encoder's whole frame header.
    const HEADER_BYTES: usize = 6;
    /// Descriptor flag for a content size of eight bytes.
    const EIGHT_BYTES: u8 = 3 << 6;
    let mut frame = compress_to_vec(payload, CompressionLevel::Fastest);
    frame[4] |= EIGHT_BYTES;
    frame.splice(HEADER_BYTES..HEADER_BYTES, (payload.len() as u64).to_le_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn portable_frames_state_their_size() {
        let payload: Vec<u8> =
            (0..300_000_u32).map(|index| index.to_le_bytes()[index as usize % 2]).collect();
        let frame = portable_zstd(&payload);
        let header = crate::spz::frame::FrameHeader::parse(&frame).expect("a frame header");
        assert_eq!(header.content_bytes, Some(payload.len() as u64), "stated size");
        let inflated = zstd::bulk::decompress(&frame, payload.len()).expect("the reference decoder reads it");
        assert!(inflated == payload, "round trip through the portable encoder");
    }
}
