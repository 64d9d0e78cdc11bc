//! Small files made by hand, independent of the encoders under test.

use std::io::Write;

/// Header fields and arrays of an SPZ payload; every one may lie.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) magic: u32,
    pub(crate) version: u32,
    pub(crate) count: u32,
    pub(crate) sh_degree: u8,
    pub(crate) fractional_bits: u8,
    pub(crate) flags: u8,
    /// Positions, opacities, colors, scales, rotations, harmonics.
    pub(crate) arrays: [Vec<u8>; 6],
}

impl Payload {
    /// `count` splats whose bytes follow a pattern.
    pub(crate) fn pattern(version: u32, count: u32, sh_degree: u8) -> Self {
        let bands = usize::from(sh_degree) + 1;
        let record_bytes = [
            if version == 1 { 6 } else { 9 },
            1,
            3,
            3,
            if version >= 3 { 4 } else { 3 },
            3 * (bands * bands - 1),
        ];
        let mut next = 0_u32;
        let arrays = record_bytes.map(|bytes| {
            (0..bytes * count as usize)
                .map(|_| {
                    next += 1;
                    // Below 0x7c in every byte, so that no half float of version 1 is infinite.
                    (next * 37 % 120) as u8
                })
                .collect()
        });
        Self { magic: 0x5053_474e, version, count, sh_degree, fractional_bits: 12, flags: 0, arrays }
    }

    /// One splat of version 2 with round numbers.
    pub(crate) fn one() -> Self {
        let arrays = [
            // 1, -1 and 0.25 in steps of 1/4096.
            vec![0x00, 0x10, 0x00, 0x00, 0xf0, 0xff, 0x00, 0x04, 0x00],
            vec![51],
            vec![0, 255, 51],
            vec![160, 144, 176],
            vec![255, 51, 102],
            Vec::new(),
        ];
        Self { arrays, ..Self::pattern(2, 1, 0) }
    }

    pub(crate) fn header(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [self.magic, self.version, self.count] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend([self.sh_degree, self.fractional_bits, self.flags, 0]);
        bytes
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.header(), self.arrays.concat()].concat()
    }

    /// The network's container.
    pub(crate) fn network(&self) -> Vec<u8> {
        zstd_frame(&self.bytes())
    }

    /// Niantic's container of versions 1 to 3.
    pub(crate) fn gzip(&self) -> Vec<u8> {
        gzip_member(&self.bytes())
    }

    /// Niantic's container of version 4, with extension records in front of the table of contents.
    pub(crate) fn streams(&self, extensions: &[u8]) -> Vec<u8> {
        let arrays: Vec<&Vec<u8>> = self.arrays.iter().filter(|array| !array.is_empty()).collect();
        let frames: Vec<Vec<u8>> = arrays.iter().map(|array| zstd_frame(array)).collect();
        let mut bytes = self.header();
        bytes[15] = arrays.len() as u8;
        bytes.extend((32 + extensions.len() as u32).to_le_bytes());
        bytes.extend([0; 12]);
        bytes.extend(extensions);
        for (array, frame) in arrays.iter().zip(&frames) {
            bytes.extend((frame.len() as u64).to_le_bytes());
            bytes.extend((array.len() as u64).to_le_bytes());
        }
        bytes.extend(frames.concat());
        bytes
    }
}

pub(crate) fn zstd_frame(content: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(content, 1).expect("compresses")
}

/// A frame whose header does not state its size.
pub(crate) fn unsized_zstd_frame(content: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(content, 1).expect("compresses")
}

pub(crate) fn gzip_member(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(content).expect("compresses");
    encoder.finish().expect("compresses")
}

/// The properties that every splat has, all of type float.
pub(crate) const PROPERTIES: [&str; 14] = [
    "x", "y", "z", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2", "rot_0",
    "rot_1", "rot_2", "rot_3",
];

/// A PLY header with one vertex element of the given `type name` pairs.
pub(crate) fn ply_header(count: u64, properties: &[String]) -> String {
    let lines: String = properties.iter().map(|property| format!("property {property}\n")).collect();
    format!("ply\nformat binary_little_endian 1.0\nelement vertex {count}\n{lines}end_header\n")
}

pub(crate) fn float_properties() -> Vec<String> {
    PROPERTIES.iter().map(|name| format!("float {name}")).collect()
}

/// A PLY file of one splat whose numbers are 0.5, 1.5, 2.5 and so on.
pub(crate) fn ply_one() -> Vec<u8> {
    let mut bytes = ply_header(1, &float_properties()).into_bytes();
    for index in 0..14_u8 {
        bytes.extend((f32::from(index) + 0.5).to_le_bytes());
    }
    bytes
}
