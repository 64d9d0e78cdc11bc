//! The standings as people see them.

use serde::Serialize;
use sn17_wire::ss58;

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
    /// Its place by reward, from 1.
    pub rank: usize,
    /// Its ss58 address.
    pub hotkey: String,
    /// Its uid.
    pub uid: u16,
    /// Duel rating.
    pub rating: f64,
    /// Deviation of the rating.
    pub deviation: f64,
    /// Results accepted in the last four hours.
    pub accepted: u32,
    /// RW-1: rating × accepted results.
    pub reward: f64,
    /// The share of the chain's reward.
    pub weight: f64,
    /// Duels fought.
    pub duels: u32,
    /// Duels won.
    pub wins: u32,
    /// Duels drawn.
    pub draws: u32,
    /// Duels won, a draw counting half; none before the first.
    pub win_rate: Option<f64>,
    /// How good the miner really is, which only a simulation knows.
    pub true_quality: f64,
}

impl LeaderboardPage {
    /// The standings at the end of a season.
    pub fn of(season: &Season) -> Self {
        let (leaderboard, qualities) = season.standings();
        let rows = leaderboard.rows.iter().zip(qualities).enumerate().map(|(place, (row, true_quality))| {
            LeaderboardRow {
                rank: place + 1,
                hotkey: ss58::encode(&row.hotkey),
                uid: row.uid,
                rating: row.rating,
                deviation: row.deviation,
                accepted: row.accepted,
                reward: row.reward,
                weight: row.weight,
                duels: row.duels,
                wins: row.wins,
                draws: row.draws,
                win_rate: row.win_rate(),
                true_quality,
            }
        });
        Self { taken: leaderboard.taken.0, duels: season.judged(), rows: rows.collect() }
    }
}
