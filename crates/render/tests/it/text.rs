//! Letters of splats, and a reader for them.

use sn17_render::{Camera, Frame, Gaussian, Scene};

pub(crate) const COLUMNS: usize = 6;
pub(crate) const ROWS: usize = 8;

/// A letter of 5 by 7 dots, rows from the top, the leftmost dot in bit 4.
fn glyph(letter: char) -> [u8; 7] {
    match letter {
        'A' => [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
        'B' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10001, 0b10001, 0b11110],
        'C' => [0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110],
        'D' => [0b11110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11110],
        'E' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111],
        'F' => [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000],
        'G' => [0b01110, 0b10001, 0b10000, 0b10111, 0b10001, 0b10001, 0b01111],
        'H' => [0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
        'I' => [0b01110, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
        'J' => [0b00111, 0b00010, 0b00010, 0b00010, 0b00010, 0b10010, 0b01100],
        'K' => [0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001],
        'L' => [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
        'M' => [0b10001, 0b11011, 0b10101, 0b10101, 0b10001, 0b10001, 0b10001],
        'N' => [0b10001, 0b11001, 0b10101, 0b10101, 0b10011, 0b10001, 0b10001],
        'O' => [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        'P' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10000, 0b10000, 0b10000],
        'Q' => [0b01110, 0b10001, 0b10001, 0b10001, 0b10101, 0b10010, 0b01101],
        'R' => [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001],
        'S' => [0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110],
        'T' => [0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100],
        'U' => [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        'V' => [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01010, 0b00100],
        'W' => [0b10001, 0b10001, 0b10001, 0b10101, 0b10101, 0b10101, 0b01010],
        'X' => [0b10001, 0b10001, 0b01010, 0b00100, 0b01010, 0b10001, 0b10001],
        'Y' => [0b10001, 0b10001, 0b01010, 0b00100, 0b00100, 0b00100, 0b00100],
        'Z' => [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b10000, 0b11111],
        _ => [0; 7],
    }
}

fn is_inked(letter: char, column: usize, row: usize) -> bool {
    column < 5 && row < 7 && glyph(letter)[row] >> (4 - column) & 1 == 1
}

/// Where text stands in a view: lines of equal height around a point of the picture.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) lines: Vec<&'static str>,
    /// Middle of the text in the picture, in pixels.
    pub(crate) middle_px: [f32; 2],
    /// Edge of a dot of the font in pixels.
    pub(crate) dot_px: f32,
}

impl Text {
    /// Upper left corner of a letter's field in pixels.
    fn corner(&self, line: usize, number: usize) -> [f32; 2] {
        let width = (self.lines[line].len() * COLUMNS - 1) as f32 * self.dot_px;
        let height = (self.lines.len() * ROWS - 1) as f32 * self.dot_px;
        [
            self.middle_px[0] - width / 2.0 + (number * COLUMNS) as f32 * self.dot_px,
            self.middle_px[1] - height / 2.0 + (line * ROWS) as f32 * self.dot_px,
        ]
    }

    fn letters(&self) -> impl Iterator<Item = (char, [f32; 2])> + '_ {
        self.lines.iter().enumerate().flat_map(move |(line, text)| {
            text.chars().enumerate().map(move |(number, letter)| (letter, self.corner(line, number)))
        })
    }

    /// Middles of all dots, in pixels, with whether they are inked; a margin of two dots around the lines included.
    pub(crate) fn dots(&self) -> Vec<([f32; 2], bool)> {
        let width = self.lines.iter().map(|line| line.len() * COLUMNS).max().unwrap() + 3;
        let height = self.lines.len() * ROWS + 3;
        let left = self.middle_px[0] - width as f32 / 2.0 * self.dot_px;
        let top = self.middle_px[1] - height as f32 / 2.0 * self.dot_px;
        let mut dots = Vec::new();
        for row in 0..height {
            for column in 0..width {
                let at = [left + (column as f32 + 0.5) * self.dot_px, top + (row as f32 + 0.5) * self.dot_px];
                dots.push((at, self.inked_at(at)));
            }
        }
        dots
    }

    fn inked_at(&self, [x, y]: [f32; 2]) -> bool {
        self.letters().any(|(letter, [left, top])| {
            let (column, row) = (((x - left) / self.dot_px).floor(), ((y - top) / self.dot_px).floor());
            column >= 0.0 && row >= 0.0 && is_inked(letter, column as usize, row as usize)
        })
    }

    /// Reads the text in a view, knowing where its letters stand and how large they are: a letter is read if it
    /// resembles the picture there more than every other one does, and enough. Unread letters are `_`.
    ///
    /// Contrast does not matter as long as the brightest and darkest pixel under the letter differ by
    /// [`CONTRAST_MIN`]; the letter may be dark or bright, and off by up to a dot.
    pub(crate) fn read(&self, view: &Frame) -> String {
        self.letters().map(|(_, corner)| self.read_letter(view, corner).unwrap_or('_')).collect()
    }

    pub(crate) fn expected(&self) -> String {
        self.lines.concat()
    }

    fn read_letter(&self, view: &Frame, corner: [f32; 2]) -> Option<char> {
        const SHIFTS: [f32; 5] = [-1.0, -0.5, 0.0, 0.5, 1.0];
        let mut best = (0.0, '_');
        for shift_x in SHIFTS {
            for shift_y in SHIFTS {
                let at = [corner[0] + shift_x * self.dot_px, corner[1] + shift_y * self.dot_px];
                let seen = self.sample(view, at);
                let brightest = seen.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let darkest = seen.iter().copied().fold(f64::INFINITY, f64::min);
                if brightest - darkest < CONTRAST_MIN {
                    continue;
                }
                for letter in 'A'..='Z' {
                    let likeness = correlation(&seen, &template(letter)).abs();
                    if likeness > best.0 {
                        best = (likeness, letter);
                    }
                }
            }
        }
        (best.0 >= LIKENESS_MIN).then_some(best.1)
    }

    /// Mean luminance of each dot of a letter's field, with the margin around it.
    fn sample(&self, view: &Frame, corner: [f32; 2]) -> Vec<f64> {
        let mut seen = Vec::new();
        for row in 0..9 {
            for column in 0..7 {
                let left = corner[0] + (column as f32 - 1.0) * self.dot_px;
                let top = corner[1] + (row as f32 - 1.0) * self.dot_px;
                seen.push(mean_luminance(view, left, top, self.dot_px));
            }
        }
        seen
    }
}

/// Normalised cross-correlation from which a letter counts as read; every two letters of the font resemble each other
/// less than they do themselves.
const LIKENESS_MIN: f64 = 0.6;

/// Difference of the brightest and the darkest dot, in levels of 255, below which nothing is seen.
const CONTRAST_MIN: f64 = 3.0;

fn template(letter: char) -> Vec<f64> {
    let mut ink = Vec::new();
    for row in 0..9_usize {
        for column in 0..7_usize {
            let inside = row > 0 && column > 0 && is_inked(letter, column - 1, row - 1);
            ink.push(f64::from(u8::from(inside)));
        }
    }
    ink
}

fn mean_luminance(view: &Frame, left: f32, top: f32, edge: f32) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for y in top as usize..((top + edge) as usize).max(top as usize + 1) {
        for x in left as usize..((left + edge) as usize).max(left as usize + 1) {
            let at = (y * view.width as usize + x) * 3;
            let [red, green, blue] = [0, 1, 2].map(|channel| f64::from(view.pixels[at + channel]));
            sum += 0.299 * red + 0.587 * green + 0.114 * blue;
            count += 1.0;
        }
    }
    sum / count
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product = |x: &[f64], y: &[f64], mean_x: f64, mean_y: f64| {
        x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>()
    };
    let norm = (product(a, a, mean_a, mean_a) * product(b, b, mean_b, mean_b)).sqrt();
    if norm > 0.0 { product(a, b, mean_a, mean_b) / norm } else { 0.0 }
}

