//! Miners and clients: most of them work and wait as they should; some are early, late, gone, forgetful or careless.

use sn17_core::ledger::{LoadSpec, View};
use sn17_core::miner;
use sn17_core::pull::{self, Pull, PullReply};
use sn17_core::state::{Item, Key, KeyHash, Neuron, Origin, Roster};
use sn17_core::submit::{self, Payload, Submit, SubmitReply};
use sn17_core::task::{self, NewTask};
use sn17_core::{TaskId, UnixMs};

use super::{Event, Fault, HOUR_MS, MINUTE_MS, Miner, ROSTER_MS, START, SWEEP_MS, Season};

/// In so many of a thousand looks at the metagraph, and for each place, another miner holds the place: a tenth of all
/// miners in four days.
const NEWCOMERS_PER_100_000: u64 = 17;

impl Season {
    pub(super) fn draw_miner(&mut self, uid: u16) -> Miner {
        let quarter_ms = self.setup.hours * HOUR_MS / 4;
        let changes = START.plus_ms(self.random.between(quarter_ms, 3 * quarter_ms));
        let changes = self.random.per_mille(self.setup.changing_per_mille).then_some(changes);
        let miner = Miner::draw(&mut self.random, uid, self.setup.miners, changes);
        self.truths.insert(miner.hotkey, miner.truth);
        miner
    }

    fn intend(&mut self, place: usize, after_ms: u64, event: impl Fn(u64) -> Event) {
        self.miners[place].turn += 1;
        let turn = self.miners[place].turn;
        self.plan(after_ms, event(turn));
    }

    pub(super) fn pull(&mut self, place: usize) -> Result<(), Fault> {
        let (now, policy) = (self.now, self.policy());
        let request = Pull {
            hotkey: self.miners[place].hotkey,
            synthetic_id: TaskId::new(now, self.random.wide()),
            synthetic: self.prompts[self.random.index(self.prompts.len())].clone(),
            lost: None,
        };
        let decide = |view: &View| pull::decide(view, &request, now, &policy);
        match self.decide(&pull::load(request.hotkey), &decide)? {
            PullReply::Task { id, .. } => self.work(place, id),
            PullReply::OnCooldown { cooldown_until, .. } => self.rest(place, cooldown_until),
            PullReply::Unregistered { .. } => {
                self.intend(place, 10 * MINUTE_MS, |turn| Event::Pull(place, turn));
            }
        }
        Ok(())
    }

    /// A miner works on its task; some forget it, and get it again when they come back.
    fn work(&mut self, place: usize, task: TaskId) {
        if self.random.per_mille(5) {
            let after = self.random.between(10 * MINUTE_MS, 50 * MINUTE_MS);
            self.intend(place, after, |turn| Event::Pull(place, turn));
            return;
        }
        let least = self.miners[place].work_ms;
        let after = self.random.between(least, least + 10_000);
        self.intend(place, after, |turn| Event::HandIn(place, turn, task));
    }

    /// A miner waits for the end of its cooldown; some do not, and some are gone for hours.
    fn rest(&mut self, place: usize, cooldown_until: u64) {
        let left_ms = UnixMs::from_secs(cooldown_until).ms_since(self.now);
        let after = match self.random.between(1, 1000) {
            1..=2 => left_ms + self.random.between(HOUR_MS / 2, 6 * HOUR_MS),
            3..=12 => left_ms.saturating_sub(5000) + 1,
            _ => left_ms + self.random.between(500, self.miners[place].idle_ms),
        };
        self.intend(place, after, |turn| Event::Pull(place, turn));
    }

