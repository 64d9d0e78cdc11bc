//! Front-to-back blending of one tile: gsplat 1.5.3's `rasterize_to_pixels`, four pixels at a time.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "pixel numbers within a tile are small and clamped; colours are clipped before they are narrowed"
)]

use std::array::from_fn;

use crate::project::{ALPHA_FLOOR, Projected, SLACK_PX, TILE_PX};

/// No splat hides more than this, however opaque it is.
const ALPHA_CAP: f32 = 0.999;

/// A splat that would leave no more light than this is not drawn, and ends its pixel.
const TRANSMITTANCE_STOP: f32 = 1e-4;

/// Pixels blended together, so that the compiler can use the vector registers every machine has.
const LANES: usize = 4;
const SIGN_BIT: u32 = 1 << 31;
const LANES_PER_ROW: usize = TILE_PX / LANES;

/// After so many splats, the compositor looks whether any pixel is still open.
const CHECK_EVERY: usize = 16;

/// Light collected by the pixels of one tile, row by row.
pub(crate) struct Tile {
    rows: [[Lane; LANES_PER_ROW]; TILE_PX],
}

#[derive(Clone, Copy)]
struct Lane {
    color: [[f32; LANES]; 3],
    /// Light still to come from behind; **negative** once the pixel is closed.
    transmittance: [f32; LANES],
}

impl Tile {
    /// Composites the splats numbered by `order`, nearest first, in the tile whose first pixel is `origin`.
    pub(crate) fn composite(projected: &[Projected], order: &[u32], origin: [usize; 2]) -> Self {
        let open = Lane { color: [[0.0; LANES]; 3], transmittance: [1.0; LANES] };
        let mut tile = Self { rows: [[open; LANES_PER_ROW]; TILE_PX] };
        let origin = [origin[0] as f32 + 0.5, origin[1] as f32 + 0.5];
        for batch in order.chunks(CHECK_EVERY) {
            for &index in batch {
                tile.add(&projected[index as usize], origin);
            }
            if tile.is_closed() {
                break;
            }
        }
        tile
    }

