//! What miners hand in.

use sn17_splat::procedural::{Quality, object};
use sn17_splat::{SpzDialect, encode_spz};

/// The sample splat of a robot with a hammer, if the sample files are there; else one composed from simple shapes.
pub(crate) fn robot() -> Vec<u8> {
    match std::env::var_os("SN17_FIXTURES") {
        Some(folder) => {
            std::fs::read(std::path::Path::new(&folder).join("robocop with hammer in one hand.spz")).unwrap()
        }
        None => composed("a red wooden robot", Quality::Intact),
    }
}

/// A splat composed from simple shapes, in the network's container.
pub(crate) fn composed(prompt: &str, quality: Quality) -> Vec<u8> {
    encode_spz(&object(prompt, quality, 17), SpzDialect::Network, 1).unwrap()
}

/// A picture that clients may send: PNG, 64 pixels square.
pub(crate) fn picture() -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    let stripes =
        |x: u32, y: u32| if (x + y) % 16 < 8 { image::Rgb([200, 30, 30]) } else { image::Rgb([30, 30, 200]) };
    let pixels = image::RgbImage::from_fn(64, 64, stripes);
    pixels.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

/// A reproducible stream of numbers (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..count.div_ceil(8)).flat_map(|_| self.next().to_le_bytes()).collect();
        bytes.truncate(count);
        bytes
    }
}
