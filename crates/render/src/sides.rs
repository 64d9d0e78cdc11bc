//! Whether an object has sides and a back, or is a front alone.

use crate::surface::{Side, Surface};

/// Measures how much depth there is between what is seen from one side and what is seen from the opposite one: 0 for
/// a flat card or a half shell, which show the same splats from both sides, about 0.7 for a ball and 0.9 for
/// a cube.
///
/// For two horizontal directions, the mean depth of the visible surface is taken from both sides; their distance is
/// divided by the root of the silhouette's area. The smaller of the two counts, cut to 0..=1. Colours play no part.
///
/// Thin things are flat by nature (a sword has about 0.1), so the figure says little alone. Two objects made from one
/// prompt should be about equally deep: a far lower figure than the other's tells of a facade.
pub fn depth_of_sides(surface: &Surface) -> f64 {
    surface.horizontal().map(depth_between).into_iter().fold(1.0, f64::min)
}

fn depth_between([front, back]: [&Side; 2]) -> f64 {
    let area = (front.area() + back.area()) / 2.0;
    if area <= 0.0 {
        return 0.0;
    }
    ((toward_the_viewer(front) + toward_the_viewer(back)) / area.sqrt()).clamp(0.0, 1.0)
}

/// How far the visible surface lies from the origin towards the viewer, in scene units, as a mean over its pixels.
fn toward_the_viewer(side: &Side) -> f64 {
    let along = |point: &[f32; 3]| f64::from((0..3).map(|axis| point[axis] * side.toward[axis]).sum::<f32>());
    #[expect(clippy::cast_precision_loss, reason = "a number of pixels")]
    let count = side.points.len().max(1) as f64;
    side.points.iter().map(along).sum::<f64>() / count
}
