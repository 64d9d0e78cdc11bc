//! What draws views: the processor, or a device with compute shaders.

use std::fmt;
use std::time::{Duration, Instant};

use crate::{
    camera::Camera,
    frame::Frame,
    render::{RenderBudget, RenderError, View, render_view, surface_depths},
    scene::Scene,
};

/// Draws a scene from several cameras at once.
///
/// Every implementation follows the same rules to the constant; two of them may differ in the last bits of f32 sums,
/// one gives the same bits on every run.
///
/// All cameras of a call have the same `size_px`; a call with others, or with none, may panic.
pub trait Renderer: fmt::Debug + Send {
    /// Draws the scene from every camera over a background colour (each channel 0 to 1).
    ///
    /// # Errors
    /// [`RenderError`] if the budget does not allow one of the views, or the device fails.
    fn views(
        &mut self,
        scene: &Scene,
        cameras: &[Camera],
        background: [f32; 3],
        budget: &RenderBudget,
    ) -> Result<Views, RenderError>;

    /// Finds for each pixel of each camera's picture, `[cameras, size_px, size_px]`, how far along the view direction the
    /// object's surface is: the depth of the splat that leaves less than half of the light from behind. Infinite where
    /// more than half of the background is seen.
    ///
    /// # Errors
    /// [`RenderError`] if the budget does not allow one of the views, or the device fails.
    fn depths(
        &mut self,
        scene: &Scene,
        cameras: &[Camera],
        budget: &RenderBudget,
    ) -> Result<Vec<f32>, RenderError>;

    /// What draws, for people: a device's name and driver, or the number of threads.
    fn device(&self) -> String;
}

/// Views of one object, in the one buffer that models take.
#[derive(Clone, Debug, PartialEq)]
pub struct Views {
    /// Width and height of each view in pixels.
    pub size_px: u32,
    /// 8-bit RGB, `[views, size_px, size_px, 3]`.
    pub pixels: Vec<u8>,
    /// For each pixel, `[views, size_px, size_px]`, the share of the background's light that the object holds back,
    /// 0 to 1.
    pub coverage: Vec<f32>,
    /// The background's colour, each channel 0 to 1.
    pub background: [f32; 3],
}

impl Views {
    /// Number of views.
    pub fn len(&self) -> usize {
        self.coverage.len() / self.pixels_each()
    }

    /// Whether there are no views.
    pub fn is_empty(&self) -> bool {
        self.coverage.is_empty()
    }

    /// A copy of the picture of one view.
    ///
    /// # Panics
    /// When there is no such view.
    pub fn frame(&self, number: usize) -> Frame {
        let bytes = 3 * self.pixels_each();
        let pixels = self.pixels[number * bytes..(number + 1) * bytes].to_vec();
        Frame { width: self.size_px, height: self.size_px, pixels }
    }

    /// A copy of one view.
    ///
    /// # Panics
    /// When there is no such view.
    pub fn view(&self, number: usize) -> View {
        let each = self.pixels_each();
        let coverage = self.coverage[number * each..(number + 1) * each].to_vec();
        View { frame: self.frame(number), coverage, background: self.background }
    }

    /// Copies of the pictures of all views.
    pub fn frames(&self) -> Vec<Frame> {
        (0..self.len()).map(|number| self.frame(number)).collect()
    }

    fn pixels_each(&self) -> usize {
        (self.size_px as usize * self.size_px as usize).max(1)
    }
}

/// The reference: f32 arithmetic on every core, one view after the other, so that memory does not grow with their number.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuRenderer;

impl Renderer for CpuRenderer {
    fn views(
        &mut self,
        scene: &Scene,
        cameras: &[Camera],
        background: [f32; 3],
        budget: &RenderBudget,
    ) -> Result<Views, RenderError> {
        let size_px = common_size(cameras);
        let mut views = Views { size_px, pixels: Vec::new(), coverage: Vec::new(), background };
        let hurry = Hurry::new(budget);
        for camera in cameras {
            hurry.check()?;
            let view = render_view(scene, camera, background, budget)?;
            views.pixels.extend(view.frame.pixels);
            views.coverage.extend(view.coverage);
        }
        Ok(views)
    }

    fn depths(
        &mut self,
        scene: &Scene,
        cameras: &[Camera],
        budget: &RenderBudget,
    ) -> Result<Vec<f32>, RenderError> {
        let mut depths = Vec::new();
        let hurry = Hurry::new(budget);
        for camera in cameras {
            hurry.check()?;
            depths.extend(surface_depths(scene, camera, budget)?);
        }
        Ok(depths)
    }

    fn device(&self) -> String {
        format!("CPU, {} threads", rayon::current_num_threads())
    }
}

/// The time that a call has. It is looked at before each view, whose own cost is bounded by the pairs that it may have.
struct Hurry {
    begun: Instant,
    maximum: Duration,
}

impl Hurry {
    fn new(budget: &RenderBudget) -> Self {
        Self { begun: Instant::now(), maximum: budget.time_max }
    }

    fn check(&self) -> Result<(), RenderError> {
        if self.begun.elapsed() >= self.maximum {
            return Err(RenderError::TooLong { maximum: self.maximum });
        }
        Ok(())
    }
}

/// The size that all cameras have.
pub(crate) fn common_size(cameras: &[Camera]) -> u32 {
    let size_px = cameras.first().map_or(0, |camera| camera.size_px);
    assert!(cameras.iter().all(|camera| camera.size_px == size_px), "the views have different sizes");
    size_px
}