    pub(super) fn hand_in(&mut self, place: usize, task: TaskId) -> Result<(), Fault> {
        let (now, policy) = (self.now, self.policy());
        let payload = Payload { blob: "splat".to_owned(), bytes: 1 << 20, sha256: self.random.bytes() };
        let is_empty = self.random.per_mille(5);
        let request = Submit {
            hotkey: self.miners[place].hotkey,
            task,
            signature_is_valid: !self.random.per_mille(2),
            signature: String::new(),
            submit_time: i64::try_from(now.0 * 1_000_000).unwrap_or(i64::MAX),
            prompt_sha256: [0; 32],
            payload: (!is_empty).then_some(payload),
            refusal: None,
        };
        let decide = |view: &View| submit::decide(view, &request, now, &policy);
        let load = submit::load(request.hotkey, task);
        let reply = self.decide(&load, &decide)?;
        // The same request once more, or another result for the same task: SB-1.
        if self.random.per_mille(20) {
            self.decide(&load, &decide)?;
        }
        if self.random.per_mille(5) {
            let other = Payload { blob: "other".to_owned(), bytes: 1, sha256: self.random.bytes() };
            let request = Submit { payload: Some(other), ..request.clone() };
            self.decide(&load, &|view: &View| submit::decide(view, &request, now, &policy))?;
        }
        match reply {
            SubmitReply::Taken { .. } => {
                let until = match self.item(&Key::Session(request.hotkey)) {
                    Some(Item::Session(session)) => session.cooldown_until,
                    Some(_) | None => 0,
                };
                self.rest(place, until);
            }
            SubmitReply::Unregistered
            | SubmitReply::NoTask
            | SubmitReply::Ignored { .. }
            | SubmitReply::Closed => self.intend(place, MINUTE_MS, |turn| Event::Pull(place, turn)),
        }
        Ok(())
    }

    /// A client adds a task, every three minutes or so.
    pub(super) fn ask(&mut self) -> Result<(), Fault> {
        let (now, rules) = (self.now, self.policy().tasks);
        let new = NewTask {
            id: TaskId::new(now, self.random.wide()),
            prompt: self.prompts[self.random.index(self.prompts.len())].clone(),
            owner: KeyHash([7; 32]),
            origin: Origin::Api,
        };
        let load = LoadSpec::keys([Key::Task(new.id)]);
        self.decide(&load, &|view: &View| task::add(view, &new, now, &rules))?;
        self.plan(rules.deadline_secs * 1000 + SWEEP_MS + 1, Event::Deadline(new.id));
        let after = self.random.between(MINUTE_MS, 5 * MINUTE_MS);
        self.plan(after, Event::Client);
        Ok(())
    }

    /// The metagraph as it is now is applied: who has left goes first, then everybody is brought up to date.
    pub(super) fn change_roster(&mut self) -> Result<(), Fault> {
        let (now, policy) = (self.now, self.policy());
        if now > START {
            self.change_places();
        }
        let neurons: Vec<Neuron> = self.miners.iter().map(Miner::neuron).collect();
        let strong = miner::strong_uids(&neurons, policy.miners.strong_miners);
        let roster = Roster { neurons, block: None };
        let old = match self.item(&Key::Roster) {
            Some(Item::Roster(old)) => old.clone(),
            Some(_) | None => Roster::default(),
        };
        for hotkey in miner::departed(&old, &roster) {
            let load = LoadSpec::keys([Key::Session(hotkey), Key::Record(hotkey), Key::History(hotkey)]);
            self.decide(&load, &|view: &View| miner::deregister(view, hotkey, now, &policy))?;
        }
        for neuron in &roster.neurons {
            let is_strong = strong.binary_search(&neuron.uid).is_ok();
            let load = LoadSpec::keys([Key::Session(neuron.hotkey), Key::Record(neuron.hotkey)]);
            self.decide(&load, &|view: &View| miner::register(view, neuron, is_strong, &policy))?;
        }
        let load = LoadSpec::keys([Key::Roster]);
        self.decide(&load, &|view: &View| miner::note_roster(view, roster.clone()))?;
        self.plan(ROSTER_MS, Event::Roster);
        Ok(())
    }

    /// Incentives follow the weights, and some places change hands.
    fn change_places(&mut self) {
        let (leaderboard, _) = self.standings();
        for row in leaderboard.rows {
            self.miners[usize::from(row.uid)].incentive = row.weight;
        }
        for place in 0..self.miners.len() {
            if self.random.between(1, 100_000) > NEWCOMERS_PER_100_000 {
                continue;
            }
            let uid = self.miners[place].uid;
            let turn = self.miners[place].turn;
            self.miners[place] = self.draw_miner(uid);
            self.miners[place].turn = turn;
            self.tally.newcomers += 1;
            let after = self.random.between(1000, 10 * MINUTE_MS);
            self.intend(place, after, |turn| Event::Pull(place, turn));
        }
    }
}
