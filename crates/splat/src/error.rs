//! What can be wrong with a splat file.

use std::fmt;
use std::io;

/// One attribute of a splat, in the order in which SPZ stores them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Centre, three numbers.
    Position,
    /// Logit of the opacity, one number.
    Opacity,
    /// Spherical-harmonics coefficients of degree 0, three numbers.
    Color,
    /// Log scale, three numbers.
    Scale,
    /// Quaternion, four numbers.
    Rotation,
    /// Spherical-harmonics coefficients above degree 0.
    Sh,
}

impl Field {
    /// All fields in SPZ's order.
    pub const ALL: [Self; 6] =
        [Self::Position, Self::Opacity, Self::Color, Self::Scale, Self::Rotation, Self::Sh];
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Position => "position",
            Self::Opacity => "opacity",
            Self::Color => "color",
            Self::Scale => "scale",
            Self::Rotation => "rotation",
            Self::Sh => "spherical harmonics",
        })
    }
}

/// Where in a file its bytes ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The header of the file, the payload or the compressed frame.
    Header,
    /// The table of contents of SPZ version 4.
    Contents,
    /// The array of one attribute.
    Field(Field),
    /// The vertices of a PLY file, which hold all attributes of a splat side by side.
    Vertices,
    /// A PLY element other than `vertex`.
    OtherElement,
    /// The end mark and checksum of a compressed stream, after its last splat.
    Trailer,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("header"),
            Self::Contents => f.write_str("table of contents"),
            Self::Field(field) => write!(f, "{field} array"),
            Self::Vertices => f.write_str("vertices"),
            Self::OtherElement => f.write_str("elements that are not vertices"),
            Self::Trailer => f.write_str("trailer of the compressed stream"),
        }
    }
}

