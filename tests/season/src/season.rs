//! A season as it runs.

mod competition;
mod miners;
mod workers;

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::Serialize;
use sn17_core::ledger::{Contest, DecisionId, Effect, LoadSpec, Step, View, Write};
use sn17_core::policy::Policy;
use sn17_core::state::{Item, Key, Prompt, Record};
use sn17_core::{Hotkey, TaskId, UnixMs};
use sn17_model::{Committed, ContractError, MapLedger, Random};

use crate::digest::StateDigest;
use crate::judge::ModelJudge;
use crate::laws::{Before, Broken, Laws, SWEEP_MS};
use crate::miners::{Miner, Truth};
use crate::setup::Setup;

pub(crate) use workers::entry_score;

pub use competition::{Played, Point};

/// Where every season begins: 9 October 2025, 8:00 UTC.
const START: UnixMs = UnixMs::from_secs(1_759_996_800);
const HOUR_MS: u64 = 3_600_000;
const MINUTE_MS: u64 = 60_000;
/// How often a host asks for duels, in milliseconds.
const MATCHMAKER_MS: u64 = 10_000;
/// How often the metagraph is looked at, in milliseconds; the original's interval.
const ROSTER_MS: u64 = 600_000;
/// So many overdue items are looked at in one sweep.
const SWEEP_MAX: usize = 1000;
/// A decision that loses so many races in a row is a fault of the simulation.
const ATTEMPTS_MAX: u8 = 3;

/// Why a season cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// A law of the game does not hold.
    #[error("at {at} ms: {broken}")]
    Broken {
        /// When, in milliseconds since the season began.
        at: u64,
        /// Which, and how.
        broken: Broken,
    },
    /// A decision broke the contract of ledgers.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// A decision lost every race.
    #[error("a decision lost {ATTEMPTS_MAX} races in a row")]
    Conflicts,
    /// A decision is no pure function of what it sees.
    #[error("a decision answered differently when it was made again")]
    Impure,
    /// An item cannot be encoded.
    #[error("cannot hash the state: {0}")]
    Encoding(#[from] postcard::Error),
}

/// What happened in a season, besides duels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Decisions that were made, repeated ones included.
    pub decisions: u64,
    /// Commits that came too late and were decided again.
    pub conflicts: u64,
    /// Hosts that died after a commit and before their answer: the decision was made again under its id.
    pub hosts_died: u64,
    /// Workers that died between their finding and its commit.
    pub workers_died: u64,
    /// Messages that never arrived.
    pub messages_lost: u64,
    /// Messages that arrived twice.
    pub messages_doubled: u64,
    /// Duels made.
    pub duels_made: u64,
    /// Duels that ended without a verdict.
    pub duels_void: u64,
    /// Calls of the judge.
    pub judge_calls: u64,
    /// Miners that took another's place.
    pub newcomers: u64,
    /// Verdicts that took effect (SB-1).
    pub verdicts: u64,
    /// Cooldowns recomputed (CD-2).
    pub cooldowns: u64,
    /// Pairs recomputed (DU-2).
    pub pairs: u64,
    /// Clients' tasks seen to end in time (TK-1).
    pub client_tasks: u64,
}

/// What happens at an instant.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// The miner of that place asks for a task, unless it has changed its mind since that turn.
    Pull(usize, u64),
    /// It hands in what it made.
    HandIn(usize, u64, TaskId),
    /// A client wants something.
    Client,
    /// A client's task must have ended.
    Deadline(TaskId),
    Timer(TaskId),
    /// A worker takes a submission.
    Examine(TaskId, Hotkey),
    /// It has come to a finding.
    Conclude(TaskId, Hotkey),
    /// A worker takes what is to be compared; the first time, the second, and so on.
    Judge(Contest, u32),
    Matchmaker,
    Sweep,
    Roster,
    Hour,
}

/// A season in virtual time.
#[derive(Debug)]
pub struct Season {
    setup: Setup,
    ledger: MapLedger,
    laws: Laws,
    digest: StateDigest,
    judge: ModelJudge,
    random: Random,
    now: UnixMs,
    /// By instant, then in the order in which they were planned.
    events: BTreeMap<(UnixMs, u64), Event>,
    sequence: u64,
    /// By place.
    miners: Vec<Miner>,
    /// Of everybody who was ever there.
    truths: BTreeMap<Hotkey, Truth>,
    prompts: Vec<Prompt>,
    /// Contests that wait for a judge.
    backlog: u64,
    is_point_due: bool,
    tally: Tally,
    judged: u64,
    played: Vec<Played>,
    curve: Vec<Point>,
    hours: Vec<[u8; 32]>,
}

