//! Scenes that punish each shortcut a renderer can take, against the f64 reference.

use sn17_render::{Camera, Frame, RenderBudget, WHITE, render};

use crate::reference::{Blob, draw, scene};

const SIZE: u32 = 100;

/// A small generator (a 64-bit linear congruence, Knuth's constants), enough to scatter splats.
pub(crate) struct Scatter(pub(crate) u64);

impl Scatter {
    pub(crate) fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / 16_777_216.0
    }

    fn signed(&mut self) -> f32 {
        2.0 * self.unit() - 1.0
    }

    pub(crate) fn blob(&mut self, spread: f32, size: f32) -> Blob {
        Blob {
            mean: [(); 3].map(|()| spread * self.signed()),
            scale: [(); 3].map(|()| size * (0.2 + self.unit())),
            rotation: [(); 4].map(|()| self.signed()),
            opacity: self.unit(),
            color: [(); 3].map(|()| self.unit()),
        }
    }
}

fn camera() -> Camera {
    Camera::orbit(24.0, -15.0, 2.5, SIZE)
}

fn frame_of(blobs: &[Blob]) -> Frame {
    render(&scene(blobs), &camera(), WHITE, &RenderBudget::default()).unwrap()
}

/// Renders both ways; at most one value in a thousand may differ, none by more than `largest`.
fn check(blobs: &[Blob], largest: u8) -> Frame {
    check_share(blobs, largest, 1)
}

/// Renders both ways; at most `per_mille` of the values may differ, none by more than `largest`.
fn check_share(blobs: &[Blob], largest: u8, per_mille: usize) -> Frame {
    let found = frame_of(blobs);
    let expected = draw(blobs, &camera(), 1.0);
    let distances = || found.pixels.iter().zip(&expected.pixels).map(|(a, b)| a.abs_diff(*b));
    let differing = distances().filter(|&distance| distance > 0).count();
    assert!(distances().max().unwrap() <= largest, "largest difference {:?}", distances().max());
    assert!(
        differing * 1_000 <= found.pixels.len() * per_mille,
        "{differing} of {} values differ",
        found.pixels.len()
    );
    found
}

fn is_white(frame: &Frame) -> bool {
    frame.pixels.iter().all(|&value| value == 255)
}

const ROUND: Blob = Blob {
    mean: [0.0; 3],
    scale: [0.1; 3],
    rotation: [1.0, 0.0, 0.0, 0.0],
    opacity: 0.8,
    color: [0.2, 0.5, 0.9],
};

#[test]
fn scattered_splats() {
    let mut scatter = Scatter(1);
    let blobs: Vec<Blob> = (0..400).map(|_| scatter.blob(0.8, 0.08)).collect();
    check(&blobs, 1);
}

#[test]
fn one_splat_over_everything() {
    for scale in [1.0, 10.0, 1_000.0] {
        let frame = check(&[Blob { scale: [scale; 3], opacity: 1.0, ..ROUND }], 1);
        assert!(!is_white(&frame), "scale {scale}");
    }
}

#[test]
fn all_behind_the_camera() {
    let camera_row = camera().world_to_camera[2];
    let behind = [0, 1, 2].map(|axis| -camera_row[axis] * 3.0);
    assert!(is_white(&check(&[Blob { mean: behind, scale: [5.0; 3], ..ROUND }], 0)), "nothing in front");
}

#[test]
fn near_and_far_planes_cut_by_the_centre() {
    let forward = camera().world_to_camera[2];
    for (depth, visible) in [(0.009, false), (0.011, true), (99.9, true), (100.1, false)] {
        let mean = [0, 1, 2].map(|axis| forward[axis] * (depth - 2.5));
        let frame = check(&[Blob { mean, scale: [depth * 0.1; 3], ..ROUND }], 1);
        assert_eq!(!is_white(&frame), visible, "depth {depth}");
    }
}

#[test]
fn extreme_anisotropy() {
    let mut scatter = Scatter(2);
    let needles: Vec<Blob> =
        (0..60).map(|_| Blob { scale: [1.5, 1e-5, 1e-5], ..scatter.blob(0.4, 0.1) }).collect();
    // A determinant of nearly cancelling products has lost three of its seven digits in f32.
    check_share(&needles, 1, 5);
    let discs: Vec<Blob> =
        (0..60).map(|_| Blob { scale: [0.6, 0.6, 0.0], ..scatter.blob(0.4, 0.1) }).collect();
    check(&discs, 1);
}

