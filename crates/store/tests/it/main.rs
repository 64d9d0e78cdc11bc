//! The embedded store against the conformance suites, and what only it promises.

mod blobs;
mod embedded;
mod memory;
