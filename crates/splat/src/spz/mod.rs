//! SPZ: quantised splats, attribute after attribute, compressed.

mod dequantize;
mod frame;
mod header;
mod inflate;
mod quantize;
mod read;
mod write;

pub(crate) use frame::ZSTD_MAGIC;
pub use header::Container;
pub(crate) use header::MAGIC;
pub(crate) use inflate::{Zstd, expect_end, take_prefix};
pub(crate) use quantize::check_finite;
pub(crate) use read::{read, read_header};
pub use write::{SpzDialect, encode_spz};