impl Season {
    /// Plays a season to its end.
    ///
    /// # Errors
    /// See [`Fault`]; the first law that is broken ends the season.
    pub fn play(setup: Setup) -> Result<Self, Fault> {
        let mut season = Self::new(setup);
        let end = START.plus_ms(setup.hours * HOUR_MS);
        while let Some(((at, _), event)) = season.events.pop_first() {
            season.now = at;
            season.happen(event)?;
            if at >= end {
                break;
            }
        }
        season.note_point();
        season.tally.verdicts = season.laws.verdicts;
        season.tally.cooldowns = season.laws.cooldowns;
        season.tally.pairs = season.laws.pairs;
        season.tally.client_tasks = season.laws.tasks;
        Ok(season)
    }

    /// What it was made of.
    pub const fn setup(&self) -> &Setup {
        &self.setup
    }

    /// When it ended.
    pub(crate) const fn ended(&self) -> UnixMs {
        self.now
    }

    /// Who judged it.
    pub(crate) const fn judge(&self) -> &ModelJudge {
        &self.judge
    }

    /// What happened in it.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Duels that ended with a verdict.
    pub const fn judged(&self) -> u64 {
        self.judged
    }

    /// How well ranks and truth agreed as it went on; the last point is the end.
    pub fn curve(&self) -> &[Point] {
        &self.curve
    }

    /// Every verdict and every departure, in order.
    pub fn played(&self) -> &[Played] {
        &self.played
    }

    /// The hash of the whole state at the end of each virtual hour.
    pub fn hours(&self) -> &[[u8; 32]] {
        &self.hours
    }

    fn new(setup: Setup) -> Self {
        let mut random = Random::new(setup.seed);
        let mut season = Self {
            setup,
            ledger: MapLedger::default(),
            laws: Laws::default(),
            digest: StateDigest::default(),
            judge: ModelJudge { accuracy: setup.accuracy, seed: random.next() },
            random,
            now: START,
            events: BTreeMap::new(),
            sequence: 0,
            miners: Vec::new(),
            truths: BTreeMap::new(),
            prompts: (0..1000).map(|number| Prompt::Text(format!("object {number}"))).collect(),
            backlog: 0,
            is_point_due: false,
            tally: Tally::default(),
            judged: 0,
            played: Vec::new(),
            curve: Vec::new(),
            hours: Vec::new(),
        };
        for uid in 0..setup.miners {
            let miner = season.draw_miner(uid);
            season.miners.push(miner);
        }
        season.plan(0, Event::Roster);
        for place in 0..season.miners.len() {
            let first = season.random.between(1000, 10 * MINUTE_MS);
            season.plan(first, Event::Pull(place, 0));
        }
        season.plan(0, Event::Matchmaker);
        season.plan(SWEEP_MS, Event::Sweep);
        season.plan(MINUTE_MS, Event::Client);
        season.plan(HOUR_MS, Event::Hour);
        season
    }

    fn happen(&mut self, event: Event) -> Result<(), Fault> {
        match event {
            Event::Pull(place, turn) if turn == self.miners[place].turn => self.pull(place),
            Event::HandIn(place, turn, task) if turn == self.miners[place].turn => self.hand_in(place, task),
            Event::Pull(..) | Event::HandIn(..) => Ok(()),
            Event::Client => self.ask(),
            Event::Deadline(task) => {
                let checked = self.laws.check_ended(&self.ledger, self.now, task);
                self.lawful(checked)
            }
            Event::Timer(task) => self.finalise(task),
            Event::Examine(task, hotkey) => self.examine(task, hotkey),
            Event::Conclude(task, hotkey) => self.conclude(task, hotkey),
            Event::Judge(contest, attempt) => self.compare(contest, attempt),
            Event::Matchmaker => self.make_duels(),
            Event::Sweep => self.sweep(),
            Event::Roster => self.change_roster(),
            Event::Hour => self.close_hour(),
        }
    }

    fn close_hour(&mut self) -> Result<(), Fault> {
        for key in self.ledger.purge(self.now) {
            self.digest.touch(key);
        }
        let checked = self.laws.check_everybody(&self.ledger, self.now, &self.setup.policy);
        self.lawful(checked)?;
        self.hours.push(self.digest.of(&self.ledger, self.now)?);
        self.plan(HOUR_MS, Event::Hour);
        Ok(())
    }

