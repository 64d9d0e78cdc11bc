//! From the bytes of a submission to raw figures and pictures: decode, check, normalise, render, measure.

use sn17_app::ScoringPrompt;
use sn17_render::{BBOX_DEFAULT, JUDGE_SIZE_PX, RenderBudget, Renderer, Scene, ValidityRules};
use sn17_score::{PromptRef, RawMetrics, Scorer};
use sn17_splat::{Limits, Splats};

use crate::error::WorkerError;
use crate::exhibit::{Exhibit, Rendered};

/// What measuring a submission yields.
#[derive(Debug)]
pub enum Measured {
    /// The figures and what a judge is shown.
    Views {
        /// Raw figures.
        raw: Box<RawMetrics>,
        /// Pictures and likeness, if they were asked for.
        exhibit: Option<Box<Exhibit>>,
    },
    /// It is not a splat that can be scored, with the reason for its maker.
    Invalid(String),
}

/// Measures one splat against a prompt, and makes an exhibit of it if there is a salt for its sketch, the same for all
/// results that are to be compared.
///
/// The splats are gone before the models run: both need much memory.
///
/// # Errors
/// Failures that are not the splat's: the renderer's device, the models, the prompt picture, or a picture that cannot be
/// written.
pub fn measure(
    splat: &[u8],
    prompt: &ScoringPrompt,
    renderer: &mut dyn Renderer,
    scorer: &mut Scorer,
    splats_max: usize,
    sketch_salt: Option<u64>,
) -> Result<Measured, WorkerError> {
    let rendered = match render(splat, renderer, splats_max)? {
        Ok(rendered) => rendered,
        Err(reason) => return Ok(Measured::Invalid(reason)),
    };
    let (exhibit, views) = match sketch_salt {
        Some(salt) => match rendered.exhibit(renderer, salt) {
            Ok((exhibit, views)) => (Some(Box::new(exhibit)), views),
            Err(WorkerError::Render(error)) if !error.is_ours() => {
                return Ok(Measured::Invalid(error.to_string()));
            }
            Err(error) => return Err(error),
        },
        None => (None, rendered.into_views()),
    };
    let bytes_each = 3 * JUDGE_SIZE_PX as usize * JUDGE_SIZE_PX as usize;
    let views: Vec<&[u8]> = views.pixels.chunks_exact(bytes_each).collect();
    let raw = match prompt {
        ScoringPrompt::Text(text) => scorer.metrics(&views, PromptRef::Text(text))?,
        ScoringPrompt::Image(bytes) => {
            let picture = image::load_from_memory(bytes)?.to_rgba8();
            let (width, height) = (picture.width() as usize, picture.height() as usize);
            scorer.metrics(&views, PromptRef::Image { rgba: picture.as_raw(), width, height })?
        }
    };
    Ok(Measured::Views { raw: Box::new(raw), exhibit })
}

/// The 16 views of a submission, or what is wrong with it.
fn render(
    splat: &[u8],
    renderer: &mut dyn Renderer,
    splats_max: usize,
) -> Result<Result<Rendered, String>, WorkerError> {
    let (splats, scene) = match scene(splat, splats_max) {
        Ok(sound) => sound,
        Err(reason) => return Ok(Err(reason)),
    };
    let budget = RenderBudget { splats_max, ..RenderBudget::default() };
    match Rendered::new(splats, scene, renderer, budget) {
        Err(error) if !error.is_ours() => Ok(Err(error.to_string())),
        rendered => Ok(Ok(rendered?)),
    }
}

fn scene(splat: &[u8], splats_max: usize) -> Result<(Splats, Scene), String> {
    let limits = Limits::default().with_splats_max(u32::try_from(splats_max).unwrap_or(u32::MAX));
    let splats = sn17_splat::decode(splat, &limits).map_err(|error| error.to_string())?;
    sn17_render::check(&splats, &ValidityRules::default()).map_err(|error| error.to_string())?;
    let scene = sn17_render::normalise(&splats, BBOX_DEFAULT).map_err(|error| error.to_string())?;
    Ok((splats, scene))
}
