//! Fingerprints and sketches: copies are found, different objects are not confused.

use sn17_core::judging::{Likeness, Sketch};
use sn17_render::{
    BBOX_DEFAULT, CpuRenderer, FRONT_VIEW, RenderBudget, Surface, WHITE, depth_of_sides,
    geometry_fingerprint, geometry_sketch, judge_views, normalise, picture_hash, render_view,
};
use sn17_splat::procedural::{Quality, object};
use sn17_splat::{Limits, Splats, SpzDialect, decode, encode_spz};

use crate::fixtures;

/// Objects whose copies are looked for.
const COPIED: [&str; 3] = ["a red robot", "a green tree", "a totem"];
/// What [`SAME_SHAPE`](sn17_core::judging::SAME_SHAPE) says of the similarity of different objects, and of copies.
const DIFFERENT_AT_MOST: f64 = 0.6;
const JITTERED_AT_LEAST: f64 = 0.85;
/// The salt of the sketches; which one does not matter.
const SALT: u64 = 17;

/// Prompts of generated objects.
pub(crate) const OBJECTS: [&str; 40] = [
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
    for prompt in COPIED {
        let original = through_spz(&object(prompt, Quality::Intact, 1));
        let likeness = likeness(&original);
        for (name, copy, found) in copies(&original) {
            let of_copy = self::likeness(&copy);
            let (shape, picture) = (likeness.sketch.similarity(&of_copy.sketch), bits(&likeness, &of_copy));
            let same_geometry = likeness.geometry == of_copy.geometry;
            eprintln!(
                "{prompt}, {name}: same geometry {same_geometry}, shape {shape:.3}, picture {picture} bits"
            );
            assert_eq!(same_geometry, found == Found::ByGeometry, "{prompt}, {name}");
            assert_eq!(
                likeness.is_same(&of_copy),
                found != Found::No,
                "{prompt}, {name}: {shape}, {picture} bits"
            );
        }
    }
}

/// The figures that the thresholds were chosen by.
#[test]
fn noise_is_told_from_another_shape() {
    let mut names: Vec<String> = OBJECTS.iter().map(ToString::to_string).collect();
    let mut objects: Vec<Splats> = OBJECTS.iter().map(|prompt| object(prompt, Quality::Intact, 1)).collect();
    for name in ["hamburger.ply", "robocop with hammer in one hand.spz"] {
        if let Some(splats) = fixtures::splats(name) {
            names.push(name.to_owned());
            objects.push(splats);
        }
    }
    let likenesses: Vec<Likeness> = objects.iter().map(likeness).collect();
    let (mut most, mut nearest) = ((0.0, String::new()), (64, String::new()));
    for (a, one) in likenesses.iter().enumerate() {
        for (b, other) in likenesses.iter().enumerate().skip(a + 1) {
            let pair = format!("{} and {}", names[a], names[b]);
            assert_ne!(one.geometry, other.geometry, "{pair}");
            assert!(!one.is_same(other), "{pair}");
            let (shape, picture) = (one.sketch.similarity(&other.sketch), bits(one, other));
            if shape > most.0 {
                most = (shape, pair.clone());
            }
            if picture < nearest.0 {
                nearest = (picture, pair);
            }
        }
    }
    eprintln!("different ones: most alike in shape {most:?}, in looks {nearest:?}");
    assert!(most.0 <= DIFFERENT_AT_MOST, "{most:?}");

    let mut least = (1.0, "");
    for ((name, original), likeness) in names.iter().zip(&objects).zip(&likenesses) {
        let [low, high] = bounds(original);
        let size = (0..3).map(|axis| high[axis] - low[axis]).fold(0.0, f32::max);
        let copy = changed(original, &|at, number| jitter(at, number, 0.002 * size));
        let shape = likeness.sketch.similarity(&sketch_of(&copy));
        eprintln!("{name}: {shape:.3}");
        if shape < least.0 {
            least = (shape, name);
        }
    }
    eprintln!("jittered ones: least alike in shape {least:?}");
    assert!(least.0 >= JITTERED_AT_LEAST, "{least:?}");
}

/// How a copy is told from others.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Found {
    ByGeometry,
    ByShapeAndPicture,
    No,
}