    fn lawful(&self, checked: Result<(), Broken>) -> Result<(), Fault> {
        checked.map_err(|broken| Fault::Broken { at: self.now.ms_since(START), broken })
    }

    /// Plans an event for `after_ms` from now.
    fn plan(&mut self, after_ms: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now.plus_ms(after_ms), self.sequence), event);
    }

    /// Makes a decision; now and then its host dies before the answer, and it is made again as it was.
    fn decide<R: PartialEq>(
        &mut self,
        first: &LoadSpec,
        decide: &impl Fn(&View) -> Step<R>,
    ) -> Result<R, Fault> {
        let id = DecisionId(self.random.wide());
        let may_race = self.random.per_mille(5);
        let reply = self.attempt(id, first, decide, may_race)?;
        if !self.random.per_mille(5) {
            return Ok(reply);
        }
        self.tally.hosts_died += 1;
        self.attempt(id, first, decide, false)
    }

    /// Commits a decision. In a race the same request is decided on another host between this one's look and its commit.
    fn attempt<R: PartialEq>(
        &mut self,
        id: DecisionId,
        first: &LoadSpec,
        decide: &impl Fn(&View) -> Step<R>,
        mut is_race: bool,
    ) -> Result<R, Fault> {
        for _ in 0..ATTEMPTS_MAX {
            self.tally.decisions += 1;
            let (writes, reply) = self.ledger.decide(self.now, first.clone(), decide)?;
            if std::mem::take(&mut is_race) {
                if self.ledger.decide(self.now, first.clone(), decide)? != (writes.clone(), reply) {
                    return Err(Fault::Impure);
                }
                let rival = DecisionId(self.random.wide());
                self.attempt(rival, first, decide, false)?;
                if self.commit(id, &writes)? == Committed::Conflict {
                    self.tally.conflicts += 1;
                }
                // Whatever became of it, the host asks again, as after a lost answer.
                continue;
            }
            if writes.is_empty() || self.commit(id, &writes)? != Committed::Conflict {
                return Ok(reply);
            }
            self.tally.conflicts += 1;
        }
        Err(Fault::Conflicts)
    }

    /// Commits, checks the laws and sends what follows from it.
    fn commit(&mut self, id: DecisionId, writes: &[Write]) -> Result<Committed, Fault> {
        let item = |write: &Write| {
            // Histories are long, and no law speaks of their past.
            let is_needed = !matches!(write.key, Key::History(_));
            let stored = self.ledger.live(self.now, &write.key).filter(|_| is_needed);
            (write.key, stored.map(|stored| stored.item.clone()))
        };
        let before: Vec<Before> = writes.iter().map(item).collect();
        let committed = self.ledger.commit(id, self.now, writes);
        if committed != Committed::Now {
            return Ok(committed);
        }
        let checked = self.laws.check_commit(&self.ledger, self.now, &self.setup.policy, &before, writes);
        self.lawful(checked)?;
        for write in writes {
            self.digest.touch(write.key);
            self.note_played(write);
            for effect in &write.effects {
                self.send(*effect);
            }
        }
        Ok(committed)
    }

    /// Sends a message: it arrives, or twice, or never.
    fn send(&mut self, effect: Effect) {
        let copies = match self.random.between(1, 200) {
            1..=2 => 0,
            3..=6 => 2,
            _ => 1,
        };
        self.tally.messages_lost += u64::from(copies == 0);
        self.tally.messages_doubled += u64::from(copies == 2);
        for _ in 0..copies {
            match effect {
                Effect::Score { task, hotkey } => {
                    let after = self.random.between(500, 10_000);
                    self.plan(after, Event::Examine(task, hotkey));
                }
                Effect::Timer { task, at } => {
                    let after = at.ms_since(self.now) + self.random.between(0, 1000);
                    self.plan(after, Event::Timer(task));
                }
                Effect::Judge(contest) => {
                    let after = self.random.between(1000, 20_000);
                    self.backlog += 1;
                    self.plan(after, Event::Judge(contest, 1));
                }
            }
        }
    }

    fn item(&self, key: &Key) -> Option<&Item> {
        self.ledger.live(self.now, key).map(|stored| &stored.item)
    }

    fn record(&self, hotkey: &Hotkey) -> Option<&Record> {
        let Item::Record(record) = self.item(&Key::Record(*hotkey))? else { return None };
        Some(record)
    }

    fn policy(&self) -> Policy {
        self.setup.policy
    }
}

#[cfg(test)]
mod tests;
