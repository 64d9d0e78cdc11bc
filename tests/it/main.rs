//! The black-box suite: the real binary, driven over HTTP, sockets and its command line.
//!
//! Every test starts its own network over its own folder. `crash::` takes one to two minutes, `memory::` and
//! `hostile::slow_…` some ten seconds each, the rest less. What a machine lacks (curl, ONNX Runtime) makes a test print
//! one line `skipped: …`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests say what they skip and what they measured"
)]

mod binary;
mod chain;
mod collector;
mod crash;
mod curl;
mod dead_letters;
mod deployed;
mod deployment;
mod duels;
mod edge;
mod host;
mod hostile;
mod memory;
mod miner;
mod mining;
mod operators;
mod payload;
mod process;
mod programs;
mod prompts;
mod public;
mod redirector;
mod scoring;
mod scripted;
mod server;
mod simulation;
mod smoke;
mod spin_manifest;
mod standings;
mod template;
mod worker;
mod wrangler_manifest;
