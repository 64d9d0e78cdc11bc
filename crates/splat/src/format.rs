//! Which format a file has, and what its header says.

use std::io::{BufRead, Chain, Cursor, Read, Write};

use crate::error::SplatError;
use crate::limits::Limits;
use crate::ply::{self, Normals, PlyHeader, is_ply, write_ply};
use crate::splats::{Splats, sh_coefficients};
use crate::spz::{self, Container, MAGIC, PackedSplats, SpzFile, ZSTD_MAGIC, Zstd, take_prefix};

/// First bytes of a gzip member with the only compression method there is.
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
/// Bytes that tell the formats apart.
const MAGIC_BYTES: usize = 4;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Binary little-endian PLY.
    Ply,
    /// SPZ in one of its containers.
    Spz(Container),
}

impl Format {
    /// Tells the format by the first four bytes.
    ///
    /// # Errors
    ///
    /// [`SplatError::UnknownFormat`].
    pub fn detect(start: &[u8]) -> Result<Self, SplatError> {
        if is_ply(start) {
            Ok(Self::Ply)
        } else if start.starts_with(&ZSTD_MAGIC) {
            Ok(Self::Spz(Container::Network))
        } else if start.starts_with(&GZIP_MAGIC) {
            Ok(Self::Spz(Container::Gzip))
        } else if start.starts_with(&MAGIC.to_le_bytes()) {
            Ok(Self::Spz(Container::Streams))
        } else {
            let mut first = [0; MAGIC_BYTES];
            for (to, from) in first.iter_mut().zip(start) {
                *to = *from;
            }
            Err(SplatError::UnknownFormat { first })
        }
    }
}

/// Decodes a PLY or SPZ file, told apart by its first bytes.
///
/// Never panics. Peak memory beside `bytes` is the result (14 floats per splat and its harmonics), 128 KiB of buffers
/// and the window of a zstd frame: at most the packed arrays (a third of the result), or 8 MiB if the frame does not
/// state its size.
///
/// An opacity byte of 0 or 255 decodes to minus or plus infinity, as in the original: the logits of exactly 0 and 1.
///
/// # Errors
///
/// Every [`SplatError`] about reading.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Splats, SplatError> {
    read(bytes, limits)
}

/// Decodes a file as it arrives; see [`decode`].
///
/// # Errors
///
/// Every [`SplatError`] about reading. A source that fails within a compressed stream gives [`SplatError::Inflate`],
/// one that fails elsewhere [`SplatError::Io`].
pub fn read(source: impl BufRead, limits: &Limits) -> Result<Splats, SplatError> {
    read_with(source, limits, Zstd::DEFAULT)
}

pub(crate) fn read_with(source: impl BufRead, limits: &Limits, zstd: Zstd) -> Result<Splats, SplatError> {
    let (format, mut source) = detect(source)?;
    match format {
        Format::Ply => ply::read(&mut source, limits),
        Format::Spz(container) => {
            read_capped(source, limits, |source| spz::read(SpzFile::open(source, container, limits, zstd)?))
        }
    }
}

/// Turns a PLY or SPZ file into PLY with the properties that [`write_ply`] writes.
///
/// For SPZ it allocates a third of what [`decode`] does: the packed arrays instead of floats. Nothing is written before
/// the whole file was read, so a broken file leaves the target untouched, but for one of version 1 whose positions are
/// not finite.
///
/// # Errors
///
/// Every [`SplatError`] about reading, and [`SplatError::Io`] from the target.
pub fn transcode_to_ply(
    source: impl BufRead,
    limits: &Limits,
    normals: Normals,
    mut target: impl Write,
) -> Result<(), SplatError> {
    let (format, mut source) = detect(source)?;
    match format {
        Format::Ply => write_ply(&ply::read(&mut source, limits)?, normals, target),
        Format::Spz(container) => {
            let packed = read_capped(source, limits, |source| {
                PackedSplats::read(SpzFile::open(source, container, limits, Zstd::DEFAULT)?)
            })?;
            packed.write_ply(normals, &mut target)
        }
    }
}

/// A source whose first bytes were looked at and put back.
type PutBack<R> = Chain<Cursor<Vec<u8>>, R>;

fn detect<R: BufRead>(mut source: R) -> Result<(Format, PutBack<R>), SplatError> {
    let start = take_prefix(&mut source, MAGIC_BYTES)?;
    let format = Format::detect(&start)?;
    Ok((format, Cursor::new(start).chain(source)))
}

/// Reads a compressed file that must not be longer than the limit.
fn read_capped<T>(
    source: impl BufRead,
    limits: &Limits,
    read: impl FnOnce(&mut dyn BufRead) -> Result<T, SplatError>,
) -> Result<T, SplatError> {
    // One byte more than allowed, so that a file of exactly the limit still meets its end.
    let mut capped = source.take(limits.compressed_bytes_max.saturating_add(1));
    let result = read(&mut capped);
    if capped.limit() == 0 {
        return Err(SplatError::TooLarge { limit: limits.compressed_bytes_max });
    }
    result
}

