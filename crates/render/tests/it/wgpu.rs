//! The renderer on a device against the reference on the processor.

use sn17_render::{
    Adapters, BBOX_DEFAULT, Camera, CpuRenderer, Gaussian, RenderBudget, RenderError, Renderer, Scene, Views,
    WHITE, WgpuRenderer, judge_views, normalise,
};
use sn17_splat::procedural::{Quality, object};

use crate::fixtures;

/// A renderer on any device there is; where there is none, a line says so.
fn renderer() -> Option<WgpuRenderer> {
    match WgpuRenderer::new(Adapters::Any) {
        Ok(renderer) => Some(renderer),
        Err(error) => {
            assert!(std::env::var_os("SN17_EXPECT_VULKAN").is_none(), "{error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// Peak signal-to-noise ratio in dB; infinite for equal pictures.
fn psnr_db(a: &Views, b: &Views) -> f64 {
    assert_eq!((a.size_px, a.pixels.len()), (b.size_px, b.pixels.len()), "sizes");
    let squares = a.pixels.iter().zip(&b.pixels).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2));
    10.0 * (255.0_f64.powi(2) * a.pixels.len() as f64 / squares.sum::<f64>()).log10()
}

fn cameras(size_px: u32) -> Vec<Camera> {
    [0.0, 75.0, 200.0].map(|azimuth| Camera::orbit(azimuth, -15.0, 2.5, size_px)).to_vec()
}

/// Numbers from 0 to 1, always the same (splitmix64).
fn numbers(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) >> 40) as f32 / (1 << 24) as f32
    }
}

fn cloud(seed: u64, count: usize, mut splat: impl FnMut(&mut dyn FnMut() -> f32) -> Gaussian) -> Scene {
    let mut next = numbers(seed);
    Scene { gaussians: (0..count).map(|_| splat(&mut next)).collect() }
}

fn anywhere(next: &mut dyn FnMut() -> f32, reach: f32) -> [f32; 3] {
    [(); 3].map(|()| (next() * 2.0 - 1.0) * reach)
}

fn turned(next: &mut dyn FnMut() -> f32) -> [f32; 4] {
    [(); 4].map(|()| next() * 2.0 - 1.0)
}

/// Scenes that show a wrong stop rule, clamp, far plane, culling or order.
fn scenes(seed: u64) -> Vec<(&'static str, Scene)> {
    let made = |quality| normalise(&object("a red robot", quality, seed), BBOX_DEFAULT).unwrap();
    let color = |next: &mut dyn FnMut() -> f32| [(); 3].map(|()| next() * 1.4 - 0.2);
    vec![
        ("object", made(Quality::Intact)),
        ("noise", made(Quality::Noisy)),
        (
            "one over everything",
            cloud(seed, 1, |next| Gaussian::new([0.0; 3], [40.0; 3], turned(next), 0.7, color(next))),
        ),
        (
            "behind and around the camera",
            cloud(seed, 500, |next| {
                Gaussian::new(anywhere(next, 6.0), [0.1; 3], turned(next), next(), color(next))
            }),
        ),
        (
            "needles",
            cloud(seed, 400, |next| {
                Gaussian::new(anywhere(next, 0.8), [1.5, 1e-4, 1e-4], turned(next), next(), color(next))
            }),
        ),
        (
            "at the least opacity",
            cloud(seed, 600, |next| {
                let opacity = 1.0 / 255.0 * (0.9 + 0.3 * next());
                Gaussian::new(anywhere(next, 0.8), [0.1; 3], turned(next), opacity, color(next))
            }),
        ),
        (
            "deep overlap",
            cloud(seed, 3_000, |next| {
                Gaussian::new(anywhere(next, 0.2), [0.05; 3], turned(next), 0.3 * next(), color(next))
            }),
        ),
        (
            "opaque",
            cloud(seed, 1_000, |next| {
                Gaussian::new(anywhere(next, 0.5), [0.05; 3], turned(next), 1.0, color(next))
            }),
        ),
        (
            "equal depths",
            cloud(seed, 300, |next| {
                let [x, y, _] = anywhere(next, 0.3);
                Gaussian::new([x, y, 0.0], [0.1; 3], [1.0, 0.0, 0.0, 0.0], 0.6, color(next))
            }),
        ),
        (
            "far away",
            cloud(seed, 500, |next| {
                Gaussian::new(anywhere(next, 90.0), [3.0; 3], turned(next), next(), color(next))
            }),
        ),
        (
            "no numbers",
            cloud(seed, 300, |next| {
                let broken = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e38, 0.2];
                let pick = broken[(next() * 4.99) as usize];
                let mut mean = anywhere(next, 0.5);
                mean[(next() * 2.99) as usize] = pick;
                let scale = if next() < 0.3 { [pick.abs(); 3] } else { [0.1; 3] };
                Gaussian::new(mean, scale, turned(next), next(), color(next))
            }),
        ),
        ("nothing", Scene::default()),
    ]
}

