//! A node of the subtensor chain for tests.
//!
//! It speaks JSON-RPC 2.0 over HTTP on the loopback and answers out of a [`Chain`] of one finalized block, truthfully
//! or as a test wants it. What it says is encoded by [`scale`], which shares nothing with the decoder under test.

mod chain;
mod node;
pub mod scale;

pub use chain::{Chain, MADE_AT_MS, hex};
pub use node::{FakeNode, Fault, never, status};
pub use scale::WireNeuron;
