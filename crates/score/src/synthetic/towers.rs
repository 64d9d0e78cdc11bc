//! The three towers: views and texts (or views and pictures) to unit vectors that compare by cosine.
//!
//! All towers see the same few features and differ in how these are weighed. An image has a presence (how much of it
//! is not background), the mean colour of what is present, a sketch of its shape and a residue that no text shares;
//! a text has a constant presence, the colours that it names, a sketch of its words and a residue of its own. The
//! residues set the level: a view of any object with a text that names no colour has a cosine near 0.28, as real
//! CLIP has, a matching colour raises it and a contradicting one lowers it. Rows of a Hadamard matrix spread the
//! features over the output, which keeps every cosine exact.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "lengths of short constant tables become dimensions and back"
)]

use super::graph::{GraphBuilder, Value, int, ints, text};
use super::hash::SignSource;
use crate::manifest::Role;
use crate::tokenizer::CONTEXT;

/// The side of the pictures that the towers look at, in pixels: 518 / 7.
const SIDE_PX: i64 = 74;
/// Numbers in the sketch of a shape or of words.
const SKETCH: usize = 8;
/// The cells of a shape's sketch along each side; 74 / 12 is 6, rounded down.
const SKETCH_CELLS: i64 = 6;
/// Presence, colour plane (2), lightness, sketch, image residue, text residue, emptiness.
const FEATURES: usize = 4 + SKETCH + 3;

/// How much each feature of an image or text weighs in its vector.
struct Weights {
    color: f32,
    lightness: f32,
    sketch: f32,
    residue: f32,
}

/// Views beside texts: the residue dominates, so that the best cosines are near 0.4.
const TEXT_WEIGHTS: Weights = Weights { color: 0.8, lightness: 0.5, sketch: 0.3, residue: 1.45 };
/// Views beside pictures: no residue, so that equal pictures reach 1.
const PICTURE_WEIGHTS: Weights = Weights { color: 1.0, lightness: 0.5, sketch: 0.6, residue: 0.0 };

/// The colour words that the text tower knows, as points of the colour plane (red at (1, 0), green a third of a turn
/// further) and their lightness around 0.
const COLORS: [(&str, [f32; 3]); 20] = [
    ("red", [1.0, 0.0, 0.0]),
    ("orange", [0.87, 0.5, 0.2]),
    ("gold", [0.6, 0.8, 0.2]),
    ("golden", [0.6, 0.8, 0.2]),
    ("yellow", [0.5, 0.87, 0.4]),
    ("lime", [0.0, 1.0, 0.3]),
    ("green", [-0.5, 0.87, 0.0]),
    ("teal", [-1.0, 0.2, -0.1]),
    ("cyan", [-1.0, 0.0, 0.3]),
    ("blue", [-0.5, -0.87, -0.1]),
    ("purple", [0.3, -0.95, -0.2]),
    ("violet", [0.2, -0.98, 0.0]),
    ("magenta", [0.5, -0.87, 0.1]),
    ("pink", [0.87, -0.4, 0.5]),
    ("brown", [0.8, 0.5, -0.4]),
    ("black", [0.0, 0.0, -1.5]),
    ("white", [0.0, 0.0, 1.5]),
    ("gray", [0.0, 0.0, 0.3]),
    ("grey", [0.0, 0.0, 0.3]),
    ("silver", [0.0, 0.0, 0.6]),
];
/// Tokens that a colour word's detector spans: the end of the word before, and up to seven letters.
const DETECTOR_WIDTH: usize = 8;
/// Bits of a byte token: eight of the byte, one for "ends a word".
const TOKEN_BITS: usize = 9;
/// Byte tokens of the tokenizer; higher ids share one more row.
const BYTE_TOKENS: i64 = 512;

