//! The standings: who is how strong, has done how much, and what it is worth.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::ledger::{LoadSpec, Step, View, Write};
use crate::policy::Policy;
use crate::state::{Item, Key, Neuron};
use crate::weights::weights;
use crate::{Hotkey, UnixMs};

/// The standings at an instant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Leaderboard {
    /// When they were computed.
    pub taken: UnixMs,
    /// Whether scores of synthetic model weights are behind them, as far as the last duels tell.
    #[serde(default)]
    pub synthetic: bool,
    /// One row per registered miner, the highest reward first.
    pub rows: Vec<Standings>,
}

/// One miner's row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standings {
    /// The miner.
    pub hotkey: Hotkey,
    /// Its uid.
    pub uid: u16,
    /// Duel rating.
    pub rating: f64,
    /// Deviation of the rating.
    pub deviation: f64,
    /// Results accepted in the window.
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
}

impl Standings {
    /// Duels won, a draw counting half, in 0 to 1; none before the first duel.
    pub fn win_rate(&self) -> Option<f64> {
        let points = f64::from(self.wins) + f64::from(self.draws) / 2.0;
        (self.duels > 0).then(|| points / f64::from(self.duels))
    }
}

impl Leaderboard {
    /// The standings of `neurons` by their records in `view`; who has none is left out.
    ///
    /// Equal rewards are in the order of rating, then of uid. Nothing in a record says how its scores were made, so
    /// they count as real ones here.
    pub fn of(view: &View, neurons: &[Neuron], now: UnixMs, policy: &Policy) -> Self {
        let row = |neuron: &Neuron| {
            let (_, record) = view.record(&neuron.hotkey)?;
            let accepted = record.accepted.count(now, &policy.rewards);
            Some(Standings {
                hotkey: neuron.hotkey,
                uid: neuron.uid,
                rating: record.rating.rating,
                deviation: record.rating.deviation,
                accepted: u32::try_from(accepted).unwrap_or(u32::MAX),
                reward: record.accepted.reward(record.rating.rating, now, &policy.rewards),
                weight: 0.0,
                duels: record.duels,
                wins: record.wins,
                draws: record.draws,
            })
        };
        let mut rows: Vec<Standings> = neurons.iter().filter_map(row).collect();
        rows.sort_by(|a, b| {
            b.reward.total_cmp(&a.reward).then(b.rating.total_cmp(&a.rating)).then(a.uid.cmp(&b.uid))
        });
        let rewards: Vec<f64> = rows.iter().map(|row| row.reward).collect();
        for (row, weight) in rows.iter_mut().zip(weights(&rewards, &policy.weights)) {
            row.weight = weight;
        }
        Self { taken: now, synthetic: false, rows }
    }
}

impl View {
    /// The standings as last noted.
    pub fn leaderboard(&self) -> Option<&Leaderboard> {
        let Item::Leaderboard(leaderboard) = &self.get(&Key::Leaderboard)?.item else {
            return None;
        };
        Some(leaderboard)
    }
}

/// Notes standings unless newer ones are there.
pub fn note(view: &View, leaderboard: Leaderboard) -> Step<()> {
    if !view.has_loaded(&Key::Leaderboard) {
        return Step::Load(LoadSpec::keys([Key::Leaderboard]));
    }
    if view.leaderboard().is_some_and(|noted| noted.taken >= leaderboard.taken) {
        return Step::Reply(());
    }
    let item = Item::Leaderboard(leaderboard);
    let write = match view.get(&Key::Leaderboard) {
        Some(stored) => Write::replace(Key::Leaderboard, stored, item),
        None => Write::create(Key::Leaderboard, item, None),
    };
    Step::Commit { writes: alloc::vec![write], reply: () }
}
