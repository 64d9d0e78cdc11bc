//! Tests of the codecs through their public functions.
#![expect(
    clippy::cast_possible_truncation,
    clippy::float_cmp,
    clippy::print_stderr,
    reason = "small numbers of the tests' own, codecs that keep every bit, and a line where a test is skipped"
)]

mod build;
mod corpus;
mod fixtures;
mod hostile;
mod ply;
mod round_trip;
mod spz;