/// The graph of [`Role::ClipImage`].
pub(super) fn clip_image() -> Vec<u8> {
    let mut graph = GraphBuilder::default();
    let pixels = graph.pixels(&GraphBuilder::input("frames"));
    let small = graph.average_pool(&pixels, 518 / SIDE_PX);
    let features = image_features(&mut graph, &small, &TEXT_WEIGHTS);
    let embeddings = embed(&mut graph, &features, 768);
    graph.finish(Role::ClipImage, &embeddings)
}

/// The graph of [`Role::ImageImage`].
pub(super) fn image_image() -> Vec<u8> {
    let mut graph = GraphBuilder::default();
    let pixels = graph.pixels(&GraphBuilder::input("images"));
    let sizes = graph.ints(&[SIDE_PX, SIDE_PX]);
    let unused = Value::default();
    let settings = vec![ints("axes", &[2, 3]), int("antialias", 1), text("mode", "linear")];
    let small = graph.op_with("Resize", &[&pixels, &unused, &unused, &sizes], settings);
    let features = image_features(&mut graph, &small, &PICTURE_WEIGHTS);
    let embeddings = embed(&mut graph, &features, 1280);
    graph.finish(Role::ImageImage, &embeddings)
}

/// The graph of [`Role::ClipText`].
pub(super) fn clip_text() -> Vec<u8> {
    let mut graph = GraphBuilder::default();
    let tokens = GraphBuilder::input("tokens");
    let bits = token_bits(&mut graph, &tokens);
    let colors = named_colors(&mut graph, &bits);
    let sketch = word_sketch(&mut graph, &tokens, &bits);

    let presence = {
        let zeros = graph.times(&colors, 0.0);
        let zero = graph.reduce("ReduceSum", &zeros, &[1]);
        graph.plus(&zero, 1.0)
    };
    let scale = graph.floats(&[3], &[TEXT_WEIGHTS.color, TEXT_WEIGHTS.color, TEXT_WEIGHTS.lightness]);
    let colors = graph.op("Mul", &[&colors, &scale]);
    let sketch = graph.times(&sketch, TEXT_WEIGHTS.sketch);
    let nothing = graph.times(&presence, 0.0);
    let residue = graph.times(&presence, TEXT_WEIGHTS.residue);
    let features = graph.concat(&[&presence, &colors, &sketch, &nothing, &residue, &nothing], 1);
    let embeddings = embed(&mut graph, &features, 768);
    graph.finish(Role::ClipText, &embeddings)
}

/// The features of pictures [n, 3, 74, 74] as rows [n, [`FEATURES`]].
fn image_features(graph: &mut GraphBuilder, small: &Value, weights: &Weights) -> Value {
    let mask = super::quality::foreground(graph, small);
    let coverage = graph.reduce("ReduceMean", &mask, &[1, 2, 3]);
    let presence = super::quality::presence(graph, &coverage);

    let colors = mean_color(graph, small, &mask, &coverage);
    let scale = graph.floats(&[1, 3, 1, 1], &[weights.color, weights.color, weights.lightness]);
    let colors = graph.op("Mul", &[&colors, &scale]);
    let colors = graph.op("Mul", &[&colors, &presence]);
    let colors = graph.reshape(&colors, &[0, 3]);

    let presence = graph.reshape(&presence, &[0, 1]);
    let sketch = shape_sketch(graph, small, &mask);
    let sketch = graph.times(&sketch, weights.sketch);
    let sketch = graph.op("Mul", &[&sketch, &presence]);
    let nothing = graph.times(&presence, 0.0);
    let residue = graph.plus(&nothing, weights.residue);
    let absence = graph.times(&presence, -1.0);
    let emptiness = graph.plus(&absence, 1.0);
    graph.concat(&[&presence, &colors, &sketch, &residue, &nothing, &emptiness], 1)
}

