//! Runs the five models over the views of a splat.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use ndarray::{Array4, ArrayView4};
use sn17_core::scoring::RawViews;

use crate::manifest::{Manifest, ManifestError, Role};
use crate::runtime::RuntimeError;
use crate::session::{CLIP_LENGTH, LoadedModel, PICTURE_LENGTH};
use crate::ssim;
use crate::tokenizer::ClipTokenizer;

/// The views of a splat that are scored (the original validation service's number).
pub const VIEW_COUNT: usize = 16;
/// The side of a view in pixels (the original's; `DINOv2`'s own size).
pub const VIEW_SIZE_PX: usize = 518;
/// The most pixels that a prompt picture may have on a side; larger ones are refused, as the network's limit is.
pub const PROMPT_SIZE_PX_MAX: usize = 1024;

/// Bytes of one RGB view.
const VIEW_BYTES: usize = VIEW_SIZE_PX * VIEW_SIZE_PX * 3;

/// Why views cannot be scored.
#[derive(Debug, thiserror::Error)]
pub enum ScoreError {
    /// ONNX Runtime is missing or unusable.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The models folder is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// ONNX Runtime refuses a graph.
    #[error("cannot load model `{role}` from `{}`: {message}", path.display())]
    Load {
        /// The model's role.
        role: Role,
        /// The graph.
        path: PathBuf,
        /// What ONNX Runtime said.
        message: String,
    },
    /// A model failed while running.
    #[error("model `{role}` failed: {message}")]
    Run {
        /// The model's role.
        role: Role,
        /// What ONNX Runtime said.
        message: String,
    },
    /// A model gave a tensor of another shape than it promised.
    #[error("model `{role}` gave a tensor of shape {found:?}, expected {expected:?}")]
    Shape {
        /// The model's role.
        role: Role,
        /// The tensor's shape.
        found: Vec<usize>,
        /// The shape that the contract promises.
        expected: Vec<usize>,
    },
    /// The caller has not [`VIEW_COUNT`] views.
    #[error("{0} views given, expected {VIEW_COUNT}")]
    ViewCount(usize),
    /// A view has not [`VIEW_SIZE_PX`] squared RGB pixels.
    #[error("view {view} has {bytes} bytes, expected {VIEW_BYTES}")]
    ViewSize {
        /// The view's index.
        view: usize,
        /// Its bytes.
        bytes: usize,
    },
    /// The prompt picture is empty, too large, or has not as many bytes as its size says.
    #[error(
        "a prompt picture of {width}x{height} px with {bytes} bytes is not RGBA of 1 to {PROMPT_SIZE_PX_MAX} px a side"
    )]
    PromptSize {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Bytes given.
        bytes: usize,
    },
}

/// What the splat was made from.
#[derive(Clone, Copy, Debug)]
pub enum PromptRef<'a> {
    /// A sentence.
    Text(&'a str),
    /// A picture: 8-bit RGBA, row after row, alpha not premultiplied.
    Image {
        /// `4 * width * height` bytes.
        rgba: &'a [u8],
        /// Width in pixels, at most [`PROMPT_SIZE_PX_MAX`].
        width: usize,
        /// Height in pixels, at most [`PROMPT_SIZE_PX_MAX`].
        height: usize,
    },
}

/// What the models say, per view or per pair (i, i + 1 mod 16) of views.
#[derive(Clone, Debug, PartialEq)]
pub struct RawMetrics {
    /// Per view: cosine with the prompt, -1 to 1.
    pub cosines: [f32; VIEW_COUNT],
    /// Per view: image quality, 0 to 1.
    pub iqa: [f32; VIEW_COUNT],
    /// Per pair: perceptual distance, 0 for equal views.
    pub lpips: [f32; VIEW_COUNT],
    /// Per pair: structural similarity, 1 for equal views.
    pub ssim: [f32; VIEW_COUNT],
    /// Whether the weights are made up.
    pub synthetic: bool,
    /// The version of the weights, from the manifest.
    pub model_version: String,
}

