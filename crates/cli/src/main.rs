//! The `sn17` binary.
fn main() {}
