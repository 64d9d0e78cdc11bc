//! Structural similarity of two frames, as torchmetrics 1.5 computes it by default.
//!
//! Gaussian window of 11 × 11 with sigma 1.5, reflected border, data range 1, mean over every pixel and channel
//! (Wang et al. 2004; torchmetrics 1.5.1 averages the border too, where other implementations crop it).
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "the window's weights are computed in f64 and used in f32; counts of pixels are far below 2^52"
)]

use rayon::prelude::*;

/// Half the window's width: the window is 11 pixels wide.
const RADIUS: usize = 5;
const WINDOW: usize = 2 * RADIUS + 1;
/// Standard deviation of the window, in pixels.
const SIGMA: f64 = 1.5;
/// (0.01 × data range)² and (0.03 × data range)², from Wang et al. 2004.
const C1: f32 = 0.01 * 0.01;
const C2: f32 = 0.03 * 0.03;
const CHANNELS: usize = 3;

/// The similarity of each frame with the next one, cyclic: pair `i` is (i, i + 1 mod n), in parallel over the pairs.
///
/// `frames` are RGB, row after row, `width` × `height` pixels each.
///
/// # Panics
/// When a frame has another length than `3 * width * height`, or a side is below 6 pixels (the border could not be
/// reflected).
pub fn cyclic_pairs(frames: &[&[u8]], width: usize, height: usize) -> Vec<f32> {
    (0..frames.len())
        .into_par_iter()
        .map(|first| pair(frames[first], frames[(first + 1) % frames.len()], width, height))
        .collect()
}

/// The similarity of two RGB frames of `width` × `height` pixels, 1 when they are equal.
///
/// # Panics
/// As [`cyclic_pairs`].
pub fn pair(left: &[u8], right: &[u8], width: usize, height: usize) -> f32 {
    assert!(
        width > RADIUS && height > RADIUS,
        "a frame of {width}x{height} pixels is smaller than the window"
    );
    assert_eq!(left.len(), CHANNELS * width * height, "the left frame has another size");
    assert_eq!(right.len(), CHANNELS * width * height, "the right frame has another size");
    let blur = Blur::new(width, height);
    let sum: f64 = (0..CHANNELS).map(|channel| channel_sum(&blur, left, right, channel)).sum();
    (sum / (CHANNELS * width * height) as f64) as f32
}

/// The sum of the similarity map of one channel.
fn channel_sum(blur: &Blur, left: &[u8], right: &[u8], channel: usize) -> f64 {
    let plane = |frame: &[u8]| -> Vec<f32> {
        frame.iter().skip(channel).step_by(CHANNELS).map(|&value| f32::from(value) / 255.0).collect()
    };
    let product = |a: &[f32], b: &[f32]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
    let (x, y) = (plane(left), plane(right));
    let mean_x = blur.apply(&x);
    let mean_y = blur.apply(&y);
    let mean_xx = blur.apply(&product(&x, &x));
    let mean_yy = blur.apply(&product(&y, &y));
    let mean_xy = blur.apply(&product(&x, &y));

    let mut sum = 0.0;
    for row in 0..blur.height {
        let mut row_sum = 0.0;
        for at in row * blur.width..(row + 1) * blur.width {
            let (mu_x, mu_y) = (mean_x[at], mean_y[at]);
            let variances = (mean_xx[at] - mu_x * mu_x).max(0.0) + (mean_yy[at] - mu_y * mu_y).max(0.0);
            let covariance = mean_xy[at] - mu_x * mu_y;
            row_sum += (2.0 * mu_x * mu_y + C1) * (2.0 * covariance + C2)
                / ((mu_x * mu_x + mu_y * mu_y + C1) * (variances + C2));
        }
        sum += f64::from(row_sum);
    }
    sum
}

/// The separable window over planes of one size.
struct Blur {
    width: usize,
    height: usize,
    weights: [f32; WINDOW],
}

impl Blur {
    fn new(width: usize, height: usize) -> Self {
        let mut weights = [0.0; WINDOW];
        for (tap, weight) in weights.iter_mut().enumerate() {
            let distance = (tap as f64 - RADIUS as f64) / SIGMA;
            *weight = (-0.5 * distance * distance).exp();
        }
        let total: f64 = weights.iter().sum();
        Self { width, height, weights: weights.map(|weight| (weight / total) as f32) }
    }