#[test]
fn opacity_at_the_floor() {
    let floor = 1.0 / 255.0_f32;
    let at = |opacity: f32| Blob { opacity, scale: [0.5; 3], color: [0.0; 3], ..ROUND };
    assert!(is_white(&check(&[at(floor.next_down())], 0)), "below the floor");
    assert!(is_white(&check(&[at(floor)], 0)), "a radius of nothing at the floor itself");
    assert!(!is_white(&check(&[at(0.0045); 8], 1)), "above the floor");
}

#[test]
fn deep_overlap_stops_before_the_last_splat() {
    let layers = |count: u16, opacity: f32| -> Vec<Blob> {
        (0..count)
            .map(|layer| {
                let depth = f32::from(layer) / f32::from(count);
                let forward = camera().world_to_camera[2];
                let mean = [0, 1, 2].map(|axis| forward[axis] * (depth - 0.5));
                let shade = if layer % 2 == 0 { 0.1 } else { 0.9 };
                Blob { mean, scale: [0.4; 3], opacity, color: [shade, 1.0 - shade, 0.5], ..ROUND }
            })
            .collect()
    };
    check(&layers(200, 0.3), 1);
    check(&layers(40, 0.9), 1);
    // Two opaque layers leave 1e-6 of the light: the second must not be drawn.
    check(&layers(2, 1.0), 1);
    check(&layers(1_500, 0.02), 1);
}

#[test]
fn equal_depths_keep_the_order_of_the_file() {
    let first = Blob { opacity: 0.9, color: [1.0, 0.0, 0.0], ..ROUND };
    let second = Blob { opacity: 0.9, color: [0.0, 0.0, 1.0], ..ROUND };
    let center = |blobs: &[Blob]| {
        let frame = check(blobs, 1);
        let at = (SIZE as usize / 2 * SIZE as usize + SIZE as usize / 2) * 3;
        [frame.pixels[at], frame.pixels[at + 2]]
    };
    let [red, blue] = center(&[first, second]);
    assert!(red > 200 && blue < 60, "{red}, {blue}");
    let [red, blue] = center(&[second, first]);
    assert!(red < 60 && blue > 200, "{red}, {blue}");
}

#[test]
fn far_outliers_and_clamped_jacobians() {
    let mut scatter = Scatter(3);
    let mut blobs: Vec<Blob> = (0..100).map(|_| scatter.blob(0.5, 0.05)).collect();
    for _ in 0..60 {
        // Wide of the picture and large, so that they reach into it.
        blobs.push(scatter.blob(6.0, 2.0));
    }
    check(&blobs, 1);
    for far in [1e4, 1e12, 1e30, f32::MAX] {
        blobs.push(Blob { mean: [far, -far, far], scale: [far; 3], ..ROUND });
    }
    frame_of(&blobs);
}

#[test]
fn values_that_are_not_numbers_are_not_drawn() {
    for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let blobs = [
            Blob { mean: [poison, 0.0, 0.0], ..ROUND },
            Blob { scale: [poison, 0.1, 0.1], ..ROUND },
            Blob { rotation: [poison, 0.0, 0.0, 0.0], ..ROUND },
            Blob { color: [poison, 0.0, 0.0], ..ROUND },
        ];
        for (number, blob) in blobs.iter().enumerate() {
            assert!(is_white(&frame_of(&[*blob])), "{poison} in {number}");
        }
    }
    assert!(is_white(&frame_of(&[Blob { opacity: f32::NAN, ..ROUND }])), "opacity");
    assert!(is_white(&frame_of(&[Blob { rotation: [0.0; 4], ..ROUND }])), "a quaternion without direction");
}

#[test]
fn backgrounds_show_through() {
    let frame = render(&scene(&[]), &camera(), [1.0, 0.5, 0.0], &RenderBudget::default()).unwrap();
    assert_eq!(&frame.pixels[..3], [255, 127, 0], "truncated, not rounded");
}
