//! The exact fingerprint of an object's positions.

use sha2::{Digest as _, Sha256};
use sn17_splat::Splats;

/// Steps of a coordinate along the largest edge of the bounding box, so that it fits in 8 bits.
const STEPS: f64 = 255.0;

/// Said first to the hash, so that no other hash of ours is ever equal.
const DOMAIN: &[u8] = b"sn17 geometry 1";

/// Returns the SHA-256 of the cells that the positions occupy, for finding results that are handed in again.
///
/// Positions are moved and scaled to the bounding box (its largest edge becomes 255 steps), rounded to 8 bits an axis,
/// sorted along a Morton curve, and repeated ones are dropped. So the order of splats, their number per place, their
/// colours and sizes do not count, nor does scaling by powers of two or encoding again what SPZ has already rounded.
/// One position moved by a step changes everything; `geometry_sketch` finds such copies.
pub fn geometry_fingerprint(splats: &Splats) -> [u8; 32] {
    let mut low = [f64::INFINITY; 3];
    let mut high = [f64::NEG_INFINITY; 3];
    for position in finite(splats) {
        low = [0, 1, 2].map(|axis| low[axis].min(position[axis]));
        high = [0, 1, 2].map(|axis| high[axis].max(position[axis]));
    }
    let edge = [0, 1, 2].map(|axis| high[axis] - low[axis]).into_iter().fold(0.0, f64::max);
    let mut cells: Vec<u32> = finite(splats)
        .map(|position| morton([0, 1, 2].map(|axis| step((position[axis] - low[axis]) / edge))))
        .collect();
    cells.sort_unstable();
    cells.dedup();
    let mut hash = Sha256::new_with_prefix(DOMAIN);
    for cell in cells {
        hash.update(cell.to_be_bytes());
    }
    hash.finalize().into()
}

fn finite(splats: &Splats) -> impl Iterator<Item = [f64; 3]> {
    splats
        .positions
        .iter()
        .filter(|position| position.iter().all(|coordinate| coordinate.is_finite()))
        .map(|position| position.map(f64::from))
}

/// The nearest step of a coordinate from 0 to 1; a point, whose box has no edge, is all at step 0.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a coordinate of the bounding box gives 0 to 255; casts from floats saturate"
)]
fn step(coordinate: f64) -> u8 {
    (coordinate * STEPS).round() as u8
}

/// Interleaves the bits of three coordinates (Morton 1966).
fn morton(steps: [u8; 3]) -> u32 {
    let mut code = 0;
    for bit in (0..8).rev() {
        for step in steps {
            code = code << 1 | u32::from(step >> bit & 1);
        }
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn morton_codes_interleave() {
        assert_eq!(morton([255, 255, 255]), 0x00ff_ffff);
        assert_eq!(morton([1, 0, 0]), 0b100);
        assert_eq!(morton([0, 2, 1]), 0b01_0001);
    }

    #[test]
    fn nothing_and_a_point_have_fingerprints() {
        let point = Splats { positions: vec![[2.0; 3]; 4], ..Splats::default() };
        let broken = Splats { positions: vec![[f32::NAN; 3]], ..Splats::default() };
        assert_ne!(geometry_fingerprint(&point), geometry_fingerprint(&Splats::default()));
        assert_eq!(geometry_fingerprint(&broken), geometry_fingerprint(&Splats::default()));
    }
}
