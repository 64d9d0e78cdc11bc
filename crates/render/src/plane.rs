//! Pictures of one number a pixel, and filters over them.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "windows and pictures are some thousand pixels wide"
)]

/// Passes of a box that together are near a Gaussian.
const BOX_PASSES: usize = 3;

/// One number for every pixel, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) values: Vec<f32>,
}

impl Plane {
    /// Blurs, nearly as a Gaussian of `sigma` pixels does; what lies beyond the edges does not count.
    pub(crate) fn blurred(&self, sigma: f32) -> Self {
        // Three boxes of width w have the variance (w² − 1) / 4.
        let radius = (((4.0 * sigma * sigma + 1.0).sqrt() - 1.0) / 2.0).round() as usize;
        self.filtered(|row| (0..BOX_PASSES).fold(row.to_vec(), |row, _| mean(&row, radius)))
    }

    /// Raises every valley narrower than about `2 · radius` pixels to the height around it (grey-scale closing).
    pub(crate) fn closed(&self, radius: usize) -> Self {
        let raised = self.filtered(|row| extreme(row, radius, f32::max));
        raised.filtered(|row| extreme(row, radius, f32::min))
    }

    /// Filters all rows, then all columns.
    fn filtered(&self, filter: impl Fn(&[f32]) -> Vec<f32>) -> Self {
        self.filtered_rows(&filter).transposed().filtered_rows(&filter).transposed()
    }

    fn filtered_rows(&self, filter: impl Fn(&[f32]) -> Vec<f32>) -> Self {
        let mut values = Vec::with_capacity(self.values.len());
        for row in self.values.chunks(self.width.max(1)) {
            values.extend_from_slice(&filter(row));
        }
        Self { width: self.width, values }
    }

    fn transposed(&self) -> Self {
        let height = self.values.len() / self.width.max(1);
        let mut values = vec![0.0; self.values.len()];
        for (y, row) in self.values.chunks(self.width.max(1)).enumerate() {
            for (x, value) in row.iter().enumerate() {
                values[x * height + y] = *value;
            }
        }
        Self { width: height, values }
    }
}

/// Means of the windows around every value, cut at the ends.
fn mean(row: &[f32], radius: usize) -> Vec<f32> {
    // In f64, so that what has left the window leaves nothing behind.
    let mut sum: f64 = row.iter().take(radius).map(|value| f64::from(*value)).sum();
    let whole = 1.0 / (2 * radius + 1) as f64;
    (0..row.len())
        .map(|at| {
            let entering = row.get(at + radius).map_or(0.0, |value| f64::from(*value));
            let leaving = if at > radius { f64::from(row[at - radius - 1]) } else { 0.0 };
            sum += entering - leaving;
            let is_whole = at >= radius && at + radius < row.len();
            let share = if is_whole { whole } else { 1.0 / window(at, radius, row.len()) as f64 };
            (sum * share) as f32
        })
        .collect()
}

/// Number of values in a window that the ends cut.
fn window(at: usize, radius: usize, len: usize) -> usize {
    (at + radius + 1).min(len) - at.saturating_sub(radius)
}

/// Extremes of the windows around every value, cut at the ends.
fn extreme(row: &[f32], radius: usize, further: fn(f32, f32) -> f32) -> Vec<f32> {
    let mut found = row.to_vec();
    for shift in 1..=radius.min(row.len()) {
        for (value, neighbour) in found.iter_mut().zip(&row[shift..]) {
            *value = further(*value, *neighbour);
        }
        for (value, neighbour) in found[shift..].iter_mut().zip(row) {
            *value = further(*value, *neighbour);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(width: usize, height: usize, value: impl Fn(usize, usize) -> f32) -> Plane {
        let values = (0..width * height).map(|at| value(at % width, at / width)).collect();
        Plane { width, values }
    }

    #[test]
    fn blur_keeps_the_flat_and_removes_stripes() {
        let flat = plane(9, 7, |_, _| 0.25);
        assert_eq!(flat.clone().blurred(3.0), flat);
        let stripes = plane(80, 30, |x, _| if x / 3 % 2 == 0 { 0.0 } else { 1.0 }).blurred(6.0);
        let middle = &stripes.values[15 * 80 + 20..15 * 80 + 60];
        assert!(middle.iter().all(|value| (value - 0.5).abs() < 0.02), "{middle:?}");
    }

    #[test]
    fn blur_spreads_as_far_as_sigma_says() {
        let blurred = plane(101, 101, |x, y| if (x, y) == (50, 50) { 1.0 } else { 0.0 }).blurred(8.0);
        let variance: f32 =
            (0..101 * 101_usize).map(|at| blurred.values[at] * (at % 101).abs_diff(50).pow(2) as f32).sum();
        assert!((variance.sqrt() - 8.0).abs() < 0.5, "{}", variance.sqrt());
    }

    #[test]
    fn closing_fills_narrow_holes_and_keeps_wide_ones_and_outlines() {
        let holes = |x: usize, y: usize| {
            let inside = (10..50).contains(&x) && (10..50).contains(&y);
            let narrow = (18..22).contains(&x) && (15..45).contains(&y);
            let wide = (30..45).contains(&x) && (15..45).contains(&y);
            f32::from(u8::from(inside && !narrow && !wide))
        };
        let closed = plane(60, 60, holes).closed(4);
        let at = |x: usize, y: usize| closed.values[y * 60 + x];
        let found = [at(20, 30), at(37, 30), at(9, 30), at(10, 30), at(50, 30)].map(|value| value > 0.5);
        assert_eq!(found, [true, false, false, true, false], "narrow, wide, outside, inside, outside");
    }

    #[test]
    fn nothing_stays_nothing() {
        let nothing = Plane { width: 0, values: Vec::new() };
        assert_eq!(nothing.clone().blurred(3.0).closed(2), nothing);
    }
}
