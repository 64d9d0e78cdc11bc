//! The rules of the network as pure functions: no async, no I/O, no clock, no randomness.
//!
//! Everything that decides lives here; everything that stores, sends or waits lives elsewhere. Floats that
//! must agree between native and WASM hosts go through `libm`.

#![no_std]

extern crate alloc;

pub mod cooldown;
pub mod duel;
pub mod glicko;
mod ids;
pub mod index;
pub mod judging;
pub mod leaderboard;
pub mod ledger;
pub mod matchmaking;
pub mod miner;
pub mod policy;
pub mod prompts;
pub mod pull;
pub mod scoring;
pub mod settle;
pub mod standings;
pub mod state;
pub mod submit;
pub mod task;
mod text;
pub mod weights;
pub mod window;

pub use ids::{Hotkey, ParseTaskIdError, TaskId, UnixMs};
