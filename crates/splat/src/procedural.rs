//! Splats made from words, without a model: for demonstrations, tests and fixtures.
//!
//! The objects are composed of a few solids with a fixed light baked into their colours. They are deterministic: the
//! same prompt, quality and seed give the same bytes on every machine.

mod random;
mod shapes;
mod solids;

use random::Random;
use solids::{Part, SurfacePoint};

use crate::Splats;

/// Value of the spherical harmonic of degree 0, `1 / (2 √π)`.
const SH_C0: f32 = 0.282_094_8;

/// Fewest splats of an object; the seed adds up to [`SPLATS_SPREAD`].
const SPLATS_MIN: usize = 36_000;
const SPLATS_SPREAD: u64 = 8_000;

/// Opacity of surfaces: high, but not so high that edges alias.
const OPAQUE: f32 = 0.97;

/// Opacity of a blank object's splats: enough not to count as transparent (0.001), too little to be drawn (1/255).
const INVISIBLE: f32 = 0.002;

/// How good a procedural object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// The object as it should be.
    Intact,
    /// The object dissolved: a third of its surface is left, in a cloud of splats of random colour.
    Noisy,
    /// As many splats as the intact object, all but invisible.
    Blank,
}

/// Makes an object of 36,000 to 44,000 splats whose colour and shape follow the words of the prompt, with +Y up.
///
/// Known shapes are robot, chair, table, tree, mushroom, sword, ball, cube, lamp, house, car, bottle and rocket and the
/// commonest words for alike things; any other prompt gives an ornament that depends on the prompt alone.
pub fn object(prompt: &str, quality: Quality, seed: u64) -> Splats {
    let words = shapes::words(prompt);
    let mut random = Random::new(seed ^ shapes::hash(&words.join(" ")));
    let parts = shapes::compose(&words);
    let count = SPLATS_MIN + usize::try_from(random.below(SPLATS_SPREAD)).unwrap_or(0);
    let areas: Vec<f32> = parts.iter().map(Part::area).collect();
    let area: f32 = areas.iter().sum();

    // Splats that overlap by half leave no holes.
    #[expect(clippy::cast_precision_loss, reason = "a count of some ten thousand is exact in f32")]
    let size = (area / count as f32).sqrt() * 0.85;
    let mut splats = Splats::default();
    for number in 0..count {
        let point = visible_point(&parts, &areas, &mut random);
        match quality {
            Quality::Intact => push_surface(&mut splats, &point, size, OPAQUE, &mut random),
            Quality::Blank => push_surface(&mut splats, &point, size, INVISIBLE, &mut random),
            Quality::Noisy if number % 3 == 0 => push_surface(&mut splats, &point, size, OPAQUE, &mut random),
            Quality::Noisy => push_noise(&mut splats, &point, size, &mut random),
        }
    }
    splats
}

/// A random point of the surface that no other part hides.
fn visible_point(parts: &[Part], areas: &[f32], random: &mut Random) -> SurfacePoint {
    const TRIES_MAX: usize = 64;
    let area: f32 = areas.iter().sum();
    let mut point = pick(parts, areas, random.unit() * area).sample(random);
    for _ in 1..TRIES_MAX {
        if !parts.iter().any(|part| part.hides(point.position)) {
            break;
        }
        point = pick(parts, areas, random.unit() * area).sample(random);
    }
    point
}

fn pick<'a>(parts: &'a [Part], areas: &[f32], at: f32) -> &'a Part {
    let mut left = at;
    for (part, area) in parts.iter().zip(areas) {
        if left < *area {
            return part;
        }
        left -= area;
    }
    parts.last().expect("every object has parts")
}

fn push_surface(splats: &mut Splats, point: &SurfacePoint, size: f32, opacity: f32, random: &mut Random) {
    let grain = 1.0 + 0.06 * (random.unit() - 0.5);
    let shade = shade(point) * grain;
    let gloss = highlight(point);
    let color = point.color.map(|channel| (channel * shade + gloss).clamp(0.0, 1.0));
    let stretch = 0.85 + 0.3 * random.unit();
    // A disc on the surface: the third axis is the normal's.
    push(
        splats,
        point.position,
        [size * stretch, size / stretch, size * 0.25],
        facing(point.normal),
        opacity,
        color,
    );
}

