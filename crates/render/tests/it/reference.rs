//! A straightforward renderer in f64: no tiles' lists, no bounds, every pixel looks at every splat.
//!
//! It is written from the definition of the rasteriser and shares no code with the crate.

use sn17_render::{Camera, Frame, Gaussian, Scene};

/// One Gaussian as the tests describe it.
#[derive(Clone, Copy)]
pub(crate) struct Blob {
    pub(crate) mean: [f32; 3],
    pub(crate) scale: [f32; 3],
    pub(crate) rotation: [f32; 4],
    pub(crate) opacity: f32,
    pub(crate) color: [f32; 3],
}

pub(crate) fn scene(blobs: &[Blob]) -> Scene {
    let gaussians =
        blobs.iter().map(|b| Gaussian::new(b.mean, b.scale, b.rotation, b.opacity, b.color)).collect();
    Scene { gaussians }
}

struct Footprint {
    center: [f64; 2],
    radius: [f64; 2],
    conic: [f64; 3],
    opacity: f64,
    color: [f64; 3],
    depth: f64,
}

pub(crate) fn draw(blobs: &[Blob], camera: &Camera, background: f64) -> Frame {
    let mut footprints: Vec<Footprint> = blobs.iter().filter_map(|blob| footprint(blob, camera)).collect();
    footprints.sort_by(|a, b| a.depth.total_cmp(&b.depth));
    let mut frame = Frame::black(camera.size_px, camera.size_px);
    let size = camera.size_px as usize;
    for y in 0..size {
        for x in 0..size {
            let color = pixel(&footprints, x, y, background);
            for channel in 0..3 {
                frame.pixels[(y * size + x) * 3 + channel] = (color[channel].clamp(0.0, 1.0) * 255.0) as u8;
            }
        }
    }
    frame
}

fn pixel(footprints: &[Footprint], x: usize, y: usize, background: f64) -> [f64; 3] {
    let mut light = 1.0;
    let mut color = [0.0; 3];
    for splat in footprints {
        // A splat is drawn in the whole of every 16×16 tile that its bounding box touches.
        let touched = |pixel: usize, center: f64, radius: f64| {
            let tile = (pixel / 16 * 16) as f64;
            tile < ((center + radius) / 16.0).ceil() * 16.0
                && tile >= ((center - radius) / 16.0).floor() * 16.0
        };
        if !touched(x, splat.center[0], splat.radius[0]) || !touched(y, splat.center[1], splat.radius[1]) {
            continue;
        }
        let dx = splat.center[0] - (x as f64 + 0.5);
        let dy = splat.center[1] - (y as f64 + 0.5);
        let [xx, xy, yy] = splat.conic;
        let sigma = 0.5 * (xx * dx * dx + yy * dy * dy) + xy * dx * dy;
        let alpha = (splat.opacity * (-sigma).exp()).min(0.999);
        if sigma < 0.0 || alpha < 1.0 / 255.0 {
            continue;
        }
        if light * (1.0 - alpha) <= 1e-4 {
            break;
        }
        for channel in 0..3 {
            color[channel] += splat.color[channel] * alpha * light;
        }
        light *= 1.0 - alpha;
    }
    color.map(|channel| channel + light * background)
}

fn footprint(blob: &Blob, camera: &Camera) -> Option<Footprint> {
    let rotation: [[f64; 3]; 3] =
        [0, 1, 2].map(|r| [0, 1, 2].map(|c| f64::from(camera.world_to_camera[r][c])));
    let mean = blob.mean.map(f64::from);
    let [x, y, z] = [0, 1, 2].map(|r| {
        (0..3).map(|c| rotation[r][c] * mean[c]).sum::<f64>() + f64::from(camera.world_to_camera[r][3])
    });
    let opacity = f64::from(blob.opacity);
    if !(0.01..=100.0).contains(&z) || blob.opacity < 1.0_f32 / 255.0 {
        return None;
    }
    let focal = f64::from(camera.focal_px);
    let principal = f64::from(camera.principal_px);
    let size = f64::from(camera.size_px);
    let margin = 0.3 * 0.5 * size / focal;
    let limit =
        |slope: f64| slope.max(-(principal / focal + margin)).min((size - principal) / focal + margin);
    let (tx, ty) = (z * limit(x / z), z * limit(y / z));
    let jacobian = [[focal / z, 0.0, -focal * tx / (z * z)], [0.0, focal / z, -focal * ty / (z * z)]];

    let covariance = multiply(&rotation, &multiply(&covariance(blob), &transpose(&rotation)));
    let entry = |a: usize, b: usize| {
        let mut sum = 0.0;
        for (i, row) in covariance.iter().enumerate() {
            for (j, value) in row.iter().enumerate() {
                sum += jacobian[a][i] * value * jacobian[b][j];
            }
        }
        sum
    };
    let (xx, xy, yy) = (entry(0, 0) + 0.3, entry(0, 1), entry(1, 1) + 0.3);
    let determinant = xx * yy - xy * xy;
    let sigmas = 3.33_f64.min((2.0 * (opacity * 255.0).ln()).max(0.0).sqrt());
    let radius = [(sigmas * xx.sqrt()).ceil(), (sigmas * yy.sqrt()).ceil()];
    let center = [focal * x / z + principal, focal * y / z + principal];
    let outside =
        (0..2).any(|axis| center[axis] + radius[axis] <= 0.0 || center[axis] - radius[axis] >= size);
    if determinant <= 0.0 || radius == [0.0, 0.0] || outside {
        return None;
    }
    Some(Footprint {
        center,
        radius,
        conic: [yy / determinant, -xy / determinant, xx / determinant],
        opacity,
        color: blob.color.map(f64::from),
        depth: z,
    })
}

fn covariance(blob: &Blob) -> [[f64; 3]; 3] {
    let norm = blob.rotation.iter().map(|&part| f64::from(part).powi(2)).sum::<f64>().sqrt();
    let [w, x, y, z] = blob.rotation.map(|part| f64::from(part) / norm);
    let turn = [
        [w * w + x * x - y * y - z * z, 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
        [2.0 * (x * y + w * z), w * w - x * x + y * y - z * z, 2.0 * (y * z - w * x)],
        [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), w * w - x * x - y * y + z * z],
    ];
    let mut squares = [[0.0; 3]; 3];
    for axis in 0..3 {
        squares[axis][axis] = f64::from(blob.scale[axis]).powi(2);
    }
    multiply(&turn, &multiply(&squares, &transpose(&turn)))
}

fn multiply(a: &[[f64; 3]; 3], b: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    [0, 1, 2].map(|row| [0, 1, 2].map(|column| (0..3).map(|k| a[row][k] * b[k][column]).sum()))
}

fn transpose(a: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    [0, 1, 2].map(|row| [0, 1, 2].map(|column| a[column][row]))
}
