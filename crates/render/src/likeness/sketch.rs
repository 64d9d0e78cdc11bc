//! A small sketch of an object's shape, from which the likeness of two objects can be estimated.

use crate::scene::{Gaussian, Scene};

/// Number of values of a sketch; the estimate's standard error is at most `1 / (2 √64)` = 0.0625.
pub const SKETCH_VALUES: usize = 64;

/// Cells along the largest edge of the box that holds the visible part.
const CELLS: u16 = 32;

/// Share of the visible area that may lie outside the box at either end of an axis: stray splats do not shift it.
const OUTSIDE: f64 = 0.01;

/// A cell is occupied if it holds this share of what an average cell that is not empty holds.
const OCCUPIED: f64 = 0.1;

/// Opacity, 0 to 1, below which a splat does not count.
const VISIBLE: f32 = 0.05;

/// No splat counts for more than this area, in square scene units: the face of a cell of an object of usual size.
const AREA_MAX: f32 = 2e-3;
const AREA_MIN: f32 = 1e-8;

/// The smallest hashes of the cells an object occupies (`MinHash`, Broder 1997), cut to 16 bits each (b-bit minwise
/// hashing, Li and König 2010): 128 bytes whatever the number of splats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeometrySketch(pub [u16; SKETCH_VALUES]);

/// Sketches the visible shape of a scene.
///
/// Cells are 1/32 of the object's size. Position, uniform scale, the order of splats, colours, noise well below a cell
/// and stray splats hardly count; turning or stretching the object does. Splats count by opacity and area.
pub fn geometry_sketch(scene: &Scene) -> GeometrySketch {
    let mut smallest = [u64::MAX; SKETCH_VALUES];
    for cell in occupied_cells(scene) {
        for (number, least) in (0_u64..).zip(&mut smallest) {
            *least = mix(mix(number) ^ u64::from(cell)).min(*least);
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits are what is kept")]
    GeometrySketch(smallest.map(|least| least as u16))
}

/// Estimates the Jaccard index of the cells that two objects occupy: 0 for nothing in common, 1 for the same cells.
///
/// Different sets agree in one value of 65,536 by chance, far below the standard error, so there is no correction.
pub fn similarity(a: &GeometrySketch, b: &GeometrySketch) -> f64 {
    let equal = a.0.iter().zip(&b.0).filter(|(a, b)| a == b).count();
    #[expect(clippy::cast_precision_loss, reason = "a count up to 64")]
    let share = equal as f64 / SKETCH_VALUES as f64;
    share
}

/// The numbers of the occupied cells, each once.
fn occupied_cells(scene: &Scene) -> Vec<u16> {
    let visible: Vec<(&Gaussian, f64)> = scene
        .gaussians
        .iter()
        .filter(|gaussian| gaussian.opacity >= VISIBLE && gaussian.mean.iter().all(|at| at.is_finite()))
        .map(|gaussian| (gaussian, f64::from(gaussian.opacity * gaussian.area().clamp(AREA_MIN, AREA_MAX))))
        .collect();
    let ranges = [0, 1, 2].map(|axis| range(&visible, axis));
    let edge = ranges.iter().map(|[low, high]| high - low).fold(0.0, f32::max);
    let mut masses = vec![0.0; usize::from(CELLS).pow(3)];
    for (gaussian, mass) in &visible {
        if let Some(cell) = cell(gaussian.mean, ranges, edge) {
            masses[usize::from(cell)] += mass;
        }
    }
    let filled = masses.iter().filter(|&&mass| mass > 0.0);
    #[expect(clippy::cast_precision_loss, reason = "a count of cells")]
    let least = OCCUPIED * filled.clone().sum::<f64>() / filled.count().max(1) as f64;
    (0..).zip(masses).filter(|&(_, mass)| mass > 0.0 && mass >= least).map(|(cell, _)| cell).collect()
}

/// From where to where the visible part reaches along an axis.
fn range(visible: &[(&Gaussian, f64)], axis: usize) -> [f32; 2] {
    let mut along: Vec<(f32, f64)> =
        visible.iter().map(|(gaussian, mass)| (gaussian.mean[axis], *mass)).collect();
    along.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = along.iter().map(|(_, mass)| mass).sum();
    [after_the_strays(along.iter(), total), after_the_strays(along.iter().rev(), total)]
}

/// The first place that is no longer among the outermost, in the order given.
fn after_the_strays<'a>(mut ordered: impl Iterator<Item = &'a (f32, f64)>, total: f64) -> f32 {
    let mut passed = 0.0;
    let first = ordered.find(|(_, mass)| {
        passed += mass;
        passed > OUTSIDE * total
    });
    first.map_or(0.0, |(at, _)| *at)
}

/// The cell of a place in a cube around the ranges' middle, or `None` outside it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a coordinate of the cube gives 0 to 31"
)]
fn cell(place: [f32; 3], ranges: [[f32; 2]; 3], edge: f32) -> Option<u16> {
    let mut number = 0;
    for axis in 0..3 {
        let middle = (ranges[axis][0] + ranges[axis][1]) / 2.0;
        let along = if edge > 0.0 { 0.5 + (place[axis] - middle) / edge } else { 0.5 };
        if !(0.0..=1.0).contains(&along) {
            return None;
        }
        number = number * CELLS + ((along * f32::from(CELLS)) as u16).min(CELLS - 1);
    }
    Some(number)
}

/// The finaliser of `SplitMix64` (Steele, Lea and Flood 2014).
fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
