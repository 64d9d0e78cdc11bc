//! The solids objects are composed of, and points on their surfaces.

use std::f32::consts::PI;

use super::random::Random;

/// A solid with a colour, placed in the object.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) solid: Solid,
    pub(super) center: [f32; 3],
    pub(super) color: [f32; 3],
    /// Strength of the baked highlight, 0 to 1.
    pub(super) gloss: f32,
    pub(super) finish: Finish,
    /// Turn around the Z axis through the centre, in radians.
    pub(super) tilt: f32,
}

/// A solid around the origin.
#[derive(Clone, Copy, Debug)]
pub(super) enum Solid {
    /// Half axes.
    Ellipsoid([f32; 3]),
    /// Half edges.
    Cuboid([f32; 3]),
    /// A cone with its top cut off, or a cylinder, with both ends closed.
    Frustum { axis: Axis, radius_low: f32, radius_high: f32, half_height: f32 },
    /// A ring lying flat.
    Ring { radius: f32, thickness: f32 },
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Axis {
    X,
    Y,
    Z,
}

/// How the colour varies over a part.
#[derive(Clone, Copy, Debug)]
pub(super) enum Finish {
    Plain,
    /// Horizontal bands of a second colour, this many per unit of length.
    Bands([f32; 3], f32),
    /// Irregular darker and lighter patches, as of leaves or wood.
    Mottled(f32),
}

/// A point on a surface, with all that its colour depends on.
pub(super) struct SurfacePoint {
    pub(super) position: [f32; 3],
    pub(super) normal: [f32; 3],
    pub(super) color: [f32; 3],
    pub(super) gloss: f32,
}

impl Part {
    pub(super) fn new(solid: Solid, center: [f32; 3], color: [f32; 3]) -> Self {
        Self { solid, center, color, gloss: 0.0, finish: Finish::Plain, tilt: 0.0 }
    }

    pub(super) fn gloss(mut self, gloss: f32) -> Self {
        self.gloss = gloss;
        self
    }

    pub(super) fn finish(mut self, finish: Finish) -> Self {
        self.finish = finish;
        self
    }

    pub(super) fn tilt(mut self, radians: f32) -> Self {
        self.tilt = radians;
        self
    }

    /// Area of the surface.
    pub(super) fn area(&self) -> f32 {
        match self.solid {
            Solid::Ellipsoid([a, b, c]) => {
                // Thomsen's approximation (2004), within 1.2 %.
                let power = |value: f32| libm::powf(value, 1.6);
                let mean = (power(a * b) + power(a * c) + power(b * c)) / 3.0;
                4.0 * PI * libm::powf(mean, 1.0 / 1.6)
            }
            Solid::Cuboid(half) => 8.0 * (half[0] * half[1] + half[1] * half[2] + half[2] * half[0]),
            Solid::Frustum { radius_low, radius_high, half_height, .. } => {
                let [side, low, high] = frustum_areas(radius_low, radius_high, half_height);
                side + low + high
            }
            Solid::Ring { radius, thickness } => 4.0 * PI * PI * radius * thickness,
        }
    }

    /// A random point of the surface, equally dense everywhere.
    pub(super) fn sample(&self, random: &mut Random) -> SurfacePoint {
        let (place, normal) = match self.solid {
            Solid::Ellipsoid(radii) => on_ellipsoid(radii, random),
            Solid::Cuboid(half) => on_cuboid(half, random),
            Solid::Frustum { axis, radius_low, radius_high, half_height } => {
                let (place, normal) = on_frustum(radius_low, radius_high, half_height, random);
                (axis.turn(place), axis.turn(normal))
            }
            Solid::Ring { radius, thickness } => on_ring(radius, thickness, random),
        };
        let (sin, cos) = (libm::sinf(self.tilt), libm::cosf(self.tilt));
        let turn = |[x, y, z]: [f32; 3]| [cos * x - sin * y, sin * x + cos * y, z];
        let color = self.finish.color(self.color, place);
        let (place, normal) = (turn(place), turn(normal));
        let position = [0, 1, 2].map(|axis| place[axis] + self.center[axis]);
        SurfacePoint { position, normal, color, gloss: self.gloss }
    }

