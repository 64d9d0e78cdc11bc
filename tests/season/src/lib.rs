//! Seasons of the competition in virtual time: miners of known quality are paired, judged, rated and paid by the real
//! decisions, while workers crash, messages get lost or come twice, and miners leave and come.
//!
//! A season follows from its seed bit for bit. While it runs, the laws of the game are checked at every commit; at its
//! end the ranks are compared with the truth.

mod comparison;
mod contenders;
mod digest;
mod judge;
mod laws;
mod leaderboard;
mod miners;
pub mod plot;
mod rank;
mod rerate;
mod search;
mod season;
mod setup;
mod svg;
mod table;

pub use comparison::{Comparison, CurvePoint, Row, Size, Spread};
pub use contenders::{Contender, contenders};
pub use judge::{Accuracy, ModelJudge};
pub use laws::Broken;
pub use leaderboard::{LeaderboardPage, LeaderboardRow};
pub use rank::kendall_tau_b;
pub use rerate::rerate;
pub use search::{Budget, at_budget, mean_tau, search};
pub use season::{Fault, Played, Point, Season, Tally};
pub use setup::Setup;
pub use table::table;
