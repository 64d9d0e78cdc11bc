//! Projection of one Gaussian to the picture: gsplat 1.5.3's `fully_fused_projection`, mode "classic".
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "tile numbers are clamped to the picture before they are narrowed"
)]

use crate::{camera::Camera, scene::Gaussian};

/// Edge of a tile in pixels.
pub(crate) const TILE_PX: usize = 16;

/// Contributions below this opacity are not drawn: one step of an 8-bit picture.
pub(crate) const ALPHA_FLOOR: f32 = 1.0 / 255.0;

/// Added to the diagonal of the projected covariance, in square pixels, so that no splat falls between pixels.
const BLUR_PX2: f32 = 0.3;

/// Cut-off of a splat in standard deviations: exp(-3.33²/2) is just below 1/255.
const EXTENT_SIGMAS: f32 = 3.33;

/// Added around a [`Reach`] for the rounding of positions within a picture, in pixels.
pub(crate) const SLACK_PX: f32 = 0.1;

/// A Gaussian in the picture. Its 64 bytes are one cache line, which is what the compositor reads per splat and tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Projected {
    /// Centre in pixels.
    pub(crate) center: [f32; 2],
    /// Inverse covariance in 1/px²: xx, xy, yy.
    pub(crate) conic: [f32; 3],
    /// Peak opacity.
    pub(crate) opacity: f32,
    /// Red, green, blue.
    pub(crate) color: [f32; 3],
    /// Distance along the view direction.
    pub(crate) depth: f32,
    /// Tiles the splat is composited in.
    pub(crate) tiles: TileRect,
    /// Where, row by row, the splat can reach [`ALPHA_FLOOR`].
    pub(crate) reach: Reach,
}

impl Projected {
    /// Stands for a Gaussian that cannot be seen; it touches no tile.
    pub(crate) const HIDDEN: Self = Self {
        center: [0.0; 2],
        conic: [0.0; 3],
        opacity: 0.0,
        color: [0.0; 3],
        depth: 0.0,
        tiles: TileRect { columns: (0, 0), rows: (0, 0) },
        reach: Reach { height: 0.0, slant: 0.0, width2: 0.0, shrink: 0.0 },
    };
}

/// A rectangle of tiles, ends excluded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TileRect {
    pub(crate) columns: (u16, u16),
    pub(crate) rows: (u16, u16),
}

impl TileRect {
    /// Number of tiles in the rectangle.
    pub(crate) fn area(self) -> u64 {
        let width = u64::from(self.columns.1.saturating_sub(self.columns.0));
        let height = u64::from(self.rows.1.saturating_sub(self.rows.0));
        width * height
    }
}

/// An ellipse that holds every pixel the splat contributes to, in a form that is cheap to cut by a row of pixels.
///
/// At `dy` pixels from the centre the row is cut at `slant * dy ± sqrt(width2 - shrink * dy²)` from the centre.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// Greatest distance of a row from the centre.
    pub(crate) height: f32,
    pub(crate) slant: f32,
    pub(crate) width2: f32,
    pub(crate) shrink: f32,
}

/// Projects a Gaussian, or returns `None` if it is behind, beyond, beside or below visibility.
pub(crate) fn project(gaussian: &Gaussian, camera: &Camera) -> Option<Projected> {
    let [x, y, z] = to_camera(camera, gaussian.mean);
    if !(z >= camera.near && z <= camera.far && gaussian.opacity >= ALPHA_FLOOR) {
        return None;
    }
    let [xx, xy, yy] = picture_covariance(camera, gaussian, [x, y, z]);
    let (xx, yy) = (xx + BLUR_PX2, yy + BLUR_PX2);
    let determinant = fused(xx, yy, -(xy * xy));
    if !(determinant > 0.0 && determinant.is_finite()) {
        return None;
    }

    let cut_off = EXTENT_SIGMAS.min((2.0 * (gaussian.opacity / ALPHA_FLOOR).ln()).sqrt());
    let radius = [(cut_off * xx.sqrt()).ceil(), (cut_off * yy.sqrt()).ceil()];
    if radius[0] <= 0.0 && radius[1] <= 0.0 {
        return None;
    }
    let inverse_z = 1.0 / z;
    let center = [
        camera.focal_px * x * inverse_z + camera.principal_px,
        camera.focal_px * y * inverse_z + camera.principal_px,
    ];
    let conic = [yy / determinant, -xy / determinant, xx / determinant];
    let finite = center.iter().chain(&conic).chain(&gaussian.color).all(|value| value.is_finite());
    if !finite || !touches_picture(center, radius, camera.size_px as f32) {
        return None;
    }
    Some(Projected {
        center,
        conic,
        opacity: gaussian.opacity,
        color: gaussian.color,
        depth: z,
        tiles: tiles(center, radius, camera.size_px),
        reach: reach(conic, gaussian.opacity, center),
    })
}

