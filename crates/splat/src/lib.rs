//! Codecs for Gaussian splats: PLY and SPZ.
//!
//! There are three incompatible SPZ containers: the network's own ([`Container::Network`], what miners send as
//! `compression: 2`), Niantic's gzip ([`Container::Gzip`]) and Niantic's version 4 ([`Container::Streams`]). All three
//! and binary PLY are read, told apart by their first bytes; the first two and PLY are written ([`encode_spz`],
//! [`encode_ply`]).
//!
//! Input is hostile: headers are checked against [`Limits`] and against each other before anything is allocated,
//! streams inflate no further than their header promised, and every refusal is a precise [`SplatError`].
//!
//! Coordinates pass unchanged in both directions.

mod error;
mod format;
mod limits;
mod ply;
pub mod procedural;
mod splats;
mod spz;

pub use error::{Field, Part, PlyError, SplatError};
pub use format::{Format, Info, decode, inspect, read, transcode_to_ply};
pub use limits::Limits;
pub use ply::{Normals, encode_ply, write_ply};
pub use splats::Splats;
pub use spz::{Container, SpzDialect, encode_spz};