/// The mean colour of the foreground [n, 3, 1, 1]: two coordinates of the colour plane, saturating towards length 1,
/// and the lightness around 0.
fn mean_color(graph: &mut GraphBuilder, small: &Value, mask: &Value, coverage: &Value) -> Value {
    let half_root3 = 0.866_025_4;
    #[rustfmt::skip]
    let axes = [
        1.0, -0.5, -0.5,
        0.0, half_root3, -half_root3,
        0.6, 1.2, 0.2,
    ];
    let axes = graph.floats(&[3, 3, 1, 1], &axes);
    let offsets = graph.floats(&[3], &[0.0, 0.0, -1.0]);
    let planes = graph.op("Conv", &[small, &axes, &offsets]);
    let present = graph.op("Mul", &[&planes, mask]);
    let mean = graph.reduce("ReduceMean", &present, &[2, 3]);
    let area = graph.plus(coverage, 1e-3);
    let mean = graph.op("Div", &[&mean, &area]);

    let squares = graph.op("Mul", &[&mean, &mean]);
    let plane_only = graph.floats(&[1, 3, 1, 1], &[1.0, 1.0, 0.0]);
    let squares = graph.op("Mul", &[&squares, &plane_only]);
    let saturation = graph.reduce("ReduceSum", &squares, &[1]);
    let saturation = graph.plus(&saturation, 0.02);
    let length = graph.op("Sqrt", &[&saturation]);
    let lightness_only = graph.floats(&[1, 3, 1, 1], &[0.0, 0.0, 1.0]);
    let plane_scale = graph.op("Mul", &[&length, &plane_only]);
    let scale = graph.op("Add", &[&plane_scale, &lightness_only]);
    graph.op("Div", &[&mean, &scale])
}

/// Unit rows [n, [`SKETCH`]] that depend on where a picture is dark and where it shows something.
fn shape_sketch(graph: &mut GraphBuilder, small: &Value, mask: &Value) -> Value {
    let darkness = graph.times(small, -1.0);
    let darkness = graph.plus(&darkness, 1.0);
    let both = graph.concat(&[&darkness, mask], 1);
    let cells = graph.average_pool(&both, SIDE_PX / SKETCH_CELLS);
    let numbers = 4 * SKETCH_CELLS * SKETCH_CELLS;
    let row = graph.reshape(&cells, &[0, numbers]);
    let mut signs = SignSource::new(1);
    let projection: Vec<f32> = (0..numbers as usize * SKETCH).map(|_| signs.next_sign()).collect();
    let projection = graph.floats(&[numbers, SKETCH as i64], &projection);
    let sketch = graph.op("MatMul", &[&row, &projection]);
    unit_rows(graph, &sketch)
}

/// The bits [b, 9, 77] of the tokens [b, 77], as -1 and 1; ids beyond the bytes have only the last bit set.
fn token_bits(graph: &mut GraphBuilder, tokens: &Value) -> Value {
    let rows = (0..=BYTE_TOKENS).map(|id| if id == BYTE_TOKENS { 256 } else { id });
    let table: Vec<f32> = rows.flat_map(signs_of_bits).collect();
    let table = graph.floats(&[BYTE_TOKENS + 1, TOKEN_BITS as i64], &table);
    let last = graph.ints(&[BYTE_TOKENS]);
    let ids = graph.op("Min", &[tokens, &last]);
    let bits = graph.op_with("Gather", &[&table, &ids], vec![int("axis", 0)]);
    graph.op_with("Transpose", &[&bits], vec![ints("perm", &[0, 2, 1])])
}

