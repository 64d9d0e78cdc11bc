//! The wire against recordings of real bittensor clients and servers.
//!
//! The recordings lie outside the repository; `SN17_FIXTURES` names their folder, and without it these tests say that
//! they were skipped.

mod clients;
mod fixtures;
mod requests;
mod submission;
mod synapses;
