//! The adapters against engines that run on this machine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod blobs;
mod calls;
mod dispatch;
mod dynamo;
mod edge;
mod engines;
mod faulty;
mod intermediary;
mod ledger;
mod ledger_calls;
mod ledger_faults;
mod ledger_hints;
mod native;
mod queue;
