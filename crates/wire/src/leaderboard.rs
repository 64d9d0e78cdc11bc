//! The standings, a miner's last duels and the list of duels, as anybody may read them.

use serde::{Deserialize, Serialize};
use sn17_core::UnixMs;
use sn17_core::leaderboard::{Leaderboard, Standings};
use sn17_core::state::{History, RatingPoint};

use crate::duels::DuelRecord;
use crate::ss58;

/// The answer of `GET /leaderboard`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeaderboardReply {
    /// When the standings were computed, Unix seconds; none before the first time.
    pub taken: Option<f64>,
    /// Whether scores made with synthetic model weights are behind them: such standings show that the network works,
    /// and nothing about its miners.
    pub synthetic: bool,
    /// One row per registered miner, the highest reward first.
    pub rows: Vec<LeaderboardRow>,
}

/// One miner of a [`LeaderboardReply`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeaderboardRow {
    /// Its place, from 1.
    pub rank: usize,
    /// Its ss58 address.
    pub hotkey: String,
    /// Its uid.
    pub uid: u16,
    /// Its duel rating.
    pub rating: f64,
    /// The rating's deviation.
    pub deviation: f64,
    /// Its results accepted in the window.
    pub accepted: u32,
    /// RW-1: rating × accepted results.
    pub reward: f64,
    /// What the reward is worth on the chain; the column sums to 1, or to 0 where nobody has earned anything.
    pub weight: f64,
    /// Duels fought.
    pub duels: u32,
    /// Duels won.
    pub wins: u32,
    /// Duels drawn.
    pub draws: u32,
    /// Duels won, a draw counting half, in 0 to 1; none before the first duel.
    pub win_rate: Option<f64>,
}

/// The answer of `GET /leaderboard/{hotkey}/history`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HistoryReply {
    /// The miner's last duels, oldest first; none of a miner that nobody knows.
    pub duels: Vec<HistoryRow>,
}

/// One duel of a [`HistoryReply`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// The duel's nonce.
    pub nonce: u64,
    /// When it was judged, Unix seconds.
    pub at: f64,
    /// The other side's ss58 address.
    pub opponent: String,
    /// The ss58 address of the other side's owner, where it is known.
    pub owner: Option<String>,
    /// 1 for a win, 0.5 for a draw, 0 for a loss.
    pub score: f64,
    /// The miner's rating after the duel.
    pub rating: f64,
    /// The deviation after the duel.
    pub deviation: f64,
    /// By how many points the duel moved the rating.
    pub moved: f64,
}

/// The answer of `GET /duels`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DuelsReply {
    /// Duels that have ended with a verdict, the latest first.
    pub duels: Vec<DuelRecord>,
    /// What `before` has to be for those after them; none when there are no more.
    pub next: Option<u64>,
}

impl LeaderboardReply {
    /// The standings as last noted, `synthetic` as their reader has found out.
    pub fn of(leaderboard: &Leaderboard) -> Self {
        let rows = leaderboard.rows.iter().zip(1..);
        Self {
            taken: Some(unix_secs(leaderboard.taken)),
            synthetic: leaderboard.synthetic,
            rows: rows.map(|(standings, rank)| LeaderboardRow::of(standings, rank)).collect(),
        }
    }
}

impl LeaderboardRow {
    fn of(standings: &Standings, rank: usize) -> Self {
        Self {
            rank,
            hotkey: ss58::encode(&standings.hotkey),
            uid: standings.uid,
            rating: standings.rating,
            deviation: standings.deviation,
            accepted: standings.accepted,
            reward: standings.reward,
            weight: standings.weight,
            duels: standings.duels,
            wins: standings.wins,
            draws: standings.draws,
            win_rate: standings.win_rate(),
        }
    }
}

impl HistoryReply {
    /// A miner's history in words.
    pub fn of(history: &History) -> Self {
        Self { duels: history.points.iter().map(HistoryRow::of).collect() }
    }
}

impl HistoryRow {
    fn of(point: &RatingPoint) -> Self {
        Self {
            nonce: point.nonce.0,
            at: unix_secs(point.at),
            opponent: ss58::encode(&point.opponent),
            owner: point.owner.as_ref().map(ss58::encode),
            score: point.score,
            rating: point.rating,
            deviation: point.deviation,
            moved: point.moved,
        }
    }
}

fn unix_secs(at: UnixMs) -> f64 {
    core::time::Duration::from_millis(at.0).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use sn17_core::Hotkey;

    use super::*;

    #[test]
    fn rows_are_ranked_in_the_order_of_the_standings() {
        let row = |uid, duels, wins| Standings {
            hotkey: Hotkey([u8::try_from(uid).unwrap(); 32]),
            uid,
            rating: 1600.0,
            deviation: 80.0,
            accepted: 3,
            reward: 4800.0,
            weight: 0.5,
            duels,
            wins,
            draws: 1,
        };
        let rows = vec![row(7, 4, 2), row(3, 0, 0)];
        let reply =
            LeaderboardReply::of(&Leaderboard { taken: UnixMs(1_800_000_000_500), synthetic: true, rows });
        assert_eq!(reply.taken, Some(1_800_000_000.5));
        let places: Vec<_> = reply.rows.iter().map(|row| (row.rank, row.uid, row.win_rate)).collect();
        assert_eq!(places, [(1, 7, Some(0.625)), (2, 3, None)]);
        assert_eq!(reply.rows[0].hotkey, ss58::encode(&Hotkey([7; 32])));
        assert!(reply.synthetic, "the label goes along");
    }
}
