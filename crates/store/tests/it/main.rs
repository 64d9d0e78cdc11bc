//! The embedded store against the conformance suites, and what only it promises.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod blobs;
mod durable;
mod embedded;
mod kill;
mod memory;
