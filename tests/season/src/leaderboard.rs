//! The standings as people see them.

use serde::Serialize;
use sn17_wire::leaderboard as wire;

use crate::season::Season;

/// The standings after a season.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LeaderboardPage {
    /// When, in milliseconds since the Unix epoch.
    pub taken: u64,
    /// Duels that had ended with a verdict.
    pub duels: u64,
    /// One row per miner, the highest reward first.
    pub rows: Vec<LeaderboardRow>,
}

/// One miner.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LeaderboardRow {
    /// What the network shows of it.
    #[serde(flatten)]
    pub shown: wire::LeaderboardRow,
    /// How good the miner really is, which only a simulation knows.
    pub true_quality: f64,
}

impl LeaderboardPage {
    /// The standings at the end of a season.
    pub fn of(season: &Season) -> Self {
        let (leaderboard, qualities) = season.standings();
        let shown = wire::LeaderboardReply::of(&leaderboard).rows;
        let row = |(shown, true_quality)| LeaderboardRow { shown, true_quality };
        let rows = shown.into_iter().zip(qualities).map(row);
        Self { taken: leaderboard.taken.0, duels: season.judged(), rows: rows.collect() }
    }
}
