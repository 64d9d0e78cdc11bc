//! From the bytes of a submission to raw figures and pictures: unpack, draw, measure.

use sn17_app::ScoringPrompt;
use sn17_render::{
    BBOX_DEFAULT, JUDGE_SIZE_PX, RenderBudget, Renderer, Scene, ValidityRules, Views, WHITE, judge_views,
};
use sn17_score::{PromptRef, RawMetrics, Scorer};
use sn17_splat::{Limits, Splats};

use crate::error::WorkerError;
use crate::exhibit::Exhibit;

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

/// Measures one splat against a prompt: what the scoring process does in stages, in one go.
///
/// # Errors
/// Failures that are not the splat's: the renderer's device, the models or the prompt picture.
pub fn measure(
    splat: &[u8],
    prompt: &ScoringPrompt,
    renderer: &mut dyn Renderer,
    scorer: &mut Scorer,
    splats_max: usize,
) -> Result<Measured, WorkerError> {
    let unpacked = match Unpacked::new(splat, splats_max) {
        Ok(unpacked) => unpacked,
        Err(reason) => return Ok(Measured::Invalid(reason)),
    };
    match unpacked.draw(renderer, None)? {
        Ok(drawn) => drawn.measure(prompt, scorer),
        Err(reason) => Ok(Measured::Invalid(reason)),
    }
}

/// A submission that is a splat, normalised.
///
/// Two million splats with all their harmonics take 700 MB, so it is not to be kept while the models run.
#[derive(Debug)]
pub(crate) struct Unpacked {
    splats: Splats,
    scene: Scene,
    budget: RenderBudget,
}

/// The 16 views of a submission, and what else is drawn of it if it was asked for.
#[derive(Debug)]
pub(crate) struct Drawn {
    views: Views,
    exhibit: Option<Box<Exhibit>>,
}

impl Unpacked {
    /// Decodes, checks and normalises.
    ///
    /// # Errors
    /// What is wrong with the submission, in words for its maker.
    pub(crate) fn new(splat: &[u8], splats_max: usize) -> Result<Self, String> {
        let limits = Limits::default().with_splats_max(u32::try_from(splats_max).unwrap_or(u32::MAX));
        let splats = sn17_splat::decode(splat, &limits).map_err(|error| error.to_string())?;
        sn17_render::check(&splats, &ValidityRules::default()).map_err(|error| error.to_string())?;
        let scene = sn17_render::normalise(&splats, BBOX_DEFAULT).map_err(|error| error.to_string())?;
        Ok(Self { splats, scene, budget: RenderBudget { splats_max, ..RenderBudget::default() } })
    }

    /// Renders the views, and makes an exhibit if there is a salt for its sketch, the same for all results that are to
    /// be compared. What is too costly to render is the inner error, in words for its maker.
    ///
    /// # Errors
    /// Failures that are not the splat's: the renderer's device, or a picture that cannot be written.
    pub(crate) fn draw(
        self,
        renderer: &mut dyn Renderer,
        sketch_salt: Option<u64>,
    ) -> Result<Result<Drawn, String>, WorkerError> {
        match self.drawn(renderer, sketch_salt) {
            Err(WorkerError::Render(error)) if !error.is_ours() => Ok(Err(error.to_string())),
            drawn => drawn.map(Ok),
        }
    }

    fn drawn(self, renderer: &mut dyn Renderer, sketch_salt: Option<u64>) -> Result<Drawn, WorkerError> {
        let views = renderer.views(&self.scene, &judge_views(), WHITE, &self.budget)?;
        let exhibit = match sketch_salt {
            Some(salt) => {
                let exhibit = Exhibit::new(&self.splats, &self.scene, &views, renderer, &self.budget, salt)?;
                Some(Box::new(exhibit))
            }
            None => None,
        };
        Ok(Drawn { views, exhibit })
    }
}

impl Drawn {
    /// Lets the models say what they think of the views.
    ///
    /// # Errors
    /// When the prompt picture cannot be decoded, or a model fails.
    pub(crate) fn measure(
        self,
        prompt: &ScoringPrompt,
        scorer: &mut Scorer,
    ) -> Result<Measured, WorkerError> {
        let bytes_each = 3 * JUDGE_SIZE_PX as usize * JUDGE_SIZE_PX as usize;
        let views: Vec<&[u8]> = self.views.pixels.chunks_exact(bytes_each).collect();
        let raw = match prompt {
            ScoringPrompt::Text(text) => scorer.metrics(&views, PromptRef::Text(text))?,
            ScoringPrompt::Image(bytes) => {
                let picture = image::load_from_memory(bytes)?.to_rgba8();
                let (width, height) = (picture.width() as usize, picture.height() as usize);
                scorer.metrics(&views, PromptRef::Image { rgba: picture.as_raw(), width, height })?
            }
        };
        Ok(Measured::Views { raw: Box::new(raw), exhibit: self.exhibit })
    }
}

#[cfg(test)]
mod tests {
    use sn17_render::{CpuRenderer, RenderError};
    use sn17_splat::procedural::{Quality, object};

    use super::*;

    fn unpacked() -> Unpacked {
        let splats = object("a red robot", Quality::Intact, 1);
        let scene = sn17_render::normalise(&splats, BBOX_DEFAULT).unwrap();
        Unpacked { splats, scene, budget: RenderBudget::default() }
    }

    #[test]
    fn what_is_too_costly_to_render_is_said_to_be_so() {
        let mut unpacked = unpacked();
        unpacked.budget.tile_pairs_max = 1;
        let reason = unpacked.draw(&mut CpuRenderer, Some(1)).unwrap().unwrap_err();
        assert!(reason.contains("at most 1 can be rendered"), "{reason}");
    }

    #[test]
    fn a_device_that_fails_is_our_fault() {
        #[derive(Debug)]
        struct Broken;
        impl Renderer for Broken {
            fn views(
                &mut self,
                _: &Scene,
                _: &[sn17_render::Camera],
                _: [f32; 3],
                _: &RenderBudget,
            ) -> Result<Views, RenderError> {
                Err(RenderError::Device("lost".to_owned()))
            }
            fn depths(
                &mut self,
                _: &Scene,
                _: &[sn17_render::Camera],
                _: &RenderBudget,
            ) -> Result<Vec<f32>, RenderError> {
                Err(RenderError::Device("lost".to_owned()))
            }
            fn device(&self) -> String {
                "broken".to_owned()
            }
        }
        let outcome = unpacked().draw(&mut Broken, None);
        assert!(matches!(outcome, Err(WorkerError::Render(RenderError::Device(_)))), "{outcome:?}");
    }
}
