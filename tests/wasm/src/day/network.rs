//! The simulated network whose day is recorded: clients with a daily rhythm, miners of different strength and
//! manners, workers that lose and repeat verdicts, timers that get lost, and a roster that changes.

mod clients;
mod duels;
mod miners;
mod workers;

use std::collections::BTreeMap;

use sn17_core::glicko::GlickoRules;
use sn17_core::ledger::{Contest, DecisionId, Effect};
use sn17_core::policy::{FairPlayRules, PairChoice, Policy, WeightScheme};
use sn17_core::state::{Key, Prompt};
use sn17_core::{Hotkey, TaskId, UnixMs};
use sn17_model::Random;

use super::call::{Call, Entry};
use super::outcome::{Outcome, Reply};
use super::{Fault, Frame, HOUR_SECS, Machine, Summary, fingerprint};

use miners::Miner;

/// The day begins here: 21 September 2025, 0:00 UTC.
const FIRST_HOUR: u64 = 488_184;
const HOURS: u64 = 24;
const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
/// So many overdue items are looked at in one sweep.
const SWEEP_MAX: usize = 1000;

/// How large the network is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Places on the subnet.
    pub miners: usize,
    /// Clients' tasks an hour when most are asked for.
    pub tasks_hourly: u64,
    /// Seconds that a miner rests after its cooldown, on average.
    pub rest_secs: u64,
}

/// Simulates a day and records it; the same seed and size give the same recording.
///
/// # Errors
/// See [`Fault`].
pub fn record(size: Size, seed: u64) -> Result<(Vec<u8>, Summary), Fault> {
    let policy = policy(seed);
    let mut recording = Vec::new();
    Frame::Begin { policy: Box::new(policy), first_hour: FIRST_HOUR }.write(&mut recording)?;
    let mut network = Network {
        machine: Machine::new(policy, FIRST_HOUR),
        recording,
        random: Random::new(seed),
        size,
        now: UnixMs::from_secs(FIRST_HOUR * HOUR_SECS),
        events: BTreeMap::new(),
        sequence: 0,
        miners: Vec::new(),
    };
    network.populate();
    network.run()?;
    let Network { machine, mut recording, .. } = network;
    Frame::End.write(&mut recording)?;
    Ok((recording, machine.summary))
}

/// The default rules, except that enough expires within a day; the seed chooses some of the original's.
fn policy(seed: u64) -> Policy {
    let mut policy = Policy::default();
    policy.miners.strong_miners = 20;
    policy.tasks.lifetime_secs = 4 * HOUR_SECS;
    policy.submissions.lifetime_secs = 6 * HOUR_SECS;
    policy.judge.enabled = true;
    // As many as there are miners, so that few pairs are drawn in vain.
    policy.duels.slots = 0;
    // Miners rest for long here, and clients' tasks come first.
    (policy.duels.per_minute, policy.duels.inactive_secs) = (2, HOUR_SECS);
    (policy.duels.pull_secs, policy.duels.open_secs) = (3 * HOUR_SECS, 4 * HOUR_SECS);
    policy.duels.lifetime_secs = 6 * HOUR_SECS;
    if seed % 2 == 1 {
        policy.glicko = GlickoRules::upstream();
        policy.weights.scheme = WeightScheme::RankCurve;
    } else {
        policy.fair_play = FairPlayRules::upstream();
        policy.duels.choice = PairChoice::First;
    }
    policy
}

/// What happens at an instant.
enum Event {
    /// A client wants something.
    Client,
    /// A client looks after its task.
    Look(TaskId),
    /// The miner of that place does what it means to do next, unless it has changed its mind since that turn.
    Act(usize, u64, Intent),
    /// A worker has finished.
    Verdict(TaskId, Hotkey),
    Timer(TaskId),
    Sweep,
    /// The judge has finished.
    Judgement(Contest),
    /// Duels may be due.
    Matchmaking,
    Standings,
    Roster,
    /// A host whose answer was lost makes the same decision again.
    Again(Box<Entry>),
    /// Something simple, prepared beforehand.
    Call(Box<Call>),
}

