//! `sn17 render`: a splat file to a picture.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use sn17_render::{
    Adapters, BBOX_DEFAULT, Camera, CpuRenderer, DUEL_VIEWS, Frame, JUDGE_SIZE_PX, RenderBudget, Renderer,
    Scene, WHITE, WgpuRenderer, contact_sheet, duel_grid, judge_views, normalise,
};
use sn17_splat::{Limits, decode};

/// Renders a splat file as the scoring does.
#[derive(Args, Debug)]
pub(crate) struct RenderArgs {
    /// Splats to render: PLY, or SPZ in any dialect.
    file: PathBuf,
    /// Where to write the PNG.
    #[arg(short, long, value_name = "OUT.png")]
    output: PathBuf,
    /// Width and height in pixels.
    #[arg(long, value_name = "N", default_value_t = JUDGE_SIZE_PX)]
    size: u32,
    /// Direction of the camera around the object, in degrees; 0 looks along −Z.
    #[arg(long, value_name = "DEG", default_value_t = 24.0, allow_negative_numbers = true)]
    azimuth: f32,
    /// Elevation in degrees; a negative one looks down from above.
    #[arg(long, value_name = "DEG", default_value_t = -15.0, allow_negative_numbers = true)]
    elevation: f32,
    /// Distance of the camera from the origin.
    #[arg(long, value_name = "R", default_value_t = 2.5)]
    radius: f32,
    /// Largest edge the object is scaled to.
    #[arg(long, value_name = "B", default_value_t = BBOX_DEFAULT)]
    bbox: f32,
    /// What renders.
    #[arg(long, value_enum, default_value_t = Backend::Cpu)]
    backend: Backend,
    /// Write the picture a duel's judge sees: four of the scored views, two by two.
    #[arg(long, conflicts_with_all = ["contact_sheet", "size", "azimuth", "elevation", "radius"])]
    grid: bool,
    /// Write all sixteen scored views, reduced, four by four.
    #[arg(long, conflicts_with_all = ["size", "azimuth", "elevation", "radius"])]
    contact_sheet: bool,
}

/// The renderers of this build.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Backend {
    /// The reference renderer, on every core.
    Cpu,
    /// Compute shaders, on graphics hardware where there is some, else on a software driver.
    Wgpu,
}

/// Renders the file and writes the picture.
///
/// # Errors
/// Fails if the file cannot be read or decoded, if it cannot be rendered, or if the picture cannot be written.
pub(crate) fn run(args: &RenderArgs) -> anyhow::Result<()> {
    let bytes =
        std::fs::read(&args.file).with_context(|| format!("cannot read `{}`", args.file.display()))?;
    let splats = decode(&bytes, &Limits::default())
        .with_context(|| format!("cannot decode `{}`", args.file.display()))?;
    let scene = normalise(&splats, args.bbox).context("cannot normalise the object")?;
    let mut renderer: Box<dyn Renderer> = match args.backend {
        Backend::Cpu => Box::new(CpuRenderer),
        Backend::Wgpu => Box::new(WgpuRenderer::new(Adapters::Any)?),
    };
    let frame = picture(args, &scene, &mut *renderer).context("cannot render the object")?;
    let png = frame.to_png().context("cannot encode the picture")?;
    std::fs::write(&args.output, png).with_context(|| format!("cannot write `{}`", args.output.display()))
}

fn picture(args: &RenderArgs, scene: &Scene, renderer: &mut dyn Renderer) -> anyhow::Result<Frame> {
    let budget = RenderBudget::default();
    if !args.grid && !args.contact_sheet {
        let camera = Camera::orbit(args.azimuth, args.elevation, args.radius, args.size);
        return Ok(renderer.views(scene, &[camera], WHITE, &budget)?.frame(0));
    }
    let views = renderer.views(scene, &judge_views(), WHITE, &budget)?.frames();
    if args.contact_sheet {
        return Ok(contact_sheet(&views));
    }
    Ok(duel_grid(DUEL_VIEWS.map(|view| &views[view])))
}