/// The sum of the colours [b, 3] whose words occur.
///
/// A word's detector adds one for each right bit and takes one for each wrong bit of its letters and of the end of
/// the word before; only a full match exceeds the bias, and then by exactly one.
fn named_colors(graph: &mut GraphBuilder, bits: &Value) -> Value {
    let mut filters = Vec::new();
    let mut biases = Vec::new();
    for (word, _) in COLORS {
        let mut taps = vec![[0.0; TOKEN_BITS]; DETECTOR_WIDTH];
        taps[0][TOKEN_BITS - 1] = 1.0;
        for (position, byte) in word.bytes().enumerate() {
            let letter = i64::from(byte - b'!');
            let is_last = position + 1 == word.len();
            taps[position + 1] = signs_of_bits(if is_last { letter + 256 } else { letter });
        }
        filters
            .extend((0..TOKEN_BITS).flat_map(|bit| taps.iter().map(move |tap| tap[bit]).collect::<Vec<_>>()));
        biases.push(-((word.len() * TOKEN_BITS) as f32));
    }
    let count = COLORS.len() as i64;
    let filters = graph.floats(&[count, TOKEN_BITS as i64, DETECTOR_WIDTH as i64], &filters);
    let biases = graph.floats(&[count], &biases);
    let settings = vec![ints("pads", &[0, DETECTOR_WIDTH as i64 - 1])];
    let matches = graph.op_with("Conv", &[bits, &filters, &biases], settings);
    let matches = graph.op("Relu", &[&matches]);
    let found = graph.reduce("ReduceMax", &matches, &[2]);
    let found = graph.reshape(&found, &[0, count]);
    let colors: Vec<f32> = COLORS.iter().flat_map(|(_, color)| *color).collect();
    let colors = graph.floats(&[count, 3], &colors);
    graph.op("MatMul", &[&found, &colors])
}

/// Unit rows [b, [`SKETCH`]] that depend on every token and its neighbours.
fn word_sketch(graph: &mut GraphBuilder, tokens: &Value, bits: &Value) -> Value {
    let mut signs = SignSource::new(2);
    let filters: Vec<f32> = (0..SKETCH * TOKEN_BITS * 3).map(|_| 0.2 * signs.next_sign()).collect();
    let filters = graph.floats(&[SKETCH as i64, TOKEN_BITS as i64, 3], &filters);
    let codes = graph.op_with("Conv", &[bits, &filters], vec![ints("pads", &[1, 1])]);
    let codes = graph.op("Tanh", &[&codes]);
    let zero = graph.ints(&[0]);
    let is_token = graph.op("Greater", &[tokens, &zero]);
    let is_token = graph.op_with("Cast", &[&is_token], vec![int("to", 1)]);
    let is_token = graph.reshape(&is_token, &[0, 1, CONTEXT as i64]);
    let codes = graph.op("Mul", &[&codes, &is_token]);
    let sum = graph.reduce("ReduceSum", &codes, &[2]);
    let sum = graph.reshape(&sum, &[0, SKETCH as i64]);
    unit_rows(graph, &sum)
}

/// Features [n, [`FEATURES`]] as unit vectors [n, `length`]; `length` is a multiple of 256.
fn embed(graph: &mut GraphBuilder, features: &Value, length: i64) -> Value {
    // Entry (row, column) of a Hadamard matrix is -1 to the number of ones that row and column have in common.
    let entry = |row: usize, column: i64| {
        let common = row as i64 & (column % 256);
        if common.count_ones().is_multiple_of(2) { 1.0 } else { -1.0 }
    };
    let rows: Vec<f32> =
        (0..FEATURES).flat_map(|row| (0..length).map(move |column| entry(row, column))).collect();
    let rows = graph.floats(&[FEATURES as i64, length], &rows);
    let spread = graph.op("MatMul", &[features, &rows]);
    unit_rows(graph, &spread)
}

fn unit_rows(graph: &mut GraphBuilder, rows: &Value) -> Value {
    graph.op_with("LpNormalization", &[rows], vec![int("axis", -1), int("p", 2)])
}

/// The nine bits of a byte token, lowest first, as -1 and 1.
fn signs_of_bits(id: i64) -> [f32; TOKEN_BITS] {
    let mut signs = [-1.0; TOKEN_BITS];
    for (bit, sign) in signs.iter_mut().enumerate() {
        if id >> bit & 1 == 1 {
            *sign = 1.0;
        }
    }
    signs
}
