//! What a miner has earned, as it moves from one store to another.
//!
//! Work in progress does not move: tasks, duels and nonces belong to the store that they began in.

use alloc::vec::Vec;

use crate::glicko::{Bounds, Rating};
use crate::ledger::{LoadSpec, Step, View, Write};
use crate::policy::Policy;
use crate::state::{History, Item, Key, Neuron, Record, Session};
use crate::window::{ResultWindow, RewardRules};
use crate::{Hotkey, UnixMs};

/// No cooldown reaches further than a year ahead, as no time of a [`Policy`] is longer.
const COOLDOWN_SECS_MAX: u64 = 365 * 24 * 3600;
/// The volatility of the original's newcomers, from which its duels only lead down.
const VOLATILITY_MAX: f64 = 0.5;

/// What a registered miner has earned: all of its record and history, and of its session what it must not escape by
/// moving.
#[derive(Clone, Debug, PartialEq)]
pub struct MinerStanding {
    /// Its slot. Whoever comes to another slot begins anew, as in the original.
    pub uid: u16,
    /// Its key.
    pub hotkey: Hotkey,
    /// Rating, accepted results and duels in figures.
    pub record: Record,
    /// Its last duels.
    pub history: History,
    /// It gets no task before this second; 0 for none.
    pub cooldown_until: u64,
    /// Early pulls counted and not yet worked off.
    pub violations: u32,
    /// Empty results counted and not yet worked off.
    pub passes: u32,
    /// Until when they have been worked off.
    pub passes_at: UnixMs,
}

/// The standings of a network, or a part of them, at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// When they were taken.
    pub taken: UnixMs,
    /// Whose network it was.
    pub validator: Hotkey,
    /// By uid.
    pub miners: Vec<MinerStanding>,
    /// The uid of the last miner here if there are more behind it.
    pub next: Option<u16>,
}

/// What came of restoring one miner's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// It replaced what was there.
    Changed,
    /// It was there already.
    Unchanged,
    /// It was not taken, and nothing has changed.
    Refused(RestoreRefusal),
}

/// Why a miner's standing is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreRefusal {
    /// The metagraph does not have it.
    #[error("it is not registered here")]
    NotRegistered,
    /// The metagraph has it in another slot.
    #[error("it is registered at uid {0} here")]
    OtherUid(u16),
    /// No duel under this policy leads to such a rating.
    #[error("its rating lies outside the policy's bounds")]
    Rating,
    /// The moving average is no average of scores.
    #[error("its average score is not within 0 and 1")]
    AverageScore,
    /// It has won and drawn more duels than it fought.
    #[error("it has won and drawn more duels than it fought")]
    Duels,
    /// Accepted results, duels or passes of times to come.
    #[error("it holds an instant that lies ahead of the clock here")]
    Ahead,
    /// A cooldown that no rule can have given.
    #[error("its cooldown ends more than a year from now")]
    Cooldown,
    /// A duel twice, or figures that are no numbers.
    #[error("its rating history does not make sense")]
    History,
}

impl MinerStanding {
    /// What `neuron` has earned by the items of `view`; none until it has been registered.
    pub fn of(view: &View, neuron: &Neuron) -> Option<Self> {
        let (_, session) = view.session(&neuron.hotkey)?;
        let (_, record) = view.record(&neuron.hotkey)?;
        let history = view.history(&neuron.hotkey).map(|(_, history)| history.clone());
        Some(Self {
            uid: session.uid,
            hotkey: neuron.hotkey,
            record: record.clone(),
            history: history.unwrap_or_default(),
            cooldown_until: session.cooldown_until,
            violations: session.violations,
            passes: session.passes,
            passes_at: session.passes_at,
        })
    }

    /// Checks what must hold wherever it came from.
    fn check(&self, now: UnixMs, policy: &Policy) -> Result<(), RestoreRefusal> {
        let Self { record, history, .. } = self;
        if !is_reachable(record.rating, policy) {
            return Err(RestoreRefusal::Rating);
        }
        if !(0.0..=policy.rewards.average_initial.max(1.0)).contains(&record.average_score) {
            return Err(RestoreRefusal::AverageScore);
        }
        if record.wins.checked_add(record.draws).is_none_or(|decided| decided > record.duels) {
            return Err(RestoreRefusal::Duels);
        }
        let latest = now.plus_secs(policy.submissions.clock_skew_secs);
        let last_accepted = record.accepted.accepted_secs().last();
        if last_accepted.is_some_and(|secs| *secs > latest.secs())
            || history.points.iter().any(|point| point.at > latest)
            || self.passes_at > latest
        {
            return Err(RestoreRefusal::Ahead);
        }
        if self.cooldown_until > now.secs().saturating_add(COOLDOWN_SECS_MAX) {
            return Err(RestoreRefusal::Cooldown);
        }
        if makes_sense(history) { Ok(()) } else { Err(RestoreRefusal::History) }
    }

