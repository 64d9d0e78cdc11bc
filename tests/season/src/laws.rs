//! The laws of the game, checked at every commit and, as far as they speak of everybody, every hour.
//!
//! They are stated here anew, from their wording and not from the code of the core.

use std::collections::BTreeMap;

use sn17_core::ledger::{Change, Write};
use sn17_core::policy::Policy;
use sn17_core::state::{
    Assignment, Duel, DuelState, Entry, Item, Key, Prompt, Record, Roster, Session, Submission,
    SubmissionState, Task, TaskState,
};
use sn17_core::{Hotkey, TaskId, UnixMs};
use sn17_model::MapLedger;

/// What is overdue is found by a sweep within so many milliseconds.
pub(crate) const SWEEP_MS: u64 = 60_000;

/// A law that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{law} is broken: {what}")]
pub struct Broken {
    /// Its id.
    pub law: &'static str,
    /// How.
    pub what: String,
}

type Checked = Result<(), Broken>;

/// An item that a commit has changed, as it was.
pub(crate) type Before = (Key, Option<Item>);

/// What the laws remember of a season.
#[derive(Debug, Default)]
pub(crate) struct Laws {
    /// RW-1: the seconds in which each registered miner's accepted results were received.
    accepted: BTreeMap<Hotkey, Vec<u64>>,
    /// DU-1: duels that ended with a verdict.
    judged: u64,
    /// DU-1: duels in the records of miners that have left.
    departed_duels: u64,
    /// SB-1: verdicts that took effect.
    pub(crate) verdicts: u64,
    /// CD-2: cooldowns that were recomputed.
    pub(crate) cooldowns: u64,
    /// DU-2: pairs that were recomputed.
    pub(crate) pairs: u64,
    /// TK-1: clients' tasks that were seen to end in time.
    pub(crate) tasks: u64,
}

