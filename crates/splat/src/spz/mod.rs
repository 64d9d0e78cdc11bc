//! SPZ: quantised splats, attribute after attribute, compressed.

mod dequantize;
mod file;
mod frame;
mod header;
mod inflate;
mod quantize;
mod read;
mod write;

pub(crate) use file::{SpzFile, read_header};
pub(crate) use frame::ZSTD_MAGIC;
pub use header::Container;
pub(crate) use header::MAGIC;
pub(crate) use inflate::{Zstd, expect_end, take_prefix};
pub(crate) use quantize::check_finite;
pub(crate) use read::{PackedSplats, read};
pub use write::{SpzDialect, encode_spz};
