//! The functions' events and answers, against services of AWS that answer from a script.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod chain;
mod outbox;
mod service;
mod sweeper;