/// Copies of a result as a cheat would make them.
fn copies(original: &Splats) -> Vec<(&'static str, Splats, Found)> {
    use Found::{ByGeometry, ByShapeAndPicture, No};
    let jittered = changed(original, &|at, number| jitter(at, number, 0.002));
    let jittered_more = changed(original, &|at, number| jitter(at, number, 0.005));
    let moved = changed(original, &|[x, y, z], _| [x + 0.0625, y - 0.09375, z + 0.03125]);
    let stretched = changed(original, &|[x, y, z], _| [1.25 * x, y, z]);
    vec![
        ("encoded again", through_spz(original), ByGeometry),
        ("reordered", reordered(original), ByGeometry),
        ("scaled by 2", scaled(original, 2.0), ByGeometry),
        ("moved", moved, ByGeometry),
        ("scaled by 1.37 and encoded", through_spz(&scaled(original, 1.37)), ByShapeAndPicture),
        ("jittered", jittered.clone(), ByShapeAndPicture),
        ("jittered more and encoded", through_spz(&jittered_more), ByShapeAndPicture),
        ("thinned", thinned(original), ByShapeAndPicture),
        ("behind an invisible veil", with_veil(&jittered, -3.0, 0.98), ByShapeAndPicture),
        ("behind a white veil", with_veil(&jittered, -1.5, 1.0), ByShapeAndPicture),
        ("with hidden splats", with_hidden(&jittered), ByShapeAndPicture),
        // The one far away makes the object smaller, and everything else in the picture is other pixels.
        ("with stray splats", with_strays(original), No),
        ("stretched", stretched, No),
    ]
}

fn changed(splats: &Splats, change: &dyn Fn([f32; 3], usize) -> [f32; 3]) -> Splats {
    let mut copy = splats.clone();
    for (number, position) in copy.positions.iter_mut().enumerate() {
        *position = change(*position, number);
    }
    copy
}

fn scaled(splats: &Splats, factor: f32) -> Splats {
    let mut copy = changed(splats, &|position, _| position.map(|at| at * factor));
    for scale in copy.scales.iter_mut().flatten() {
        *scale += factor.ln();
    }
    copy
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
        push(&mut copy, [0, 1, 2].map(|axis| far * noise(number + 1, axis)), [-5.0; 3], 2.0, 0.0);
    }
    copy
}

/// One wide flat splat across the object, seen from the front.
fn with_veil(splats: &Splats, opacity: f32, gray: f32) -> Splats {
    let mut copy = splats.clone();
    let [low, high] = bounds(splats);
    let middle = [0, 1, 2].map(|axis| (low[axis] + high[axis]) / 2.0);
    push(&mut copy, middle, [1.0, 1.0, -6.0], opacity, gray);
    copy
}

/// As many splats again, all in the middle of the object.
fn with_hidden(splats: &Splats) -> Splats {
    let mut copy = splats.clone();
    let [low, high] = bounds(splats);
    let middle = [0, 1, 2].map(|axis| (low[axis] + high[axis]) / 2.0);
    for _ in 0..splats.len() {
        push(&mut copy, middle, [-5.0; 3], 9.0, 0.5);
    }
    copy
}

fn bounds(splats: &Splats) -> [[f32; 3]; 2] {
    let fold = |start: f32, choose: fn(f32, f32) -> f32| {
        [0, 1, 2].map(|axis| splats.positions.iter().map(|at| at[axis]).fold(start, choose))
    };
    [fold(f32::MAX, f32::min), fold(f32::MIN, f32::max)]
}

/// Adds a splat; the opacity is a logit, the scales are logarithms.
fn push(splats: &mut Splats, position: [f32; 3], scale: [f32; 3], opacity: f32, gray: f32) {
    splats.positions.push(position);
    splats.scales.push(scale);
    splats.rotations.push([1.0, 0.0, 0.0, 0.0]);
    splats.opacities.push(opacity);
    splats.colors.push([(gray - 0.5) / 0.282_094_8; 3]);
}

/// What the scoring process notes of a result.
fn likeness(splats: &Splats) -> Likeness {
    let scene = normalise(splats, BBOX_DEFAULT).unwrap();
    let surface = Surface::of(&scene, &mut CpuRenderer, &RenderBudget::default()).unwrap();
    let view = &judge_views()[FRONT_VIEW];
    Likeness {
        geometry: geometry_fingerprint(splats),
        sketch: Sketch(geometry_sketch(&surface, SALT)),
        picture: picture_hash(&render_view(&scene, view, WHITE, &RenderBudget::default()).unwrap()),
        sides: depth_of_sides(&surface),
    }
}

/// Bits in which the hashes of two pictures differ.
fn bits(one: &Likeness, other: &Likeness) -> u32 {
    (one.picture ^ other.picture).count_ones()
}

fn sketch_of(splats: &Splats) -> Sketch {
    let scene = normalise(splats, BBOX_DEFAULT).unwrap();
    Sketch(geometry_sketch(&Surface::of(&scene, &mut CpuRenderer, &RenderBudget::default()).unwrap(), SALT))
}
