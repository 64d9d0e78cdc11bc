//! The chain of the subnet, subtensor, as far as the network needs it: who is registered, and what weights it takes.
//!
//! Whatever comes from a node is checked before it is believed: every answer is decoded to its last byte, and one
//! that says too little, too much or something else is an error, so that the caller keeps the last good answer. The
//! layouts are those of the runtime's own structs, which it freezes by hash within a spec version.

mod endpoint;
pub mod extrinsic;
mod header;
pub mod metagraph;
pub mod neurons;
mod node;
mod reader;
pub mod sending;
mod settings;
pub mod storage;
pub mod subnet;
pub mod weights;

pub use endpoint::{Endpoint, EndpointError};
pub use metagraph::{Metagraph, Snapshot, Unavailable};
pub use neurons::{Axon, Neuron};
pub use node::{BlockHash, CallError, CallReason};
pub use reader::DecodeError;
pub use settings::{Settings, SpecVersions, SpecVersionsError};