impl Laws {
    /// Checks a commit that has just taken effect.
    pub(crate) fn check_commit(
        &mut self,
        ledger: &MapLedger,
        now: UnixMs,
        policy: &Policy,
        before: &[Before],
        writes: &[Write],
    ) -> Checked {
        let commit = Commit { ledger, now, policy, before, writes };
        for write in writes {
            let old = commit.before(&write.key);
            let new = match &write.change {
                Change::Put(item, _) => Some(item),
                Change::Delete => None,
            };
            match (&write.key, old, new) {
                (_, Some(Item::Session(old)), Some(Item::Session(new))) => commit.session(old, new)?,
                (Key::Submission(task, hotkey), old, Some(Item::Submission(new))) => {
                    let old = match old {
                        Some(Item::Submission(old)) => Some(old),
                        Some(_) | None => None,
                    };
                    self.submission(&commit, (*task, *hotkey), old, new)?;
                }
                (Key::Record(hotkey), Some(Item::Record(old)), Some(Item::Record(new))) => {
                    commit.record(*hotkey, old, new)?;
                }
                (Key::Record(hotkey), Some(Item::Record(old)), None) => {
                    self.departed_duels += u64::from(old.duels);
                    self.accepted.remove(hotkey);
                }
                (Key::Duel(_), Some(Item::Duel(old)), Some(Item::Duel(new))) => {
                    self.duel(&commit, old, new)?;
                }
                (Key::Duel(nonce), None, Some(Item::Duel(new))) => {
                    self.pairs += 1;
                    commit.pair(nonce.0, new)?;
                }
                (Key::Task(_), Some(Item::Task(old)), Some(Item::Task(new))) => commit.task(old, new)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// SB-1: what a miner hands in takes effect once. CD-2 and SB-3: it sets the cooldown from its receipt.
    fn submission(
        &mut self,
        commit: &Commit<'_>,
        (task, hotkey): (TaskId, Hotkey),
        old: Option<&Submission>,
        new: &Submission,
    ) -> Checked {
        if old.is_some_and(|old| !matches!(old.state, SubmissionState::Submitted { .. })) {
            return broken("SB-1", format!("the settled submission of {hotkey:?} for {task} has changed"));
        }
        if old.is_none() {
            self.cooldowns += 1;
            commit.receipt(task, hotkey, new)?;
        } else if !matches!(new.state, SubmissionState::Submitted { .. }) {
            self.verdicts += 1;
        }
        match new.state {
            SubmissionState::Accepted(_) if commit.writes_key(&Key::Record(hotkey)) => {
                self.accepted.entry(hotkey).or_default().push(new.submitted_at.secs());
            }
            SubmissionState::Accepted(_)
                if commit.ledger.live(commit.now, &Key::Record(hotkey)).is_some() =>
            {
                return broken("SB-1", format!("an accepted result of {hotkey:?} was not credited"));
            }
            SubmissionState::Rejected { .. } => {
                let until = commit.cooldown(new, commit.policy.miners.penalty_secs);
                let session = commit.session_of(hotkey);
                if session.is_some_and(|session| session.cooldown_until < until) {
                    return broken("CD-2", format!("{hotkey:?} was refused without the penalty"));
                }
            }
            SubmissionState::Accepted(_)
            | SubmissionState::Submitted { .. }
            | SubmissionState::Empty
            | SubmissionState::Failed { .. } => {}
        }
        Ok(())
    }

    /// DU-1: a duel ends once; if with a verdict, then both records take over what it says.
    fn duel(&mut self, commit: &Commit<'_>, old: &Duel, new: &Duel) -> Checked {
        if matches!(old.state, DuelState::Judged { .. } | DuelState::Void { .. }) {
            return broken("DU-1", format!("the ended duel of {} has changed", old.created.0));
        }
        let DuelState::Judged { left, right, .. } = &new.state else { return Ok(()) };
        self.judged += 1;
        let is_both_in = new.sides().into_iter().all(|side| side.entry != Entry::Awaited);
        if !is_both_in || !matches!(old.state, DuelState::Awaiting { .. }) {
            return broken("DU-1", "a duel was judged before both sides were in".to_owned());
        }
        for (side, change) in [(&new.left, left), (&new.right, right)] {
            let key = Key::Record(side.hotkey);
            let old = commit.before(&key);
            let new = commit.ledger.live(commit.now, &key).map(|stored| &stored.item);
            let (Some(Item::Record(old)), Some(Item::Record(new))) = (old, new) else {
                return broken("DU-1", format!("{:?} was judged without a record", side.hotkey));
            };
            let took_over = old.rating == change.before && new.rating == change.after;
            if !took_over || new.duels != old.duels + 1 {
                return broken("DU-1", format!("the record of {:?} says something else", side.hotkey));
            }
        }
        Ok(())
    }

    /// TK-1: a client's task, seen after its deadline and a sweep.
    pub(crate) fn check_ended(&mut self, ledger: &MapLedger, now: UnixMs, id: TaskId) -> Checked {
        let item = ledger.live(now, &Key::Task(id)).map(|stored| &stored.item);
        let Some(Item::Task(task)) = item else {
            return broken("TK-1", format!("task {id} is gone before it could be read"));
        };
        match task.state {
            TaskState::Open => broken("TK-1", format!("task {id} is open after its deadline")),
            TaskState::Success { ended, .. } | TaskState::Failure { ended, .. } if ended > task.deadline => {
                broken("TK-1", format!("task {id} ended after its deadline"))
            }
            TaskState::Success { .. } | TaskState::Failure { .. } => {
                self.tasks += 1;
                Ok(())
            }
        }
    }

    /// What must be true of everybody at any time.
    pub(crate) fn check_everybody(&self, ledger: &MapLedger, now: UnixMs, policy: &Policy) -> Checked {
        let mut duels = self.departed_duels;
        let mut holds: BTreeMap<Hotkey, TaskId> = BTreeMap::new();
        let mut sides: Vec<(TaskId, Hotkey)> = Vec::new();
        for (key, stored) in ledger.items().filter(|(_, stored)| !stored.is_expired(now)) {
            match (key, &stored.item) {
                (Key::Record(hotkey), Item::Record(record)) => {
                    duels += u64::from(record.duels);
                    self.check_reward(*hotkey, record, now, policy)?;
                }
                (Key::Session(hotkey), Item::Session(session)) => {
                    holds.extend(session.assignment.as_ref().map(|held| (*hotkey, held.task)));
                }
                (Key::Task(id), Item::Task(task)) if task.state_at(now) == TaskState::Open => {
                    let working = task.holders.iter().filter(|holder| !holder.finished);
                    sides.extend(working.map(|holder| (*id, holder.hotkey)));
                }
                (Key::Duel(_), Item::Duel(duel)) if duel.state == DuelState::Open && now < duel.closes => {
                    let working = duel
                        .sides()
                        .into_iter()
                        .filter(|side| side.pulled.is_some() && side.entry == Entry::Awaited);
                    sides.extend(working.map(|side| (duel.task, side.hotkey)));
                }
                _ => {}
            }
        }
        if duels != 2 * self.judged {
            return broken("DU-1", format!("{} judged duels, {duels} in the records", self.judged));
        }
        for (task, hotkey) in sides {
            let is_held = holds.get(&hotkey) == Some(&task);
            let is_handed_in = ledger.live(now, &Key::Submission(task, hotkey)).is_some();
            let is_registered = ledger.live(now, &Key::Session(hotkey)).is_some();
            if is_registered && is_held == is_handed_in {
                return broken("AS-1", format!("{hotkey:?} neither holds {task} nor has handed it in"));
            }
        }
        let overdue = ledger.due(UnixMs(now.0.saturating_sub(2 * SWEEP_MS)), 1);
        match overdue.first() {
            Some(key) => broken("TK-1", format!("{key:?} is overdue, and no sweep has looked after it")),
            None => Ok(()),
        }
    }

    /// RW-1: rating × accepted results in (now − 4 h, now].
    fn check_reward(&self, hotkey: Hotkey, record: &Record, now: UnixMs, policy: &Policy) -> Checked {
        let window = policy.rewards.window_secs;
        let counts = |secs: &&u64| **secs + window > now.secs() && **secs <= now.secs();
        let accepted = self.accepted.get(&hotkey).map_or(0, |secs| secs.iter().filter(counts).count());
        let expected = record.rating.rating * f64::from(u32::try_from(accepted).unwrap_or(u32::MAX));
        let reward = record.accepted.reward(record.rating.rating, now, &policy.rewards);
        if reward.to_bits() == expected.to_bits() {
            return Ok(());
        }
        broken("RW-1", format!("the reward of {hotkey:?} is {reward}, not {expected}"))
    }
}

fn broken(law: &'static str, what: String) -> Checked {
    Err(Broken { law, what })
}

/// A commit and what it has changed.
struct Commit<'a> {
    /// As it is now.
    ledger: &'a MapLedger,
    now: UnixMs,
    policy: &'a Policy,
    before: &'a [Before],
    writes: &'a [Write],
}

impl Commit<'_> {
    fn before(&self, key: &Key) -> Option<&Item> {
        self.before.iter().find(|(other, _)| other == key)?.1.as_ref()
    }

    fn writes_key(&self, key: &Key) -> bool {
        self.writes.iter().any(|write| write.key == *key)
    }

    fn session_of(&self, hotkey: Hotkey) -> Option<&Session> {
        let Item::Session(session) = &self.ledger.live(self.now, &Key::Session(hotkey))?.item else {
            return None;
        };
        Some(session)
    }

    /// AS-1: a task that is held makes room for none but nothing. CD-1: none is handed out on cooldown.
    fn session(&self, old: &Session, new: &Session) -> Checked {
        if new.cooldown_until < old.cooldown_until {
            return broken("CD-2", "a cooldown became shorter".to_owned());
        }
        match (&old.assignment, &new.assignment) {
            (Some(old), Some(new)) if old != new => {
                broken("AS-1", format!("{:?} took the place of {:?}", new.task, old.task))
            }
            (None, Some(_)) if self.now.0 < old.cooldown_until * 1000 => {
                broken("CD-1", "a task was handed out on cooldown".to_owned())
            }
            (_, _) => Ok(()),
        }
    }

    /// CD-2: max(receipt + cooldown − throttle, assignment + cooldown) in whole seconds, penalty included.
    fn cooldown(&self, submission: &Submission, penalty_secs: u64) -> u64 {
        let rules = &self.policy.miners;
        let cooldown_ms = (rules.cooldown_secs + penalty_secs) * 1000;
        let throttled = submission.submitted_at.0 + cooldown_ms - rules.throttle_secs * 1000;
        throttled.max(submission.assigned_at.0 + cooldown_ms) / 1000
    }

    fn receipt(&self, task: TaskId, hotkey: Hotkey, submission: &Submission) -> Checked {
        let (Some(Item::Session(old)), Some(new)) =
            (self.before(&Key::Session(hotkey)), self.session_of(hotkey))
        else {
            return broken("SB-3", format!("{hotkey:?} handed in {task} without a session"));
        };
        let held = |held: &Assignment| held.task == task && held.assigned_at == submission.assigned_at;
        if !old.assignment.as_ref().is_some_and(held) || new.assignment.is_some() {
            return broken("AS-1", format!("{hotkey:?} handed in {task}, which it did not hold"));
        }
        let penalty_secs = match submission.state {
            SubmissionState::Rejected { .. } => self.policy.miners.penalty_secs,
            SubmissionState::Empty if self.passes_too_often(old) => self.policy.fair_play.pass_penalty_secs,
            SubmissionState::Empty
            | SubmissionState::Submitted { .. }
            | SubmissionState::Accepted(_)
            | SubmissionState::Failed { .. } => 0,
        };
        let expected = old.cooldown_until.max(self.cooldown(submission, penalty_secs));
        if new.cooldown_until == expected && submission.submitted_at == self.now {
            return Ok(());
        }
        broken("CD-2", format!("{hotkey:?} waits until {}, not {expected}", new.cooldown_until))
    }

    /// Whether a miner has passed as often as is forgiven, what it has worked off not counted.
    fn passes_too_often(&self, session: &Session) -> bool {
        let rules = &self.policy.fair_play;
        let worked_off = self.now.ms_since(session.passes_at) / (rules.pass_secs * 1000);
        u64::from(session.passes).saturating_sub(worked_off) >= u64::from(rules.passes_allowed)
    }

    /// DU-1: a rating changes by a duel that ends in the same commit, and by nothing else.
    fn record(&self, hotkey: Hotkey, old: &Record, new: &Record) -> Checked {
        if old.rating == new.rating
            && old.duels == new.duels
            && old.wins == new.wins
            && old.draws == new.draws
        {
            return Ok(());
        }
        let ends_its_duel = |write: &Write| {
            let Change::Put(Item::Duel(duel), _) = &write.change else { return false };
            let is_its = duel.sides().into_iter().any(|side| side.hotkey == hotkey);
            is_its && matches!(duel.state, DuelState::Judged { .. })
        };
        let records = self.writes.iter().filter(|write| matches!(write.key, Key::Record(_))).count();
        if records == 2 && self.writes.iter().filter(|write| ends_its_duel(write)).count() == 1 {
            return Ok(());
        }
        broken("DU-1", format!("the rating of {hotkey:?} has changed without a duel"))
    }

    /// DU-2: BLAKE3 of `nonce:prompt`, two numbers of four bytes, big-endian, modulo the slots.
    fn pair(&self, nonce: u64, duel: &Duel) -> Checked {
        let prompt = match &duel.prompt {
            Prompt::Text(text) => text.clone(),
            Prompt::Image { sha256, .. } => sha256.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        let digest = blake3::hash(format!("{nonce}:{prompt}").as_bytes());
        let bytes = digest.as_bytes();
        let uid = |at: usize| {
            let word = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
            u32::from_be_bytes(word) % duel.slots
        };
        let uids = duel.sides().map(|side| u32::from(side.uid));
        let is_registered = |roster: &Roster| {
            duel.sides().into_iter().all(|side| {
                roster.neurons.iter().any(|neuron| neuron.uid == side.uid && neuron.hotkey == side.hotkey)
            })
        };
        let roster = self.ledger.live(self.now, &Key::Roster).map(|stored| &stored.item);
        let is_at_its_uid = matches!(roster, Some(Item::Roster(roster)) if is_registered(roster));
        if uids == [uid(0), uid(4)] && uids[0] != uids[1] && is_at_its_uid {
            return Ok(());
        }
        broken("DU-2", format!("duel {nonce} pairs {uids:?}, not {:?}", [uid(0), uid(4)]))
    }

    /// TK-1: an ended task stays as it is, and no deadline moves.
    fn task(&self, old: &Task, new: &Task) -> Checked {
        if old.state != TaskState::Open || old.deadline != new.deadline {
            return broken("TK-1", format!("an ended task of {} has changed", old.created.0));
        }
        Ok(())
    }
}
