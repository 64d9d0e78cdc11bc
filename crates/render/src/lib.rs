//! Cameras, normalisation and the splat renderer.
//!
//! Scores are comparable with the original validator's only if the pixels are, so the renderer follows gsplat 1.5.3's
//! rasteriser to the constant, on the CPU and in f32. The usual path is
//! [`check`] → [`normalise`] → [`render_views`] over [`judge_views`] → models, with [`duel_grid`] for the judge.
//!
//! The result is the same bit for bit whatever the number of threads: every pixel belongs to one tile, every tile is
//! composited by one thread, and splats at equal depth keep their order in the file.

mod camera;
mod composite;
mod frame;
mod project;
mod render;
mod scene;
mod sheet;
mod validity;

pub use camera::{Camera, FRONT_VIEW, JUDGE_SIZE_PX, judge_views};
pub use frame::{Frame, PngError};
pub use render::{RenderBudget, RenderError, WHITE, render, render_views};
pub use scene::{BBOX_DEFAULT, Gaussian, NormaliseError, Scene, normalise};
pub use sheet::{DUEL_VIEWS, contact_sheet, duel_grid};
pub use validity::{InvalidSplat, ValidityRules, check};
