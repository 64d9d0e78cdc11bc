//! Objects made from numbers, rendered like submissions.

use sn17_render::{Gaussian, RenderBudget, Scene, judge_views, render_views};

/// Red, green and blue, 0 to 1.
pub(crate) type Color = [f32; 3];

pub(crate) const RED: Color = [0.85, 0.12, 0.1];
pub(crate) const BLUE: Color = [0.12, 0.2, 0.8];

/// The 16 views of a scene.
pub(crate) fn views(scene: &Scene) -> Vec<Vec<u8>> {
    let frames = render_views(scene, &judge_views(), &RenderBudget::default()).unwrap();
    frames.into_iter().map(|frame| frame.pixels).collect()
}

/// Sixteen empty views.
pub(crate) fn blank() -> Vec<Vec<u8>> {
    vec![vec![255; 518 * 518 * 3]; 16]
}

/// Sixteen views of which no pixel has to do with another.
pub(crate) fn static_noise() -> Vec<Vec<u8>> {
    let mut random = Random(7);
    let mut view = || (0..518 * 518 * 3).map(|_| random.next_bits().to_be_bytes()[0]).collect();
    (0..16).map(|_| view()).collect()
}

/// An intact object: a shaded body with a head on one side, so that it looks different from every side.
pub(crate) fn figure(color: Color) -> Scene {
    let mut gaussians = ball([0.0, -0.1, 0.0], 0.45, 6000, color);
    gaussians.extend(ball([0.0, 0.42, 0.2], 0.22, 2000, color));
    gaussians.extend(ball([0.4, -0.2, 0.25], 0.14, 1000, color.map(|part| part * 0.5)));
    Scene { gaussians }
}

/// What a broken generator hands in: specks of any colour anywhere.
pub(crate) fn specks(count: usize, scale: f32) -> Scene {
    let mut random = Random(11);
    let speck = |_| {
        let mean = [(); 3].map(|()| random.unit() * 1.5 - 0.75);
        let color = [(); 3].map(|()| random.unit());
        Gaussian::new(mean, [scale; 3], [1.0, 0.0, 0.0, 0.0], 0.9, color)
    };
    Scene { gaussians: (0..count).map(speck).collect() }
}

/// Points spread evenly over a sphere (the golden-angle spiral), shaded by a light from the upper front.
fn ball(center: [f32; 3], radius: f32, count: u16, color: Color) -> Vec<Gaussian> {
    let golden_angle = 2.399_963_2;
    let point = |index: u16| {
        let height = 1.0 - 2.0 * (f32::from(index) + 0.5) / f32::from(count);
        let ring = (1.0 - height * height).sqrt();
        let angle = golden_angle * f32::from(index);
        let normal = [ring * angle.cos(), height, ring * angle.sin()];
        let light = (0.3 * normal[0] + 0.8 * normal[1] + 0.5 * normal[2]).max(0.0);
        let shade = 0.45 + 0.55 * light;
        let mean = [0, 1, 2].map(|axis| center[axis] + radius * normal[axis]);
        let scale = 2.0 * radius / f32::from(count).sqrt();
        Gaussian::new(mean, [scale; 3], [1.0, 0.0, 0.0, 0.0], 0.95, color.map(|part| part * shade))
    };
    (0..count).map(point).collect()
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn next_bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        u32::try_from((bits ^ bits >> 31) >> 32).unwrap()
    }

    /// Uniform in 0..1.
    fn unit(&mut self) -> f32 {
        f32::from(self.next_bits().to_be_bytes()[0]) / 256.0
    }
}
