//! The chain, as recorded and as generated, and nodes that answer as they should not.
//!
//! The recordings lie outside the repository; `SN17_FIXTURES` names their folder, and without it these tests say that
//! they were skipped.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod corpus;
mod extrinsic;
mod fixtures;
mod metagraph;
mod neurons;
mod sending;
mod storage;
mod subnet;
mod weights;
