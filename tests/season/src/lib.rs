//! Seasons of the competition in virtual time: miners of known quality are paired, judged, rated and paid by the real
//! decisions, while workers crash, messages get lost or come twice, and miners leave and come.
//!
//! A season follows from its seed bit for bit. While it runs, the laws of the game are checked at every commit; at its
//! end the ranks are compared with the truth.

mod contenders;
mod digest;
mod judge;
mod laws;
mod miners;
mod rank;
mod rerate;
mod season;
mod setup;

pub use contenders::{Contender, contenders};
pub use judge::{Accuracy, ModelJudge};
pub use laws::Broken;
pub use rank::kendall_tau_b;
pub use rerate::rerate;
pub use season::{Fault, Played, Point, Season, Tally};
pub use setup::Setup;