fn push_noise(splats: &mut Splats, point: &SurfacePoint, size: f32, random: &mut Random) {
    let position = point.position.map(|coordinate| coordinate + 0.5 * (random.unit() + random.unit() - 1.0));
    let color = [random.unit(), random.unit(), random.unit()];
    let scale = [size * (0.5 + 2.5 * random.unit()), size * (0.5 + 2.5 * random.unit()), size];
    let axis = random.direction();
    push(splats, position, scale, facing(axis), 0.3 + 0.6 * random.unit(), color);
}

fn push(
    splats: &mut Splats,
    position: [f32; 3],
    scale: [f32; 3],
    rotation: [f32; 4],
    opacity: f32,
    color: [f32; 3],
) {
    splats.positions.push(position);
    splats.scales.push(scale.map(libm::logf));
    splats.rotations.push(rotation);
    splats.opacities.push(libm::logf(opacity / (1.0 - opacity)));
    splats.colors.push(color.map(|channel| (channel - 0.5) / SH_C0));
}

/// Light from the upper left in front, wrapped around the object, darker towards the ground.
fn shade(point: &SurfacePoint) -> f32 {
    let facing_light = 0.5 + 0.5 * dot(point.normal, LIGHT);
    let ground = (0.75 + 0.5 * (point.position[1] + 0.5)).clamp(0.7, 1.0);
    (0.32 + 0.78 * facing_light * facing_light) * ground
}

/// A baked highlight where the surface faces the light.
fn highlight(point: &SurfacePoint) -> f32 {
    let facing_light = dot(point.normal, LIGHT).max(0.0);
    let second = facing_light * facing_light;
    let eighth = second * second * second * second;
    point.gloss * eighth * eighth * eighth
}

const LIGHT: [f32; 3] = [0.48, 0.768, 0.424];

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// The quaternion that turns +Z to a direction.
fn facing([x, y, z]: [f32; 3]) -> [f32; 4] {
    if z < -0.999 {
        return [0.0, 1.0, 0.0, 0.0];
    }
    let length = (2.0 * (1.0 + z)).sqrt();
    [length / 2.0, -y / length, x / length, 0.0]
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPTS: [&str; 5] = ["a red robot", "two wooden chairs", "Oak tree!", "", "ein Ding ohne Namen"];

    #[test]
    fn objects_are_deterministic_dense_and_finite() {
        for prompt in PROMPTS {
            for quality in [Quality::Intact, Quality::Noisy, Quality::Blank] {
                let splats = object(prompt, quality, 7);
                assert_eq!(splats, object(prompt, quality, 7), "{prompt}, {quality:?}");
                assert!((36_000..44_000).contains(&splats.len()), "{prompt}: {}", splats.len());
                let finite = splats.positions.iter().flatten().all(|value| value.is_finite())
                    && splats.scales.iter().flatten().all(|value| value.is_finite())
                    && splats.rotations.iter().flatten().all(|value| value.is_finite())
                    && splats.colors.iter().flatten().all(|value| value.is_finite())
                    && splats.opacities.iter().all(|value| value.is_finite());
                assert!(finite, "{prompt}, {quality:?}");
            }
        }
    }

    #[test]
    fn words_and_seeds_matter() {
        let base = object("a red robot", Quality::Intact, 1);
        assert_eq!(base, object("A RED ROBOT.", Quality::Intact, 1), "case and punctuation do not count");
        assert_ne!(base, object("a blue robot", Quality::Intact, 1), "colour");
        assert_ne!(base, object("a red chair", Quality::Intact, 1), "shape");
        assert_ne!(base, object("a red robot", Quality::Intact, 2), "seed");
    }

    #[test]
    fn rotations_turn_the_third_axis_to_the_normal() {
        let mut random = Random::new(3);
        for _ in 0..1_000 {
            let normal = random.direction();
            let [w, x, y, z] = facing(normal);
            let turned = [2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y)];
            let distance = (0..3).map(|axis| (turned[axis] - normal[axis]).abs()).fold(0.0, f32::max);
            assert!(distance < 0.05, "{normal:?} became {turned:?}");
        }
    }
}
