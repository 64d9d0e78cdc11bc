//! The use cases over adapters in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod judging;
mod roster;
mod standings;
