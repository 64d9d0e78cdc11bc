//! What a decision answered, in a form whose bytes tell every difference: postcard keeps all 64 bits of a float.

use serde::Serialize;
use sn17_core::duel::Ruled;
use sn17_core::ledger::{Change, Effect, Expect, Write};
use sn17_core::miner::Figures;
use sn17_core::pull::PullReply;
use sn17_core::state::{
    Duel, DuelNonce, DuelState, Entry, Item, Key, Prompt, Submission, SubmissionState, TaskState,
};
use sn17_core::submit::SubmitReply;
use sn17_core::{Hotkey, TaskId, UnixMs};

/// A decision and what it changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Outcome {
    /// How often it was decided: more than once after a conflict.
    pub(super) attempts: u8,
    /// Whether a commit found that the very same decision had taken effect before.
    pub(super) is_repeat: bool,
    /// What it wrote.
    pub(super) writes: Vec<Written>,
    /// What it answered.
    pub(super) reply: Reply,
    /// What became of the decision that came in between.
    pub(super) rival: Option<Box<Self>>,
}

/// See [`Write`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Written {
    key: Key,
    /// The revision that was replaced, none for a new item.
    rev: Option<u64>,
    /// The new value and its expiry, none for a deletion.
    item: Option<(Item, Option<UnixMs>)>,
    pub(super) effects: Vec<Effect>,
}

impl From<Write> for Written {
    fn from(write: Write) -> Self {
        Self {
            key: write.key,
            rev: match write.expect {
                Expect::Absent => None,
                Expect::Rev(rev) => Some(rev),
            },
            item: match write.change {
                Change::Put(item, expires) => Some((item, expires)),
                Change::Delete => None,
            },
            effects: write.effects,
        }
    }
}

/// The answers of all decisions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) enum Reply {
    Done,
    Absent,
    Told { cooldown_until: u64 },
    OnCooldown { cooldown_until: u64, violations: u32 },
    Task { id: TaskId, prompt: Prompt },
    Unregistered,
    NoTask,
    Ignored { reason: String },
    Closed,
    Taken { submission: Box<Submission>, rev: u64, again: bool },
    Settled(bool),
    Made(Option<DuelNonce>),
    Ruled { now: bool },
    Compared { departed: Vec<Hotkey>, strong: Vec<u16> },
    Figures { average_score: f64, accepted: usize, rating: f64, reward: f64, cooldown_until: u64 },
    Results { state: TaskState, best_first: Vec<Hotkey> },
}

impl From<()> for Reply {
    fn from((): ()) -> Self {
        Self::Done
    }
}

impl From<bool> for Reply {
    fn from(settled: bool) -> Self {
        Self::Settled(settled)
    }
}

impl From<Option<DuelNonce>> for Reply {
    fn from(made: Option<DuelNonce>) -> Self {
        Self::Made(made)
    }
}

impl From<Ruled> for Reply {
    fn from(ruled: Ruled) -> Self {
        Self::Ruled { now: ruled == Ruled::Now }
    }
}

impl From<PullReply> for Reply {
    fn from(reply: PullReply) -> Self {
        match reply {
            PullReply::Unregistered { cooldown_until } => Self::Told { cooldown_until },
            PullReply::OnCooldown { cooldown_until, violations } => {
                Self::OnCooldown { cooldown_until, violations }
            }
            PullReply::Task { id, prompt } => Self::Task { id, prompt },
        }
    }
}

impl From<SubmitReply> for Reply {
    fn from(reply: SubmitReply) -> Self {
        match reply {
            SubmitReply::Unregistered => Self::Unregistered,
            SubmitReply::NoTask => Self::NoTask,
            SubmitReply::Ignored { reason } => Self::Ignored { reason: reason.to_owned() },
            SubmitReply::Closed => Self::Closed,
            SubmitReply::Taken { submission, rev, again } => Self::Taken { submission, rev, again },
        }
    }
}

impl From<Figures> for Reply {
    fn from(figures: Figures) -> Self {
        let Figures { average_score, accepted, rating, reward, cooldown_until } = figures;
        Self::Figures { average_score, accepted, rating, reward, cooldown_until }
    }
}

