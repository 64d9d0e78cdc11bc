//! Laws that hold whatever happens in whatever order, with effects lost, late or delivered twice.
//!
//! A failing run prints its shortest commands and notes its seed under `proptest-regressions`, which is kept;
//! `PROPTEST_RNG_SEED` picks other runs.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sn17_core::cooldown::{cooldown_until, is_on_cooldown};
use sn17_core::duel::Ruling;
use sn17_core::glicko::Outcome;
use sn17_core::index::due_entry;
use sn17_core::ledger::{Contest, Stored};
use sn17_core::policy::{DuelRules, MinerRules};
use sn17_core::pull::PullReply;
use sn17_core::state::{
    DuelState, Item, Key, Session, Submission, SubmissionState, Task, TaskKind, TaskState,
};
use sn17_core::submit::Submit;
use sn17_core::task::Comparison;
use sn17_core::{Hotkey, TaskId};

use crate::world::{World, failed, invalid, payload, scored};

#[derive(Clone, Debug)]
enum Command {
    Pull(usize),
    Submit(usize, Quality),
    Repeat(usize, Quality),
    Settle { pick: usize, score: u8, again: bool },
    AddTask,
    Advance(u64),
    Timer(usize),
    Sweep,
    LoseTimers,
    LoseScoring,
    LoseJudging,
    MakeDuel,
    Fight,
    Judge { pick: usize, answer: u8, again: bool },
    Join(bool),
    Leave(usize),
    Flag(usize, bool),
}

#[derive(Clone, Copy, Debug)]
enum Quality {
    Good,
    OtherPayload,
    Empty,
    Unsigned,
    Refused,
}