impl RawMetrics {
    /// The figures in the form that the score formula takes.
    pub fn to_views(&self) -> RawViews {
        let list = |values: &[f32]| values.iter().copied().map(f64::from).collect();
        RawViews {
            cosines: list(&self.cosines),
            iqa: list(&self.iqa),
            lpips: list(&self.lpips),
            ssim: list(&self.ssim),
        }
    }
}

/// How sessions run.
#[derive(Clone, Copy, Debug)]
pub struct ScorerOptions {
    /// Threads that one operator may use.
    pub intra_threads: NonZero<usize>,
}

impl Default for ScorerOptions {
    /// As many threads as the machine offers.
    fn default() -> Self {
        Self { intra_threads: thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN) }
    }
}

/// The models of a folder, loaded and warmed; one thread owns it.
#[derive(Debug)]
pub struct Scorer {
    clip_image: LoadedModel,
    clip_text: LoadedModel,
    image_image: LoadedModel,
    iqa: LoadedModel,
    lpips: LoadedModel,
    tokenizer: ClipTokenizer,
    synthetic: bool,
    version: String,
}

impl Scorer {
    /// Loads the models of a folder, checks them against its manifest and runs each once.
    ///
    /// The first call in a process finds or fetches ONNX Runtime.
    ///
    /// # Errors
    /// When ONNX Runtime, the folder or a graph is not as it should be; the message names the thing.
    pub fn load(folder: &Path, options: &ScorerOptions) -> Result<Self, ScoreError> {
        let manifest = Manifest::read(folder)?;
        let tokenizer = manifest.tokenizer(folder)?;
        let model = |role| LoadedModel::load(folder, &manifest, role, options);
        let mut scorer = Self {
            clip_image: model(Role::ClipImage)?,
            clip_text: model(Role::ClipText)?,
            image_image: model(Role::ImageImage)?,
            iqa: model(Role::Iqa)?,
            lpips: model(Role::Lpips)?,
            tokenizer,
            synthetic: manifest.synthetic,
            version: manifest.version.clone(),
        };
        scorer.warm_up()?;
        if manifest.synthetic {
            tracing::warn!(
                models.version = %manifest.version,
                "the models are synthetic: scores say nothing about real quality"
            );
        }
        Ok(scorer)
    }

    /// Whether the weights are made up.
    pub fn is_synthetic(&self) -> bool {
        self.synthetic
    }

    /// The version of the weights, from the manifest.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the models say about the views of a splat: 16 frames of 518×518 RGB pixels, row after row.
    ///
    /// # Errors
    /// When the views or the prompt picture have another size, or a model fails; the scorer stays usable.
    pub fn metrics(&mut self, views: &[&[u8]], prompt: PromptRef<'_>) -> Result<RawMetrics, ScoreError> {
        let (frames, next_frames) = batches(views)?;
        let cosines = match prompt {
            PromptRef::Text(text) => self.text_cosines(frames.view(), text)?,
            PromptRef::Image { rgba, width, height } => {
                let picture = on_white(rgba, width, height)?;
                self.picture_cosines(frames.view(), picture.view())?
            }
        };
        let iqa = self.iqa.frames_to(&[frames.view()], &[VIEW_COUNT])?;
        let lpips = self.lpips.frames_to(&[frames.view(), next_frames.view()], &[VIEW_COUNT])?;
        let ssim = ssim::cyclic_pairs(views, VIEW_SIZE_PX, VIEW_SIZE_PX);
        Ok(RawMetrics {
            cosines,
            iqa: per_view(&iqa),
            lpips: per_view(&lpips),
            ssim: per_view(&ssim),
            synthetic: self.synthetic,
            model_version: self.version.clone(),
        })
    }

