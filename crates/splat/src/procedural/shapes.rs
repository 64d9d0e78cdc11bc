//! From the words of a prompt to parts. Objects stand about the origin and are about one unit high.

use super::{
    random::Random,
    solids::{Axis, Finish, Part, Solid},
};

type Color = [f32; 3];

const WOOD: Color = [0.55, 0.36, 0.2];
const IRON: Color = [0.36, 0.38, 0.42];
const STEEL: Color = [0.74, 0.77, 0.82];
const CREAM: Color = [0.95, 0.9, 0.78];
const DARK: Color = [0.13, 0.13, 0.16];
const GLOW: Color = [1.0, 0.88, 0.5];
const GLASS: Color = [0.45, 0.68, 0.85];

const COLORS: &[(&str, Color)] = &[
    ("red", [0.85, 0.13, 0.12]),
    ("crimson", [0.7, 0.06, 0.15]),
    ("orange", [0.95, 0.5, 0.1]),
    ("yellow", [0.97, 0.83, 0.15]),
    ("gold", [0.93, 0.72, 0.22]),
    ("golden", [0.93, 0.72, 0.22]),
    ("green", [0.18, 0.62, 0.24]),
    ("teal", [0.08, 0.55, 0.55]),
    ("cyan", [0.15, 0.75, 0.85]),
    ("turquoise", [0.2, 0.78, 0.74]),
    ("blue", [0.15, 0.33, 0.85]),
    ("purple", [0.5, 0.2, 0.7]),
    ("violet", [0.5, 0.2, 0.7]),
    ("pink", [0.95, 0.5, 0.68]),
    ("brown", [0.45, 0.28, 0.15]),
    ("wooden", WOOD),
    ("beige", [0.87, 0.78, 0.62]),
    ("white", [0.93, 0.93, 0.93]),
    ("black", [0.12, 0.12, 0.13]),
    ("gray", [0.5, 0.5, 0.52]),
    ("grey", [0.5, 0.5, 0.52]),
    ("silver", STEEL),
    ("metal", STEEL),
];

