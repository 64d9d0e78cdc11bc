//! What the ratings of a season would have been by other numbers.
//!
//! Where the first pair meets, who that is does not depend on ratings, and the judge answers the same question the same
//! way. So a season that was played once can be rated again by the real decision, in a fraction of its time.

use std::collections::{BTreeMap, BTreeSet};

use sn17_core::duel::{self, Ruling};
use sn17_core::ledger::{Change, DecisionId, Step, Stored, View};
use sn17_core::policy::Policy;
use sn17_core::state::{Duel, DuelNonce, DuelState, Item, Key, Record};
use sn17_core::{Hotkey, UnixMs};

use crate::judge::ModelJudge;
use crate::rank::kendall_tau_b;
use crate::season::{Played, Point, Season, entry_score};

/// Rates what was played in `season` by `policy`; answers the curve, which ends with the season, and the final rating of
/// each registered miner, in the order of [`Season::ratings`].
///
/// Of the policy only the judge's orders and pictures, the rating system and fair play count: whatever else differs
/// would have made another season. So would other ratings where the closest pair meets.
pub fn rerate(season: &Season, policy: &Policy) -> (Vec<Point>, Vec<f64>) {
    let mut rows = Rows { items: BTreeMap::new(), present: BTreeSet::new(), season, policy };
    let (mut duels, mut judge_calls) = (0_u64, 0);
    let mut curve = Vec::new();
    for played in season.played() {
        match played {
            Played::Joined(hotkey) => {
                rows.present.insert(*hotkey);
            }
            Played::Left(hotkey) => rows.forget(*hotkey),
            Played::Duel { nonce, at, duel, qualities } => {
                let (ruling, calls) = rule(season.judge(), policy, *nonce, duel, *qualities);
                rows.play(DuelNonce(*nonce), duel, &ruling, *at);
                duels += 1;
                judge_calls += calls;
                if duels.is_multiple_of(season.setup().step) {
                    curve.push(Point { duels, judge_calls, by_rating: rows.tau(*at), by_reward: 0.0 });
                }
            }
        }
    }
    curve.push(Point { duels, judge_calls, by_rating: rows.tau(season.ended()), by_reward: 0.0 });
    let rating = |hotkey| rows.record(hotkey).rating.rating;
    let ratings = season.ratings().into_iter().map(|(hotkey, ..)| rating(hotkey)).collect();
    (curve, ratings)
}

fn rule(judge: &ModelJudge, policy: &Policy, nonce: u64, duel: &Duel, qualities: [f64; 2]) -> (Ruling, u64) {
    let (outcome, calls) = match duel.plain_outcome() {
        Some((outcome, _)) => (outcome, 0),
        None => {
            let scores = duel.sides().map(|side| entry_score(&side.entry));
            judge.compare(&policy.judge, nonce, qualities, scores)
        }
    };
    (Ruling::Decided { outcome, explanation: String::new() }, calls)
}

/// The records and histories, by key.
struct Rows<'a> {
    items: BTreeMap<Key, Stored>,
    /// Who is registered.
    present: BTreeSet<Hotkey>,
    season: &'a Season,
    policy: &'a Policy,
}

impl Rows<'_> {
    fn forget(&mut self, hotkey: Hotkey) {
        self.present.remove(&hotkey);
        self.items.remove(&Key::Record(hotkey));
        self.items.remove(&Key::History(hotkey));
    }

    fn play(&mut self, nonce: DuelNonce, duel: &Duel, ruling: &Ruling, now: UnixMs) {
        let mut view = View::default();
        let state = DuelState::Awaiting { resends: 0, resend_at: now };
        view.insert(Key::Duel(nonce), Some(stored(Item::Duel(Duel { state, ..duel.clone() }))));
        for side in duel.sides() {
            let record = Key::Record(side.hotkey);
            let history = Key::History(side.hotkey);
            view.insert(record, Some(stored(Item::Record(self.record(side.hotkey)))));
            view.insert(history, self.items.get(&history).cloned());
        }
        let Step::Commit { writes, .. } = duel::rule(&view, nonce, ruling, now, self.policy) else { return };
        for write in writes {
            if let (Key::Record(_) | Key::History(_), Change::Put(item, _)) = (write.key, write.change) {
                self.items.insert(write.key, stored(item));
            }
        }
    }

    fn record(&self, hotkey: Hotkey) -> Record {
        match self.items.get(&Key::Record(hotkey)).map(|stored| &stored.item) {
            Some(Item::Record(record)) => record.clone(),
            Some(_) | None => Record::fresh(self.policy),
        }
    }

    fn tau(&self, at: UnixMs) -> f64 {
        let pair = |hotkey: &Hotkey| (self.season.quality(hotkey, at), self.record(*hotkey).rating.rating);
        kendall_tau_b(&self.present.iter().map(pair).collect::<Vec<_>>())
    }
}

fn stored(item: Item) -> Stored {
    Stored { rev: 1, decision: DecisionId(0), expires: None, item }
}
