//! A registered miner's figures, and how miners come and go.

use alloc::string::ToString;
use alloc::vec::Vec;

use crate::duel;
use crate::index::OpenPosition;
use crate::ledger::{LoadSpec, Step, Stored, View, Write};
use crate::policy::Policy;
use crate::state::{Assignment, Item, Key, Neuron, Record, Roster, Session, TaskKind};
use crate::task;
use crate::window::ResultWindow;
use crate::{Hotkey, UnixMs};

/// What a miner is told about itself with every answer to a submission.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Moving average of accepted scores.
    pub average_score: f64,
    /// Results accepted in the window.
    pub accepted: usize,
    /// Duel rating.
    pub rating: f64,
    /// RW-1: rating × accepted results in (now − 4 h, now].
    pub reward: f64,
    /// No task before this second; 0 for none.
    pub cooldown_until: u64,
}

impl Figures {
    /// The figures of a miner at `now`.
    pub fn of(session: &Session, record: &Record, now: UnixMs, policy: &Policy) -> Self {
        Self {
            average_score: record.average_score,
            accepted: record.accepted.count(now, &policy.rewards),
            rating: record.rating.rating,
            reward: record.accepted.reward(record.rating.rating, now, &policy.rewards),
            cooldown_until: session.cooldown_until,
        }
    }
}

impl Record {
    /// A newcomer's standing.
    pub fn fresh(policy: &Policy) -> Self {
        Self {
            rating: policy.glicko.initial,
            average_score: policy.rewards.average_initial,
            accepted: ResultWindow::default(),
            duels: 0,
            wins: 0,
            draws: 0,
        }
    }
}

impl Session {
    /// A newcomer's session.
    pub fn fresh(neuron: &Neuron, strong: bool) -> Self {
        Self {
            uid: neuron.uid,
            strong,
            stake: neuron.stake,
            assignment: None,
            cooldown_until: 0,
            violations: 0,
            violation_at: UnixMs(0),
            last_pull: UnixMs(0),
            duels: Vec::new(),
            passes: 0,
            passes_at: UnixMs(0),
            cursor: None,
        }
    }

    /// The session with this task handed out at `now`.
    #[must_use]
    pub fn holding(mut self, assignment: Assignment, cursor: Option<OpenPosition>, now: UnixMs) -> Self {
        self.last_pull = now;
        // A duel that was offered and is not handed out is no longer there.
        let offered = self.next_duel(now).map(|pending| pending.nonce);
        let is_gone = !matches!(assignment.kind, TaskKind::Organic);
        self.duels.retain(|pending| now < pending.pull_until && !(is_gone && offered == Some(pending.nonce)));
        self.assignment = Some(assignment);
        self.cursor = cursor;
        self
    }
}

impl View {
    /// A miner's session, with the row it came from.
    pub fn session(&self, hotkey: &Hotkey) -> Option<(&Stored, &Session)> {
        let stored = self.get(&Key::Session(*hotkey))?;
        let Item::Session(session) = &stored.item else {
            return None;
        };
        Some((stored, session))
    }

    /// A miner's standing, with the row it came from.
    pub fn record(&self, hotkey: &Hotkey) -> Option<(&Stored, &Record)> {
        let stored = self.get(&Key::Record(*hotkey))?;
        let Item::Record(record) = &stored.item else {
            return None;
        };
        Some((stored, record))
    }

    /// The roster last applied, with the row it came from.
    pub fn roster(&self) -> Option<(&Stored, &Roster)> {
        let stored = self.get(&Key::Roster)?;
        let Item::Roster(roster) = &stored.item else {
            return None;
        };
        Some((stored, roster))
    }
}

/// Which of `neurons` are strong: the `count` of highest incentive, the higher uid first among equals.
pub fn strong_uids(neurons: &[Neuron], count: usize) -> Vec<u16> {
    let mut ranked: Vec<&Neuron> = neurons.iter().collect();
    ranked.sort_by(|a, b| b.incentive.total_cmp(&a.incentive).then(b.uid.cmp(&a.uid)));
    let mut uids: Vec<u16> = ranked.iter().take(count).map(|neuron| neuron.uid).collect();
    uids.sort_unstable();
    uids
}

impl Roster {
    /// Whether this one is out of date beside another: both are the chain's, and the other is of a later block. What
    /// an operator says always stands, until the chain is asked again.
    pub fn is_older_than(&self, other: &Self) -> bool {
        matches!((self.block, other.block), (Some(own), Some(others)) if own < others)
    }
}

