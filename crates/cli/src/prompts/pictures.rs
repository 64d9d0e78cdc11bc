//! `sn17 prompts pictures`: pictures for synthetic image tasks, for networks that have none.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use sn17_core::policy::Policy;
use sn17_core::prompts::grammar;
use sn17_render::{BBOX_DEFAULT, Camera, RenderBudget, WHITE};
use sn17_splat::procedural::{self, Quality};

use crate::outbound::Outbound;
use crate::serve::prompt_images;
use crate::serve::runtime;

/// Elevations of the camera in degrees; a negative one looks down from above.
const ELEVATIONS_DEG: [f32; 4] = [-25.0, -15.0, -5.0, 5.0];
/// Directions of the camera around an object.
const DIRECTIONS: u64 = 24;
/// Distance of the camera, as for the judge's pictures.
const RADIUS: f32 = 2.5;

#[derive(Args, Debug)]
pub(super) struct PicturesArgs {
    /// Folder for the pictures, for `serve --prompt-images`; it is made if need be.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many objects to compose and to draw.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=33_600))]
    count: u64,
    /// Which objects: equal seeds give equal pictures.
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    seed: u64,
    /// Width and height in pixels.
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = clap::value_parser!(u32).range(64..=1024))]
    size: u32,
    /// Fetch the pictures of a list instead, a text file with one https URL a line.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["count", "seed", "size"])]
    urls: Option<PathBuf>,
}

pub(super) fn run(args: &PicturesArgs) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.out).with_context(|| format!("cannot create {}", args.out.display()))?;
    let made = match &args.urls {
        Some(list) => runtime()?.block_on(fetch(list, &args.out))?,
        None => draw(args)?,
    };
    println!("{made} pictures in {out}; next: sn17 serve --prompt-images {out}", out = args.out.display());
    Ok(())
}

/// Fetches what a list leads to, under names that say what is in them.
async fn fetch(list: &Path, out: &Path) -> anyhow::Result<usize> {
    prompt_images::fetch(list, &Policy::default().tasks, &Outbound::new()?, async |bytes| {
        write(&out.join(hex::encode(sn17_app::sha256(&bytes))), &bytes)
    })
    .await
}

/// Draws objects that the grammar names, each from a side of its own.
fn draw(args: &PicturesArgs) -> anyhow::Result<usize> {
    for number in 0..args.count {
        let place = args.seed.wrapping_mul(args.count).wrapping_add(number);
        let prompt = grammar::nth(usize::try_from(place % grammar::COUNT as u64)?);
        let png = picture(&prompt, place, args.size).with_context(|| format!("cannot draw {prompt}"))?;
        write(&args.out.join(format!("{place:05}-{}.png", prompt.replace(' ', "-"))), &png)?;
    }
    Ok(usize::try_from(args.count)?)
}

fn picture(prompt: &str, place: u64, size_px: u32) -> anyhow::Result<Vec<u8>> {
    let scene = sn17_render::normalise(&procedural::object(prompt, Quality::Intact, place), BBOX_DEFAULT)?;
    let direction = u16::try_from(place.wrapping_mul(7) % DIRECTIONS)?;
    let azimuth = f32::from(direction) * 360.0 / f32::from(u16::try_from(DIRECTIONS)?);
    let elevation = ELEVATIONS_DEG[usize::try_from(place % ELEVATIONS_DEG.len() as u64)?];
    let camera = Camera::orbit(azimuth, elevation, RADIUS, size_px);
    Ok(sn17_render::render(&scene, &camera, WHITE, &RenderBudget::default())?.to_png()?)
}

fn write(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}
