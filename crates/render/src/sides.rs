//! Whether an object has sides and a back, or is a front alone.

use crate::{
    camera::Camera,
    render::{RenderBudget, RenderError, render},
    scene::Scene,
};

/// Azimuths, in degrees, of the directions that the object is looked through: objects face one of the axes as a rule,
/// and every direction costs two views.
const DIRECTIONS: [f32; 2] = [0.0, 90.0];

/// Size of the pictures, in pixels; only means over them are used.
const SIZE_PX: u16 = 128;

/// So far away that both sides see the same splats at the same size, within the far plane.
const RADIUS: f32 = 50.0;
/// Scene units that a picture shows at the distance of the origin, as the scored views do.
const WIDTH: f32 = 2.3;
const BLACK: [f32; 3] = [0.0; 3];

/// Measures how much depth there is between what is seen from one side and what is seen from the opposite one: 0 for
/// a flat card or a half shell, which show the same splats from both sides, about 0.7 for a ball and 0.9 for
/// a cube.
///
/// For two horizontal directions, the mean depth of the visible surface is taken from both sides; their distance is
/// divided by the root of the silhouette's area. The smaller of the two counts, cut to 0..=1. Colours play no part.
///
/// Thin things are flat by nature (a sword has about 0.1), so the figure says little alone. Two objects made from one
/// prompt should be about equally deep: a far lower figure than the other's tells of a facade.
///
/// # Errors
/// [`RenderError`] if the budget does not allow one of the views.
pub fn depth_of_sides(scene: &Scene, budget: &RenderBudget) -> Result<f64, RenderError> {
    let mut least = 1.0_f64;
    for azimuth_deg in DIRECTIONS {
        least = least.min(depth_along(scene, azimuth_deg, budget)?);
    }
    Ok(least)
}

fn depth_along(scene: &Scene, azimuth_deg: f32, budget: &RenderBudget) -> Result<f64, RenderError> {
    let Some((low, high)) = scene.bounds() else {
        return Ok(0.0);
    };
    let toward = [azimuth_deg.to_radians().sin(), 0.0, azimuth_deg.to_radians().cos()];
    let middle = [0, 1, 2].map(|axis| (low[axis] + high[axis]) / 2.0);
    let span = [0, 1, 2].map(|axis| (high[axis] - low[axis]).powi(2)).iter().sum::<f32>().sqrt();
    // Red tells where along the direction a splat lies, green that there is one.
    let mut marked = scene.clone();
    for gaussian in &mut marked.gaussians {
        let along: f32 = (0..3).map(|axis| (gaussian.mean[axis] - middle[axis]) * toward[axis]).sum();
        gaussian.color = [0.5 + along / span, 1.0, 0.0];
    }
    let front = Side::of(&marked, azimuth_deg, budget)?;
    let back = Side::of(&marked, azimuth_deg + 180.0, budget)?;
    let area = (front.area + back.area) / 2.0;
    if area <= 0.0 {
        return Ok(0.0);
    }
    let depth = f64::from(span) * (front.along - back.along);
    Ok((depth / area.sqrt()).clamp(0.0, 1.0))
}

/// An object seen from one side.
struct Side {
    /// Area of the silhouette in square scene units at the distance of the origin.
    area: f64,
    /// Mean place of the visible surface along the direction, as a share of the span.
    along: f64,
}

impl Side {
    fn of(marked: &Scene, azimuth_deg: f32, budget: &RenderBudget) -> Result<Self, RenderError> {
        let mut camera = Camera::orbit(azimuth_deg, 0.0, RADIUS, SIZE_PX.into());
        let pixels_per_unit = f32::from(SIZE_PX) / WIDTH;
        camera.focal_px = RADIUS * pixels_per_unit;
        let frame = render(marked, &camera, BLACK, budget)?;
        let (mut along, mut covered) = (0_u64, 0_u64);
        for pixel in frame.pixels.as_chunks::<3>().0 {
            along += u64::from(pixel[0]);
            covered += u64::from(pixel[1]);
        }
        let [along, covered] = [along, covered].map(|sum| {
            #[expect(clippy::cast_precision_loss, reason = "at most 255 for each of 128 × 128 pixels")]
            let sum = sum as f64;
            sum
        });
        let pixel_area = f64::from(pixels_per_unit).powi(-2);
        Ok(Self { area: covered / 255.0 * pixel_area, along: along / covered.max(1.0) })
    }
}