/// What a miner means to do next.
enum Intent {
    /// It asks for a task.
    Pull,
    /// It hands in what it made.
    HandIn(TaskId, Prompt),
}

struct Network {
    machine: Machine,
    recording: Vec<u8>,
    random: Random,
    size: Size,
    now: UnixMs,
    /// By instant, then in the order in which they were planned.
    events: BTreeMap<(UnixMs, u64), Event>,
    sequence: u64,
    /// By uid.
    miners: Vec<Miner>,
}

impl Network {
    fn populate(&mut self) {
        self.miners = (0..self.size.miners).map(|_| Miner::draw(&mut self.random)).collect();
        self.plan(0, Event::Roster);
        self.plan(SECOND, Event::Client);
        self.plan(MINUTE, Event::Sweep);
        self.plan(MINUTE, Event::Matchmaking);
        self.plan(HOUR_SECS * SECOND, Event::Standings);
        for place in 0..self.size.miners {
            let first = self.random.between(SECOND, 10 * MINUTE);
            self.intend(place, first, Intent::Pull);
        }
    }

    fn run(&mut self) -> Result<(), Fault> {
        let end = UnixMs::from_secs((FIRST_HOUR + HOURS) * HOUR_SECS);
        while let Some(((at, _), event)) = self.events.pop_first() {
            self.close_hours(at.min(end))?;
            if at >= end {
                break;
            }
            self.now = at;
            self.happen(event)?;
        }
        Ok(())
    }

