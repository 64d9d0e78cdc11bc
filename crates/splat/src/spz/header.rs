//! The SPZ header: 16 bytes in versions 1 to 3, the same 16 and 16 more in version 4.

use crate::error::{Field, SplatError};
use crate::limits::Limits;
use crate::splats::sh_coefficients;

/// `NGSP` in file order, read little-endian.
pub(crate) const MAGIC: u32 = 0x5053_474e;
/// Bytes of the header in front of the arrays in versions 1 to 3.
pub(crate) const HEADER_BYTES: usize = 16;
/// Flag bit: the splats were trained with antialiasing.
pub(crate) const ANTIALIASED: u8 = 0x1;
/// Flag bit of Niantic's files: extension records are present.
pub(crate) const EXTENSIONS: u8 = 0x2;

/// What wraps the SPZ arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// The network's own dialect, its `compression: 2`: one zstd frame around a header and arrays of version 2
    /// (version 1 is accepted on reading, as the original does).
    Network,
    /// Niantic's versions 1 to 3: one gzip member.
    Gzip,
    /// Niantic's version 4: a plain header and one zstd frame per array.
    Streams,
}

impl Container {
    /// Highest spherical-harmonics degree that readers of this container know.
    pub(crate) const fn degree_max(self) -> u8 {
        match self {
            Self::Network => 3,
            Self::Gzip | Self::Streams => 4,
        }
    }
}

/// The header's first 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) version: u32,
    pub(crate) count: u32,
    pub(crate) sh_degree: u8,
    pub(crate) fractional_bits: u8,
    pub(crate) flags: u8,
    /// Reserved before version 4 (ignored, as by the original), the number of streams in it.
    pub(crate) streams: u8,
}

impl Header {
    /// Reads and checks everything but the number of splats, which [`Header::check_limits`] compares.
    pub(crate) fn parse(bytes: [u8; HEADER_BYTES], container: Container) -> Result<Self, SplatError> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let (found, version, count) = (word(0), word(4), word(8));
        let [.., sh_degree, fractional_bits, flags, streams] = bytes;
        if found != MAGIC {
            return Err(SplatError::PayloadMagic { found });
        }
        let known = match container {
            Container::Network => (1..=2).contains(&version),
            Container::Gzip => (1..=3).contains(&version),
            Container::Streams => version == 4,
        };
        if !known {
            return Err(SplatError::Version { version });
        }
        let max = container.degree_max();
        if sh_degree > max {
            return Err(SplatError::Degree { degree: sh_degree, max });
        }
        if version >= 2 && fractional_bits > 24 {
            return Err(SplatError::FractionalBits { bits: fractional_bits });
        }
        if count == 0 {
            return Err(SplatError::NoSplats);
        }
        Ok(Self { version, count, sh_degree, fractional_bits, flags, streams })
    }

    /// The header's 16 bytes.
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.version.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.count.to_le_bytes());
        bytes[12..].copy_from_slice(&[self.sh_degree, self.fractional_bits, self.flags, self.streams]);
        bytes
    }

    pub(crate) fn check_limits(&self, limits: &Limits) -> Result<(), SplatError> {
        if self.count > limits.splats_max {
            return Err(SplatError::TooManySplats { count: u64::from(self.count), limit: limits.splats_max });
        }
        Ok(())
    }

    /// The arrays present, in order.
    pub(crate) fn fields(&self) -> &'static [Field] {
        if self.sh_degree == 0 { &Field::ALL[..5] } else { &Field::ALL }
    }

    /// Bytes of one splat in the array of `field`.
    pub(crate) fn field_bytes(&self, field: Field) -> usize {
        match field {
            Field::Position if self.version == 1 => 6,
            Field::Position => 9,
            Field::Opacity => 1,
            Field::Color | Field::Scale => 3,
            Field::Rotation if self.version >= 3 => 4,
            Field::Rotation => 3,
            Field::Sh => sh_coefficients(self.sh_degree),
        }
    }

    /// Bytes of the arrays together, headers not counted.
    pub(crate) fn arrays_bytes(&self) -> u64 {
        let per_splat: usize = Field::ALL.iter().map(|field| self.field_bytes(*field)).sum();
        u64::from(self.count) * per_splat as u64
    }

    pub(crate) fn antialiased(&self) -> bool {
        self.flags & ANTIALIASED != 0
    }

    /// Bytes of the decoded floats.
    pub(crate) fn decoded_bytes(&self) -> u64 {
        u64::from(self.count) * 4 * (14 + sh_coefficients(self.sh_degree) as u64)
    }
}

/// Largest payload that the limits let through, in bytes: every splat with the longest positions, rotations and
/// harmonics.
pub(crate) fn payload_bytes_max(limits: &Limits) -> u64 {
    HEADER_BYTES as u64 + u64::from(limits.splats_max) * (9 + 1 + 3 + 3 + 4 + sh_coefficients(4) as u64)
}
