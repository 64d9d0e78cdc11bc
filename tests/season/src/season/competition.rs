//! Duels as hosts make them, and how well ranks and truth agree.

use sn17_core::leaderboard::Leaderboard;
use sn17_core::ledger::{Change, Expect, View, Write};
use sn17_core::matchmaking::{self, Draw};
use sn17_core::state::{Duel, DuelNonce, DuelState, Item, Key, Neuron};
use sn17_core::{Hotkey, TaskId, UnixMs};

use serde::Serialize;

use super::{Event, Fault, MATCHMAKER_MS, Season};
use crate::rank::kendall_tau_b;

/// How well ranks and truth agree at an instant, by Kendall's tau-b over all registered miners.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Duels that had ended with a verdict.
    pub duels: u64,
    /// Calls that the judge had answered about duels.
    pub judge_calls: u64,
    /// Ranked by rating.
    pub by_rating: f64,
    /// Ranked by reward; 0 where it is not known.
    pub by_reward: f64,
}

/// What a rating may depend on, in the order in which it happened.
#[derive(Clone, Debug)]
pub enum Played {
    /// A duel ended with a verdict.
    Duel {
        /// Its nonce.
        nonce: u64,
        /// When.
        at: UnixMs,
        /// The duel as it ended.
        duel: Box<Duel>,
        /// How good the left and the right miner were.
        qualities: [f64; 2],
    },
    /// A miner came to the subnet.
    Joined(Hotkey),
    /// A miner left it.
    Left(Hotkey),
}

impl Season {
    /// Makes the duels that are due, as every host does.
    pub(super) fn make_duels(&mut self) -> Result<(), Fault> {
        loop {
            let policy = self.policy();
            let draws = policy.duels.draws;
            let prompts = (0..draws).map(|_| self.prompts[self.random.index(self.prompts.len())].clone());
            let prompts = prompts.collect();
            let task = TaskId::new(self.now, self.random.wide());
            let draw = Draw { task, prompts, backlog: self.backlog };
            let now = self.now;
            let decide = |view: &View| matchmaking::decide(view, &draw, now, &policy);
            if self.decide(&matchmaking::load(), &decide)?.is_none() {
                break;
            }
        }
        self.plan(MATCHMAKER_MS, Event::Matchmaker);
        Ok(())
    }

    /// Notes what a commit says about a duel, and who came and left.
    pub(super) fn note_played(&mut self, write: &Write) {
        match (&write.key, &write.change) {
            (Key::Record(hotkey), Change::Delete) => self.played.push(Played::Left(*hotkey)),
            (Key::Record(hotkey), Change::Put(..)) if write.expect == Expect::Absent => {
                self.played.push(Played::Joined(*hotkey));
            }
            (Key::Duel(nonce), Change::Put(Item::Duel(duel), _)) => {
                self.note_duel(*nonce, duel, write.expect == Expect::Absent);
            }
            (_, _) => {}
        }
    }

    fn note_duel(&mut self, nonce: DuelNonce, duel: &Duel, is_new: bool) {
        match duel.state {
            DuelState::Open => self.tally.duels_made += u64::from(is_new),
            DuelState::Awaiting { .. } => {}
            DuelState::Void { .. } => self.tally.duels_void += 1,
            DuelState::Judged { .. } => {
                let qualities = self.qualities(duel.sides().map(|side| side.hotkey));
                let duel = Box::new(duel.clone());
                self.played.push(Played::Duel { nonce: nonce.0, at: self.now, duel, qualities });
                self.judged += 1;
                self.is_point_due = self.judged.is_multiple_of(self.setup.step);
            }
        }
    }

    pub(super) fn qualities(&self, hotkeys: [Hotkey; 2]) -> [f64; 2] {
        hotkeys.map(|hotkey| self.quality(&hotkey, self.now))
    }

    /// How good a miner was at an instant; 0 for one that was never there.
    pub(crate) fn quality(&self, hotkey: &Hotkey, at: UnixMs) -> f64 {
        self.truths.get(hotkey).map_or(0.0, |truth| truth.quality_at(at))
    }

    /// Adds a point to the curve.
    pub(super) fn note_point(&mut self) {
        self.is_point_due = false;
        let policy = self.policy();
        let rows = self.miners.iter().filter_map(|miner| {
            let record = self.record(&miner.hotkey)?;
            let quality = miner.truth.quality_at(self.now);
            let rating = record.rating.rating;
            Some((quality, rating, record.accepted.reward(rating, self.now, &policy.rewards)))
        });
        let rows: Vec<(f64, f64, f64)> = rows.collect();
        let tau = |rank: fn(&(f64, f64, f64)) -> f64| {
            let pairs: Vec<(f64, f64)> = rows.iter().map(|row| (row.0, rank(row))).collect();
            kendall_tau_b(&pairs)
        };
        self.curve.push(Point {
            duels: self.judged,
            judge_calls: self.tally.judge_calls,
            by_rating: tau(|row| row.1),
            by_reward: tau(|row| row.2),
        });
    }

    /// The standings now, and the true quality of each row's miner.
    pub fn standings(&self) -> (Leaderboard, Vec<f64>) {
        let neurons: Vec<Neuron> = self.miners.iter().map(super::Miner::neuron).collect();
        let mut view = View::default();
        for neuron in &neurons {
            let key = Key::Record(neuron.hotkey);
            view.insert(key, self.ledger.live(self.now, &key).cloned());
        }
        let leaderboard = Leaderboard::of(&view, &neurons, self.now, &self.setup.policy);
        let qualities = leaderboard.rows.iter().map(|row| self.quality(&row.hotkey, self.now)).collect();
        (leaderboard, qualities)
    }

    /// Every registered miner with its true quality and its rating.
    pub fn ratings(&self) -> Vec<(Hotkey, f64, f64)> {
        let row = |miner: &super::Miner| {
            let record = self.record(&miner.hotkey)?;
            Some((miner.hotkey, miner.truth.quality_at(self.now), record.rating.rating))
        };
        self.miners.iter().filter_map(row).collect()
    }
}
