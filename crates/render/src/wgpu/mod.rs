//! The renderer on a device with compute shaders: project, sort by depth, list by tile, blend.
//!
//! Splats are sorted by depth once for each view; the pairs of splats and tiles are written in that order and then
//! sorted, stably, by view and tile alone. That is the order of (view, tile, depth) keys for a third of the work.
//!
//! A call makes two submissions: the first projects, sorts and counts all views, and the second, once the memory for the
//! pairs is known to be within the budget, lists and blends them. What exceeds the largest binding of the device is
//! done in several batches of views. No kernel needs subgroups, or adds floats in an order that may vary.

mod device;
mod kernels;

use std::time::Instant;

use rayon::prelude::*;

use self::device::Gpu;
pub use self::device::{Adapters, NoDevice};
use self::kernels::{Batch, DEPTH_BITS, Drawing, Projection};
use crate::{
    camera::Camera,
    project::ALPHA_FLOOR,
    render::{RenderBudget, RenderError, check_budget},
    renderer::{CpuRenderer, Renderer, Views, common_size},
    scene::{Gaussian, Scene},
};

/// Numbers that a Gaussian is uploaded as.
const GAUSSIAN_FLOATS: usize = 14;
/// Most bytes that the projected splats of a group of views may take; the lists of tiles may take as many again.
const GROUP_BYTES_MAX: u64 = 2 << 30;

/// A [`Renderer`] on a graphics device, or on the processor by a software driver.
#[derive(Debug)]
pub struct WgpuRenderer {
    adapters: Adapters,
    name: String,
    /// None after a failure: the next call makes another one.
    gpu: Option<Gpu>,
}

impl WgpuRenderer {
    /// Takes the best device there is: discrete before integrated before all others.
    ///
    /// # Errors
    /// [`NoDevice`] if there is none, or it cannot be opened.
    pub fn new(adapters: Adapters) -> Result<Self, NoDevice> {
        let gpu = Gpu::open(adapters)?;
        Ok(Self { adapters, name: gpu.name.clone(), gpu: Some(gpu) })
    }

    /// Draws with a sound device, and gives it up if it fails.
    fn draw(
        &mut self,
        scene: &Scene,
        cameras: &[Camera],
        drawing: Drawing,
        budget: &RenderBudget,
    ) -> Result<[Vec<u32>; 2], RenderError> {
        for camera in cameras {
            check_budget(scene, camera, budget)?;
        }
        let gpu = match self.gpu.take() {
            Some(gpu) => gpu,
            None => Gpu::open(self.adapters).map_err(|error| RenderError::Device(error.to_string()))?,
        };
        let drawn = draw(&gpu, scene, cameras, drawing, budget);
        if drawn.as_ref().err().is_none_or(|error| !error.is_ours()) {
            self.gpu = Some(gpu);
        }
        drawn
    }
}

impl Renderer for WgpuRenderer {
    fn views(
        &mut self,
        scene: &Scene,
        cameras: &[Camera],
        background: [f32; 3],
        budget: &RenderBudget,
    ) -> Result<Views, RenderError> {
        if scene.gaussians.is_empty() || cameras.is_empty() {
            return CpuRenderer.views(scene, cameras, background, budget);
        }
        let size_px = common_size(cameras);
        let [pixels, coverage] = self.draw(scene, cameras, Drawing::Pictures(background), budget)?;
        let mut rgb = vec![0; 3 * pixels.len()];
        rgb.par_chunks_exact_mut(3).zip(&pixels).for_each(|(rgb, pixel)| {
            rgb.copy_from_slice(&pixel.to_le_bytes()[..3]);
        });
        let coverage = coverage.into_par_iter().map(f32::from_bits).collect();
        Ok(Views { size_px, pixels: rgb, coverage, background })
    }

    fn depths(
        &mut self,
        scene: &Scene,
        cameras: &[Camera],
        budget: &RenderBudget,
    ) -> Result<Vec<f32>, RenderError> {
        if scene.gaussians.is_empty() || cameras.is_empty() {
            return CpuRenderer.depths(scene, cameras, budget);
        }
        common_size(cameras);
        let [_, depths] = self.draw(scene, cameras, Drawing::Depths, budget)?;
        Ok(depths.into_par_iter().map(f32::from_bits).collect())
    }

