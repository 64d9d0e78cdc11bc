//! Facades and full objects.

use sn17_render::{
    BBOX_DEFAULT, CpuRenderer, Gaussian, RenderBudget, Scene, Surface, depth_of_sides, normalise,
};
use sn17_splat::procedural::{Quality, object};

use crate::fixtures;
use crate::likeness::OBJECTS;

#[test]
fn full_objects_are_deep_and_their_facades_are_not() {
    for &prompt in &OBJECTS[..14] {
        let full = scene(prompt);
        let (whole, half, card) = (depth(&full), depth(&front_half(&full)), depth(&card(&full)));
        eprintln!("{prompt}: whole {whole:.3}, half shell {half:.3}, card {card:.3}");
        // A blade is thin by nature.
        let least = if prompt == "a silver sword" { 0.05 } else { 0.15 };
        assert!(whole > least, "{prompt}: {whole}");
        assert!(card < 0.02, "{prompt}, card: {card}");
        // Half of a chair is made of whole boards and is no shell.
        if prompt != "a wooden chair" {
            assert!(half < 0.4 * whole, "{prompt}, half shell: {half} of {whole}");
        }
    }
}

#[test]
fn balls_and_cubes_have_the_depth_that_geometry_says() {
    let ball = depth(&scene("a ball"));
    assert!((0.5..0.85).contains(&ball), "{ball}");
    let cube = depth(&scene("a cube"));
    assert!((0.75..=1.0).contains(&cube), "{cube}");
}

#[test]
fn colours_and_emptiness_do_not_matter() {
    let plain = scene("a red robot");
    let mut white = plain.clone();
    for gaussian in &mut white.gaussians {
        gaussian.color = [1.0; 3];
    }
    assert!((depth(&plain) - depth(&white)).abs() < 1e-12);
    assert!(depth(&Scene::default()).abs() < 1e-12);
    let point = Gaussian::new([0.0; 3], [0.1; 3], [1.0, 0.0, 0.0, 0.0], 1.0, [0.0; 3]);
    assert!(depth(&Scene { gaussians: vec![point] }).abs() < 1e-12);
}

#[test]
fn sample_objects_are_deep() {
    for name in ["hamburger.ply", "robocop with hammer in one hand.spz"] {
        let Some(splats) = fixtures::splats(name) else {
            return;
        };
        let full = normalise(&splats, BBOX_DEFAULT).unwrap();
        let (whole, half) = (depth(&full), depth(&front_half(&full)));
        eprintln!("{name}: whole {whole:.3}, half {half:.3}");
        assert!(whole > 0.15 && half < 0.6 * whole, "{name}: {whole}, {half}");
    }
}

fn scene(prompt: &str) -> Scene {
    normalise(&object(prompt, Quality::Intact, 1), BBOX_DEFAULT).unwrap()
}

fn depth(scene: &Scene) -> f64 {
    depth_of_sides(&Surface::of(scene, &mut CpuRenderer, &RenderBudget::default()).unwrap())
}

/// The object cut in half, without its back: a shell, open behind.
fn front_half(full: &Scene) -> Scene {
    let along = full.gaussians.iter().map(|gaussian| gaussian.mean[2]);
    let (low, high) = (along.clone().fold(f32::MAX, f32::min), along.fold(f32::MIN, f32::max));
    let in_front = |gaussian: &&Gaussian| gaussian.mean[2] > (low + high) / 2.0;
    Scene { gaussians: full.gaussians.iter().filter(in_front).cloned().collect() }
}

/// The object pressed flat.
fn card(full: &Scene) -> Scene {
    let mut card = full.clone();
    for gaussian in &mut card.gaussians {
        gaussian.mean[2] *= 0.01;
        for part in [2, 4, 5] {
            gaussian.covariance[part] *= if part == 5 { 1e-4 } else { 0.01 };
        }
    }
    card
}