    /// The weighted mean around every pixel; the border is reflected without repeating the edge pixel.
    ///
    /// The inner loops run along rows over plain slices, which the compiler turns into vector instructions.
    fn apply(&self, plane: &[f32]) -> Vec<f32> {
        let (width, height) = (self.width, self.height);
        let mut blurred_rows = vec![0.0; width * height];
        let mut padded = vec![0.0; width + 2 * RADIUS];
        for (row, blurred) in plane.chunks_exact(width).zip(blurred_rows.chunks_exact_mut(width)) {
            padded[RADIUS..RADIUS + width].copy_from_slice(row);
            for offset in 1..=RADIUS {
                padded[RADIUS - offset] = row[offset];
                padded[RADIUS + width - 1 + offset] = row[width - 1 - offset];
            }
            for (tap, weight) in self.weights.iter().enumerate() {
                add_scaled(blurred, &padded[tap..tap + width], *weight);
            }
        }
        let mut blurred = vec![0.0; width * height];
        for (row, target) in blurred.chunks_exact_mut(width).enumerate() {
            for (tap, weight) in self.weights.iter().enumerate() {
                let source = reflect(row + tap, height) * width;
                add_scaled(target, &blurred_rows[source..source + width], *weight);
            }
        }
        blurred
    }
}

fn add_scaled(target: &mut [f32], source: &[f32], weight: f32) {
    for (target, source) in target.iter_mut().zip(source) {
        *target += weight * source;
    }
}

/// The row that stands for row `shifted - RADIUS` of a plane of `height` rows.
fn reflect(shifted: usize, height: usize) -> usize {
    if shifted < RADIUS {
        RADIUS - shifted
    } else {
        let row = shifted - RADIUS;
        if row < height { row } else { 2 * (height - 1) - row }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An RGB picture from a function of column, row and channel.
    fn picture(width: usize, height: usize, value: impl Fn(usize, usize, usize) -> usize) -> Vec<u8> {
        let mut frame = Vec::with_capacity(3 * width * height);
        for row in 0..height {
            for column in 0..width {
                for channel in 0..3 {
                    frame.push(u8::try_from(value(column, row, channel)).unwrap());
                }
            }
        }
        frame
    }

    fn ramp(width: usize, height: usize, shift: usize) -> Vec<u8> {
        picture(width, height, |x, y, channel| ((x + shift) * 7 + y * 3 + channel * 50) % 256)
    }

    fn disc(width: usize, height: usize, shift: usize) -> Vec<u8> {
        picture(width, height, |x, y, channel| {
            let inside =
                (2 * x).abs_diff(width + shift).pow(2) + (2 * y).abs_diff(height).pow(2) < width * width / 4;
            if inside { 200 - channel * 60 } else { 255 }
        })
    }

    /// The linear congruential generator of Numerical Recipes, seed 17, its upper eight bits.
    fn noise(width: usize, height: usize) -> Vec<u8> {
        let mut state = 17_u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        };
        (0..3 * width * height).map(next).collect()
    }

    /// Expected values: `_ssim_update` of torchmetrics 1.5.1 with `data_range=1.0` over float64 tensors
    /// (torch 1.13.0). The same over float32 tensors differs from them by up to 3e-5.
    #[test]
    fn golden_values_of_torchmetrics() {
        let check = |width: usize, height: usize, left: &[u8], right: &[u8], expect: f64| {
            let similarity = f64::from(pair(left, right, width, height));
            assert!((similarity - expect).abs() < 1e-5, "{width}x{height}: {similarity} instead of {expect}");
        };
        let (w, h) = (48, 32);
        let white = vec![255; 3 * w * h];
        check(w, h, &ramp(w, h, 0), &ramp(w, h, 1), 0.857_203_787_221_498_3);
        check(w, h, &ramp(w, h, 0), &noise(w, h), 0.014_727_218_727_053_147);
        check(w, h, &disc(w, h, 0), &disc(w, h, 8), 0.615_397_983_998_157_9);
        check(w, h, &disc(w, h, 0), &white, 0.628_115_264_892_602_2);
        check(w, h, &noise(w, h), &white, 0.008_907_728_624_425_654);
        check(w, h, &disc(w, h, 0), &disc(w, h, 0), 1.0);
        let (w, h) = (518, 518);
        let white = vec![255; 3 * w * h];
        check(w, h, &ramp(w, h, 0), &ramp(w, h, 1), 0.824_286_104_207_272_6);
        check(w, h, &ramp(w, h, 0), &noise(w, h), 0.008_866_339_187_552_908);
        check(w, h, &disc(w, h, 0), &disc(w, h, 8), 0.975_070_310_551_780_6);
        check(w, h, &disc(w, h, 0), &white, 0.940_363_261_722_445_2);
    }

    #[test]
    fn pairs_are_cyclic_neighbours() {
        let frames = [ramp(32, 32, 0), ramp(32, 32, 1), noise(32, 32)];
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let expect = [
            pair(frames[0], frames[1], 32, 32),
            pair(frames[1], frames[2], 32, 32),
            pair(frames[2], frames[0], 32, 32),
        ];
        let similarities = cyclic_pairs(&frames, 32, 32);
        let bits = |values: &[f32]| -> Vec<u32> { values.iter().map(|value| value.to_bits()).collect() };
        assert_eq!(bits(&similarities), bits(&expect));
    }
}
