//! Workers that score and judge, timers and the sweep: each of them may die between its finding and the commit.

use sn17_core::duel::{self, Ruling};
use sn17_core::ledger::{Contest, LoadSpec, View};
use sn17_core::scoring::Metrics;
use sn17_core::settle::{self, Finding};
use sn17_core::state::{DuelState, Entry, Item, Key};
use sn17_core::task::{self, Comparison};
use sn17_core::{Hotkey, TaskId};
use sn17_model::Random;

use super::{Event, Fault, MINUTE_MS, SWEEP_MAX, SWEEP_MS, Season};
use crate::miners::draw_score;

impl Season {
    /// A worker takes a submission. It may die before it comes to a finding, or take very long.
    pub(super) fn examine(&mut self, task: TaskId, hotkey: Hotkey) -> Result<(), Fault> {
        if self.random.per_mille(10) {
            self.tally.workers_died += 1;
            let again = u64::from(self.policy().submissions.visibility_secs) * 1000;
            self.plan(again, Event::Examine(task, hotkey));
        }
        let after = match self.random.between(1, 200) {
            1 => self.random.between(20 * MINUTE_MS, 50 * MINUTE_MS),
            _ => self.random.between(500, 3000),
        };
        self.plan(after, Event::Conclude(task, hotkey));
        Ok(())
    }

    pub(super) fn conclude(&mut self, task: TaskId, hotkey: Hotkey) -> Result<(), Fault> {
        let (now, policy) = (self.now, self.policy());
        let finding = self.finding(task, hotkey);
        let decide = |view: &View| settle::decide(view, task, hotkey, &finding, now, &policy);
        self.decide(&settle::load(task, hotkey), &decide)?;
        Ok(())
    }

    /// What any worker finds out about that submission: the same each time.
    fn finding(&self, task: TaskId, hotkey: Hotkey) -> Finding {
        let low = u64::try_from(task.0 & u128::from(u64::MAX)).unwrap_or_default();
        let key = u64::from_le_bytes(hotkey.0.as_chunks::<8>().0[0]);
        let mut random = Random::new(low ^ key.rotate_left(7));
        match random.between(1, 1000) {
            1..=2 => return Finding::Failed { reason: "the model did not load".to_owned() },
            3..=5 => return Finding::Invalid { reason: "not a splat".to_owned() },
            _ => {}
        }
        let [quality, _] = self.qualities([hotkey, hotkey]);
        let score = draw_score(&mut random, quality);
        // The curves over the similarities add 0.05 to equal views, and image quality and alignment weigh 0.95.
        let metric = ((score - 0.05) / 0.95).max(0.0);
        let metrics = Metrics { alignment: metric, iqa: metric, lpips: 1.0, ssim: 1.0 };
        Finding::Measured { metrics, synthetic: false, likeness: None }
    }

    /// A worker takes what is to be compared; the judge may not answer, and the worker may die with the answer in hand.
    pub(super) fn compare(&mut self, contest: Contest, attempt: u32) -> Result<(), Fault> {
        let rules = self.policy().judge;
        let is_last = attempt >= rules.attempts_max;
        if self.random.per_mille(10) {
            self.tally.workers_died += 1;
            self.plan(u64::from(rules.visibility_secs) * 1000, Event::Judge(contest, attempt));
            return Ok(());
        }
        let is_silent = self.random.per_mille(20);
        if is_silent && !is_last {
            self.plan(MINUTE_MS, Event::Judge(contest, attempt + 1));
            return Ok(());
        }
        self.backlog = self.backlog.saturating_sub(1);
        match contest {
            Contest::Duel(nonce) => self.rule(nonce, is_silent),
            Contest::Task(id) => self.compare_results(id),
        }
    }

    fn rule(&mut self, nonce: sn17_core::state::DuelNonce, is_silent: bool) -> Result<(), Fault> {
        let (now, policy) = (self.now, self.policy());
        let Some(Item::Duel(duel)) = self.item(&Key::Duel(nonce)) else { return Ok(()) };
        if !matches!(duel.state, DuelState::Awaiting { .. }) {
            return Ok(());
        }
        let hotkeys = duel.sides().map(|side| side.hotkey);
        let scores = duel.sides().map(|side| entry_score(&side.entry));
        let ruling = match duel.plain_outcome() {
            Some((outcome, why)) => Ruling::Decided { outcome, explanation: why.to_owned() },
            None if is_silent => Ruling::Failed { reason: "the judge does not answer".to_owned() },
            None => {
                let qualities = self.qualities(hotkeys);
                let (outcome, calls) = self.judge.compare(&policy.judge, nonce.0, qualities, scores);
                self.tally.judge_calls += calls;
                Ruling::Decided { outcome, explanation: "rough edges".to_owned() }
            }
        };
        let decide = |view: &View| duel::rule(view, nonce, &ruling, now, &policy);
        self.decide(&LoadSpec::keys([Key::Duel(nonce)]), &decide)?;
        if self.is_point_due {
            self.note_point();
        }
        Ok(())
    }

    fn compare_results(&mut self, id: TaskId) -> Result<(), Fault> {
        let (now, policy) = (self.now, self.policy());
        let Some(Item::Task(task)) = self.item(&Key::Task(id)) else { return Ok(()) };
        let Some(results) = task.contest() else { return Ok(()) };
        let pair = results.map(|result| result.hotkey);
        let scores = results.map(|result| result.score);
        let seed = task.created.secs();
        let (outcome, _) = self.judge.compare(&policy.judge, seed, self.qualities(pair), scores);
        let comparison = Comparison::Judged(outcome);
        let decide = |view: &View| task::compared(view, id, pair, comparison, now, &policy);
        self.decide(&LoadSpec::keys([Key::Task(id)]), &decide)
    }

    pub(super) fn finalise(&mut self, id: TaskId) -> Result<(), Fault> {
        let (now, policy) = (self.now, self.policy());
        let decide = |view: &View| task::finalise(view, id, now, &policy);
        self.decide(&LoadSpec::keys([Key::Task(id)]), &decide)
    }

    /// Looks after what is overdue: whatever was lost on the way.
    pub(super) fn sweep(&mut self) -> Result<(), Fault> {
        let (now, policy) = (self.now, self.policy());
        for key in self.ledger.due(now, SWEEP_MAX) {
            // Nothing else is ever due.
            if let Key::Task(id) = key {
                self.finalise(id)?;
            } else if let Key::Submission(task, hotkey) = key {
                let decide = |view: &View| settle::resend(view, task, hotkey, now, &policy);
                self.decide(&settle::load(task, hotkey), &decide)?;
            } else if let Key::Duel(nonce) = key {
                let decide = |view: &View| duel::look_after(view, nonce, now, &policy);
                self.decide(&LoadSpec::keys([Key::Duel(nonce)]), &decide)?;
            }
        }
        self.plan(SWEEP_MS, Event::Sweep);
        Ok(())
    }
}

/// The score of what a side has handed in, as the judging worker reads it.
pub(crate) const fn entry_score(entry: &Entry) -> f64 {
    match entry {
        Entry::Delivered { score, .. } => *score,
        Entry::Awaited | Entry::Missing { .. } => 0.0,
    }
}
