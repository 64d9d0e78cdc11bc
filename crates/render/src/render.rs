//! Projection, binning into tiles and compositing of whole pictures, within a budget.

use std::time::Duration;

use rayon::prelude::*;

use crate::{
    camera::Camera,
    composite::Tile,
    frame::Frame,
    project::{Projected, TILE_PX, TileRect, project},
    scene::Scene,
    surface::SurfaceTile,
};

/// The background of the views that are scored.
pub const WHITE: [f32; 3] = [1.0; 3];

/// Limits that bound memory and time against objects made to exhaust them; each is checked before the memory it bounds
/// is allocated.
///
/// Beside the scene and the finished pictures with their coverage, rendering holds at most `72 · splats_max + 4 · tile_pairs_max` bytes and
/// 8 bytes a tile: 225 MB with the defaults, whatever the number of views and threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenderBudget {
    /// Most splats in a scene.
    pub splats_max: usize,
    /// Most pairs of a splat and a tile it touches, in one view. Honest objects need 2 to 5 pairs a splat at 518 px.
    pub tile_pairs_max: u64,
    /// Largest width and height of a picture in pixels.
    pub size_px_max: u32,
    /// Most time for the views of one call.
    pub time_max: Duration,
}

impl Default for RenderBudget {
    fn default() -> Self {
        Self {
            splats_max: 2_000_000,
            tile_pairs_max: 20_000_000,
            size_px_max: 4_096,
            time_max: Duration::from_secs(60),
        }
    }
}

/// Why a scene is not rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The scene has too many splats.
    #[error("the object has {found} splats, at most {maximum} can be rendered")]
    TooManySplats {
        /// Number of splats found.
        found: usize,
        /// The budget.
        maximum: usize,
    },
    /// The splats cover each other so much that rendering would take too long.
    #[error("the splats cover {found} tiles in one view, at most {maximum} can be rendered")]
    TooManyTilePairs {
        /// Number of pairs found.
        found: u64,
        /// The budget.
        maximum: u64,
    },
    /// Rendering took longer than the budget allows; another try, or another machine, may be quicker.
    #[error("rendering took longer than {} s", .maximum.as_secs())]
    TooLong {
        /// The budget.
        maximum: Duration,
    },
    /// The device that renders failed.
    #[error("the device failed: {0}")]
    Device(String),
    /// The picture is empty or too large.
    #[error("a picture of {size_px} px cannot be rendered, its size must be 1 to {maximum} px")]
    Size {
        /// The size asked for.
        size_px: u32,
        /// The budget.
        maximum: u32,
    },
}

impl RenderError {
    /// Whether the fault is the machine's, so that the object cannot be blamed.
    pub const fn is_ours(&self) -> bool {
        match self {
            Self::TooLong { .. } | Self::Device(_) => true,
            Self::TooManySplats { .. } | Self::TooManyTilePairs { .. } | Self::Size { .. } => false,
        }
    }
}

/// A view, and how much of each pixel the object covers.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The picture.
    pub frame: Frame,
    /// For each pixel, row by row, the share of the background's light that the object holds back, 0 to 1.
    pub coverage: Vec<f32>,
    /// The background's colour, each channel 0 to 1.
    pub background: [f32; 3],
}

/// Renders one view over a background colour (each channel 0 to 1).
///
/// # Errors
/// [`RenderError`] if the budget does not allow it.
pub fn render(
    scene: &Scene,
    camera: &Camera,
    background: [f32; 3],
    budget: &RenderBudget,
) -> Result<Frame, RenderError> {
    Ok(render_view(scene, camera, background, budget)?.frame)
}

/// Renders one view as [`render`] does, and keeps what the object covers.
///
/// # Errors
/// [`RenderError`] if the budget does not allow it.
pub fn render_view(
    scene: &Scene,
    camera: &Camera,
    background: [f32; 3],
    budget: &RenderBudget,
) -> Result<View, RenderError> {
    let (projected, bins) = prepare(scene, camera, budget)?;
    Ok(composite(&projected, &bins, camera.size_px, background))
}

/// Finds for each pixel, row by row, how far along the view direction the object's surface is: the depth of the splat
/// that leaves less than half of the light from behind. Infinite where more than half of the background is seen.
///
/// # Errors
/// [`RenderError`] if the budget does not allow it.
pub(crate) fn surface_depths(
    scene: &Scene,
    camera: &Camera,
    budget: &RenderBudget,
) -> Result<Vec<f32>, RenderError> {
    let (projected, bins) = prepare(scene, camera, budget)?;
    let size = camera.size_px as usize;
    let mut depths = vec![f32::INFINITY; size * size];
    depths.par_chunks_mut(TILE_PX * size).enumerate().for_each(|(tile_row, strip)| {
        for tile_column in 0..bins.tiles_per_row {
            let origin = [tile_column * TILE_PX, tile_row * TILE_PX];
            let tile = SurfaceTile::find(&projected, bins.tile(tile_row, tile_column), origin);
            let (first, last) = (origin[0], (origin[0] + TILE_PX).min(size));
            for (depths, found) in strip.chunks_mut(size).zip(&tile.depths) {
                depths[first..last].copy_from_slice(&found[..last - first]);
            }
        }
    });
    Ok(depths)
}

