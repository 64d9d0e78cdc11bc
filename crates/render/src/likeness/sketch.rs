//! A small sketch of an object's shape, from which the likeness of two objects can be estimated.

use crate::surface::Surface;

/// Number of values of a sketch; the estimate's standard error is at most `1 / (2 √64)` = 0.0625.
pub const SKETCH_VALUES: usize = 64;

/// Cells along the largest edge of the box that holds the surface.
const CELLS: u16 = 32;

/// Grids of such cells, shifted against each other.
const GRIDS: u8 = 8;

/// Share of the visible surface that may lie outside the box at either end of an axis: stray splats do not shift it.
const OUTSIDE: f64 = 0.01;

/// A cell is occupied if it holds this share of what an average cell that is not empty holds.
const OCCUPIED: f64 = 0.1;

/// Sketches the shape of an object's surface: the smallest hashes of the cells it occupies (`MinHash`, Broder 1997),
/// cut to 16 bits each (b-bit minwise hashing, Li and König 2010), 128 bytes whatever the number of splats.
///
/// The share of values that two sketches have in common estimates the Jaccard index of the cells: 0 for nothing in
/// common, 1 for the same cells. Sketches can be compared only if their salts are the same.
///
/// Cells are 1/32 of the object's size. Position, uniform scale, the order of splats, colours and noise well below a cell
/// hardly count; turning or stretching the object does, and so do splats far away, which make it small in the views.
///
/// Few cells can take the smallest hash away from all values. They have to be searched for each `salt`, so it should not
/// be the same for all tasks; whoever knows it can still search. Then they must be seen: what is hidden inside the
/// object, or lets half of the light through, is no part of its surface. So the cheat costs some sixty lumps of a cell's
/// size away from where the surface is, in everybody's pictures. White ones beneath the object are seen over grey alone.
pub fn geometry_sketch(surface: &Surface, salt: u64) -> [u16; SKETCH_VALUES] {
    let ranges = [0, 1, 2].map(|axis| range(surface, axis));
    // A face that happens to lie between two cells of one grid lies amid a cell of others.
    let mut shift = -0.5 / f32::from(GRIDS);
    let grids = [(); GRIDS as usize].map(|()| {
        shift += 1.0 / f32::from(GRIDS);
        occupied_cells(surface, ranges, shift)
    });
    smallest_hashes(&grids, salt)
}

/// The smallest hashes of the cells of each grid in turn.
fn smallest_hashes(grids: &[Vec<u16>; GRIDS as usize], salt: u64) -> [u16; SKETCH_VALUES] {
    let mut number = 0_u8;
    [(); SKETCH_VALUES].map(|()| {
        let key = mix(mix(salt) ^ u64::from(number));
        let cells = &grids[usize::from(number % GRIDS)];
        number += 1;
        let smallest = cells.iter().map(|&cell| mix(key ^ u64::from(cell))).min().unwrap_or(u64::MAX);
        #[expect(clippy::cast_possible_truncation, reason = "the low 16 bits are what is kept")]
        let kept = smallest as u16;
        kept
    })
}

/// The numbers of the occupied cells, each once, of a grid shifted by a share of a cell.
fn occupied_cells(surface: &Surface, ranges: [[f32; 2]; 3], shift: f32) -> Vec<u16> {
    let edge = ranges.iter().map(|[low, high]| high - low).fold(0.0, f32::max);
    let mut counts = vec![0_u32; usize::from(CELLS + 1).pow(3)];
    for cell in surface.points().filter_map(|point| cell(point, ranges, edge, shift)) {
        counts[usize::from(cell)] += 1;
    }
    let filled = counts.iter().filter(|&&count| count > 0);
    #[expect(clippy::cast_precision_loss, reason = "a count of cells")]
    let least = OCCUPIED * filled.clone().copied().map(f64::from).sum::<f64>() / filled.count().max(1) as f64;
    (0..)
        .zip(counts)
        .filter(|&(_, count)| count > 0 && f64::from(count) >= least)
        .map(|(cell, _)| cell)
        .collect()
}

/// From where to where the surface reaches along an axis, without the strays.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a count of pixels"
)]
fn range(surface: &Surface, axis: usize) -> [f32; 2] {
    let mut along: Vec<f32> = surface.points().map(|point| point[axis]).collect();
    along.sort_unstable_by(f32::total_cmp);
    let strays = (along.len() as f64 * OUTSIDE) as usize;
    match along.get(strays..along.len() - strays) {
        Some([low, .., high]) => [*low, *high],
        _ => [0.0; 2],
    }
}

/// The cell of a place in a cube around the ranges' middle, or `None` outside it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a coordinate of the cube gives 0 to 32"
)]
fn cell(place: [f32; 3], ranges: [[f32; 2]; 3], edge: f32, shift: f32) -> Option<u16> {
    let mut number = 0;
    for axis in 0..3 {
        let middle = (ranges[axis][0] + ranges[axis][1]) / 2.0;
        let along = if edge > 0.0 { 0.5 + (place[axis] - middle) / edge } else { 0.5 };
        if !(0.0..=1.0).contains(&along) {
            return None;
        }
        number = number * (CELLS + 1) + (along * f32::from(CELLS) + shift) as u16;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn similarity(a: [u16; SKETCH_VALUES], b: [u16; SKETCH_VALUES]) -> f64 {
        let equal = a.iter().zip(&b).filter(|(a, b)| a == b).count();
        f64::from(u8::try_from(equal).unwrap()) / 64.0
    }

    #[test]
    fn sketches_estimate_the_share_of_common_cells() {
        let cells = |range: std::ops::Range<u16>| [(); GRIDS as usize].map(|()| range.clone().collect());
        let sketch = |range| smallest_hashes(&cells(range), 1);
        assert!((similarity(sketch(0..1_000), sketch(0..1_000)) - 1.0).abs() < 1e-12);
        assert!(similarity(sketch(0..1_000), sketch(1_000..2_000)) < 0.05);
        let third = similarity(sketch(0..1_000), sketch(500..1_500));
        assert!((third - 1.0 / 3.0).abs() < 0.2, "{third}");
    }

    /// The cheat: for each value a cell, of those that the object does not occupy, with a smaller hash.
    #[test]
    fn cells_searched_for_one_salt_do_not_hide_a_copy_under_another() {
        let object: Vec<u16> = (0..1_500).collect();
        let original = [(); GRIDS as usize].map(|()| object.clone());
        let mut copy = original.clone();
        for number in 0..SKETCH_VALUES {
            let key = mix(mix(1) ^ number as u64);
            let added = (1_500..32_768).min_by_key(|&cell| mix(key ^ u64::from(cell))).unwrap();
            copy[number % usize::from(GRIDS)].push(added);
        }
        let found =
            [1, 2].map(|salt| similarity(smallest_hashes(&original, salt), smallest_hashes(&copy, salt)));
        assert!(found[0] < 0.1 && found[1] > 0.9, "{found:?}");
    }
}
