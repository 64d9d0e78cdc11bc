//! From SPZ's bytes to floats, bit for bit as the original's formulas say.
#![expect(
    clippy::cast_precision_loss,
    reason = "every integer here has at most 24 bits, which an f32 holds exactly"
)]

use crate::error::{Field, SplatError};
use crate::splats::Splats;
use crate::spz::header::Header;

/// Scale of a colour byte: SPZ stores `0.5 + 0.15 · f_dc`, so that colours out of gamut survive.
pub(crate) const COLOR_SCALE: f32 = 0.15;

/// Tables and scales for one header.
pub(crate) struct Dequantizer {
    version: u32,
    position_scale: f32,
    opacity: [f32; 256],
    color: [f32; 256],
    scale: [f32; 256],
    rotation: [f32; 256],
    sh: [f32; 256],
}

impl Dequantizer {
    pub(crate) fn new(header: &Header) -> Self {
        let table = |value: fn(f32) -> f32| std::array::from_fn(|byte| value(byte as f32));
        Self {
            version: header.version,
            position_scale: 1.0 / (1_u32 << header.fractional_bits.min(24)) as f32,
            // A logit: minus infinity at 0, plus infinity at 255.
            opacity: table(|byte| {
                let opacity = byte / 255.0;
                libm::logf(opacity / (1.0 - opacity))
            }),
            color: table(|byte| (byte / 255.0 - 0.5) / COLOR_SCALE),
            scale: table(|byte| byte / 16.0 - 10.0),
            rotation: table(|byte| byte * (1.0 / 127.5) - 1.0),
            sh: table(|byte| (byte - 128.0) / 128.0),
        }
    }

    /// Appends the records in `bytes`, whole records of `field`.
    ///
    /// # Errors
    ///
    /// [`SplatError::NonFinite`] for the half floats of version 1, the only NaNs and infinities SPZ can hold beside
    /// opacities.
    pub(crate) fn append(&self, field: Field, bytes: &[u8], splats: &mut Splats) -> Result<(), SplatError> {
        match field {
            Field::Position => self.positions(bytes, &mut splats.positions)?,
            Field::Opacity => {
                splats.opacities.extend(bytes.iter().map(|byte| self.opacity[usize::from(*byte)]));
            }
            Field::Color => triples(bytes, &self.color, &mut splats.colors),
            Field::Scale => triples(bytes, &self.scale, &mut splats.scales),
            Field::Rotation => self.rotations(bytes, &mut splats.rotations),
            Field::Sh => splats.sh.extend(bytes.iter().map(|byte| self.sh[usize::from(*byte)])),
        }
        Ok(())
    }

    fn positions(&self, bytes: &[u8], out: &mut Vec<[f32; 3]>) -> Result<(), SplatError> {
        if self.version > 1 {
            let (records, _) = bytes.as_chunks::<9>();
            // The top byte carries the sign: shift it down from a 32-bit integer's end.
            let fixed = |low: u8, middle: u8, high: u8| {
                (i32::from_le_bytes([0, low, middle, high]) >> 8) as f32 * self.position_scale
            };
            out.extend(records.iter().map(|[x0, x1, x2, y0, y1, y2, z0, z1, z2]| {
                [fixed(*x0, *x1, *x2), fixed(*y0, *y1, *y2), fixed(*z0, *z1, *z2)]
            }));
            return Ok(());
        }
        let first = out.len();
        let (records, _) = bytes.as_chunks::<6>();
        out.extend(records.iter().map(|[x0, x1, y0, y1, z0, z1]| {
            [[*x0, *x1], [*y0, *y1], [*z0, *z1]].map(|half| half_to_f32(u16::from_le_bytes(half)))
        }));
        match out[first..].iter().position(|position| position.iter().any(|value| !value.is_finite())) {
            Some(offset) => Err(SplatError::NonFinite { splat: first + offset, field: Field::Position }),
            None => Ok(()),
        }
    }

    /// Appends quaternions (w, x, y, z) of the first three components (versions 1 and 2) or the smallest three.
    fn rotations(&self, bytes: &[u8], out: &mut Vec<[f32; 4]>) {
        if self.version >= 3 {
            let (records, _) = bytes.as_chunks::<4>();
            out.extend(records.iter().map(|record| smallest_three(u32::from_le_bytes(*record))));
            return;
        }
        let (records, _) = bytes.as_chunks::<3>();
        let component = |byte: u8| self.rotation[usize::from(byte)];
        out.extend(records.iter().map(|[x, y, z]| {
            let (x, y, z) = (component(*x), component(*y), component(*z));
            [(1.0 - (x * x + y * y + z * z)).max(0.0).sqrt(), x, y, z]
        }));
    }
}

fn triples(bytes: &[u8], table: &[f32; 256], out: &mut Vec<[f32; 3]>) {
    let (records, _) = bytes.as_chunks::<3>();
    let value = |byte: &u8| table[usize::from(*byte)];
    // Spelled out: `map` on an array of three goes through the stack and takes three times as long.
    out.extend(records.iter().map(|[a, b, c]| [value(a), value(b), value(c)]));
}

/// Unpacks version 3's quaternion: two bits name the largest component, the others have a sign and nine bits of
/// magnitude up to √½ each, the last one in the lowest bits. Components count x, y, z, w.
///
/// Magnitudes that no unit quaternion has leave 0 for the largest component where Niantic's reader makes NaN.
fn smallest_three(packed: u32) -> [f32; 4] {
    const MAGNITUDE_MASK: u32 = (1 << 9) - 1;
    let largest = (packed >> 30) as usize;
    let mut rest = packed;
    let mut xyzw = [0.0_f32; 4];
    let mut sum_of_squares = 0.0;
    for (component, value) in xyzw.iter_mut().enumerate().rev() {
        if component == largest {
            continue;
        }
        let magnitude = std::f32::consts::FRAC_1_SQRT_2 * (rest & MAGNITUDE_MASK) as f32 / 511.0;
        *value = if rest >> 9 & 1 == 1 { -magnitude } else { magnitude };
        sum_of_squares += *value * *value;
        rest >>= 10;
    }
    xyzw[largest] = (1.0_f32 - sum_of_squares).max(0.0).sqrt();
    let [x, y, z, w] = xyzw;
    [w, x, y, z]
}

/// Widens an IEEE 754 half float.
fn half_to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let exponent = u32::from(half >> 10 & 0x1f);
    let mantissa = u32::from(half & 0x3ff);
    let magnitude = match exponent {
        // Subnormal: units of 2^-24.
        0 => return f32::from_bits(sign | (mantissa as f32 / 16_777_216.0).to_bits()),
        0x1f => 0x7f80_0000 | mantissa << 13,
        _ => (exponent + 112) << 23 | mantissa << 13,
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_floats_widen() {
        let cases = [
            (0x0000, 0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x8400, -6.103_515_6e-5),
            (0x3555, 0.333_251_95),
            (0x7c00, f32::INFINITY),
        ];
        for (half, expected) in cases {
            assert_eq!(half_to_f32(half).to_bits(), f32::to_bits(expected), "{half:#06x}");
        }
        assert!(half_to_f32(0x7e00).is_nan(), "NaN stays NaN");
    }

    #[test]
    fn impossible_smallest_three_is_finite() {
        // All magnitudes at their largest: the squares sum to 1.5.
        let rotation = smallest_three(0x3fff_ffff);
        assert!(rotation.iter().all(|value| value.is_finite()), "{rotation:?}");
    }
}