/// The hotkeys of `old` that are gone from `new`, or sit at another uid there: their state goes too.
pub fn departed(old: &Roster, new: &Roster) -> Vec<Hotkey> {
    let stays = |neuron: &&Neuron| {
        !new.neurons.iter().any(|other| other.hotkey == neuron.hotkey && other.uid == neuron.uid)
    };
    old.neurons.iter().filter(stays).map(|neuron| neuron.hotkey).collect()
}

/// Brings a registered neuron's session up to date, or opens one with a fresh record.
///
/// A session under another uid must have been closed by [`deregister`] before.
pub fn register(view: &View, neuron: &Neuron, strong: bool, policy: &Policy) -> Step<()> {
    let session_key = Key::Session(neuron.hotkey);
    let record_key = Key::Record(neuron.hotkey);
    if !view.has_loaded(&session_key) {
        return Step::Load(LoadSpec::keys([session_key, record_key]));
    }
    let mut writes = Vec::new();
    match view.session(&neuron.hotkey) {
        Some((stored, session)) => {
            #[expect(clippy::float_cmp, reason = "any change of the copied figure is to be copied")]
            let is_current =
                session.uid == neuron.uid && session.strong == strong && session.stake == neuron.stake;
            if !is_current {
                // A strong miner may take tasks that were not open to it before, behind its cursor.
                let cursor = session.cursor.filter(|_| session.strong == strong);
                let updated =
                    Session { uid: neuron.uid, strong, stake: neuron.stake, cursor, ..session.clone() };
                writes.push(Write::replace(session_key, stored, Item::Session(updated)));
            }
        }
        None => {
            let session = Session::fresh(neuron, strong);
            writes.push(Write::create(session_key, Item::Session(session), None));
        }
    }
    if view.record(&neuron.hotkey).is_none() {
        writes.push(Write::create(record_key, Item::Record(Record::fresh(policy)), None));
    }
    if writes.is_empty() { Step::Reply(()) } else { Step::Commit { writes, reply: () } }
}

/// Forgets a miner that left the subnet: session, record and history, and its place on a client's task. A duel that it
/// was working on ends without a verdict.
pub fn deregister(view: &View, hotkey: Hotkey, now: UnixMs, policy: &Policy) -> Step<()> {
    let session_key = Key::Session(hotkey);
    let record_key = Key::Record(hotkey);
    let history_key = Key::History(hotkey);
    if !view.has_loaded(&history_key) {
        return Step::Load(LoadSpec::keys([session_key, record_key, history_key]));
    }
    let mut writes = Vec::new();
    if let Some((stored, session)) = view.session(&hotkey) {
        if let Some(Assignment { task, kind, .. }) = &session.assignment {
            let held = match kind {
                TaskKind::Organic => Some(Key::Task(*task)),
                TaskKind::Duel(nonce) => Some(Key::Duel(*nonce)),
                TaskKind::Synthetic => None,
            };
            if let Some(key) = held.filter(|key| !view.has_loaded(key)) {
                return Step::Load(LoadSpec::keys([key]));
            }
            match kind {
                TaskKind::Organic => {
                    writes.extend(task::finish_holder(view, *task, hotkey, None, now, policy));
                }
                TaskKind::Duel(nonce) => {
                    let reason = "a miner has left the subnet".to_string();
                    writes.extend(duel::void(view, *nonce, reason, now, policy));
                }
                TaskKind::Synthetic => {}
            }
        }
        writes.push(Write::delete(session_key, stored));
    }
    for key in [record_key, history_key] {
        writes.extend(view.get(&key).map(|stored| Write::delete(key, stored)));
    }
    if writes.is_empty() { Step::Reply(()) } else { Step::Commit { writes, reply: () } }
}

/// Notes the roster that has been applied, unless one of a later block is noted already.
pub fn note_roster(view: &View, roster: Roster) -> Step<()> {
    if !view.has_loaded(&Key::Roster) {
        return Step::Load(LoadSpec::keys([Key::Roster]));
    }
    if view.roster().is_some_and(|(_, noted)| roster.is_older_than(noted)) {
        return Step::Reply(());
    }
    let item = Item::Roster(roster);
    let write = match view.get(&Key::Roster) {
        Some(stored) if stored.item == item => return Step::Reply(()),
        Some(stored) => Write::replace(Key::Roster, stored, item),
        None => Write::create(Key::Roster, item, None),
    };
    Step::Commit { writes: alloc::vec![write], reply: () }
}