#[test]
fn views_are_those_of_the_reference() {
    let Some(mut device) = renderer() else { return };
    eprintln!("device: {}", device.device());
    let budget = RenderBudget::default();
    let seeds = if std::env::var_os("SN17_FULL").is_some() { 1..=9 } else { 1..=1 };
    let mut worst_db = f64::INFINITY;
    for (seed, size_px) in seeds.flat_map(|seed| [(seed, 97), (seed, 128)]) {
        for (what, scene) in scenes(seed) {
            let cameras = cameras(size_px);
            let on_cpu = CpuRenderer.views(&scene, &cameras, WHITE, &budget).unwrap();
            let on_device = device.views(&scene, &cameras, WHITE, &budget).unwrap();
            let db = psnr_db(&on_cpu, &on_device);
            assert!(db >= 70.0, "{what}, seed {seed}, {size_px} px: {db:.1} dB");
            let off = on_cpu.coverage.iter().zip(&on_device.coverage).map(|(a, b)| (a - b).abs());
            let off = off.fold(0.0, f32::max);
            assert!(off < 0.02, "{what}, seed {seed}: coverage is off by {off}");
            eprintln!("{what}, seed {seed}, {size_px} px: {db:.1} dB");
            worst_db = worst_db.min(db);
        }
    }
    eprintln!("least PSNR between device and reference: {worst_db:.1} dB");
}

#[test]
fn depths_are_those_of_the_reference() {
    let Some(mut device) = renderer() else { return };
    let budget = RenderBudget::default();
    for (what, scene) in scenes(2) {
        let cameras = cameras(100);
        let on_cpu = CpuRenderer.depths(&scene, &cameras, &budget).unwrap();
        let on_device = device.depths(&scene, &cameras, &budget).unwrap();
        assert_eq!(on_cpu.len(), on_device.len(), "{what}");
        let differing = on_cpu.iter().zip(&on_device).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
        // A splat that leaves exactly half of the light may be the surface for one and not for the other.
        assert!(differing * 1000 <= on_cpu.len(), "{what}: {differing} of {} differ", on_cpu.len());
    }
}

#[test]
fn runs_and_renderers_agree_to_the_bit() {
    let (Some(mut first), Some(mut second)) = (renderer(), renderer()) else { return };
    let budget = RenderBudget::default();
    for (what, scene) in scenes(3) {
        let cameras = cameras(128);
        let views = first.views(&scene, &cameras, [0.2, 0.5, 0.8], &budget).unwrap();
        assert!(views == first.views(&scene, &cameras, [0.2, 0.5, 0.8], &budget).unwrap(), "{what}: again");
        assert!(views == second.views(&scene, &cameras, [0.2, 0.5, 0.8], &budget).unwrap(), "{what}: other");
    }
}

#[test]
fn the_budget_is_that_of_the_reference_and_the_next_scene_is_sound() {
    let Some(mut device) = renderer() else { return };
    let wall = |count| {
        let splat = Gaussian::new([0.0; 3], [50.0; 3], [1.0, 0.0, 0.0, 0.0], 0.5, [0.5; 3]);
        Scene { gaussians: vec![splat; count] }
    };
    let cameras = [Camera::orbit(0.0, 0.0, 2.5, 64)];
    let default = RenderBudget::default();
    for (count, budget) in [
        (10, RenderBudget { tile_pairs_max: 160, ..default }),
        (11, RenderBudget { tile_pairs_max: 160, ..default }),
        (4, RenderBudget { splats_max: 3, ..default }),
        (2, RenderBudget { size_px_max: 63, ..default }),
        (2, default),
    ] {
        let on_cpu = CpuRenderer.views(&wall(count), &cameras, WHITE, &budget);
        let on_device = device.views(&wall(count), &cameras, WHITE, &budget);
        assert_eq!(on_device.is_ok(), on_cpu.is_ok(), "{count} splats, {budget:?}");
        assert_eq!(on_device.err(), on_cpu.err(), "{count} splats, {budget:?}");
    }
    let hurried = RenderBudget { time_max: std::time::Duration::ZERO, ..default };
    let scene = &scenes(4)[0].1;
    let outcome = device.views(scene, &judge_views(), WHITE, &hurried);
    assert!(matches!(outcome, Err(RenderError::TooLong { .. })), "{:?}", outcome.err());
    let views = device.views(scene, &cameras, WHITE, &default).unwrap();
    assert!(psnr_db(&views, &CpuRenderer.views(scene, &cameras, WHITE, &default).unwrap()) >= 70.0);
}

#[test]
fn a_real_splat_looks_as_it_does_by_the_reference() {
    let Some(mut device) = renderer() else { return };
    let Some(splats) = fixtures::splats("hamburger.ply") else { return };
    let scene = normalise(&splats, BBOX_DEFAULT).unwrap();
    let cameras = &judge_views()[..2];
    let budget = RenderBudget::default();
    let on_cpu = CpuRenderer.views(&scene, cameras, WHITE, &budget).unwrap();
    let db = psnr_db(&on_cpu, &device.views(&scene, cameras, WHITE, &budget).unwrap());
    eprintln!("hamburger, 2 views of 518 px: {db:.1} dB between device and reference");
    assert!(db >= 70.0, "{db:.1} dB");
}
