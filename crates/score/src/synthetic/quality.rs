//! Image quality and perceptual distance.

use super::graph::{GraphBuilder, Value, ints};
use super::hash::SignSource;
use crate::manifest::Role;

/// The side of the squares that both graphs reduce frames by, in pixels; 518 is 74 of them.
const CELL_PX: i64 = 7;
/// Filters of the distance.
const FILTERS: i64 = 8;
/// Turns the filters' mean square difference into distances like those of real networks: below 0.1 for neighbouring
/// views of an object, above 0.5 for unrelated noise.
const DISTANCE_SCALE: f32 = 2.0;

/// What each feature of a view adds to the logit of its quality.
struct QualityWeights {
    presence: f32,
    contrast: f32,
    grain: f32,
    confetti: f32,
    fragmentation: f32,
    offset: f32,
}

/// Chosen so that intact procedural objects and real splats stay above 0.55 and noise and empty views below 0.2.
const QUALITY: QualityWeights = QualityWeights {
    presence: 6.0,
    contrast: 4.0,
    grain: -4.0,
    confetti: -18.0,
    fragmentation: -0.1,
    offset: -1.8,
};

/// The graph of [`Role::Iqa`]: high for one solid object with some shading, low for an empty view, for grain and for
/// confetti (colours that change from cell to cell).
pub(super) fn iqa() -> Vec<u8> {
    let mut graph = GraphBuilder::default();
    let graph = &mut graph;
    let pixels = graph.pixels(&GraphBuilder::input("frames"));
    let small = graph.average_pool(&pixels, CELL_PX);
    let mask = foreground(graph, &small);
    let coverage = graph.reduce("ReduceMean", &mask, &[1, 2, 3]);
    let area = graph.plus(&coverage, 1e-3);
    let presence = presence(graph, &coverage);

    let luma = luma(graph, &pixels);
    let grain = mean_absolute(graph, &luma, &[0.0, 1.0, 0.0, 1.0, -4.0, 1.0, 0.0, 1.0, 0.0], &[1, 1, 3, 3]);
    let grain = graph.op("Div", &[&grain, &area]);

    let edges = mean_absolute(
        graph,
        &mask,
        &[0.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
        &[2, 1, 3, 3],
    );
    // Length of the outline over the root of the area, in cells: 7 or so for a disc whatever its size.
    let root = graph.op("Sqrt", &[&area]);
    let fragmentation = graph.op("Div", &[&edges, &root]);
    let fragmentation = graph.times(&fragmentation, 2.0 * 74.0);

    #[rustfmt::skip]
    let color_changes = [
        0.0, 1.0, 0.0, 1.0, -4.0, 1.0, 0.0, 1.0, 0.0,
        0.0, -1.0, 0.0, -1.0, 4.0, -1.0, 0.0, -1.0, 0.0,
        0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
        0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
        0.0, 1.0, 0.0, 1.0, -4.0, 1.0, 0.0, 1.0, 0.0,
        0.0, -1.0, 0.0, -1.0, 4.0, -1.0, 0.0, -1.0, 0.0,
    ];
    let confetti = mean_absolute(graph, &small, &color_changes, &[2, 3, 3, 3]);
    let confetti = graph.op("Div", &[&confetti, &area]);

    let contrast = contrast(graph, &small, &mask, &area);
    let mut logit = graph.times(&presence, QUALITY.presence);
    for (feature, weight) in [
        (contrast, QUALITY.contrast),
        (grain, QUALITY.grain),
        (confetti, QUALITY.confetti),
        (fragmentation, QUALITY.fragmentation),
    ] {
        let term = graph.times(&feature, weight);
        logit = graph.op("Add", &[&logit, &term]);
    }
    let logit = graph.plus(&logit, QUALITY.offset);
    let quality = graph.op("Sigmoid", &[&logit]);
    let quality = graph.reshape(&quality, &[-1]);
    std::mem::take(graph).finish(Role::Iqa, &quality)
}

/// The graph of [`Role::Lpips`]: mean square difference of rectified random filters over both frames.
pub(super) fn lpips() -> Vec<u8> {
    let mut graph = GraphBuilder::default();
    let mut signs = SignSource::new(3);
    let taps = 3 * CELL_PX * CELL_PX;
    let strength = 1.0 / 7.0;
    let filters: Vec<f32> = (0..FILTERS * taps).map(|_| strength * signs.next_sign()).collect();
    let filters = graph.floats(&[FILTERS, 3, CELL_PX, CELL_PX], &filters);
    let features = |graph: &mut GraphBuilder, name: &str| {
        let pixels = graph.pixels(&GraphBuilder::input(name));
        let responses =
            graph.op_with("Conv", &[&pixels, &filters], vec![ints("strides", &[CELL_PX, CELL_PX])]);
        graph.op("Relu", &[&responses])
    };
    let left = features(&mut graph, "left");
    let right = features(&mut graph, "right");
    let difference = graph.op("Sub", &[&left, &right]);
    let squares = graph.op("Mul", &[&difference, &difference]);
    let mean = graph.reduce("ReduceMean", &squares, &[1, 2, 3]);
    let mean = graph.times(&mean, DISTANCE_SCALE);
    let distance = graph.reshape(&mean, &[-1]);
    graph.finish(Role::Lpips, &distance)
}

/// How far [n, 1, h, w] each pixel of [n, 3, h, w] is from the white background, 0 to 1; an eighth of the range counts
/// in full.
pub(super) fn foreground(graph: &mut GraphBuilder, pixels: &Value) -> Value {
    let darkest = graph.reduce("ReduceMin", pixels, &[1]);
    let distance = graph.times(&darkest, -8.0);
    let distance = graph.plus(&distance, 8.0);
    graph.clip_unit(&distance)
}

/// Above 0.9 once the foreground covers a tenth of the view, 0 without foreground.
pub(super) fn presence(graph: &mut GraphBuilder, coverage: &Value) -> Value {
    let saturating = graph.plus(coverage, 0.01);
    graph.op("Div", &[coverage, &saturating])
}

/// Brightness [n, 1, h, w] with the weights of ITU-R BT.601.
fn luma(graph: &mut GraphBuilder, pixels: &Value) -> Value {
    let weights = graph.floats(&[1, 3, 1, 1], &[0.299, 0.587, 0.114]);
    graph.op("Conv", &[pixels, &weights])
}

/// The mean absolute response [n, 1, 1, 1] to filters.
fn mean_absolute(graph: &mut GraphBuilder, plane: &Value, filters: &[f32], dims: &[i64]) -> Value {
    let filters = graph.floats(dims, filters);
    let responses = graph.op("Conv", &[plane, &filters]);
    let sizes = graph.op("Abs", &[&responses]);
    graph.reduce("ReduceMean", &sizes, &[1, 2, 3])
}

/// The standard deviation [n, 1, 1, 1] of the foreground's brightness.
fn contrast(graph: &mut GraphBuilder, small: &Value, mask: &Value, area: &Value) -> Value {
    let luma = luma(graph, small);
    let present = graph.op("Mul", &[&luma, mask]);
    let sum = graph.reduce("ReduceMean", &present, &[1, 2, 3]);
    let mean = graph.op("Div", &[&sum, area]);
    let deviation = graph.op("Sub", &[&luma, &mean]);
    let squares = graph.op("Mul", &[&deviation, &deviation]);
    let present = graph.op("Mul", &[&squares, mask]);
    let sum = graph.reduce("ReduceMean", &present, &[1, 2, 3]);
    let variance = graph.op("Div", &[&sum, area]);
    graph.op("Sqrt", &[&variance])
}
