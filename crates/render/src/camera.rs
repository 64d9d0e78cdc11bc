//! Orbit cameras, as the original validator places them.

/// Width and height, in pixels, of the views that are scored.
pub const JUDGE_SIZE_PX: u32 = 518;

/// Index, among [`judge_views`], of the view shown to people (azimuth 24°).
pub const FRONT_VIEW: usize = 1;

const JUDGE_ELEVATION_DEG: f32 = -15.0;
const JUDGE_RADIUS: f32 = 2.5;
const FOV_VERTICAL_DEG: f64 = 49.1;
const NEAR: f32 = 0.01;
const FAR: f32 = 100.0;

/// A pinhole camera with `OpenCV` axes: x to the right, y down, z into the scene.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// Rows of the rigid transform from world to camera coordinates; the last column is the translation.
    pub world_to_camera: [[f32; 4]; 3],
    /// Focal length in pixels, the same for both axes.
    pub focal_px: f32,
    /// Principal point in pixels: half the size, rounded down.
    pub principal_px: f32,
    /// Width and height of the picture in pixels.
    pub size_px: u32,
    /// Splats whose centre is nearer than this are not drawn.
    pub near: f32,
    /// Splats whose centre is farther than this are not drawn.
    pub far: f32,
}

impl Camera {
    /// Places a camera on a sphere around the origin, looking at the origin with +Y up.
    ///
    /// The azimuth turns from +Z towards +X. A **negative** elevation lifts the camera above the object: this is the
    /// sign convention of the original validator.
    pub fn orbit(azimuth_deg: f32, elevation_deg: f32, radius: f32, size_px: u32) -> Self {
        // 0° and 360° must give the same camera to the last bit, which sin(2π) would not.
        let azimuth = f64::from(azimuth_deg.rem_euclid(360.0)).to_radians();
        let elevation = f64::from(elevation_deg).to_radians();
        let (sin_a, cos_a) = azimuth.sin_cos();
        let (sin_e, cos_e) = elevation.sin_cos();

        let right = [cos_a, 0.0, -sin_a];
        let backward = [cos_e * sin_a, -sin_e, cos_e * cos_a];
        let up = cross(backward, right);

        Self {
            world_to_camera: [row(right, 1.0, 0.0), row(up, -1.0, 0.0), row(backward, -1.0, radius)],
            focal_px: narrow(f64::from(size_px) / (2.0 * (FOV_VERTICAL_DEG.to_radians() / 2.0).tan())),
            principal_px: narrow(f64::from(size_px / 2)),
            size_px,
            near: NEAR,
            far: FAR,
        }
    }
}

/// Returns the sixteen views that are scored: azimuths from 0° to 360°, **both** included, seen from 15° above.
///
/// The first and the last view are therefore identical, as in the original.
pub fn judge_views() -> [Camera; 16] {
    const STEP_DEG: f32 = 360.0 / 15.0;
    let mut azimuth_deg = -STEP_DEG;
    [(); 16].map(|()| {
        azimuth_deg += STEP_DEG;
        Camera::orbit(azimuth_deg, JUDGE_ELEVATION_DEG, JUDGE_RADIUS, JUDGE_SIZE_PX)
    })
}

fn row(axis: [f64; 3], sign: f64, translation: f32) -> [f32; 4] {
    let [x, y, z] = axis.map(|value| narrow(sign * value));
    [x, y, z, translation]
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is the purpose")]
fn narrow(value: f64) -> f32 {
    value as f32
}