/// What a file's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// The format.
    pub format: Format,
    /// SPZ's version, 1 to 4; 0 for PLY.
    pub version: u32,
    /// Number of splats announced.
    pub splats: u64,
    /// Highest spherical-harmonics degree, 0 to 4.
    pub sh_degree: u8,
    /// Fractional bits of SPZ's coordinates; 0 for PLY.
    pub fractional_bits: u8,
    /// SPZ's flags as they are; 0 for PLY.
    pub flags: u8,
    /// Whether the flags say that the splats were trained with antialiasing.
    pub antialiased: bool,
    /// Bytes of SPZ's arrays before compression, or of PLY's vertices; headers not counted.
    pub packed_bytes: u64,
    /// Bytes of the decoded floats, see [`Splats::decoded_bytes`].
    pub decoded_bytes: u64,
}

/// Reads the header and nothing else, without limits on what it announces. The beginning of a file is enough: 64 KiB
/// of PLY, 32 bytes of SPZ version 4, otherwise the first compressed block, which has at most 128 KiB. On WASM the zstd
/// decoder gives nothing before a window's length is decoded, so there a network file may have to be whole.
///
/// # Errors
///
/// The [`SplatError`]s about headers; [`SplatError::Truncated`] if `start` is too short.
pub fn inspect(start: &[u8]) -> Result<Info, SplatError> {
    let format = Format::detect(start)?;
    let mut reader = start;
    match format {
        Format::Ply => {
            let header = PlyHeader::read(&mut reader)?;
            let numbers = 14 + sh_coefficients(header.sh_degree) as u64;
            Ok(Info {
                format,
                version: 0,
                splats: header.count,
                sh_degree: header.sh_degree,
                fractional_bits: 0,
                flags: 0,
                antialiased: false,
                packed_bytes: header.vertices_bytes(),
                decoded_bytes: header.count.saturating_mul(4 * numbers),
            })
        }
        Format::Spz(container) => {
            let header = spz::read_header(&mut reader, container)?;
            Ok(Info {
                format,
                version: header.version,
                splats: u64::from(header.count),
                sh_degree: header.sh_degree,
                fractional_bits: header.fractional_bits,
                flags: header.flags,
                antialiased: header.antialiased(),
                packed_bytes: header.arrays_bytes(),
                decoded_bytes: header.decoded_bytes(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spz::{SpzDialect, encode_spz};

    fn sample(count: usize, seed: u8) -> Splats {
        let number = |splat: usize, salt: usize| {
            let mixed = (splat * 31 + salt * 17 + usize::from(seed)) % 97;
            mixed as f32 / 50.0 - 0.9
        };
        let three =
            |salt: usize| (0..count).map(move |splat| [0, 1, 2].map(|axis| number(splat, salt + axis)));
        Splats {
            positions: three(0).collect(),
            scales: three(3).collect(),
            rotations: three(6).map(|[x, y, z]| [1.0, x, y, z]).collect(),
            opacities: (0..count).map(|splat| number(splat, 9)).collect(),
            colors: three(10).collect(),
            sh: (0..count * 9).map(|index| number(index, 13)).collect(),
            sh_degree: 1,
            antialiased: false,
        }
    }

    fn both(bytes: &[u8]) -> [Result<Splats, SplatError>; 2] {
        [Zstd::Reference, Zstd::Portable].map(|zstd| read_with(bytes, &Limits::default(), zstd))
    }

    #[test]
    fn both_zstd_decoders_read_every_level() {
        for (count, level) in [(1, 1), (300, 1), (300, 19), (20_000, 1), (20_000, 3), (20_000, 19)] {
            let bytes = encode_spz(&sample(count, 0), SpzDialect::Network, level).expect("encodes");
            let [reference, portable] = both(&bytes).map(|splats| splats.expect("decodes"));
            assert_eq!(reference.len(), count);
            assert!(reference == portable, "{count} splats at level {level}");
        }
    }

    #[test]
    fn both_zstd_decoders_refuse_alike() {
        let bytes = encode_spz(&sample(40, 0), SpzDialect::Network, 1).expect("encodes");
        for length in 4..bytes.len() {
            for result in both(&bytes[..length]) {
                assert!(matches!(result, Err(SplatError::Truncated { .. })), "{length}: {result:?}");
            }
        }
        for result in both(&[&bytes[..], &[0]].concat()) {
            assert!(matches!(result, Err(SplatError::TrailingBytes)), "{result:?}");
        }
    }

    #[test]
    fn both_zstd_decoders_stop_bombs() {
        let mut content = vec![0; 8 << 20];
        content[..16].copy_from_slice(b"NGSP\x02\0\0\0\x01\0\0\0\0\x0c\0\0");
        let bomb = zstd::stream::encode_all(&content[..], 1).expect("compresses");
        for result in both(&bomb) {
            assert!(matches!(result, Err(SplatError::Surplus)), "{result:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn both_zstd_decoders_agree(count in 1_usize..3000, seed: u8, level in 1_i32..=19) {
            let bytes = encode_spz(&sample(count, seed), SpzDialect::Network, level).expect("encodes");
            let [reference, portable] = both(&bytes).map(|splats| splats.expect("decodes"));
            prop_assert!(reference == portable);
        }
    }
}
