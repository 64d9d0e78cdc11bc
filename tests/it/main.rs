//! The black-box suite: the real binary, driven over HTTP, sockets and its command line.
//!
//! Every test starts its own network over its own folder. Tests that take long say so in their names: `crash::` (two
//! minutes), `memory::` and `hostile::slow_…` (some ten seconds each). What a machine lacks (curl, ONNX Runtime, the sample
//! files) makes a test print one line `skipped: …`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod binary;
mod crash;
mod curl;
mod hostile;
mod memory;
mod miner;
mod mining;
mod payload;
mod programs;
mod scoring;
mod server;
mod simulation;
