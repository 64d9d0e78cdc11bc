//! The router, driven request by request over in-memory adapters.

mod client;
mod faults;
mod miner;
mod ops;
mod results;
mod world;