    /// Writes row `row` over `background` as 8-bit RGB: clipped to 0..=1, then **truncated**, as in the original.
    pub(crate) fn write_row(&self, row: usize, background: [f32; 3], pixels: &mut [u8]) {
        for (column, pixel) in pixels.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let lane = &self.rows[row][column / LANES];
            let within = column % LANES;
            for channel in 0..3 {
                let light =
                    lane.color[channel][within] + lane.transmittance[within].abs() * background[channel];
                pixel[channel] = (light.clamp(0.0, 1.0) * 255.0) as u8;
            }
        }
    }

    /// Writes how much of the background's light row `row` holds back, 0 to 1.
    pub(crate) fn write_coverage(&self, row: usize, covered: &mut [f32]) {
        for (column, covered) in covered.iter_mut().enumerate() {
            *covered = 1.0 - self.rows[row][column / LANES].transmittance[column % LANES].abs();
        }
    }

    fn add(&mut self, splat: &Projected, origin: [f32; 2]) {
        // Distances from the first pixel's centre to the splat's.
        let [x, y] = [splat.center[0] - origin[0], splat.center[1] - origin[1]];
        let reach = &splat.reach;
        let (first_row, last_row) = clamped_range(y - reach.height, y + reach.height, TILE_PX);
        for row in first_row..last_row {
            let dy = y - row as f32;
            let middle = x - reach.slant * dy;
            let half = (reach.width2 - reach.shrink * dy * dy).max(0.0).sqrt() + SLACK_PX;
            let scale = 1.0 / LANES as f32;
            let (first, last) =
                clamped_range((middle - half) * scale, (middle + half) * scale, LANES_PER_ROW);
            for (number, lane) in self.rows[row][..last].iter_mut().enumerate().skip(first) {
                let pixel_x = origin[0] + (number * LANES) as f32;
                lane.add(splat, pixel_x, splat.center[1] - (origin[1] + row as f32));
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.rows.iter().flatten().all(|lane| lane.transmittance.iter().all(|&light| light < 0.0))
    }
}

impl Lane {
    #[inline]
    fn add(&mut self, splat: &Projected, pixel_x: f32, dy: f32) {
        let light = self.transmittance;
        if light.iter().all(|&light| light < 0.0) {
            return;
        }
        let [xx, xy, yy] = splat.conic;
        let dx: [f32; LANES] = from_fn(|number| splat.center[0] - (pixel_x + number as f32));
        let sigma: [f32; LANES] =
            from_fn(|number| 0.5 * (xx * dx[number] * dx[number] + yy * dy * dy) + xy * dx[number] * dy);
        let falloff: [f32; LANES] = from_fn(|number| exp(-sigma[number]));
        let alpha: [f32; LANES] = from_fn(|number| {
            let alpha = splat.opacity * falloff[number];
            if alpha < ALPHA_CAP { alpha } else { ALPHA_CAP }
        });
        let behind: [f32; LANES] = from_fn(|number| light[number] * (1.0 - alpha[number]));
        // Masks of all ones or zeros instead of conditions, which keeps the loops free of branches.
        let visible: [u32; LANES] =
            from_fn(|number| mask(sigma[number] >= 0.0) & mask(alpha[number] >= ALPHA_FLOOR));
        let drawn: [u32; LANES] =
            from_fn(|number| visible[number] & mask(behind[number] > TRANSMITTANCE_STOP));
        let weight: [f32; LANES] =
            from_fn(|number| f32::from_bits((alpha[number] * light[number]).to_bits() & drawn[number]));
        self.transmittance = from_fn(|number| {
            let closed = light[number].to_bits() | (visible[number] & SIGN_BIT);
            f32::from_bits((behind[number].to_bits() & drawn[number]) | (closed & !drawn[number]))
        });
        for (collected, channel) in self.color.iter_mut().zip(splat.color) {
            for (light, weight) in collected.iter_mut().zip(weight) {
                *light += channel * weight;
            }
        }
    }
}

fn mask(condition: bool) -> u32 {
    u32::from(condition).wrapping_neg()
}

/// Whole numbers from `low` to `high`, cut to 0..count; the end is excluded.
pub(crate) fn clamped_range(low: f32, high: f32, count: usize) -> (usize, usize) {
    // Casts from floats saturate, so that infinite and negative bounds are cut too.
    ((low as usize).min(count), ((high + 1.0) as usize).min(count))
}

/// The exponential function for arguments up to 0, to about one unit in the last place.
///
/// Unlike the platform's it can be inlined and vectorised, and gives the same bits everywhere.
/// Arguments below −80 count as −80; the value for a positive argument is meaningless.
#[inline]
pub(crate) fn exp(x: f32) -> f32 {
    // Adding 1.5 · 2^23 rounds to a whole number and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts; the first has few enough bits that its products with whole numbers are exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = if x > -80.0 { x } else { -80.0 };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let whole = rounded - ROUND;
    let rest = x - whole * LN_2_HIGH - whole * LN_2_LOW;
    // Taylor series; |rest| <= ln(2)/2, so that the first term left out is below 6e-9.
    let series = 1.0 / 5040.0;
    let series = series * rest + 1.0 / 720.0;
    let series = series * rest + 1.0 / 120.0;
    let series = series * rest + 1.0 / 24.0;
    let series = series * rest + 1.0 / 6.0;
    let series = series * rest + 0.5;
    let series = series * rest + 1.0;
    let series = series * rest + 1.0;
    series * f32::from_bits(rounded.to_bits().wrapping_add(127) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_the_exact_value() {
        for step in 0..80_000 {
            let x = -(step as f32) / 1000.0;
            let exact = f64::from(x).exp();
            let relative = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(relative < 2e-7, "exp({x}) is off by {relative:e}");
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-34, "far tails vanish");
    }

    #[test]
    fn ranges_are_cut_to_the_tile() {
        let cases = [
            ((-5.0, -2.0), (0, 0)),
            ((-5.0, 0.5), (0, 1)),
            ((2.7, 4.2), (2, 5)),
            ((14.0, 90.0), (14, 16)),
            ((20.0, 90.0), (16, 16)),
            ((f32::NEG_INFINITY, f32::INFINITY), (0, 16)),
        ];
        for ((low, high), expected) in cases {
            assert_eq!(clamped_range(low, high, 16), expected, "{low}..{high}");
        }
    }
}
