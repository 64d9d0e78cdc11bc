//! The adapters against engines that run on this machine.

mod blobs;
mod calls;
mod dispatch;
mod dynamo;
mod engines;
mod faulty;
mod ledger;
mod ledger_calls;
mod ledger_faults;
mod ledger_hints;
mod native;
mod queue;
