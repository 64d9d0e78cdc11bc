//! Shapes on the wire: the miners' synapses and their signatures, and the clients' JSON.
//!
//! Everything here is a pure function of its arguments: no clock, no randomness, no transport. Headers come in
//! through a look-up function and leave as pairs of name and value, so that any HTTP library will do.

pub mod client;
pub mod consent;
pub mod dendrite;
pub mod duels;
pub mod leaderboard;
pub mod metagraph;
pub mod prompts;
pub mod sr25519;
pub mod ss58;
pub mod standings;
pub mod submission;
pub mod synapse;
