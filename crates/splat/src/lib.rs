//! Codecs for Gaussian splats: PLY and SPZ.

mod splats;

pub use splats::Splats;
