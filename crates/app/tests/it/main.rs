//! The use cases over adapters in memory.

mod judging;
mod standings;
