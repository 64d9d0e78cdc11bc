//! What tells that two results are the same: geometry to the last position, geometry about, and looks.

mod fingerprint;
mod picture;
mod sketch;

pub use fingerprint::geometry_fingerprint;
pub use picture::picture_hash;
pub use sketch::{SKETCH_VALUES, geometry_sketch};
