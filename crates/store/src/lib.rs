//! Embedded ledger, queue and blobs, and the conformance suites of the ports.
//!
//! [`Embedded`] is the ledger and the queue in one durable folder or in memory; [`FolderBlobs`] and
//! [`MemoryBlobs`] keep the large bytes. [`conformance`] holds the tests that every adapter of the ports passes,
//! these and those of other crates.

mod attention;
mod blobs;
mod clock;
mod codec;
pub mod conformance;
mod counters;
mod embedded;
mod indexes;
mod messages;
mod pulse;
mod queue;
mod rows;
mod sweep;
mod transact;
mod verify;
mod waiting;
mod writer;

pub use blobs::folder::{FolderBlobs, FolderOptions};
pub use blobs::memory::MemoryBlobs;
pub use clock::Clock;
pub use embedded::{Embedded, OpenError, Options};
