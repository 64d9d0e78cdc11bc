//! The use cases of the network and the ports they need. Runs on any executor and on WASM: time and randomness
//! come from the host.

pub mod ports;
