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
    /// Equal rewards are in the order of rating, then in one that is drawn anew each day: on the original's curve a
    /// place is worth up to 2.6 times another, and that must not go by uid while all are new. Nothing in a record says
    /// how its scores were made, so they count as real ones here.
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
            let by_merit = b.reward.total_cmp(&a.reward).then(b.rating.total_cmp(&a.rating));
            by_merit.then_with(|| lot(&a.hotkey, now).cmp(&lot(&b.hotkey, now)))
        });
        let rewards: Vec<f64> = rows.iter().map(|row| row.reward).collect();
        for (row, weight) in rows.iter_mut().zip(weights(&rewards, &policy.weights)) {
            row.weight = weight;
        }
        Self { taken: now, synthetic: false, rows }
    }
}

/// A miner's place among its equals on this day (UTC): BLAKE3 of day and hotkey, which no hotkey wins every day.
fn lot(hotkey: &Hotkey, now: UnixMs) -> [u8; 32] {
    const DAY_SECS: u64 = 24 * 3600;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(now.secs() / DAY_SECS).to_be_bytes()).update(&hotkey.0);
    *hasher.finalize().as_bytes()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{DecisionId, Stored};
    use crate::policy::WeightScheme;
    use crate::state::Record;

    const START: UnixMs = UnixMs::from_secs(1_750_000_000);

    /// The first byte of each row's hotkey, of these miners who have all earned the same, but number 9 more.
    fn order(miners: &[u8], now: UnixMs) -> Vec<u8> {
        let mut policy = Policy::default();
        policy.weights.scheme = WeightScheme::RankCurve;
        let mut view = View::default();
        let mut neurons = Vec::new();
        for (uid, &number) in (0..).zip(miners) {
            let hotkey = Hotkey([number; 32]);
            let results = if number == 9 { 3 } else { 2 };
            let accepted = (0..results).map(|age| now.secs() - age).collect();
            let item = Item::Record(Record { accepted, ..Record::fresh(&policy) });
            let stored = Stored { rev: 1, decision: DecisionId(0), expires: None, item };
            view.insert(Key::Record(hotkey), Some(stored));
            neurons.push(Neuron { uid, hotkey, coldkey: None, stake: 0.0, incentive: 0.0 });
        }
        let rows = Leaderboard::of(&view, &neurons, now, &policy).rows;
        assert!(rows.is_sorted_by(|above, below| above.weight > below.weight), "{rows:?}");
        rows.iter().map(|row| row.hotkey.0[0]).collect()
    }

    #[test]
    fn equals_are_ranked_by_lot_and_not_by_uid() {
        let rows = order(&[1, 2, 3, 4, 5, 9], START);
        assert_eq!(rows[0], 9, "whoever has earned more is no equal");
        assert_eq!(order(&[9, 5, 4, 3, 2, 1], START), rows, "a uid is no merit");
        let days = (0..100).map(|day| order(&[1, 2], START.plus_secs(day * 24 * 3600)));
        let first = days.filter(|rows| rows[0] == 1).count();
        assert!((30..=70).contains(&first), "{first} of 100 days");
    }
}