fn quality() -> impl Strategy<Value = Quality> {
    prop_oneof![
        6 => Just(Quality::Good),
        1 => Just(Quality::OtherPayload),
        1 => Just(Quality::Empty),
        1 => Just(Quality::Unsigned),
        1 => Just(Quality::Refused),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let index = 0..64_usize;
    prop_oneof![
        10 => index.clone().prop_map(Command::Pull),
        8 => (index.clone(), quality()).prop_map(|(miner, quality)| Command::Submit(miner, quality)),
        2 => (index.clone(), quality()).prop_map(|(miner, quality)| Command::Repeat(miner, quality)),
        8 => (index.clone(), any::<u8>(), any::<bool>())
            .prop_map(|(pick, score, again)| Command::Settle { pick, score, again }),
        4 => Just(Command::AddTask),
        6 => (0..60_000_u64).prop_map(Command::Advance),
        2 => (60_000..200_000_u64).prop_map(Command::Advance),
        1 => index.clone().prop_map(Command::Timer),
        1 => Just(Command::Sweep),
        1 => Just(Command::LoseTimers),
        1 => Just(Command::LoseScoring),
        1 => Just(Command::LoseJudging),
        3 => Just(Command::MakeDuel),
        6 => Just(Command::Fight),
        6 => (index.clone(), any::<u8>(), any::<bool>())
            .prop_map(|(pick, answer, again)| Command::Judge { pick, answer, again }),
        1 => any::<bool>().prop_map(Command::Join),
        1 => index.clone().prop_map(Command::Leave),
        1 => (index, any::<bool>()).prop_map(|(miner, strong)| Command::Flag(miner, strong)),
    ]
}

/// A run: the network, who is in it, and what has been asked for.
struct Run {
    world: World,
    miners: Vec<Hotkey>,
    tasks: Vec<TaskId>,
    submitted: Vec<Submit>,
    settled: Vec<(TaskId, Hotkey)>,
}

impl Run {
    fn new() -> Self {
        let mut world = World::with(|policy| {
            policy.submissions.resend_secs = 120;
            policy.miners = MinerRules {
                cooldown_secs: 10,
                throttle_secs: 5,
                penalty_secs: 120,
                violations_allowed: 2,
                ..MinerRules::default()
            };
            policy.tasks.copies = 2;
            policy.judge.enabled = true;
            policy.judge.resend_secs = 60;
            policy.duels = DuelRules {
                per_minute: 30,
                start_delay_secs: 0,
                slots: 0,
                pull_secs: 200,
                open_secs: 300,
                ..DuelRules::default()
            };
            // So long that every accepted result stays in it.
            policy.rewards.window_secs = 7 * 24 * 3600;
        });
        let miners = (0..5).map(|number| world.miner(number % 2 == 0)).collect();
        Self { world, miners, tasks: Vec::new(), submitted: Vec::new(), settled: Vec::new() }
    }

    /// Runs one command and says whose assignment it may change.
    fn run(&mut self, command: &Command) -> Option<Hotkey> {
        match *command {
            Command::Pull(index) => return self.pull(index),
            Command::Submit(index, quality) => {
                let miner = self.pick(index)?;
                let held = self.world.session(&miner).assignment?.task;
                let request = self.request(&miner, held, quality);
                self.world.submit_as(&request);
                self.submitted.push(request);
                return Some(miner);
            }
            Command::Repeat(index, quality) => {
                let earlier = self.submitted.get(index % self.submitted.len().max(1))?;
                let (miner, task) = (earlier.hotkey, earlier.task);
                let request = self.request(&miner, task, quality);
                self.world.submit_as(&request);
            }
            Command::Settle { pick, score, again } => self.settle(pick, score, again),
            Command::AddTask => {
                let task = self.world.add_task("a red barn");
                self.tasks.push(task);
            }
            Command::Advance(ms) => self.world.advance_ms(ms),
            Command::Timer(index) => {
                let task = *self.tasks.get(index % self.tasks.len().max(1))?;
                self.world.finalise(task);
            }
            Command::Sweep => {
                self.world.sweep();
                self.check_nothing_is_due();
            }
            Command::LoseTimers => self.world.timers.clear(),
            Command::LoseScoring => self.world.scoring.clear(),
            Command::LoseJudging => self.world.judging.clear(),
            Command::MakeDuel => {
                self.world.publish_roster();
                self.world.make_duel();
            }
            Command::Fight => {
                self.world.publish_roster();
                let sides = self.world.make_duel().map(|nonce| self.world.sides(nonce));
                self.fight(&sides.into_iter().flatten().collect::<Vec<_>>());
            }
            Command::Judge { pick, answer, again } => self.judge(pick, answer, again),
            Command::Join(strong) => {
                let miner = self.world.miner(strong);
                self.miners.push(miner);
            }
            Command::Leave(index) => {
                let miner = self.pick(index)?;
                self.miners.retain(|other| *other != miner);
                self.world.deregister(miner);
            }
            Command::Flag(index, strong) => {
                let miner = self.pick(index)?;
                self.world.flag(miner, strong);
            }
        }
        None
    }

    fn pick(&self, index: usize) -> Option<Hotkey> {
        self.miners.get(index % self.miners.len().max(1)).copied()
    }

    /// AS-1 and CD-1: what is held comes again, nothing comes on cooldown, and otherwise a task does.
    fn pull(&mut self, index: usize) -> Option<Hotkey> {
        let miner = self.pick(index)?;
        let before = self.world.session(&miner);
        let reply = self.world.pull(&miner);
        let is_waiting = is_on_cooldown(before.cooldown_until, self.world.now);
        match (before.assignment, reply) {
            (Some(held), PullReply::Task { id, .. }) => assert_eq!(id, held.task, "AS-1"),
            (None, PullReply::Task { .. }) => assert!(!is_waiting, "CD-1: a task on cooldown"),
            (None, PullReply::OnCooldown { .. }) => assert!(is_waiting, "CD-1: sent away without reason"),
            (held, reply) => panic!("{held:?} led to {reply:?}"),
        }
        Some(miner)
    }

    fn request(&self, miner: &Hotkey, task: TaskId, quality: Quality) -> Submit {
        let good = self.world.result(miner, task);
        match quality {
            Quality::Good => good,
            Quality::OtherPayload => Submit { payload: Some(payload(255)), ..good },
            Quality::Empty => Submit { payload: None, ..good },
            Quality::Unsigned => Submit { signature_is_valid: false, ..good },
            Quality::Refused => Submit { refusal: Some("another format".to_owned()), ..good },
        }
    }

    /// SB-1: a verdict has an effect exactly if it is the first.
    fn settle(&mut self, pick: usize, score: u8, again: bool) {
        if self.world.scoring.is_empty() {
            return;
        }
        let index = pick % self.world.scoring.len();
        let (task, miner) = self.world.scoring[index];
        if !again {
            self.world.scoring.swap_remove(index);
        }
        let finding = match score {
            0..10 => failed(),
            10..20 => invalid(),
            20.. => scored(f64::from(score) / 200.0),
        };
        let was_pending = matches!(self.world.verdict(&miner, task), SubmissionState::Submitted { .. });
        let had_effect = self.world.settle(&miner, task, &finding);
        assert_eq!(had_effect, was_pending, "SB-1");
        if had_effect {
            assert!(!self.settled.contains(&(task, miner)), "SB-1: settled twice");
            self.settled.push((task, miner));
        }
    }

    /// Whoever is free among them does its next task well.
    fn fight(&mut self, miners: &[Hotkey]) {
        for miner in miners {
            if self.world.session(miner).assignment.is_some() {
                continue;
            }
            self.world.rest(miner);
            let task = self.world.take(miner);
            let request = self.world.result(miner, task);
            self.world.submit_as(&request);
            self.submitted.push(request);
            if let Some(index) = self.world.scoring.iter().position(|waiting| *waiting == (task, *miner)) {
                self.settle(index, u8::MAX, false);
            }
        }
    }

    /// The judge answers, or fails for good, or finds two copies.
    fn judge(&mut self, pick: usize, answer: u8, again: bool) {
        if self.world.judging.is_empty() {
            return;
        }
        let index = pick % self.world.judging.len();
        let contest = self.world.judging[index];
        if !again {
            self.world.judging.swap_remove(index);
        }
        let outcome = [Outcome::Left, Outcome::Draw, Outcome::Right][usize::from(answer % 3)];
        match contest {
            Contest::Duel(nonce) if answer < 25 => {
                self.world.rule(nonce, &Ruling::Failed { reason: "no answer".to_owned() });
            }
            Contest::Duel(nonce) => {
                self.world.decide(nonce, outcome);
            }
            Contest::Task(task) => {
                let Some(pair) = self.world.task(task).contest().map(|pair| pair.map(|result| result.hotkey))
                else {
                    return;
                };
                let comparison = if answer < 25 { Comparison::Same } else { Comparison::Judged(outcome) };
                self.world.compare_pair(task, pair, comparison);
            }
        }
    }

    /// TK-1: what was due has been dealt with.
    fn check_nothing_is_due(&self) {
        for (key, stored) in self.world.live() {
            let due = due_entry(&stored.item);
            assert!(due.is_none_or(|due| due > self.world.now), "TK-1: {key:?} is overdue");
        }
    }

    /// Everybody stops, every effect is lost, only due entries remain.
    fn wind_down(&mut self) {
        self.world.timers.clear();
        for _ in 0..8 {
            self.world.advance(120);
            self.world.timers.clear();
            self.world.sweep();
            self.check_nothing_is_due();
        }
        for (key, stored) in self.world.live() {
            let Item::Submission(submission) = &stored.item else { continue };
            let is_pending = matches!(submission.state, SubmissionState::Submitted { .. });
            assert!(!is_pending, "TK-1: {key:?} has no verdict");
        }
        for task in &self.tasks {
            assert_ne!(self.world.task(*task).state, TaskState::Open, "TK-1");
        }
        for (key, stored) in self.world.live() {
            let Item::Duel(duel) = &stored.item else { continue };
            let is_over = matches!(duel.state, DuelState::Judged { .. } | DuelState::Void { .. });
            assert!(is_over, "{key:?} never ends");
        }
    }
}

type Rows = BTreeMap<Key, Stored>;

/// What no step may do, seen from the rows before and after it.
fn check_step(run: &Run, before: &Rows, actor: Option<Hotkey>) {
    for (key, stored) in &run.world.rows {
        let earlier = before.get(key).map(|stored| &stored.item);
        match (&stored.item, earlier) {
            (Item::Session(after), Some(Item::Session(earlier))) => {
                let Key::Session(hotkey) = key else { panic!("{key:?} is no session's key") };
                check_session(run, earlier, after, actor == Some(*hotkey));
            }
            (Item::Task(after), Some(Item::Task(earlier))) => check_task_step(earlier, after),
            (Item::Submission(after), Some(Item::Submission(earlier))) => {
                let was_final = !matches!(earlier.state, SubmissionState::Submitted { .. });
                assert!(!was_final || earlier == after, "SB-1: a final submission changed");
            }
            (_, _) => {}
        }
    }
}

/// DU-1: ratings change two at a time, by one duel that ends in the same step and says so; what has ended stays.
fn check_ratings(run: &Run, before: &Rows) {
    let mut changed = Vec::new();
    let mut judged = Vec::new();
    for (key, stored) in &run.world.rows {
        match (key, &stored.item, before.get(key).map(|stored| &stored.item)) {
            (Key::Record(hotkey), Item::Record(after), Some(Item::Record(earlier)))
                if after.rating != earlier.rating || after.duels != earlier.duels =>
            {
                changed.push((*hotkey, earlier.rating, after.rating));
            }
            (Key::Duel(_), Item::Duel(after), Some(Item::Duel(earlier))) if after != earlier => {
                let was_over = matches!(earlier.state, DuelState::Judged { .. } | DuelState::Void { .. });
                assert!(!was_over, "DU-1: a duel that had ended changed");
                if let DuelState::Judged { left, right, .. } = &after.state {
                    judged.push((after.left.hotkey, left.before, left.after));
                    judged.push((after.right.hotkey, right.before, right.after));
                }
            }
            (_, _, _) => {}
        }
    }
    assert!(judged.len() <= 2, "DU-1: more than one duel in a step");
    judged.sort_by_key(|(hotkey, _, _)| *hotkey);
    assert_eq!(changed, judged, "DU-1");
}

fn check_session(run: &Run, before: &Session, after: &Session, is_actor: bool) {
    assert!(after.cooldown_until >= before.cooldown_until, "a cooldown was shortened");
    if before.assignment.is_some() && after.assignment.is_some() || !is_actor {
        assert_eq!(before.assignment, after.assignment, "AS-1, SB-3");
    }
    assert!(after.violations <= before.violations + 1, "CD-1");
    if after.violations > before.violations {
        let gap_ms = after.violation_at.ms_since(before.violation_at);
        assert!(gap_ms >= run.world.policy.miners.violation_interval_ms, "CD-1: {gap_ms} ms apart");
    }
}

fn check_task_step(before: &Task, after: &Task) {
    assert!(before.state == TaskState::Open || before == after, "TK-1: an ended task changed");
    assert_eq!(before.deadline, after.deadline, "TK-1");
    let held = before.holders.iter().map(|holder| holder.hotkey);
    let holds = after.holders.iter().map(|holder| holder.hotkey);
    assert!(holds.take(before.holders.len()).eq(held), "AS-2: a holder vanished");
}

/// What is true of the rows at any time.
fn check_state(run: &Run) {
    let mut accepted: BTreeMap<Hotkey, usize> = BTreeMap::new();
    for (key, stored) in &run.world.rows {
        match (key, &stored.item) {
            (Key::Task(_), Item::Task(task)) => check_task(task),
            (Key::Submission(task, hotkey), Item::Submission(submission)) => {
                let is_accepted = matches!(submission.state, SubmissionState::Accepted(_));
                *accepted.entry(*hotkey).or_default() += usize::from(is_accepted);
                check_cooldown(run, hotkey, submission);
                let is_held = run.miners.contains(hotkey)
                    && run.world.session(hotkey).assignment.is_some_and(|held| held.task == *task);
                assert!(!is_held, "SB-3: a submission leaves its task assigned");
            }
            (_, _) => {}
        }
    }
    for miner in &run.miners {
        let entries = run.world.record(miner).accepted.accepted_secs().len();
        let expected = accepted.get(miner).copied().unwrap_or(0);
        assert_eq!(entries, expected, "SB-1: window entries against accepted submissions");
        let organic = run.world.session(miner).assignment.filter(|held| held.kind == TaskKind::Organic);
        if let Some(held) = organic {
            assert!(run.world.task(held.task).has_holder(miner), "AS-1: held but without a place");
        }
    }
}

/// AS-2, and TK-1 for what has ended.
fn check_task(task: &Task) {
    let copies = usize::from(task.copies);
    for (position, holder) in task.holders.iter().enumerate() {
        let is_twice = task.holders[..position].iter().any(|other| other.hotkey == holder.hotkey);
        assert!(!is_twice, "AS-2: {holder:?} twice");
        let was_strong_before = task.holders[..position].iter().any(|other| other.strong);
        assert!(position < copies || (holder.strong && !was_strong_before), "AS-2: {:?}", task.holders);
    }
    for result in &task.results {
        assert!(task.has_holder(&result.hotkey), "a result from nowhere");
    }
    match &task.state {
        TaskState::Open => {}
        TaskState::Success { ended, best } => {
            assert!(*ended <= task.deadline, "TK-1");
            assert_eq!(task.best().map(|result| result.hotkey), Some(*best));
        }
        TaskState::Failure { ended, .. } => {
            assert!(*ended <= task.deadline && task.results.is_empty(), "TK-1");
        }
    }
}

/// CD-2 from the receipt: plain for every submission, with the penalty for a refused one (SB-3, SB-4).
fn check_cooldown(run: &Run, hotkey: &Hotkey, submission: &Submission) {
    if !run.miners.contains(hotkey) {
        return;
    }
    let rules = &run.world.policy.miners;
    let is_refused = matches!(submission.state, SubmissionState::Rejected { .. });
    let penalty_secs = if is_refused { rules.penalty_secs } else { 0 };
    let least = cooldown_until(submission.assigned_at, submission.submitted_at, rules, penalty_secs);
    assert!(run.world.session(hotkey).cooldown_until >= least, "CD-2: {submission:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn tk_1_as_1_as_2_sb_1_cd_1_du_1_hold_in_any_order(commands in prop::collection::vec(command(), 1..120)) {
        let mut run = Run::new();
        for command in &commands {
            let before = run.world.rows.clone();
            let actor = run.run(command);
            check_step(&run, &before, actor);
            check_ratings(&run, &before);
            check_state(&run);
        }
        run.wind_down();
        check_state(&run);
    }
}
