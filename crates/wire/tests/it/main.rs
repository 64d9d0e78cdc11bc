//! The wire against recordings of real bittensor clients and servers.
//!
//! The recordings lie outside the repository; `SN17_FIXTURES` names their folder, and without it these tests say that
//! they were skipped.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod clients;
mod duel_record;
mod fixtures;
mod requests;
mod submission;
mod synapses;