/// The words of a prompt in lower case, without punctuation.
pub(super) fn words(prompt: &str) -> Vec<String> {
    prompt
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// FNV-1a (Fowler, Noll, Vo), to tell prompts apart.
pub(super) fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Builds the object the words ask for; the first word that names a shape and the first two colours count.
pub(super) fn compose(words: &[String]) -> Vec<Part> {
    let mut random = Random::new(hash(&words.join(" ")));
    let mut colors = words.iter().filter_map(|word| color(word));
    let main = colors.next();
    let accent = colors.next().unwrap_or(CREAM);
    let or = |default: Color| main.unwrap_or(default);
    for word in words {
        let singular = word.strip_suffix('s').unwrap_or(word);
        return match singular {
            "robot" | "robocop" | "android" | "mech" => robot(or(STEEL), accent),
            "chair" | "stool" | "armchair" | "throne" => chair(or(WOOD), accent),
            "table" | "desk" => table(or(WOOD)),
            "tree" | "oak" | "bonsai" => tree(or([0.2, 0.55, 0.2])),
            "mushroom" | "toadstool" => mushroom(or([0.85, 0.13, 0.12]), accent),
            "sword" | "dagger" | "blade" => sword(or([0.93, 0.72, 0.22])),
            "ball" | "sphere" | "orb" => ball(or([0.85, 0.13, 0.12]), accent),
            "cube" | "box" | "crate" | "dice" => cube(or(WOOD), accent),
            "lamp" | "lantern" | "light" => lamp(or([0.15, 0.33, 0.85])),
            "house" | "cottage" | "hut" => house(or(CREAM)),
            "car" | "truck" | "taxi" => car(or([0.85, 0.13, 0.12])),
            "bottle" | "potion" | "vase" => bottle(or([0.5, 0.2, 0.7])),
            "rocket" | "spaceship" => rocket(or([0.93, 0.93, 0.93]), accent),
            _ => continue,
        };
    }
    let palette = usize::try_from(random.below(12)).unwrap_or(0);
    ornament(or(COLORS[palette].1), accent, &mut random)
}

fn color(word: &str) -> Option<Color> {
    COLORS.iter().find(|(name, _)| *name == word).map(|(_, color)| *color)
}

fn ball_part(radii: [f32; 3], center: [f32; 3], color: Color) -> Part {
    Part::new(Solid::Ellipsoid(radii), center, color)
}

fn block(half: [f32; 3], center: [f32; 3], color: Color) -> Part {
    Part::new(Solid::Cuboid(half), center, color)
}

fn column(radius_low: f32, radius_high: f32, half_height: f32, center: [f32; 3], color: Color) -> Part {
    Part::new(Solid::Frustum { axis: Axis::Y, radius_low, radius_high, half_height }, center, color)
}

fn wheel(axis: Axis, radius: f32, half_height: f32, center: [f32; 3], color: Color) -> Part {
    Part::new(Solid::Frustum { axis, radius_low: radius, radius_high: radius, half_height }, center, color)
}

fn ring(radius: f32, thickness: f32, center: [f32; 3], color: Color) -> Part {
    Part::new(Solid::Ring { radius, thickness }, center, color)
}

fn darker(color: Color) -> Color {
    color.map(|channel| channel * 0.6)
}

fn robot(main: Color, accent: Color) -> Vec<Part> {
    let mut parts = vec![
        block([0.17, 0.17, 0.11], [0.0, 0.05, 0.0], main).gloss(0.3),
        block([0.09, 0.06, 0.01], [0.0, 0.09, 0.11], accent),
        ball_part([0.022, 0.022, 0.012], [-0.04, 0.09, 0.12], [0.9, 0.2, 0.15]),
        ball_part([0.022, 0.022, 0.012], [0.04, 0.09, 0.12], [0.2, 0.8, 0.3]),
        column(0.05, 0.05, 0.03, [0.0, 0.24, 0.0], IRON),
        block([0.13, 0.1, 0.1], [0.0, 0.36, 0.0], main).gloss(0.3),
        block([0.1, 0.04, 0.01], [0.0, 0.38, 0.1], DARK),
        column(0.01, 0.01, 0.05, [0.0, 0.5, 0.0], IRON),
        ball_part([0.025; 3], [0.0, 0.56, 0.0], [0.9, 0.2, 0.15]).gloss(0.4),
        column(0.13, 0.1, 0.025, [0.0, -0.14, 0.0], IRON),
    ];
    for side in [-1.0, 1.0] {
        parts.extend([
            ball_part([0.028, 0.028, 0.015], [side * 0.05, 0.38, 0.11], GLOW),
            wheel(Axis::X, 0.035, 0.02, [side * 0.14, 0.36, 0.0], IRON),
            ball_part([0.065; 3], [side * 0.22, 0.16, 0.0], accent).gloss(0.3),
            column(0.035, 0.045, 0.1, [side * 0.25, 0.04, 0.0], main).tilt(side * 0.2),
            ball_part([0.04; 3], [side * 0.27, -0.07, 0.0], IRON),
            column(0.05, 0.035, 0.07, [side * 0.28, -0.15, 0.03], main),
            ball_part([0.055, 0.05, 0.055], [side * 0.28, -0.25, 0.04], IRON),
            column(0.045, 0.055, 0.11, [side * 0.09, -0.26, 0.0], main),
            ball_part([0.05; 3], [side * 0.09, -0.36, 0.01], IRON),
            block([0.07, 0.04, 0.1], [side * 0.09, -0.44, 0.03], accent),
        ]);
    }
    parts
}

fn chair(main: Color, cushion: Color) -> Vec<Part> {
    let wood = |part: Part| part.finish(Finish::Mottled(0.15));
    let mut parts = vec![
        wood(block([0.25, 0.025, 0.24], [0.0, -0.05, 0.0], main)),
        ball_part([0.21, 0.045, 0.2], [0.0, -0.01, 0.0], cushion),
        wood(block([0.25, 0.05, 0.02], [0.0, 0.44, -0.22], main)),
        wood(block([0.22, 0.03, 0.015], [0.0, 0.12, -0.22], main)),
    ];
    for side in [-1.0, 1.0] {
        parts.extend([
            wood(column(0.022, 0.03, 0.22, [side * 0.21, -0.28, 0.2], main)),
            wood(column(0.022, 0.03, 0.22, [side * 0.21, -0.28, -0.2], main)),
            wood(column(0.028, 0.025, 0.26, [side * 0.22, 0.22, -0.22], main)),
            wood(block([0.012, 0.012, 0.19], [side * 0.21, -0.35, 0.0], darker(main))),
            ball_part([0.03; 3], [side * 0.22, 0.5, -0.22], main).gloss(0.2),
        ]);
    }
    parts.extend([-0.1, 0.0, 0.1].map(|x| wood(column(0.015, 0.015, 0.15, [x, 0.26, -0.22], darker(main)))));
    parts
}

fn table(main: Color) -> Vec<Part> {
    let wood = |part: Part| part.finish(Finish::Mottled(0.15));
    let mut parts = vec![
        wood(block([0.48, 0.03, 0.3], [0.0, 0.22, 0.0], main)),
        wood(block([0.42, 0.05, 0.24], [0.0, 0.15, 0.0], darker(main))),
        ball_part([0.09, 0.08, 0.09], [0.15, 0.31, 0.05], [0.85, 0.2, 0.15]).gloss(0.4),
        column(0.06, 0.08, 0.05, [-0.2, 0.3, 0.0], CREAM).gloss(0.2),
    ];
    for x in [-0.4, 0.4] {
        parts.extend([-0.22, 0.22].map(|z| wood(column(0.025, 0.04, 0.28, [x, -0.08, z], main))));
    }
    parts
}

fn tree(leaves: Color) -> Vec<Part> {
    let leaf = |radius: f32, center: [f32; 3], light: f32| {
        ball_part([radius, radius * 0.85, radius], center, leaves.map(|channel| channel * light))
            .finish(Finish::Mottled(0.3))
    };
    vec![
        column(0.1, 0.055, 0.27, [0.0, -0.23, 0.0], WOOD).finish(Finish::Mottled(0.25)),
        column(0.16, 0.09, 0.03, [0.0, -0.47, 0.0], darker(WOOD)).finish(Finish::Mottled(0.25)),
        column(0.035, 0.025, 0.1, [0.1, -0.02, 0.03], WOOD).tilt(-0.8),
        column(0.035, 0.025, 0.1, [-0.1, -0.02, -0.02], WOOD).tilt(0.8),
        leaf(0.27, [0.0, 0.24, 0.0], 1.0),
        leaf(0.19, [0.23, 0.1, 0.06], 0.9),
        leaf(0.2, [-0.23, 0.1, -0.03], 1.05),
        leaf(0.18, [0.04, 0.12, 0.24], 0.95),
        leaf(0.18, [-0.04, 0.12, -0.24], 0.88),
        leaf(0.17, [0.05, 0.42, -0.03], 1.12),
        leaf(0.14, [-0.16, 0.34, 0.14], 1.08),
    ]
}

fn mushroom(cap: Color, spots: Color) -> Vec<Part> {
    let (width, height) = (0.42_f32, 0.28_f32);
    let mut parts = vec![
        column(0.15, 0.1, 0.26, [0.0, -0.24, 0.0], CREAM).finish(Finish::Mottled(0.06)),
        ball_part([0.15, 0.05, 0.15], [0.0, -0.49, 0.0], CREAM),
        ring(0.12, 0.025, [0.0, -0.06, 0.0], CREAM),
        column(0.1, 0.4, 0.04, [0.0, 0.04, 0.0], darker(CREAM)),
        ball_part([width, height, width], [0.0, 0.1, 0.0], cap).gloss(0.5),
    ];
    let rings = [(0.0, 1, 0.075), (0.75, 5, 0.06), (1.25, 8, 0.045)];
    for (polar, count, size) in rings {
        for number in 0..count {
            let turn =
                (f32::from(number_of(number)) + polar) * std::f32::consts::TAU / f32::from(number_of(count));
            let (sin, cos) = (libm::sinf(polar), libm::cosf(polar));
            let center = [width * sin * libm::cosf(turn), 0.1 + height * cos, width * sin * libm::sinf(turn)];
            parts.push(ball_part([size, size * (0.35 + 0.5 * sin), size], center, spots));
        }
    }
    parts
}

fn number_of(count: i32) -> i16 {
    i16::try_from(count).unwrap_or(1)
}

fn sword(hilt: Color) -> Vec<Part> {
    vec![
        block([0.055, 0.36, 0.012], [0.0, 0.12, 0.0], STEEL).gloss(0.3),
        block([0.014, 0.33, 0.018], [0.0, 0.1, 0.0], darker(STEEL)),
        Part::new(
            Solid::Frustum { axis: Axis::Y, radius_low: 0.05, radius_high: 0.002, half_height: 0.06 },
            [0.0, 0.52, 0.0],
            STEEL,
        ),
        block([0.19, 0.028, 0.04], [0.0, -0.25, 0.0], hilt).gloss(0.5),
        ball_part([0.04; 3], [-0.19, -0.25, 0.0], hilt).gloss(0.5),
        ball_part([0.04; 3], [0.19, -0.25, 0.0], hilt).gloss(0.5),
        column(0.032, 0.032, 0.11, [0.0, -0.38, 0.0], [0.35, 0.2, 0.12])
            .finish(Finish::Bands([0.22, 0.12, 0.07], 22.0)),
        ball_part([0.055; 3], [0.0, -0.52, 0.0], hilt).gloss(0.6),
        ball_part([0.025, 0.025, 0.015], [0.0, -0.25, 0.045], [0.8, 0.1, 0.2]).gloss(0.5),
    ]
}

fn ball(main: Color, accent: Color) -> Vec<Part> {
    vec![
        ball_part([0.45; 3], [0.0; 3], main).gloss(0.7),
        Part::new(
            Solid::Frustum { axis: Axis::Y, radius_low: 0.465, radius_high: 0.465, half_height: 0.045 },
            [0.0; 3],
            accent,
        ),
        ball_part([0.12, 0.03, 0.12], [0.0, 0.435, 0.0], accent).gloss(0.4),
        ball_part([0.12, 0.03, 0.12], [0.0, -0.435, 0.0], accent),
    ]
}

fn cube(main: Color, edge: Color) -> Vec<Part> {
    let mut parts = vec![block([0.37; 3], [0.0; 3], main).finish(Finish::Mottled(0.12))];
    for u in [-0.37, 0.37] {
        for v in [-0.37, 0.37] {
            parts.extend([
                block([0.4, 0.04, 0.04], [0.0, u, v], edge),
                block([0.04, 0.4, 0.04], [u, 0.0, v], edge),
                block([0.04, 0.04, 0.4], [u, v, 0.0], edge),
            ]);
        }
    }
    for side in [-1.0, 1.0] {
        parts.extend([
            ball_part([0.12, 0.12, 0.03], [0.0, 0.0, side * 0.37], edge).gloss(0.3),
            ball_part([0.03, 0.12, 0.12], [side * 0.37, 0.0, 0.0], edge).gloss(0.3),
            ball_part([0.12, 0.03, 0.12], [0.0, side * 0.37, 0.0], edge).gloss(0.3),
        ]);
    }
    parts
}

fn lamp(shade: Color) -> Vec<Part> {
    vec![
        column(0.23, 0.2, 0.025, [0.0, -0.47, 0.0], IRON).gloss(0.3),
        ball_part([0.13, 0.08, 0.13], [0.0, -0.42, 0.0], IRON).gloss(0.3),
        column(0.028, 0.022, 0.26, [0.0, -0.18, 0.0], [0.8, 0.62, 0.25]).gloss(0.4),
        ball_part([0.05; 3], [0.0, -0.2, 0.0], [0.8, 0.62, 0.25]).gloss(0.5),
        ball_part([0.09, 0.11, 0.09], [0.0, 0.15, 0.0], GLOW),
        column(0.31, 0.17, 0.19, [0.0, 0.26, 0.0], shade)
            .finish(Finish::Bands(shade.map(|c| c * 0.82), 14.0)),
        ring(0.31, 0.016, [0.0, 0.07, 0.0], CREAM),
        ring(0.17, 0.014, [0.0, 0.45, 0.0], CREAM),
        ball_part([0.03, 0.04, 0.03], [0.0, 0.48, 0.0], [0.8, 0.62, 0.25]).gloss(0.5),
    ]
}

fn house(walls: Color) -> Vec<Part> {
    let roof = [0.62, 0.22, 0.15];
    let mut parts = vec![
        block([0.36, 0.22, 0.3], [0.0, -0.18, 0.0], walls).finish(Finish::Mottled(0.05)),
        block([0.4, 0.03, 0.34], [0.0, -0.42, 0.0], [0.5, 0.5, 0.48]),
        column(0.06, 0.06, 0.12, [0.2, 0.33, -0.1], [0.5, 0.25, 0.2])
            .finish(Finish::Bands([0.4, 0.2, 0.16], 20.0)),
        block([0.075, 0.13, 0.012], [0.0, -0.27, 0.3], WOOD),
        ball_part([0.012; 3], [0.045, -0.27, 0.316], [0.9, 0.75, 0.3]).gloss(0.5),
    ];
    for side in [-1.0, 1.0] {
        parts.extend([
            block([0.29, 0.022, 0.36], [side * 0.22, 0.18, 0.0], roof)
                .tilt(-side * 0.72)
                .finish(Finish::Mottled(0.12)),
            block([0.07, 0.07, 0.012], [side * 0.22, -0.15, 0.3], GLASS).gloss(0.3),
            block([0.012, 0.07, 0.08], [side * 0.36, -0.15, 0.0], GLASS).gloss(0.3),
            block([0.085, 0.012, 0.025], [side * 0.22, -0.23, 0.3], WOOD),
            block([0.025, 0.012, 0.1], [side * 0.36, -0.23, 0.0], WOOD),
            // The gable is a stack of ever narrower blocks under the roof.
            block([0.26, 0.05, 0.012], [0.0, 0.08, side * 0.28], walls),
            block([0.18, 0.05, 0.012], [0.0, 0.17, side * 0.28], walls),
            block([0.09, 0.05, 0.012], [0.0, 0.26, side * 0.28], walls),
        ]);
    }
    parts
}

fn car(main: Color) -> Vec<Part> {
    let mut parts = vec![
        block([0.46, 0.09, 0.2], [0.0, -0.05, 0.0], main).gloss(0.3),
        ball_part([0.2, 0.07, 0.195], [0.28, 0.02, 0.0], main).gloss(0.5),
        ball_part([0.27, 0.17, 0.18], [-0.06, 0.08, 0.0], GLASS).gloss(0.5),
        ball_part([0.2, 0.07, 0.165], [-0.06, 0.19, 0.0], main).gloss(0.5),
        block([0.48, 0.03, 0.21], [0.0, -0.13, 0.0], DARK),
        block([0.02, 0.035, 0.16], [0.465, -0.04, 0.0], IRON),
    ];
    for side in [-1.0, 1.0] {
        parts.extend([
            ball_part([0.02, 0.035, 0.035], [0.46, 0.0, side * 0.14], GLOW),
            ball_part([0.02, 0.03, 0.03], [-0.46, 0.0, side * 0.15], [0.8, 0.1, 0.1]),
            block([0.03, 0.012, 0.01], [0.02, -0.01, side * 0.203], STEEL),
        ]);
        for x in [-0.28, 0.28] {
            parts.extend([
                wheel(Axis::Z, 0.11, 0.045, [x, -0.15, side * 0.18], DARK),
                wheel(Axis::Z, 0.06, 0.05, [x, -0.15, side * 0.18], STEEL).gloss(0.3),
            ]);
        }
    }
    parts
}

fn bottle(main: Color) -> Vec<Part> {
    vec![
        ball_part([0.31, 0.29, 0.31], [0.0, -0.18, 0.0], main).gloss(0.8),
        column(0.2, 0.22, 0.02, [0.0, -0.46, 0.0], darker(main)),
        column(0.12, 0.09, 0.13, [0.0, 0.2, 0.0], main).gloss(0.4),
        ring(0.1, 0.028, [0.0, 0.32, 0.0], main),
        column(0.065, 0.08, 0.07, [0.0, 0.4, 0.0], WOOD).finish(Finish::Mottled(0.2)),
        ring(0.125, 0.02, [0.0, 0.09, 0.0], [0.9, 0.72, 0.25]).gloss(0.5),
        ring(0.31, 0.014, [0.0, -0.18, 0.0], [0.9, 0.72, 0.25]).gloss(0.5),
    ]
}

fn rocket(main: Color, accent: Color) -> Vec<Part> {
    let red = [0.85, 0.15, 0.12];
    let mut parts = vec![
        column(0.15, 0.17, 0.25, [0.0, -0.07, 0.0], main).gloss(0.3),
        column(0.171, 0.168, 0.03, [0.0, 0.1, 0.0], accent),
        ball_part([0.17, 0.34, 0.17], [0.0, 0.18, 0.0], red).gloss(0.4),
        column(0.11, 0.15, 0.05, [0.0, -0.36, 0.0], IRON),
        ball_part([0.09, 0.12, 0.09], [0.0, -0.43, 0.0], GLOW),
        ball_part([0.065, 0.065, 0.03], [0.0, 0.0, 0.155], GLASS).gloss(0.6),
    ];
    parts.extend(
        [-1.0, 1.0].map(|side| block([0.09, 0.13, 0.015], [side * 0.2, -0.3, 0.0], red).tilt(side * 0.35)),
    );
    parts.extend([-1.0, 1.0].map(|side| block([0.015, 0.14, 0.08], [0.0, -0.3, side * 0.18], red)));
    parts
}

/// What nothing else fits: a turned ornament whose profile follows from the prompt.
fn ornament(main: Color, accent: Color, random: &mut Random) -> Vec<Part> {
    let mut parts = vec![column(0.26, 0.2, 0.035, [0.0, -0.46, 0.0], darker(main)).gloss(0.3)];
    let mut height = -0.42;
    while height < 0.36 {
        let (radius, half) = (0.1 + 0.2 * random.unit(), 0.05 + 0.08 * random.unit());
        let color = if random.unit() < 0.6 { main } else { accent };
        let center = [0.0, height + half, 0.0];
        parts.push(match random.below(3) {
            0 => ball_part([radius, half * 1.15, radius], center, color).gloss(0.5),
            1 => column(radius, radius * 0.6, half, center, color).gloss(0.3),
            _ => column(radius * 0.7, radius * 0.7, half, center, color)
                .finish(Finish::Bands(darker(color), 30.0)),
        });
        parts.push(ring(radius * 0.75, 0.022, [0.0, height + 2.0 * half, 0.0], accent).gloss(0.4));
        height += 2.0 * half;
    }
    parts.push(ball_part([0.09; 3], [0.0, height + 0.07, 0.0], main).gloss(0.7));
    parts
}
