//! What the models say about the rendered views of a splat: raw figures per view and per pair of views, no formula.
//!
//! A [`Scorer`] owns five ONNX Runtime sessions, loaded once from a folder with a [`manifest`]: the two towers that
//! compare views with a text, the tower that compares them with a picture, image quality, and perceptual distance.
//! Structural similarity ([`ssim`]) is computed here. The graphs take raw 8-bit frames, so that resizing and
//! normalisation run inside the session, all views in one batch. The outlier filter, the means and the score belong
//! to `sn17_core::scoring`.
//!
//! The real weights cannot be shipped: [`export()`](export::export) makes graphs of them. [`synthetic`] writes small graphs with the same inputs and outputs that
//! compute from pixels and tokens; what they say is labelled as synthetic wherever it goes.

pub mod export;
pub mod manifest;
pub mod runtime;
pub mod scorer;
mod session;
pub mod ssim;
pub mod synthetic;
pub mod tokenizer;
mod verify;

pub use manifest::{Manifest, ManifestError};
pub use runtime::RuntimeError;
pub use scorer::{PromptRef, RawMetrics, ScoreError, Scorer, ScorerOptions, VIEW_COUNT, VIEW_SIZE_PX};
pub use tokenizer::{ClipTokenizer, TokenizerError};
pub use verify::{Checked, verify};
