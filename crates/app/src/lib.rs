//! Use cases of the network and the ports they need.
