//! Duels in virtual time: each step of a test is one method.

use sn17_core::duel::{self, Ruled, Ruling};
use sn17_core::glicko::Outcome;
use sn17_core::ledger::{Contest, DecisionId, LoadSpec, Stored};
use sn17_core::matchmaking::{self, Draw};
use sn17_core::state::{Duel, DuelNonce, DuelState, History, Item, Key, Prompt};
use sn17_core::{Hotkey, TaskId};

use crate::world::World;

/// A network with a judge, whose matchmaker does not wait for miners to show themselves.
pub(crate) fn arena() -> World {
    World::with(|policy| {
        policy.judge.enabled = true;
        policy.duels.start_delay_secs = 0;
        policy.duels.slots = 0;
    })
}

impl World {
    /// Lets the metagraph say what the sessions say.
    pub(crate) fn publish_roster(&mut self) {
        let mut roster = self.roster.clone();
        roster.neurons.retain(|neuron| self.has(&Key::Session(neuron.hotkey)));
        let item = Item::Roster(roster);
        let stored = Stored { rev: 1, decision: DecisionId(0), expires: None, item };
        self.rows.insert(Key::Roster, stored);
    }

    /// Miners who have lately had a task and hold none, with the matchmaker awake.
    pub(crate) fn fighters(&mut self, count: usize) -> Vec<Hotkey> {
        let miners: Vec<Hotkey> = (0..count).map(|_| self.strong_miner()).collect();
        self.publish_roster();
        for miner in &miners {
            let task = self.take(miner);
            self.skip(miner, task);
        }
        assert_eq!(self.make_duel(), None, "the first request wakes the matchmaker");
        miners
    }

    pub(crate) fn draw(&mut self, backlog: u64) -> Draw {
        self.ids += 1;
        let prompt = |number| Prompt::Text(format!("object {number} of {}", self.ids));
        Draw { task: TaskId::new(self.now, self.ids), prompts: (0..256).map(prompt).collect(), backlog }
    }

    pub(crate) fn make_duel(&mut self) -> Option<DuelNonce> {
        let draw = self.draw(0);
        self.make_duel_of(&draw)
    }

    pub(crate) fn make_duel_of(&mut self, draw: &Draw) -> Option<DuelNonce> {
        let (now, policy) = (self.now, self.policy);
        self.transact(matchmaking::load(), |view| matchmaking::decide(view, draw, now, &policy))
    }

    /// Makes a duel and expects one.
    #[track_caller]
    pub(crate) fn duel_made(&mut self) -> DuelNonce {
        self.make_duel().expect("two active miners meet")
    }

    /// A side of the duel pulls it once its cooldown is over.
    #[track_caller]
    pub(crate) fn join(&mut self, hotkey: &Hotkey) -> TaskId {
        self.rest(hotkey);
        self.take(hotkey)
    }

    pub(crate) fn rule(&mut self, nonce: DuelNonce, ruling: &Ruling) -> Ruled {
        let (now, policy) = (self.now, self.policy);
        let load = LoadSpec::keys([Key::Duel(nonce)]);
        self.transact(load, |view| duel::rule(view, nonce, ruling, now, &policy))
    }

    pub(crate) fn decide(&mut self, nonce: DuelNonce, outcome: Outcome) -> Ruled {
        self.rule(nonce, &Ruling::Decided { outcome, explanation: "rough edges".to_owned() })
    }

    /// Both sides deliver, and the duel waits for the judge.
    #[track_caller]
    pub(crate) fn fought(&mut self) -> DuelNonce {
        let nonce = self.duel_made();
        for hotkey in self.sides(nonce) {
            let task = self.join(&hotkey);
            self.deliver(&hotkey, task, 0.8);
        }
        assert_eq!(self.judging, [Contest::Duel(nonce)]);
        self.judging.clear();
        nonce
    }

    #[track_caller]
    pub(crate) fn duel(&self, nonce: DuelNonce) -> Duel {
        match self.row(&Key::Duel(nonce)).map(|stored| &stored.item) {
            Some(Item::Duel(duel)) => duel.clone(),
            other => panic!("no duel {nonce}: {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn sides(&self, nonce: DuelNonce) -> [Hotkey; 2] {
        self.duel(nonce).sides().map(|side| side.hotkey)
    }

    #[track_caller]
    pub(crate) fn void_reason(&self, nonce: DuelNonce) -> String {
        let state = self.duel(nonce).state;
        let DuelState::Void { reason, .. } = state else {
            panic!("expected an end without a verdict, got {state:?}");
        };
        reason
    }

    pub(crate) fn history(&self, hotkey: &Hotkey) -> History {
        match self.row(&Key::History(*hotkey)).map(|stored| &stored.item) {
            Some(Item::History(history)) => history.clone(),
            _ => History::default(),
        }
    }

    #[track_caller]
    pub(crate) fn rating(&self, hotkey: &Hotkey) -> f64 {
        self.record(hotkey).rating.rating
    }
}
