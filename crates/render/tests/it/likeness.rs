//! Fingerprints and sketches: copies are found, different objects are not confused.

use sn17_render::{
    BBOX_DEFAULT, FRONT_VIEW, GeometrySketch, RenderBudget, WHITE, geometry_fingerprint, geometry_sketch,
    judge_views, normalise, picture_distance, picture_hash, render, similarity,
};
use sn17_splat::procedural::{Quality, object};
use sn17_splat::{Limits, Splats, SpzDialect, decode, encode_spz};

use crate::fixtures;

/// From this similarity on, two results count as the same in these tests.
const NEAR_DUPLICATE: f64 = 0.75;

const OBJECTS: [&str; 40] = [
    "a red robot",
    "a wooden chair",
    "a table",
    "a green tree",
    "a red mushroom",
    "a silver sword",
    "a ball",
    "a yellow crate",
    "a blue lamp",
    "a house",
    "a red car",
    "a purple vase",
    "a white rocket",
    "an ornament",
    "a teapot",
    "a dragon",
    "a castle",
    "a guitar",
    "a boat",
    "a camera",
    "a shoe",
    "a clock",
    "a candle",
    "a drum",
    "a helmet",
    "a crown",
    "a shield",
    "a violin",
    "a kettle",
    "a bell",
    "a goblet",
    "a totem",
    "a statue",
    "a pawn",
    "a chess queen",
    "a trophy",
    "a fountain",
    "a pagoda",
    "an urn",
    "a spinning top",
];

#[test]
fn copies_are_found() {
    for prompt in ["a red robot", "a green tree", "a totem"] {
        let original = through_spz(&object(prompt, Quality::Intact, 1));
        let fingerprint = geometry_fingerprint(&original);
        let sketch = sketch_of(&original);
        for (name, copy, same_fingerprint) in copies(&original) {
            let found = similarity(&sketch, &sketch_of(&copy));
            eprintln!("{prompt}, {name}: similarity {found:.3}");
            assert_eq!(geometry_fingerprint(&copy) == fingerprint, same_fingerprint, "{prompt}, {name}");
            assert!(found >= NEAR_DUPLICATE, "{prompt}, {name}: {found}");
        }
    }
}

#[test]
fn different_objects_are_not_confused() {
    let mut names: Vec<String> = OBJECTS.iter().map(ToString::to_string).collect();
    let mut objects: Vec<Splats> = OBJECTS.iter().map(|prompt| object(prompt, Quality::Intact, 1)).collect();
    for name in ["hamburger.ply", "robocop with hammer in one hand.spz"] {
        if let Some(splats) = fixtures::splats(name) {
            names.push(name.to_owned());
            objects.push(splats);
        }
    }
    let sketches: Vec<GeometrySketch> = objects.iter().map(sketch_of).collect();
    let fingerprints: Vec<[u8; 32]> = objects.iter().map(geometry_fingerprint).collect();
    let hashes: Vec<u64> = objects.iter().map(picture_of).collect();
    let (mut least, mut most, mut nearest) = ((1.0, ""), (0.0, String::new()), (64, String::new()));
    for a in 0..objects.len() {
        for b in a + 1..objects.len() {
            let pair = format!("{} and {}", names[a], names[b]);
            assert_ne!(fingerprints[a], fingerprints[b], "{pair}");
            let found = similarity(&sketches[a], &sketches[b]);
            if found < least.0 {
                least.0 = found;
            }
            if found > most.0 {
                most = (found, pair.clone());
            }
            let distance = picture_distance(hashes[a], hashes[b]);
            if distance < nearest.0 {
                nearest = (distance, pair);
            }
        }
    }
    eprintln!("similarities {:.3} to {:.3} ({}), nearest pictures {nearest:?}", least.0, most.0, most.1);
    assert!(most.0 < NEAR_DUPLICATE, "{most:?}");
    assert!(nearest.0 >= 1, "{nearest:?}");
}

#[test]
fn pictures_of_copies_are_near() {
    for prompt in ["a red robot", "a green tree", "a totem"] {
        let original = through_spz(&object(prompt, Quality::Intact, 1));
        let hash = picture_of(&original);
        // Stray splats make the object smaller in the picture, and are seen themselves.
        for (name, copy, _) in copies(&original).into_iter().filter(|(name, ..)| *name != STRAYS) {
            let distance = picture_distance(hash, picture_of(&copy));
            eprintln!("{prompt}, {name}: distance {distance}");
            assert!(distance <= 4, "{prompt}, {name}: {distance}");
        }
    }
}