    fn device(&self) -> String {
        self.name.clone()
    }
}

/// Draws all views, in groups whose projected splats fit into one binding.
fn draw(
    gpu: &Gpu,
    scene: &Scene,
    cameras: &[Camera],
    drawing: Drawing,
    budget: &RenderBudget,
) -> Result<[Vec<u32>; 2], RenderError> {
    let deadline = Deadline { at: Instant::now() + budget.time_max, budget };
    let splats = scene.gaussians.len() as u64;
    let gaussian_bytes = splats * GAUSSIAN_FLOATS as u64 * 4;
    if gaussian_bytes > gpu.binding_bytes_max || splats * kernels::PROJECTED_BYTES > gpu.binding_bytes_max {
        let message = format!("{splats} splats do not fit into a binding of {} bytes", gpu.binding_bytes_max);
        return Err(RenderError::Device(message));
    }
    let gaussians = gpu.upload("gaussians", &packed(&scene.gaussians));
    let fitting = gpu.binding_bytes_max.min(GROUP_BYTES_MAX) / (splats * kernels::PROJECTED_BYTES);
    let group = usize::try_from(fitting).unwrap_or(usize::MAX).clamp(1, cameras.len());
    let mut drawn = [Vec::new(), Vec::new()];
    for cameras in cameras.chunks(group) {
        let projection = Projection::run(gpu, &gaussians, splats, cameras, &deadline)?;
        for &found in &projection.pairs {
            if u64::from(found) > budget.tile_pairs_max {
                return Err(RenderError::TooManyTilePairs {
                    found: found.into(),
                    maximum: budget.tile_pairs_max,
                });
            }
        }
        let pairs_max = gpu.binding_bytes_max.min(GROUP_BYTES_MAX / 4) / 4;
        let pictures = projection.pictures(gpu, drawing);
        for batch in Batch::of(&projection.pairs, pairs_max) {
            projection.blend(gpu, &batch, &pictures, &deadline)?;
        }
        for (all, part) in drawn.iter_mut().zip(pictures.read(gpu, &deadline)?) {
            all.extend(part);
        }
    }
    Ok(drawn)
}

/// When a call has to be done.
#[derive(Debug)]
struct Deadline<'a> {
    at: Instant,
    budget: &'a RenderBudget,
}

impl Deadline<'_> {
    fn missed(&self) -> RenderError {
        RenderError::TooLong { maximum: self.budget.time_max }
    }
}

/// The Gaussians as the kernels read them: mean, covariance, opacity, colour, ln(255 opacity).
fn packed(gaussians: &[Gaussian]) -> Vec<u8> {
    let mut bytes = vec![0; gaussians.len() * GAUSSIAN_FLOATS * 4];
    bytes.par_chunks_exact_mut(GAUSSIAN_FLOATS * 4).zip(gaussians).for_each(|(bytes, gaussian)| {
        let Gaussian { mean: [x, y, z], covariance: [xx, xy, xz, yy, yz, zz], opacity, color: [r, g, b] } =
            *gaussian;
        let log_opacity = (opacity / ALPHA_FLOOR).ln();
        let numbers = [x, y, z, xx, xy, xz, yy, yz, zz, opacity, r, g, b, log_opacity];
        for (place, number) in bytes.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_le_bytes());
        }
    });
    bytes
}

