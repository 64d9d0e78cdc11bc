//! Cameras, normalisation and the splat renderer.
//!
//! Scores are comparable with the original validator's only if the pixels are, so the renderer follows gsplat 1.5.3's
//! rasteriser to the constant, on the CPU and in f32. The usual path is
//! [`check`] → [`normalise`] → [`render_view`] over [`judge_views`] → models, with [`duel_grid`] and [`neutral_grid`]
//! for the judge. [`geometry_fingerprint`], [`geometry_sketch`] of the [`Surface`] and [`picture_hash`] recognise
//! a result that comes again, [`depth_of_sides`] a facade.
//!
//! The result is the same bit for bit whatever the number of threads: every pixel belongs to one tile, every tile is
//! composited by one thread, and splats at equal depth keep their order in the file.

mod camera;
mod composite;
mod frame;
mod likeness;
mod neutral;
mod plane;
mod project;
mod render;
mod renderer;
mod scene;
mod sheet;
mod sides;
mod surface;
mod validity;
mod wgpu;

pub use camera::{Camera, FRONT_VIEW, JUDGE_SIZE_PX, judge_views};
pub use frame::{Frame, PngError};
pub use likeness::{SKETCH_VALUES, geometry_fingerprint, geometry_sketch, picture_hash};
pub use neutral::{COLOR_BLUR, GAP, MID_GRAY, OUTLINE_BLUR, neutral_grid, neutral_view};
pub use render::{RenderBudget, RenderError, View, WHITE, render, render_view, render_views};
pub use renderer::{CpuRenderer, Renderer, Views};
pub use scene::{BBOX_DEFAULT, Gaussian, NormaliseError, Scene, normalise};
pub use sheet::{DUEL_VIEWS, contact_sheet, duel_grid};
pub use sides::depth_of_sides;
pub use surface::Surface;
pub use validity::{InvalidSplat, ValidityRules, check};
pub use wgpu::{Adapters, NoDevice, WgpuRenderer};