#[test]
fn a_sketch_resembles_itself_alone() {
    let sketch = GeometrySketch([7; 64]);
    assert!((similarity(&sketch, &sketch) - 1.0).abs() < 1e-12);
    let mut half = sketch;
    half.0[..32].fill(8);
    assert!((similarity(&sketch, &half) - 0.5).abs() < 1e-12);
}

const STRAYS: &str = "with stray splats";

/// Copies of a result as a cheat would make them, each with whether its exact fingerprint stays.
fn copies(original: &Splats) -> Vec<(&'static str, Splats, bool)> {
    let moved = |change: &dyn Fn([f32; 3], usize) -> [f32; 3]| {
        let mut copy = original.clone();
        for (number, position) in copy.positions.iter_mut().enumerate() {
            *position = change(*position, number);
        }
        copy
    };
    let scaled = |factor: f32| {
        let mut copy = moved(&|position, _| position.map(|at| at * factor));
        for scale in copy.scales.iter_mut().flatten() {
            *scale += factor.ln();
        }
        copy
    };
    vec![
        ("encoded again", through_spz(original), true),
        ("reordered", reordered(original), true),
        ("scaled by 2", scaled(2.0), true),
        ("moved", moved(&|[x, y, z], _| [x + 0.0625, y - 0.09375, z + 0.03125]), true),
        ("scaled by 1.37 and encoded", through_spz(&scaled(1.37)), false),
        ("jittered", moved(&|at, number| jitter(at, number, 0.002)), false),
        ("jittered more and encoded", through_spz(&moved(&|at, number| jitter(at, number, 0.005))), false),
        ("thinned", thinned(original), false),
        (STRAYS, with_strays(original), false),
    ]
}

fn through_spz(splats: &Splats) -> Splats {
    decode(&encode_spz(splats, SpzDialect::Network, 1).unwrap(), &Limits::default()).unwrap()
}

/// Deterministic numbers from −1 to 1.
fn noise(number: usize, axis: usize) -> f32 {
    let mixed =
        ((number * 3 + axis) as u32).wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b);
    (mixed >> 8) as f32 / 8_388_608.0 - 1.0
}

fn jitter(position: [f32; 3], number: usize, by: f32) -> [f32; 3] {
    [0, 1, 2].map(|axis| position[axis] + by * noise(number, axis))
}

fn chosen(splats: &Splats, numbers: impl Iterator<Item = usize> + Clone) -> Splats {
    Splats {
        positions: numbers.clone().map(|number| splats.positions[number]).collect(),
        scales: numbers.clone().map(|number| splats.scales[number]).collect(),
        rotations: numbers.clone().map(|number| splats.rotations[number]).collect(),
        opacities: numbers.clone().map(|number| splats.opacities[number]).collect(),
        colors: numbers.map(|number| splats.colors[number]).collect(),
        sh: Vec::new(),
        ..*splats
    }
}

fn reordered(splats: &Splats) -> Splats {
    chosen(splats, (0..splats.len()).rev())
}

fn thinned(splats: &Splats) -> Splats {
    chosen(splats, (0..splats.len()).filter(|number| number % 5 != 0))
}

/// A hundred visible splats all around, and one far away.
fn with_strays(splats: &Splats) -> Splats {
    let mut copy = splats.clone();
    for number in 0..100 {
        let far = if number == 0 { 3.0 } else { 0.6 };
        copy.positions.push([0, 1, 2].map(|axis| far * noise(number + 1, axis)));
        copy.scales.push([-5.0; 3]);
        copy.rotations.push([1.0, 0.0, 0.0, 0.0]);
        copy.opacities.push(2.0);
        copy.colors.push([0.0; 3]);
    }
    copy
}

fn sketch_of(splats: &Splats) -> GeometrySketch {
    geometry_sketch(&normalise(splats, BBOX_DEFAULT).unwrap())
}

fn picture_of(splats: &Splats) -> u64 {
    let scene = normalise(splats, BBOX_DEFAULT).unwrap();
    picture_hash(&render(&scene, &judge_views()[FRONT_VIEW], WHITE, &RenderBudget::default()).unwrap())
}
