//! The router, driven request by request over in-memory adapters.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod client;
mod collector;
mod faults;
mod floods;
mod hosts;
mod judge_metrics;
mod miner;
mod ops;
mod outage;
mod pictures;
mod public;
mod results;
mod socket;
mod standings;
mod world;