    fn of_session(&self, session: &Session) -> Session {
        Session {
            cooldown_until: self.cooldown_until,
            violations: self.violations,
            passes: self.passes,
            passes_at: self.passes_at,
            ..session.clone()
        }
    }
}

impl ResultWindow {
    /// The window without what `rules` would have forgotten.
    fn bounded(&self, rules: &RewardRules) -> Self {
        let surplus = self.accepted_secs().len().saturating_sub(rules.results_max);
        self.accepted_secs().iter().skip(surplus).copied().collect()
    }
}

/// What a decision about `hotkey`'s standing has to see.
pub fn load(hotkey: Hotkey) -> LoadSpec {
    LoadSpec::keys([Key::Session(hotkey), Key::Record(hotkey), Key::History(hotkey)])
}

/// Restores one miner's standing in one commit (DU-1, RW-1): the record as a whole, the history as a whole, and of the
/// session what moves. Results and duels that the policy would have forgotten are left out. Repeating it changes
/// nothing.
pub fn restore(view: &View, standing: &MinerStanding, now: UnixMs, policy: &Policy) -> Step<Restored> {
    if !view.has_loaded(&Key::History(standing.hotkey)) {
        return Step::Load(load(standing.hotkey));
    }
    match changes(view, standing, now, policy) {
        Err(refusal) => Step::Reply(Restored::Refused(refusal)),
        Ok(writes) if writes.is_empty() => Step::Reply(Restored::Unchanged),
        Ok(writes) => Step::Commit { writes, reply: Restored::Changed },
    }
}

/// What [`restore`] would answer on this state, which shows what [`load`] asks for.
pub fn preview(view: &View, standing: &MinerStanding, now: UnixMs, policy: &Policy) -> Restored {
    match changes(view, standing, now, policy) {
        Err(refusal) => Restored::Refused(refusal),
        Ok(writes) if writes.is_empty() => Restored::Unchanged,
        Ok(_) => Restored::Changed,
    }
}

fn changes(
    view: &View,
    standing: &MinerStanding,
    now: UnixMs,
    policy: &Policy,
) -> Result<Vec<Write>, RestoreRefusal> {
    let hotkey = standing.hotkey;
    let (session_row, session) = view.session(&hotkey).ok_or(RestoreRefusal::NotRegistered)?;
    if session.uid != standing.uid {
        return Err(RestoreRefusal::OtherUid(session.uid));
    }
    standing.check(now, policy)?;

    let mut writes = Vec::new();
    let restored = standing.of_session(session);
    if restored != *session {
        writes.push(Write::replace(Key::Session(hotkey), session_row, Item::Session(restored)));
    }
    let accepted = standing.record.accepted.bounded(&policy.rewards);
    let record = Record { accepted, ..standing.record.clone() };
    match view.record(&hotkey) {
        Some((_, there)) if *there == record => {}
        Some((row, _)) => writes.push(Write::replace(Key::Record(hotkey), row, Item::Record(record))),
        None => writes.push(Write::create(Key::Record(hotkey), Item::Record(record), None)),
    }
    let surplus = standing.history.points.len().saturating_sub(policy.duels.history_max);
    let history = History { points: standing.history.points.iter().skip(surplus).copied().collect() };
    let (key, is_empty) = (Key::History(hotkey), history.points.is_empty());
    match view.history(&hotkey) {
        Some((_, there)) if *there == history => {}
        Some((row, _)) if is_empty => writes.push(Write::delete(key, row)),
        Some((row, _)) => writes.push(Write::replace(key, row, Item::History(history))),
        None if is_empty => {}
        None => writes.push(Write::create(key, Item::History(history), None)),
    }
    Ok(writes)
}

/// Whether duels from a newcomer's rating on can lead there. A newcomer's own values may lie outside the bounds, and a
/// volatility may come from a network with others: the next duel clamps it.
fn is_reachable(rating: Rating, policy: &Policy) -> bool {
    let rules = &policy.glicko;
    let within = |value: f64, bounds: Bounds, initial: f64| {
        (bounds.min.min(initial)..=bounds.max.max(initial)).contains(&value)
    };
    within(rating.rating, rules.rating_bounds, rules.initial.rating)
        && within(rating.deviation, rules.deviation_bounds, rules.initial.deviation)
        && rating.volatility > 0.0
        && rating.volatility <= VOLATILITY_MAX.max(rules.initial.volatility)
}

fn makes_sense(history: &History) -> bool {
    let points = &history.points;
    points.iter().enumerate().all(|(position, point)| {
        (0.0..=1.0).contains(&point.score)
            && point.rating.is_finite()
            && point.deviation.is_finite()
            && point.moved.is_finite()
            && points.iter().skip(position + 1).all(|other| other.nonce != point.nonce)
    })
}
