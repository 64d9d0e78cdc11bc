//! What the network's workers on machines of their own have in common: several loops over one queue, an end within the
//! time that a machine which is taken away has left, and a sign of life.
//!
//! The loop itself, and the child process that scores, are in `sn17-worker`; the judge is in `sn17-llm`, the adapters in
//! `sn17-aws`.

pub mod duelist;
mod fleet;
pub mod heartbeat;
pub mod logs;
mod minutes;
mod program;
pub mod scorer;
mod timed;

pub use fleet::{DRAIN_SECS_DEFAULT, Fleet, FleetError, Hand, PROCESSES_MAX};
pub use heartbeat::Heartbeat;
pub use program::{Healthy, ProgramArgs, report};
pub use timed::Timed;