fn to_camera(camera: &Camera, mean: [f32; 3]) -> [f32; 3] {
    let [x, y, z] = mean;
    camera.world_to_camera.map(|row| fused(row[2], z, fused(row[1], y, row[0] * x)) + row[3])
}

/// `a * b + c` rounded once, as the GPU does it: which of two splats at nearly equal depth is in front depends on it.
///
/// The product is exact in f64; rounding the sum there first changes the result less than once in a hundred million.
fn fused(a: f32, b: f32, c: f32) -> f32 {
    (f64::from(a) * f64::from(b) + f64::from(c)) as f32
}

/// Projects the covariance through the affine approximation of the perspective at the centre (Zwicker et al. 2001).
///
/// The point of approximation is clamped to 1.3 × the field of view: outside it the approximation explodes.
fn picture_covariance(camera: &Camera, gaussian: &Gaussian, [x, y, z]: [f32; 3]) -> [f32; 3] {
    let (focal, principal, size) = (camera.focal_px, camera.principal_px, camera.size_px as f32);
    let margin = 0.3 * (0.5 * size / focal);
    let (limit_low, limit_high) = (-(principal / focal + margin), (size - principal) / focal + margin);
    let inverse_z = 1.0 / z;
    let clamped_x = z * (x * inverse_z).max(limit_low).min(limit_high);
    let clamped_y = z * (y * inverse_z).max(limit_low).min(limit_high);

    let scale = focal * inverse_z;
    let shear_x = -focal * clamped_x * inverse_z * inverse_z;
    let shear_y = -focal * clamped_y * inverse_z * inverse_z;

    // Rows of Jacobian × rotation, so that the covariance is transformed once, from world to picture.
    let [right, down, forward] = &camera.world_to_camera;
    let row_x: [f32; 3] = std::array::from_fn(|axis| scale * right[axis] + shear_x * forward[axis]);
    let row_y: [f32; 3] = std::array::from_fn(|axis| scale * down[axis] + shear_y * forward[axis]);
    let [cxx, cxy, cxz, cyy, cyz, czz] = gaussian.covariance;
    let times = |row: [f32; 3]| {
        [
            cxx * row[0] + cxy * row[1] + cxz * row[2],
            cxy * row[0] + cyy * row[1] + cyz * row[2],
            cxz * row[0] + cyz * row[1] + czz * row[2],
        ]
    };
    let dot = |a: [f32; 3], b: [f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let (half_x, half_y) = (times(row_x), times(row_y));
    [dot(row_x, half_x), dot(row_x, half_y), dot(row_y, half_y)]
}

fn touches_picture(center: [f32; 2], radius: [f32; 2], size: f32) -> bool {
    (0..2).all(|axis| center[axis] + radius[axis] > 0.0 && center[axis] - radius[axis] < size)
}

fn tiles(center: [f32; 2], radius: [f32; 2], size_px: u32) -> TileRect {
    let count = (size_px as usize).div_ceil(TILE_PX) as f32;
    let range = |axis: usize| {
        let (middle, half) = (center[axis] / TILE_PX as f32, radius[axis] / TILE_PX as f32);
        let first = (middle - half).floor().clamp(0.0, count);
        let end = (middle + half).ceil().clamp(0.0, count);
        (first as u16, end as u16)
    };
    TileRect { columns: range(0), rows: range(1) }
}

/// Bounds where `opacity * exp(-sigma)` can reach the floor, wide enough for the rounding of sigma in f32.
fn reach(conic: [f32; 3], opacity: f32, center: [f32; 2]) -> Reach {
    const EVERYWHERE: Reach = Reach { height: f32::MAX, slant: 0.0, width2: f32::MAX, shrink: 0.0 };
    const CENTER_PX_MAX: f32 = 1e5;
    let [xx, xy, yy] = conic.map(f64::from);
    let determinant = xx * yy - xy * xy;
    // A needle whose inverse covariance lost definiteness to rounding reaches along a whole line; at a far centre a
    // pixel is no longer large against the rounding of the distance to it.
    if determinant <= 0.0 || center.iter().any(|coordinate| coordinate.abs() > CENTER_PX_MAX) {
        return EVERYWHERE;
    }
    let sigma_max = f64::from(opacity / ALPHA_FLOOR).ln();
    // Sigma is a difference of terms as large as this; each carries a few roundings of 2^-24.
    let largest_term = (2.0 * sigma_max + 1.0) * xx * yy / determinant;
    let sigma_bound = sigma_max + 0.01 + 1e-6 * largest_term;
    Reach {
        height: (2.0 * sigma_bound * xx / determinant).sqrt() as f32 + SLACK_PX,
        slant: (-xy / xx) as f32,
        width2: (2.0 * sigma_bound / xx) as f32,
        shrink: (determinant / (xx * xx)) as f32,
    }
}
