//! What turns queued submissions into verdicts and duels into ratings, whichever queue they wait in.
//!
//! [`score`] leases submissions of this process's own queue and settles them, [`score_remotely`] those of a queue that
//! others share; [`judge`] and [`judge_remotely`] do the same for results that a judge compares. What it asks for figures is a [`Scorer`](sn17_app::Scorer), as a rule
//! a [`ScoringProcess`]: a child of the same program, whose own main is [`run_child`]. The child renders and
//! [`measure`](measure())s, and knows no ledger, no blobs and no policy.

mod child;
mod error;
mod exhibit;
mod lease_loop;
mod measure;
mod messages;
pub mod models;
mod scoring_process;
mod turntable;
mod utilisation;

pub use child::{ChildArgs, RendererChoice, run as run_child};
pub use error::WorkerError;
pub use exhibit::Exhibit;
pub use lease_loop::{Remote, judge, judge_remotely, score, score_remotely};
pub use measure::{Measured, measure};
pub use messages::Ready;
pub use scoring_process::{ChildProgram, ScoringProcess};