/// A camera as the kernels read it: three rows, the lens, and the key of what is hidden.
fn camera_floats(camera: &Camera) -> [f32; 20] {
    let [right, down, forward] = camera.world_to_camera;
    #[expect(clippy::cast_precision_loss, reason = "pictures are some thousand pixels wide")]
    let lens = [camera.focal_px, camera.principal_px, camera.size_px as f32, camera.near];
    let hidden = f32::from_bits((1 << DEPTH_BITS) - 1);
    let rest = [camera.far, hidden, 0.0, 0.0];
    let mut floats = [0.0; 20];
    for (place, number) in floats.iter_mut().zip([right, down, forward, lens, rest].into_iter().flatten()) {
        *place = number;
    }
    floats
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{render::WHITE, scene::normalise};
    use sn17_splat::procedural::{Quality, object};

    /// A renderer on a device with those of the features that it has; where there is none, a line says so.
    fn renderer(features: ::wgpu::Features) -> Option<WgpuRenderer> {
        let adapters = Adapters::Any;
        match Gpu::open_with(adapters, features) {
            Ok(gpu) => Some(WgpuRenderer { adapters, name: gpu.name.clone(), gpu: Some(gpu) }),
            Err(error) => {
                assert!(std::env::var_os("SN17_EXPECT_VULKAN").is_none(), "{error}");
                eprintln!("skipped: {error}");
                None
            }
        }
    }

    /// Draws with a device whose bindings hold so many projected splats.
    fn with_bindings_of(splats: u64) -> Option<Result<Views, RenderError>> {
        let mut renderer = renderer(::wgpu::Features::SHADER_F64)?;
        if let Some(gpu) = &mut renderer.gpu {
            gpu.binding_bytes_max = splats * kernels::PROJECTED_BYTES;
        }
        let scene = normalise(&object("a red robot", Quality::Intact, 1), 1.5).unwrap();
        let cameras = [0.0, 90.0, 180.0].map(|azimuth| Camera::orbit(azimuth, -15.0, 2.5, 40));
        Some(renderer.views(&scene, &cameras, WHITE, &RenderBudget::default()))
    }

    #[test]
    fn views_that_do_not_fit_into_one_binding_are_drawn_in_groups() {
        let count = object("a red robot", Quality::Intact, 1).len() as u64;
        let Some(together) = with_bindings_of(100 * count) else { return };
        let together = together.unwrap();
        for of_room in [3 * count, 2 * count, 2 * count - 1] {
            let apart = with_bindings_of(of_room).unwrap().unwrap();
            assert!(apart == together, "room for {of_room} splats");
        }
        let refused = with_bindings_of(count - 1).unwrap();
        assert!(matches!(refused, Err(RenderError::Device(_))), "{:?}", refused.err());
    }
    /// Splats for every branch of the reach in f32: round ones, needles beyond its bound, and centres beyond the farthest.
    #[test]
    fn devices_without_f64_draw_what_the_reference_draws() {
        let Some(mut renderer) = renderer(::wgpu::Features::empty()) else { return };
        let intact = normalise(&object("a red robot", Quality::Intact, 1), 1.5).unwrap();
        let fan = |thin: f32, away: f32| {
            let needle = |number: u16| {
                let turn = f32::from(number) * 0.1;
                let place = [away + 0.5 * turn.sin(), 0.3 * turn.cos(), 0.2 * (3.0 * turn).sin()];
                let rotation = [turn.cos(), 0.3, turn.sin(), 0.2];
                Gaussian::new(place, [0.6, thin, thin], rotation, 0.5, [0.9, 0.2, 0.4])
            };
            Scene { gaussians: (0..60).map(needle).collect() }
        };
        let scenes = [
            ("object", intact),
            ("blades", fan(0.1, 0.0)),
            ("needles", fan(1e-4, 0.0)),
            ("far", fan(0.1, 40.0)),
        ];
        for (what, scene) in scenes {
            let cameras = [0.0, 75.0, 200.0].map(|azimuth| Camera::orbit(azimuth, -15.0, 2.5, 97));
            let on_cpu = CpuRenderer.views(&scene, &cameras, WHITE, &RenderBudget::default()).unwrap();
            let on_device = renderer.views(&scene, &cameras, WHITE, &RenderBudget::default()).unwrap();
            let differences = on_cpu.pixels.iter().zip(&on_device.pixels).map(|(a, b)| a.abs_diff(*b));
            let squares: f64 = differences.map(|difference| f64::from(difference).powi(2)).sum();
            let db = 10.0 * (255.0_f64.powi(2) * on_cpu.pixels.len() as f64 / squares).log10();
            eprintln!("{what}: {db:.1} dB");
            assert!(db >= 70.0, "{what}: {db:.1} dB");
        }
    }
}
