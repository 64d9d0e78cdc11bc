//! Where the surface of an object is: what hides what is behind it.
#![expect(clippy::cast_precision_loss, reason = "numbers of pixels are small")]

use rayon::prelude::*;

use crate::{
    camera::Camera,
    composite::{clamped_range, exp},
    project::{ALPHA_FLOOR, Projected, SLACK_PX, TILE_PX},
    render::{RenderBudget, RenderError},
    renderer::Renderer,
    scene::Scene,
};

/// Azimuth and elevation, in degrees, of the sides that an object is looked at from: opposite ones follow each other.
const SIDES: [[f32; 2]; 6] = [[0.0, 0.0], [180.0, 0.0], [90.0, 0.0], [270.0, 0.0], [0.0, -90.0], [0.0, 90.0]];

/// Size of a picture of one side, in pixels: five for each cell of a sketch.
const SIZE_PX: u16 = 256;

/// So far away that opposite sides see the same outline at the same size, within the far plane.
const RADIUS: f32 = 50.0;

/// Scene units that a picture shows at the distance of the origin, as the scored views do.
const WIDTH: f32 = 2.3;

/// The light of the background that the surface leaves, at most.
const LIGHT_BEHIND: f32 = 0.5;

/// The surface of an object, as it is seen from six sides.
///
/// Neither what is hidden inside nor what is nearly transparent is part of it, however many splats that is.
#[derive(Clone, Debug)]
pub struct Surface {
    sides: [Side; 6],
}

/// What is seen of an object from one side.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    /// The surface's points in scene units, one for each pixel that shows it.
    pub(crate) points: Vec<[f32; 3]>,
    /// Unit vector towards the viewer.
    pub(crate) toward: [f32; 3],
}

impl Surface {
    /// Looks at an object from all sides, which costs about as much as rendering four of the views that are scored.
    ///
    /// # Errors
    /// [`RenderError`] if the budget does not allow one of the views.
    pub fn of(
        scene: &Scene,
        renderer: &mut dyn Renderer,
        budget: &RenderBudget,
    ) -> Result<Self, RenderError> {
        let cameras = SIDES.map(camera);
        let depths = renderer.depths(scene, &cameras, budget)?;
        let mut of_each = depths.chunks_exact(usize::from(SIZE_PX) * usize::from(SIZE_PX));
        let sides = cameras.map(|camera| Side::new(&camera, of_each.next().unwrap_or_default()));
        Ok(Self { sides })
    }

    /// The points that are seen from any side.
    pub(crate) fn points(&self) -> impl Iterator<Item = [f32; 3]> + Clone {
        self.sides.iter().flat_map(|side| side.points.iter().copied())
    }

    /// The horizontal sides with those opposite to them.
    pub(crate) fn horizontal(&self) -> [[&Side; 2]; 2] {
        let [front, back, right, left, ..] = &self.sides;
        [[front, back], [right, left]]
    }
}

impl Side {
    /// The area of what is seen, in square scene units at the distance of the origin.
    pub(crate) fn area(&self) -> f64 {
        let pixel = f64::from(WIDTH) / f64::from(SIZE_PX);
        self.points.len() as f64 * pixel * pixel
    }

    /// The side that a camera sees, from the depths of its pixels, row by row.
    fn new(camera: &Camera, depths: &[f32]) -> Self {
        let [right, down, forward] = camera.world_to_camera;
        let points = depths
            .par_iter()
            .enumerate()
            .filter(|(_, depth)| depth.is_finite())
            .map(|(number, depth)| {
                let pixel = [number % usize::from(SIZE_PX), number / usize::from(SIZE_PX)];
                let [x, y] =
                    pixel.map(|at| (at as f32 + 0.5 - camera.principal_px) * depth / camera.focal_px);
                [0, 1, 2].map(|axis| right[axis] * x + down[axis] * y + forward[axis] * (depth - RADIUS))
            })
            .collect();
        Self { points, toward: [0, 1, 2].map(|axis| -forward[axis]) }
    }
}

/// A camera that looks at one of the [`SIDES`].
fn camera([azimuth_deg, elevation_deg]: [f32; 2]) -> Camera {
    let mut camera = Camera::orbit(azimuth_deg, elevation_deg, RADIUS, SIZE_PX.into());
    camera.focal_px = RADIUS * f32::from(SIZE_PX) / WIDTH;
    camera
}

/// The depths of the surface at the pixels of one tile.
pub(crate) struct SurfaceTile {
    /// Row by row; infinite where the surface is not seen.
    pub(crate) depths: [[f32; TILE_PX]; TILE_PX],
    light: [[f32; TILE_PX]; TILE_PX],
    open: usize,
}

impl SurfaceTile {
    /// Goes through the splats numbered by `order`, nearest first, in the tile whose first pixel is `origin`.
    pub(crate) fn find(projected: &[Projected], order: &[u32], origin: [usize; 2]) -> Self {
        let mut tile = Self {
            depths: [[f32::INFINITY; TILE_PX]; TILE_PX],
            light: [[1.0; TILE_PX]; TILE_PX],
            open: TILE_PX * TILE_PX,
        };
        let origin = [origin[0] as f32 + 0.5, origin[1] as f32 + 0.5];
        for &index in order {
            tile.add(&projected[index as usize], origin);
            if tile.open == 0 {
                break;
            }
        }
        tile
    }

    fn add(&mut self, splat: &Projected, origin: [f32; 2]) {
        let [x, y] = [splat.center[0] - origin[0], splat.center[1] - origin[1]];
        let [xx, xy, yy] = splat.conic;
        let reach = &splat.reach;
        let (first_row, last_row) = clamped_range(y - reach.height, y + reach.height, TILE_PX);
        for row in first_row..last_row {
            let dy = y - row as f32;
            let middle = x - reach.slant * dy;
            let half = (reach.width2 - reach.shrink * dy * dy).max(0.0).sqrt() + SLACK_PX;
            let (first, last) = clamped_range(middle - half, middle + half, TILE_PX);
            for column in first..last {
                let light = &mut self.light[row][column];
                if *light < LIGHT_BEHIND {
                    continue;
                }
                let dx = x - column as f32;
                let sigma = 0.5 * (xx * dx * dx + yy * dy * dy) + xy * dx * dy;
                let alpha = splat.opacity * exp(-sigma);
                if sigma >= 0.0 && alpha >= ALPHA_FLOOR {
                    *light *= 1.0 - alpha;
                    if *light < LIGHT_BEHIND {
                        self.depths[row][column] = splat.depth;
                        self.open -= 1;
                    }
                }
            }
        }
    }
}