    fn text_cosines(
        &mut self,
        frames: ArrayView4<'_, u8>,
        text: &str,
    ) -> Result<[f32; VIEW_COUNT], ScoreError> {
        let tokens = self.tokenizer.encode(text);
        let embedding = self.clip_text.tokens_to(&tokens, &[1, CLIP_LENGTH])?;
        let embeddings = self.clip_image.frames_to(&[frames], &[VIEW_COUNT, CLIP_LENGTH])?;
        Ok(cosines(&embeddings, &embedding))
    }

    fn picture_cosines(
        &mut self,
        frames: ArrayView4<'_, u8>,
        picture: ArrayView4<'_, u8>,
    ) -> Result<[f32; VIEW_COUNT], ScoreError> {
        let embedding = self.image_image.frames_to(&[picture], &[1, PICTURE_LENGTH])?;
        let embeddings = self.image_image.frames_to(&[frames], &[VIEW_COUNT, PICTURE_LENGTH])?;
        Ok(cosines(&embeddings, &embedding))
    }

    /// Runs every model once on a blank view, so that the first splat does not pay for lazy set-up, and a model that
    /// cannot run is known at the start.
    fn warm_up(&mut self) -> Result<(), ScoreError> {
        let models = [
            &mut self.clip_image,
            &mut self.clip_text,
            &mut self.image_image,
            &mut self.iqa,
            &mut self.lpips,
        ];
        for model in models {
            model.run_blank()?;
        }
        Ok(())
    }
}

/// The views as one batch, and the batch of each view's successor.
fn batches(views: &[&[u8]]) -> Result<(Array4<u8>, Array4<u8>), ScoreError> {
    if views.len() != VIEW_COUNT {
        return Err(ScoreError::ViewCount(views.len()));
    }
    for (view, bytes) in views.iter().enumerate() {
        if bytes.len() != VIEW_BYTES {
            return Err(ScoreError::ViewSize { view, bytes: bytes.len() });
        }
    }
    let batch = |first: usize| {
        let bytes: Vec<u8> =
            views[first..].iter().chain(&views[..first]).flat_map(|view| view.iter().copied()).collect();
        Array4::from_shape_vec((VIEW_COUNT, VIEW_SIZE_PX, VIEW_SIZE_PX, 3), bytes)
            .expect("the number of views and their sizes are checked above")
    };
    Ok((batch(0), batch(1)))
}

/// A picture over white, as one RGB frame.
fn on_white(rgba: &[u8], width: usize, height: usize) -> Result<Array4<u8>, ScoreError> {
    let is_size_allowed = |side: usize| (1..=PROMPT_SIZE_PX_MAX).contains(&side);
    if !is_size_allowed(width) || !is_size_allowed(height) || rgba.len() != 4 * width * height {
        return Err(ScoreError::PromptSize { width, height, bytes: rgba.len() });
    }
    let mut rgb = Vec::with_capacity(3 * width * height);
    for pixel in rgba.chunks_exact(4) {
        let alpha = u32::from(pixel[3]);
        for &color in &pixel[..3] {
            let blended = (u32::from(color) * alpha + 255 * (255 - alpha) + 127) / 255;
            rgb.push(u8::try_from(blended).expect("a mean of two bytes is a byte"));
        }
    }
    Ok(Array4::from_shape_vec((1, height, width, 3), rgb).expect("the length is checked above"))
}

/// The cosine of each row with one vector; all have length 1 but for rounding in half precision, which the division
/// by both lengths removes.
fn cosines(rows: &[f32], vector: &[f32]) -> [f32; VIEW_COUNT] {
    let dot = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let length = dot(vector, vector).sqrt();
    let mut cosines = [0.0; VIEW_COUNT];
    for (cosine, row) in cosines.iter_mut().zip(rows.chunks_exact(vector.len())) {
        *cosine = dot(row, vector) / (length * dot(row, row).sqrt());
    }
    cosines
}

fn per_view(values: &[f32]) -> [f32; VIEW_COUNT] {
    values.try_into().expect("every caller has one value a view")
}