    fn close_hours(&mut self, at: UnixMs) -> Result<(), Fault> {
        while at.secs() / HOUR_SECS > self.machine.hour {
            let digest = self.machine.close_hour();
            Frame::Hour { digest }.write(&mut self.recording)?;
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), Fault> {
        match event {
            Event::Client => self.ask(),
            Event::Look(task) => self.decide(Call::Results { task }),
            Event::Act(place, turn, _) if turn != self.miners[place].turn => Ok(()),
            Event::Act(place, _, Intent::Pull) => self.pull(place),
            Event::Act(place, _, Intent::HandIn(task, prompt)) => self.hand_in(place, task, &prompt),
            Event::Verdict(task, hotkey) => self.settle(task, hotkey),
            Event::Timer(task) => self.decide(Call::Finalise { task }),
            Event::Sweep => self.sweep(),
            Event::Judgement(Contest::Duel(nonce)) => self.rule(nonce),
            Event::Judgement(Contest::Task(task)) => self.compare(task),
            Event::Matchmaking => self.make_duels(),
            Event::Standings => self.note_standings(),
            Event::Roster => self.change_roster(),
            Event::Again(entry) => self.step(*entry).map(|_| ()),
            Event::Call(call) => self.decide(*call),
        }
    }

    /// Plans an event for `after_ms` from now.
    fn plan(&mut self, after_ms: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((self.now.plus_ms(after_ms), self.sequence), event);
    }

    fn decide(&mut self, call: Call) -> Result<(), Fault> {
        self.race(call, None)
    }

    /// Makes a decision on two hosts at once, now and then.
    fn decide_twice(&mut self, call: Call) -> Result<(), Fault> {
        let rival = self.random.per_mille(200).then(|| call.clone());
        self.race(call, rival)
    }

    /// Makes a decision, into which another one may come.
    fn race(&mut self, call: Call, rival: Option<Call>) -> Result<(), Fault> {
        self.answer(call, rival).map(|_| ())
    }

    fn answer(&mut self, call: Call, rival: Option<Call>) -> Result<Reply, Fault> {
        let id = DecisionId(self.random.wide());
        let rival = rival.map(|call| (DecisionId(self.random.wide()), call));
        let entry = Entry { now: self.now, id, call, rival };
        if self.random.per_mille(5) {
            let again = Entry { rival: None, ..entry.clone() };
            let after = self.random.between(0, 2 * SECOND);
            self.plan(after, Event::Again(Box::new(again)));
        }
        self.step(entry)
    }

    fn step(&mut self, mut entry: Entry) -> Result<Reply, Fault> {
        entry.now = self.now;
        let (outcome, bytes) = self.machine.step(&entry)?;
        let frame = Frame::Step { entry: Box::new(entry.clone()), outcome: fingerprint(&bytes) };
        frame.write(&mut self.recording)?;
        if let (Some((_, call)), Some(outcome)) = (&entry.rival, &outcome.rival) {
            self.follow(call, outcome);
        }
        self.follow(&entry.call, &outcome);
        Ok(outcome.reply)
    }

    /// Lets the network answer to what was decided.
    fn follow(&mut self, call: &Call, outcome: &Outcome) {
        let effects = outcome.writes.iter().flat_map(|written| &written.effects);
        for effect in effects.filter(|_| !outcome.is_repeat) {
            self.deliver(*effect);
        }
        match call {
            Call::Pull { hotkey, .. } => self.follow_pull(*hotkey, &outcome.reply),
            Call::Submit(form) => self.follow_submit(form, &outcome.reply),
            Call::Settle { hotkey, .. } | Call::Resend { hotkey, .. } => {
                if outcome.reply == Reply::Settled(true) {
                    self.plan(0, Event::Call(Box::new(Call::Figures { hotkey: *hotkey })));
                }
            }
            Call::Add(_)
            | Call::Finalise { .. }
            | Call::Register { .. }
            | Call::Deregister { .. }
            | Call::NoteRoster { .. }
            | Call::CompareRoster { .. }
            | Call::MakeDuel { .. }
            | Call::Rule { .. }
            | Call::LookAfter { .. }
            | Call::Compare { .. }
            | Call::NoteStandings { .. }
            | Call::Figures { .. }
            | Call::Results { .. } => {}
        }
    }

    /// Effects are delivered at least once; here some are lost, for the sweep to find, and some come twice.
    fn deliver(&mut self, effect: Effect) {
        match effect {
            Effect::Score { task, hotkey } => {
                // Some submissions stop every worker that takes them.
                let is_deadly = task.0 % 128 == 0;
                let copies = match self.random.between(1, 100) {
                    _ if is_deadly => 0,
                    1..=3 => 0,
                    4..=7 => 2,
                    _ => 1,
                };
                for _ in 0..copies {
                    let after = self.random.between(SECOND, 40 * SECOND);
                    self.plan(after, Event::Verdict(task, hotkey));
                }
            }
            Effect::Timer { task, at } => {
                if !self.random.per_mille(50) {
                    let after = at.ms_since(self.now) + self.random.between(0, SECOND);
                    self.plan(after, Event::Timer(task));
                }
            }
            Effect::Judge(contest) => {
                let copies = match self.random.between(1, 100) {
                    1..=10 => 0,
                    11..=14 => 2,
                    _ => 1,
                };
                for _ in 0..copies {
                    let after = self.random.between(SECOND, 20 * SECOND);
                    self.plan(after, Event::Judgement(contest));
                }
            }
        }
    }

    fn sweep(&mut self) -> Result<(), Fault> {
        for key in self.machine.ledger.due(self.now, SWEEP_MAX) {
            match key {
                Key::Task(task) => self.decide(Call::Finalise { task })?,
                Key::Submission(task, hotkey) => self.decide_twice(Call::Resend { task, hotkey })?,
                Key::Duel(nonce) => self.decide_twice(Call::LookAfter { nonce })?,
                Key::Session(_)
                | Key::Record(_)
                | Key::ApiKey(_)
                | Key::Roster
                | Key::History(_)
                | Key::Matchmaker
                | Key::Leaderboard
                | Key::Prompts => {}
            }
        }
        self.plan(MINUTE, Event::Sweep);
        Ok(())
    }
}
