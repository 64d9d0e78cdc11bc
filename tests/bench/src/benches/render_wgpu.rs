//! The judge's sixteen views by the renderer on a device, in wall-clock time.

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Instant;

use sn17_render::{
    Adapters, BBOX_DEFAULT, CpuRenderer, RenderBudget, Renderer, Scene, WHITE, WgpuRenderer, judge_views,
    normalise,
};

use super::render_cpu;
use crate::contest::{Benchmark, Budget, Contest, Figure, Missing, Size};

/// Sixteen views of 518 × 518 on the best device there is, compared with the processor.
pub(crate) const BENCHMARK: Benchmark = Benchmark { figures: &[VIEWS], prepare };

const VIEWS: Figure =
    Figure { name: "render.wgpu.hamburger16", unit: "s", budget: Some(Budget::RatioMax(3.0)) };

fn prepare(_: Size) -> anyhow::Result<Contest> {
    let mut device =
        WgpuRenderer::new(Adapters::Any).map_err(|error| Missing(format!("{}: {error}", VIEWS.name)))?;
    let (splats, source) = render_cpu::splats()?;
    let scene = normalise(&splats, BBOX_DEFAULT)?;
    // Kernels are compiled for the first call.
    render(&mut device, &scene)?;
    let note = format!("{source}, {} splats, {}; baseline: the processor", splats.len(), device.device());
    let (device, same_scene) = (RefCell::new(device), scene.clone());
    Ok(Contest {
        variant: Box::new(move || render(&mut *device.borrow_mut(), &scene)),
        baseline: Box::new(move || render(&mut CpuRenderer, &same_scene)),
        note,
        is_judged: true,
    })
}

/// Seconds that the views take.
fn render(renderer: &mut dyn Renderer, scene: &Scene) -> anyhow::Result<Vec<f64>> {
    let start = Instant::now();
    black_box(renderer.views(black_box(scene), &judge_views(), WHITE, &RenderBudget::default())?);
    Ok(vec![start.elapsed().as_secs_f64()])
}