/// The point of space that a camera sees at a pixel and a depth.
pub(crate) fn unproject(camera: &Camera, [x, y]: [f32; 2], depth: f32) -> [f32; 3] {
    let local = [
        (x - camera.principal_px) / camera.focal_px * depth,
        (y - camera.principal_px) / camera.focal_px * depth,
        depth,
    ];
    let moved: [f32; 3] = std::array::from_fn(|axis| local[axis] - camera.world_to_camera[axis][3]);
    std::array::from_fn(|axis| (0..3).map(|row| camera.world_to_camera[row][axis] * moved[row]).sum())
}

/// The pixel and the depth at which a camera sees a point.
pub(crate) fn project(camera: &Camera, point: [f32; 3]) -> ([f32; 2], f32) {
    let [x, y, z] =
        camera.world_to_camera.map(|row| (0..3).map(|axis| row[axis] * point[axis]).sum::<f32>() + row[3]);
    ([x / z * camera.focal_px + camera.principal_px, y / z * camera.focal_px + camera.principal_px], z)
}

/// Where a camera first meets an object, looked up by pixel.
pub(crate) struct Surface {
    depths: Vec<f32>,
}

impl Surface {
    const FIELD_PX: f32 = 8.0;
    const FIELDS: usize = 65;

    pub(crate) fn of(scene: &Scene, camera: &Camera) -> Self {
        let mut depths = vec![f32::INFINITY; Self::FIELDS * Self::FIELDS];
        for gaussian in &scene.gaussians {
            let (at, depth) = project(camera, gaussian.mean);
            if let Some(field) = Self::field(at) {
                depths[field] = depths[field].min(depth);
            }
        }
        Self { depths }
    }

