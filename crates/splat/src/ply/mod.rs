//! PLY: one row of numbers per splat behind a text header.

mod header;
mod read;
mod write;

pub(crate) use header::{PlyHeader, is_ply};
pub(crate) use read::read;
pub use write::{Normals, encode_ply, write_ply};
pub(crate) use write::{header as ply_header, write_rows};