/// Why a file is not a splat, or a splat not a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SplatError {
    /// The first bytes are of no format read here.
    #[error("neither PLY nor SPZ: the first bytes are {first:02x?}")]
    UnknownFormat {
        /// The first four bytes, padded with zeros if there are fewer.
        first: [u8; 4],
    },
    /// A compressed file is longer than [`Limits::compressed_bytes_max`](crate::Limits).
    #[error("the file has more than {limit} bytes")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// The header announces more splats than [`Limits::splats_max`](crate::Limits).
    #[error("the header announces {count} splats, more than {limit}")]
    TooManySplats {
        /// The number in the header.
        count: u64,
        /// The limit.
        limit: u32,
    },
    /// There is no splat at all.
    #[error("there are no splats")]
    NoSplats,
    /// The file ends too early.
    #[error("the file ends inside its {part}")]
    Truncated {
        /// What it was reading.
        part: Part,
    },
    /// The compressed stream is intact but holds less than its header announces.
    #[error("the payload is shorter than its header says: it ends inside its {part}")]
    Shortfall {
        /// What it was reading.
        part: Part,
    },
    /// The compressed stream holds more than its header announces.
    #[error("the payload is longer than its header says")]
    Surplus,
    /// Something follows the end of the compressed stream or of the last PLY element.
    #[error("bytes follow the end of the file's content")]
    TrailingBytes,
    /// The payload does not begin with `NGSP`.
    #[error("the payload begins with {found:#010x} instead of 0x5053474e")]
    PayloadMagic {
        /// The first four bytes, little-endian.
        found: u32,
    },
    /// The container never holds this SPZ version.
    #[error("version {version} does not occur in this spz container")]
    Version {
        /// The version in the header.
        version: u32,
    },
    /// The version cannot hold this spherical-harmonics degree.
    #[error("spherical-harmonics degree {degree} is above {max}")]
    Degree {
        /// The degree asked for.
        degree: u8,
        /// The highest that the dialect allows.
        max: u8,
    },
    /// A 24-bit coordinate has at most 24 fractional bits.
    #[error("{bits} fractional bits are more than a 24-bit coordinate has")]
    FractionalBits {
        /// The number in the header.
        bits: u8,
    },
    /// The header names extensions that change the payload's meaning or place.
    #[error("the file uses spz extensions that this reader does not know")]
    Extensions,
    /// A zstd frame states a size that cannot be that of the payload.
    #[error("the zstd frame states {stated} bytes of content where {expected} are expected at most")]
    ContentSize {
        /// The size in the frame's header.
        stated: u64,
        /// The size computed from the SPZ header, or the largest that the limits allow.
        expected: u64,
    },
    /// Inflating the zstd frame takes more memory than the content could justify.
    #[error("the zstd frame needs a window of {bytes} bytes, more than {limit}")]
    Window {
        /// The window in bytes.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The table of contents of an SPZ version 4 file does not fit its header.
    #[error("the table of contents gives {stated} for {what} where the header implies {expected}")]
    Contents {
        /// What the table describes.
        what: &'static str,
        /// The number found.
        stated: u64,
        /// The number implied.
        expected: u64,
    },
    /// The compressed stream is damaged or its source cannot be read.
    #[error("cannot inflate the stream")]
    Inflate(#[source] io::Error),
    /// The source cannot be read, or the target not be written.
    #[error("input or output failed")]
    Io(#[source] io::Error),
    /// A number is NaN or infinite (an opacity may be infinite: that is how 0 and 1 decode).
    #[error("the {field} of splat {splat} is not a finite number")]
    NonFinite {
        /// Index of the splat, from 0.
        splat: usize,
        /// The field.
        field: Field,
    },
    /// The system has no memory for the arrays, whose size is within the limits.
    #[error("cannot allocate {bytes} bytes")]
    Memory {
        /// The bytes asked for.
        bytes: usize,
    },
    /// The PLY header is not one of a splat.
    #[error("invalid ply header")]
    Ply(#[from] PlyError),
    /// An array of [`Splats`](crate::Splats) has not one entry per splat.
    #[error("the {field} array has {found} entries instead of {expected}")]
    Length {
        /// The array.
        field: Field,
        /// Entries wanted.
        expected: usize,
        /// Entries found.
        found: usize,
    },
    /// A coordinate is outside of the range of the 24-bit fixed-point numbers of SPZ, ±2048.
    #[error("the position of splat {splat} is outside of -2048..2048, the range of spz")]
    PositionRange {
        /// Index of the splat, from 0.
        splat: usize,
    },
    /// A quaternion of length zero has no direction to keep.
    #[error("the rotation of splat {splat} has length zero")]
    ZeroRotation {
        /// Index of the splat, from 0.
        splat: usize,
    },
    /// The compressor has no such level.
    #[error("compression level {level} is outside of {min}..={max}")]
    Level {
        /// The level asked for.
        level: i32,
        /// The lowest.
        min: i32,
        /// The highest.
        max: i32,
    },
}

/// What is wrong with a PLY header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlyError {
    /// A line or the whole header is longer than any splat's.
    #[error("the header is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A line is not text.
    #[error("a header line is not utf-8")]
    NotText,
    /// Only little-endian binary files are read.
    #[error("the format is `{0}`; only `binary_little_endian 1.0` is supported")]
    Format(String),
    /// A line means nothing here.
    #[error("cannot understand the line `{0}`")]
    Line(String),
    /// There is no `element vertex`.
    #[error("there is no `element vertex`")]
    NoVertices,
    /// A property has a list type where fixed sizes are needed.
    #[error("property `{0}` is a list in or before the vertices")]
    List(String),
    /// A property that every splat has is missing.
    #[error("property `{0}` is missing")]
    Missing(String),
    /// A property occurs twice.
    #[error("property `{0}` occurs twice")]
    Duplicate(String),
    /// The number of `f_rest_*` properties belongs to no degree.
    #[error("{0} properties `f_rest_*` are not 0, 9, 24, 45 or 72")]
    RestCount(usize),
    /// The elements in front of the vertices are longer than the vertices themselves.
    #[error("{bytes} bytes of other elements precede the vertices, more than {limit}")]
    Preamble {
        /// Their length in bytes.
        bytes: u64,
        /// The limit: the length of the vertices, and at least 64 KiB.
        limit: u64,
    },
    /// An element has more properties than any splat's.
    #[error("an element has more than {limit} properties")]
    TooManyProperties {
        /// The limit.
        limit: usize,
    },
}