impl Outcome {
    /// What kind of answer it was, for the counts.
    pub(super) fn name(&self) -> &'static str {
        let items = || self.writes.iter().filter_map(|written| written.item.as_ref());
        match &self.reply {
            Reply::Done if self.writes.is_empty() => "nothing to do",
            Reply::Done => self.duel().map_or("done", duel_name),
            Reply::Absent => "absent",
            Reply::Told { .. } | Reply::Unregistered => "unregistered",
            Reply::OnCooldown { .. } if self.writes.is_empty() => "on cooldown",
            Reply::OnCooldown { .. } => "violation",
            Reply::Task { .. } => match self.writes.len() {
                0 => "the same task",
                1 => "a synthetic task",
                _ if self.duel().is_some() => "a duel",
                _ => "an organic task",
            },
            Reply::NoTask => "no task",
            Reply::Ignored { .. } => "ignored",
            Reply::Closed => "closed",
            Reply::Taken { again: true, .. } => "taken before",
            Reply::Taken { submission, .. } => state_name(&submission.state),
            Reply::Settled(false) => "nothing to do",
            Reply::Settled(true) => {
                let submission = items().find_map(|(item, _)| {
                    let Item::Submission(submission) = item else { return None };
                    Some(&submission.state)
                });
                submission.map_or("done", state_name)
            }
            Reply::Made(Some(_)) => "made",
            Reply::Made(None) if self.writes.is_empty() => "nothing to do",
            Reply::Made(None) => "begun",
            Reply::Ruled { now: false } => "nothing to do",
            Reply::Ruled { now: true } => self.duel().map_or("done", duel_name),
            Reply::Compared { .. } => "compared",
            Reply::Figures { .. } => "told",
            Reply::Results { state: TaskState::Open, .. } => "open",
            Reply::Results { state: TaskState::Success { .. }, .. } => "success",
            Reply::Results { state: TaskState::Failure { .. }, .. } => "failure",
        }
    }

    /// The duel that it wrote, if it wrote one.
    fn duel(&self) -> Option<&Duel> {
        self.writes.iter().find_map(|written| match &written.item {
            Some((Item::Duel(duel), _)) => Some(duel),
            _ => None,
        })
    }

    /// Every float in it.
    pub(super) fn floats(&self) -> Vec<f64> {
        let mut floats = Vec::new();
        for (item, _) in self.writes.iter().filter_map(|written| written.item.as_ref()) {
            item_floats(item, &mut floats);
        }
        match &self.reply {
            Reply::Taken { submission, .. } => submission_floats(submission, &mut floats),
            Reply::Figures { average_score, accepted: _, rating, reward, cooldown_until: _ } => {
                floats.extend([average_score, rating, reward]);
            }
            Reply::Done
            | Reply::Absent
            | Reply::Told { .. }
            | Reply::OnCooldown { .. }
            | Reply::Task { .. }
            | Reply::Unregistered
            | Reply::NoTask
            | Reply::Ignored { .. }
            | Reply::Closed
            | Reply::Settled(_)
            | Reply::Made(_)
            | Reply::Ruled { .. }
            | Reply::Compared { .. }
            | Reply::Results { .. } => {}
        }
        floats
    }
}

const fn state_name(state: &SubmissionState) -> &'static str {
    match state {
        SubmissionState::Submitted { .. } => "to be scored",
        SubmissionState::Accepted(_) => "accepted",
        SubmissionState::Rejected { .. } => "rejected",
        SubmissionState::Empty => "empty",
        SubmissionState::Failed { .. } => "failed",
    }
}

const fn duel_name(duel: &Duel) -> &'static str {
    match duel.state {
        DuelState::Open => "open",
        DuelState::Awaiting { .. } => "to be judged",
        DuelState::Judged { .. } => "judged",
        DuelState::Void { .. } => "void",
    }
}

fn item_floats(item: &Item, floats: &mut Vec<f64>) {
    match item {
        Item::Task(task) => {
            floats.extend(task.results.iter().flat_map(|result| [result.rating, result.score]));
        }
        Item::Submission(submission) => submission_floats(submission, floats),
        Item::Session(session) => floats.push(session.stake),
        Item::Record(record) => {
            let rating = record.rating;
            floats.extend([rating.rating, rating.deviation, rating.volatility, record.average_score]);
        }
        Item::ApiKey(_) | Item::Matchmaker(_) | Item::Prompts(_) => {}
        Item::Roster(roster) => {
            floats.extend(roster.neurons.iter().flat_map(|neuron| [neuron.stake, neuron.incentive]));
        }
        Item::Duel(duel) => duel_floats(duel, floats),
        Item::History(history) => floats.extend(
            history.points.iter().flat_map(|point| [point.score, point.rating, point.deviation, point.moved]),
        ),
        Item::Leaderboard(leaderboard) => floats.extend(
            leaderboard.rows.iter().flat_map(|row| [row.rating, row.deviation, row.reward, row.weight]),
        ),
    }
}

fn duel_floats(duel: &Duel, floats: &mut Vec<f64>) {
    for side in duel.sides() {
        if let Entry::Delivered { score, .. } = side.entry {
            floats.push(score);
        }
    }
    if let DuelState::Judged { left, right, .. } = duel.state {
        for rating in [left.before, left.after, right.before, right.after] {
            floats.extend([rating.rating, rating.deviation, rating.volatility]);
        }
    }
}

fn submission_floats(submission: &Submission, floats: &mut Vec<f64>) {
    floats.push(submission.threshold);
    let verdict = match &submission.state {
        SubmissionState::Accepted(verdict) => Some(verdict),
        SubmissionState::Rejected { verdict, .. } => verdict.as_ref(),
        SubmissionState::Submitted { .. } | SubmissionState::Empty | SubmissionState::Failed { .. } => None,
    };
    if let Some(verdict) = verdict {
        let metrics = verdict.metrics;
        floats.extend([verdict.score, metrics.alignment, metrics.iqa, metrics.lpips, metrics.ssim]);
    }
}
