//! Duels and their judge, who also compares clients' results, and the standings.

use sn17_core::glicko::Outcome;
use sn17_core::state::{DuelNonce, Item, Key};
use sn17_core::{Hotkey, TaskId};

use super::clients::draw_prompt;
use super::{Event, Fault, HOUR_SECS, MINUTE, Network, SECOND};
use crate::day::call::Call;
use crate::day::outcome::Reply;

/// Prompts that are drawn for one duel.
const PROMPTS: usize = 16;
/// Duels that are made in one go, at most.
const DUELS_MAX: usize = 8;

impl Network {
    /// Makes duels as a host does that asks once a minute.
    pub(super) fn make_duels(&mut self) -> Result<(), Fault> {
        for _ in 0..DUELS_MAX {
            let call = self.draw_duel();
            // Another host asks at the same time.
            let rival = self.random.per_mille(100).then(|| self.draw_duel());
            if self.answer(call, rival)? == Reply::Made(None) {
                break;
            }
        }
        self.plan(MINUTE, Event::Matchmaking);
        Ok(())
    }

    fn draw_duel(&mut self) -> Call {
        let task = TaskId::new(self.now, self.random.wide());
        let prompts = (0..PROMPTS).map(|_| draw_prompt(&mut self.random)).collect();
        // Now and then too many results wait for the judge.
        let backlog = if self.random.per_mille(50) { u64::MAX } else { self.random.between(0, 100) };
        Call::MakeDuel { task, prompts, backlog }
    }

    pub(super) fn rule(&mut self, nonce: DuelNonce) -> Result<(), Fault> {
        let stored = self.machine.ledger.live(self.now, &Key::Duel(nonce));
        let Some(Item::Duel(duel)) = stored.map(|stored| &stored.item) else { return Ok(()) };
        let plain = duel.plain_outcome().map(|(outcome, _)| outcome);
        let pair = duel.sides().map(|side| side.hotkey);
        let drawn = (!self.random.per_mille(50)).then(|| self.draw_outcome(pair));
        self.decide_twice(Call::Rule { nonce, outcome: plain.or(drawn) })
    }

    pub(super) fn compare(&mut self, task: TaskId) -> Result<(), Fault> {
        let stored = self.machine.ledger.live(self.now, &Key::Task(task));
        let contest = match stored.map(|stored| &stored.item) {
            Some(Item::Task(task)) => task.contest().map(|pair| pair.map(|result| result.hotkey)),
            _ => None,
        };
        let Some(pair) = contest else { return Ok(()) };
        let outcome = (!self.random.per_mille(50)).then(|| self.draw_outcome(pair));
        self.decide_twice(Call::Compare { task, pair, outcome })
    }

    /// Notes the standings once an hour.
    pub(super) fn note_standings(&mut self) -> Result<(), Fault> {
        self.plan(HOUR_SECS * SECOND, Event::Standings);
        let roster = self.roster();
        self.decide_twice(Call::NoteStandings { roster })
    }

    /// The stronger one wins more often.
    fn draw_outcome(&mut self, pair: [Hotkey; 2]) -> Outcome {
        let [left, right] =
            pair.map(|hotkey| self.place_of(hotkey).map_or(500, |place| self.miners[place].strength));
        match self.random.between(1, 1100) {
            1001.. => Outcome::Draw,
            drawn if drawn <= 500 + left / 2 - right / 2 => Outcome::Left,
            _ => Outcome::Right,
        }
    }
}