    /// The nearest depth around a pixel.
    pub(crate) fn depth(&self, [x, y]: [f32; 2]) -> Option<f32> {
        const AROUND: [f32; 3] = [-Surface::FIELD_PX, 0.0, Surface::FIELD_PX];
        AROUND
            .iter()
            .flat_map(|shift_x| AROUND.map(|shift_y| [x + shift_x, y + shift_y]))
            .filter_map(Self::field)
            .map(|field| self.depths[field])
            .min_by(f32::total_cmp)
            .filter(|depth| depth.is_finite())
    }

    fn field([x, y]: [f32; 2]) -> Option<usize> {
        let (column, row) = ((x / Self::FIELD_PX).floor(), (y / Self::FIELD_PX).floor());
        let inside = |at: f32| at >= 0.0 && at < Self::FIELDS as f32;
        (inside(column) && inside(row)).then(|| row as usize * Self::FIELDS + column as usize)
    }
}

/// Paints a text on what a camera sees of an object: four small splats a dot, just in front of the surface.
pub(crate) fn paint(scene: &mut Scene, camera: &Camera, text: &Text, ink: [f32; 3]) {
    let surface = Surface::of(scene, camera);
    for (at, inked) in text.dots() {
        if inked && let Some(depth) = surface.depth(at) {
            dot(scene, camera, at, depth - 0.02, text.dot_px, ink);
        }
    }
}

/// Adds one dot of a text at a depth.
pub(crate) fn dot(
    scene: &mut Scene,
    camera: &Camera,
    at: [f32; 2],
    depth: f32,
    dot_px: f32,
    color: [f32; 3],
) {
    let scale = [0.3 * dot_px / camera.focal_px * depth; 3];
    for corner in 0..4_u8 {
        let shift = |bit: u8| (f32::from(corner >> bit & 1) - 0.5) * dot_px / 2.0;
        let mean = unproject(camera, [at[0] + shift(0), at[1] + shift(1)], depth);
        scene.gaussians.push(Gaussian::new(mean, scale, [1.0, 0.1, 0.0, 0.0], 0.95, color));
    }
}
