//! The judge's sixteen views by the CPU renderer, in wall-clock time.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Context;
use rayon::ThreadPoolBuilder;
use sn17_render::{BBOX_DEFAULT, RenderBudget, Scene, judge_views, normalise, render_views};
use sn17_splat::{Limits, Splats, decode};

use crate::contest::{Benchmark, Budget, Contest, Figure, Size};
use crate::inputs;

/// Sixteen views of 518 × 518 with every thread, compared with one thread alone.
pub(crate) const BENCHMARK: Benchmark = Benchmark { figures: &[VIEWS], prepare };

const VIEWS: Figure =
    Figure { name: "render.cpu.hamburger16", unit: "s", budget: Some(Budget::ValueMax(10.0)) };

/// The sample's number of splats, and so that of its stand-in.
const SPLATS: usize = 52_709;
const SAMPLE: &str = "hamburger.ply";

fn prepare(_: Size) -> anyhow::Result<Contest> {
    let (splats, source) = splats()?;
    let scene = normalise(&splats, BBOX_DEFAULT)?;
    let note = format!("{source}, {} splats; baseline: the same on one thread", splats.len());
    let single = ThreadPoolBuilder::new().num_threads(1).build().context("cannot start a thread")?;
    let same_scene = scene.clone();
    Ok(Contest {
        variant: Box::new(move || render(&scene)),
        baseline: Box::new(move || single.install(|| render(&same_scene))),
        note,
        is_judged: true,
    })
}

/// The sample, or as many made splats where there are no sample files, and which of them it is.
pub(super) fn splats() -> anyhow::Result<(Splats, &'static str)> {
    Ok(match inputs::sample(SAMPLE)? {
        Some(bytes) => (decode(&bytes, &Limits::default())?, "the sample file"),
        None => (inputs::made(SPLATS), "made splats"),
    })
}

/// Seconds that the views take.
fn render(scene: &Scene) -> anyhow::Result<Vec<f64>> {
    let start = Instant::now();
    black_box(render_views(black_box(scene), &judge_views(), &RenderBudget::default())?);
    Ok(vec![start.elapsed().as_secs_f64()])
}