    /// Whether a point lies inside the solid and clearly below its surface.
    pub(super) fn hides(&self, point: [f32; 3]) -> bool {
        const SKIN: f32 = 0.003;
        let (sin, cos) = (libm::sinf(-self.tilt), libm::cosf(-self.tilt));
        let [x, y, z] = [0, 1, 2].map(|axis| point[axis] - self.center[axis]);
        let place = [cos * x - sin * y, sin * x + cos * y, z];
        match self.solid {
            Solid::Ellipsoid(radii) => {
                length([0, 1, 2].map(|axis| place[axis] / (radii[axis] - SKIN).max(SKIN))) < 1.0
            }
            Solid::Cuboid(half) => (0..3).all(|axis| place[axis].abs() < half[axis] - SKIN),
            Solid::Frustum { axis, radius_low, radius_high, half_height } => {
                let [x, y, z] = axis.turn_back(place);
                let radius = radius_low + (radius_high - radius_low) * (y / half_height + 1.0) / 2.0;
                y.abs() < half_height - SKIN && length([x, 0.0, z]) < radius - SKIN
            }
            Solid::Ring { radius, thickness } => {
                let [x, y, z] = place;
                length([length([x, 0.0, z]) - radius, y, 0.0]) < thickness - SKIN
            }
        }
    }
}

impl Axis {
    /// Turns +Y to this axis.
    fn turn(self, [x, y, z]: [f32; 3]) -> [f32; 3] {
        match self {
            Self::X => [y, z, x],
            Self::Y => [x, y, z],
            Self::Z => [z, x, y],
        }
    }

    /// Undoes [`Axis::turn`].
    fn turn_back(self, [x, y, z]: [f32; 3]) -> [f32; 3] {
        match self {
            Self::X => [z, x, y],
            Self::Y => [x, y, z],
            Self::Z => [y, z, x],
        }
    }
}

impl Finish {
    fn color(self, base: [f32; 3], [x, y, z]: [f32; 3]) -> [f32; 3] {
        match self {
            Self::Plain => base,
            Self::Bands(second, per_unit) => {
                let phase = y * per_unit;
                if phase - phase.floor() < 0.5 { base } else { second }
            }
            Self::Mottled(strength) => {
                let wave = libm::sinf(23.0 * x + 11.0 * y)
                    + libm::sinf(19.0 * z - 13.0 * y + 1.3)
                    + libm::sinf(31.0 * y + 17.0 * x - 9.0 * z);
                base.map(|channel| channel * (1.0 + strength * wave / 3.0))
            }
        }
    }
}

fn on_ellipsoid([a, b, c]: [f32; 3], random: &mut Random) -> ([f32; 3], [f32; 3]) {
    let stretch_max = (b * c).max(a * c).max(a * b);
    loop {
        let [x, y, z] = random.direction();
        // Directions are accepted in proportion to how much the sphere's surface is stretched there.
        let scaled = [b * c * x, a * c * y, a * b * z];
        let stretch = length(scaled);
        if random.unit() * stretch_max <= stretch {
            return ([a * x, b * y, c * z], scaled.map(|part| part / stretch));
        }
    }
}

fn on_cuboid(half: [f32; 3], random: &mut Random) -> ([f32; 3], [f32; 3]) {
    let faces = [half[1] * half[2], half[2] * half[0], half[0] * half[1]];
    let at = random.unit() * (faces[0] + faces[1] + faces[2]);
    let across = if at < faces[0] {
        0
    } else if at < faces[0] + faces[1] {
        1
    } else {
        2
    };
    let side = if random.unit() < 0.5 { -1.0 } else { 1.0 };
    let mut place = half.map(|edge| edge * random.signed());
    let mut normal = [0.0; 3];
    place[across] = side * half[across];
    normal[across] = side;
    (place, normal)
}

fn on_frustum(low: f32, high: f32, half_height: f32, random: &mut Random) -> ([f32; 3], [f32; 3]) {
    let [side, bottom, top] = frustum_areas(low, high, half_height);
    let at = random.unit() * (side + bottom + top);
    let [x, z] = random.on_circle();
    if at < side {
        let (height, radius) = loop {
            let height = random.unit();
            let radius = low + (high - low) * height;
            if random.unit() * low.max(high) <= radius {
                break (height, radius);
            }
        };
        let slope = [2.0 * half_height, low - high];
        let norm = (slope[0] * slope[0] + slope[1] * slope[1]).sqrt();
        let normal = [x * slope[0] / norm, slope[1] / norm, z * slope[0] / norm];
        return ([x * radius, (2.0 * height - 1.0) * half_height, z * radius], normal);
    }
    let (radius, direction) = if at < side + bottom { (low, -1.0) } else { (high, 1.0) };
    let radius = radius * random.unit().sqrt();
    ([x * radius, direction * half_height, z * radius], [0.0, direction, 0.0])
}

fn frustum_areas(low: f32, high: f32, half_height: f32) -> [f32; 3] {
    let slant = (4.0 * half_height * half_height + (low - high) * (low - high)).sqrt();
    [PI * (low + high) * slant, PI * low * low, PI * high * high]
}

fn on_ring(radius: f32, thickness: f32, random: &mut Random) -> ([f32; 3], [f32; 3]) {
    loop {
        let [x, z] = random.on_circle();
        let [out, up] = random.on_circle();
        let distance = radius + thickness * out;
        if random.unit() * (radius + thickness) <= distance {
            return ([x * distance, thickness * up, z * distance], [x * out, up, z * out]);
        }
    }
}

fn length([x, y, z]: [f32; 3]) -> f32 {
    (x * x + y * y + z * z).sqrt()
}