/// Projects the scene and sorts what is seen of it into tiles.
fn prepare(
    scene: &Scene,
    camera: &Camera,
    budget: &RenderBudget,
) -> Result<(Vec<Projected>, Bins), RenderError> {
    check_budget(scene, camera, budget)?;
    let mut projected: Vec<Projected> = scene
        .gaussians
        .par_iter()
        .map(|gaussian| project(gaussian, camera).unwrap_or(Projected::HIDDEN))
        .collect();
    projected.retain(|splat| splat.tiles.area() > 0);
    let pairs = projected.iter().map(|splat| splat.tiles.area()).sum();
    if pairs > budget.tile_pairs_max {
        return Err(RenderError::TooManyTilePairs { found: pairs, maximum: budget.tile_pairs_max });
    }
    let bins = Bins::fill(&projected, camera.size_px as usize);
    Ok((projected, bins))
}

/// Renders several views over white, one after the other (each uses every thread), so that memory does not grow with
/// their number.
///
/// # Errors
/// [`RenderError`] if the budget does not allow one of the views.
pub fn render_views(
    scene: &Scene,
    cameras: &[Camera],
    budget: &RenderBudget,
) -> Result<Vec<Frame>, RenderError> {
    cameras.iter().map(|camera| render(scene, camera, WHITE, budget)).collect()
}

pub(crate) fn check_budget(scene: &Scene, camera: &Camera, budget: &RenderBudget) -> Result<(), RenderError> {
    let found = scene.gaussians.len();
    if found > budget.splats_max {
        return Err(RenderError::TooManySplats { found, maximum: budget.splats_max });
    }
    let size_px = camera.size_px;
    if size_px == 0 || size_px > budget.size_px_max {
        return Err(RenderError::Size { size_px, maximum: budget.size_px_max });
    }
    Ok(())
}

/// For every tile, row by row, the numbers of the splats that touch it, nearest first.
struct Bins {
    splats: Vec<u32>,
    /// Where each tile's part of `splats` ends.
    ends: Vec<usize>,
    tiles_per_row: usize,
}

impl Bins {
    /// Sorts all splats once by depth; handing them out in this order leaves every tile sorted.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low half of a key is the number of a splat; pictures are too small for 2^32 splats"
    )]
    fn fill(projected: &[Projected], size_px: usize) -> Self {
        // Depths are positive, so their bits sort as they do; the number below them breaks ties by the file's order.
        let mut keys: Vec<u64> = projected
            .iter()
            .zip(0_u64..)
            .map(|(splat, number)| (u64::from(splat.depth.to_bits()) << 32) | number)
            .collect();
        keys.par_sort_unstable();

        let tiles_per_row = size_px.div_ceil(TILE_PX);
        let mut starts = vec![0_usize; tiles_per_row * tiles_per_row];
        for splat in projected {
            for_each_tile(splat.tiles, tiles_per_row, |tile| starts[tile] += 1);
        }
        let mut total = 0;
        for start in &mut starts {
            total += std::mem::replace(start, total);
        }
        let mut splats = vec![0; total];
        for key in keys {
            let number = key as u32;
            for_each_tile(projected[number as usize].tiles, tiles_per_row, |tile| {
                splats[starts[tile]] = number;
                starts[tile] += 1;
            });
        }
        // Every start has moved to its tile's end.
        Self { splats, ends: starts, tiles_per_row }
    }

    fn tile(&self, row: usize, column: usize) -> &[u32] {
        let tile = row * self.tiles_per_row + column;
        let start = if tile == 0 { 0 } else { self.ends[tile - 1] };
        &self.splats[start..self.ends[tile]]
    }
}

fn for_each_tile(rect: TileRect, tiles_per_row: usize, mut visit: impl FnMut(usize)) {
    for row in rect.rows.0..rect.rows.1 {
        for column in rect.columns.0..rect.columns.1 {
            visit(usize::from(row) * tiles_per_row + usize::from(column));
        }
    }
}

fn composite(projected: &[Projected], bins: &Bins, size_px: u32, background: [f32; 3]) -> View {
    let size = size_px as usize;
    let mut frame = Frame::black(size_px, size_px);
    let mut coverage = vec![0.0; size * size];
    let strips = frame
        .pixels
        .par_chunks_mut(TILE_PX * size * 3)
        .zip(coverage.par_chunks_mut(TILE_PX * size))
        .enumerate();
    strips.for_each(|(tile_row, (strip, covered))| {
        for tile_column in 0..bins.tiles_per_row {
            let origin = [tile_column * TILE_PX, tile_row * TILE_PX];
            let tile = Tile::composite(projected, bins.tile(tile_row, tile_column), origin);
            let (first, last) = (origin[0], (origin[0] + TILE_PX).min(size));
            let rows = strip.chunks_mut(size * 3).zip(covered.chunks_mut(size));
            for (row, (pixels, covered)) in rows.enumerate() {
                tile.write_row(row, background, &mut pixels[first * 3..last * 3]);
                tile.write_coverage(row, &mut covered[first..last]);
            }
        }
    });
    View { frame, coverage, background }
}
