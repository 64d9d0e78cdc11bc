//! The verdict on a submission takes effect.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use crate::cooldown::cooldown_until;
use crate::duel;
use crate::judging::Likeness;
use crate::ledger::{Effect, LoadSpec, Step, Stored, View, Write};
use crate::policy::Policy;
use crate::scoring::{self, Metrics};
use crate::state::{
    Entry, Item, Key, Record, Session, Standing, Submission, SubmissionState, TaskKind, TaskResult, Verdict,
};
use crate::task;
use crate::{Hotkey, TaskId, UnixMs};

/// What a worker found out about a submission.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// It was rendered and measured.
    Measured {
        /// The metrics.
        metrics: Metrics,
        /// Whether synthetic model weights made them.
        synthetic: bool,
        /// What makes it recognisable, if that was looked at.
        likeness: Option<Likeness>,
    },
    /// It is not a splat that can be scored; the fault is the miner's.
    Invalid {
        /// Why, in words for the miner.
        reason: String,
    },
    /// It could not be scored; the fault is ours (SB-4).
    Failed {
        /// What went wrong, in words.
        reason: String,
    },
}

/// What to load first to settle a submission.
pub fn load(task: TaskId, hotkey: Hotkey) -> LoadSpec {
    LoadSpec::keys([Key::Submission(task, hotkey), Key::Session(hotkey), Key::Record(hotkey)])
}

/// Settles a submission once (SB-1): a second verdict finds it settled and changes nothing.
///
/// An accepted result enters the window and the average; a refused one costs the penalty, reckoned from the
/// receipt and without touching a newer assignment (SB-3); a failure of ours costs nothing more (SB-4). The reply
/// says whether this call settled it.
pub fn decide(
    view: &View,
    task: TaskId,
    hotkey: Hotkey,
    finding: &Finding,
    now: UnixMs,
    policy: &Policy,
) -> Step<bool> {
    let Some((row, submission)) = view.submission(task, &hotkey) else {
        return Step::Reply(false);
    };
    if !matches!(submission.state, SubmissionState::Submitted { .. }) {
        return Step::Reply(false);
    }
    let waits_for_it = match submission.kind {
        TaskKind::Organic => Some(Key::Task(task)),
        TaskKind::Duel(nonce) => Some(Key::Duel(nonce)),
        TaskKind::Synthetic => None,
    };
    if let Some(key) = waits_for_it.filter(|key| !view.has_loaded(key)) {
        return Step::Load(LoadSpec::keys([key]));
    }
    let state = judge(finding, submission.threshold, policy);
    let mut writes = Vec::new();
    // A miner that left the subnet in the meantime has neither session nor record: only its result counts.
    let record = view.record(&hotkey);
    let session = view.session(&hotkey);
    match &state {
        SubmissionState::Accepted(verdict) => {
            writes.extend(
                record.map(|(row, record)| credit(row, record, hotkey, submission, verdict, now, policy)),
            );
        }
        SubmissionState::Rejected { .. } => {
            writes.extend(
                session.and_then(|(row, session)| penalise(row, session, hotkey, submission, policy)),
            );
        }
        SubmissionState::Submitted { .. } | SubmissionState::Empty | SubmissionState::Failed { .. } => {}
    }
    match submission.kind {
        TaskKind::Organic => {
            let result = result_of(
                &state,
                submission,
                hotkey,
                record.map(|(_, r)| r),
                session.map(|(_, s)| s),
                policy,
            );
            writes.extend(task::finish_holder(view, task, hotkey, result, now, policy));
        }
        TaskKind::Duel(nonce) => {
            writes.extend(match entry_of(&state, submission) {
                Ok(entry) => duel::enter(view, nonce, &hotkey, entry, now, policy),
                Err(reason) => duel::void(view, nonce, reason, now, policy),
            });
        }
        TaskKind::Synthetic => {}
    }
    let likeness = match finding {
        Finding::Measured { likeness, .. } => *likeness,
        Finding::Invalid { .. } | Finding::Failed { .. } => None,
    };
    let settled = Submission { state, likeness, ..submission.clone() };
    writes.push(Write::replace(Key::Submission(task, hotkey), row, Item::Submission(settled)));
    Step::Commit { writes, reply: true }
}

/// Sends an overdue submission to scoring again, a bounded number of times; then it is a failure of ours, so that
/// its task can end (TK-1).
pub fn resend(view: &View, task: TaskId, hotkey: Hotkey, now: UnixMs, policy: &Policy) -> Step<bool> {
    if !view.has_loaded(&Key::Submission(task, hotkey)) {
        return Step::Load(load(task, hotkey));
    }
    let Some((row, submission)) = view.submission(task, &hotkey) else {
        return Step::Reply(false);
    };
    let SubmissionState::Submitted { resends, resend_at } = submission.state else {
        return Step::Reply(false);
    };
    if now < resend_at {
        return Step::Reply(false);
    }
    if resends >= policy.submissions.resends_max {
        let reason = "it could not be scored in time".to_string();
        return decide(view, task, hotkey, &Finding::Failed { reason }, now, policy);
    }
    let resend_at = now.plus_secs(policy.submissions.resend_secs);
    let state = SubmissionState::Submitted { resends: resends + 1, resend_at };
    let item = Item::Submission(Submission { state, ..submission.clone() });
    let write = Write::replace(Key::Submission(task, hotkey), row, item);
    Step::Commit { writes: vec![write.causing(Effect::Score { task, hotkey })], reply: true }
}

fn judge(finding: &Finding, threshold: f64, policy: &Policy) -> SubmissionState {
    match finding {
        Finding::Measured { metrics, synthetic, .. } => {
            let score = scoring::score(metrics, &policy.metrics);
            let verdict = Verdict { score, metrics: *metrics, synthetic: *synthetic };
            if score >= threshold {
                return SubmissionState::Accepted(verdict);
            }
            let reason = alloc::format!("the score {score:.3} is below the threshold {threshold}");
            SubmissionState::Rejected { reason, verdict: Some(verdict) }
        }
        Finding::Invalid { reason } => SubmissionState::Rejected { reason: reason.clone(), verdict: None },
        Finding::Failed { reason } => SubmissionState::Failed { reason: reason.clone() },
    }
}

/// The window entry bears the time of receipt, so a slow worker costs the miner nothing.
fn credit(
    row: &Stored,
    record: &Record,
    hotkey: Hotkey,
    submission: &Submission,
    verdict: &Verdict,
    now: UnixMs,
    policy: &Policy,
) -> Write {
    let mut updated = record.clone();
    updated.accepted.accept(submission.submitted_at, now, &policy.rewards);
    updated.average_score = policy.rewards.average_after(record.average_score, verdict.score.min(1.0));
    Write::replace(Key::Record(hotkey), row, Item::Record(updated))
}

fn penalise(
    row: &Stored,
    session: &Session,
    hotkey: Hotkey,
    submission: &Submission,
    policy: &Policy,
) -> Option<Write> {
    let penalty_secs = policy.miners.penalty_secs;
    let (assigned_at, received_at) = (submission.assigned_at, submission.submitted_at);
    let penalised = cooldown_until(assigned_at, received_at, &policy.miners, penalty_secs);
    let updated = Session { cooldown_until: session.cooldown_until.max(penalised), ..session.clone() };
    (updated != *session).then(|| Write::replace(Key::Session(hotkey), row, Item::Session(updated)))
}

fn result_of(
    state: &SubmissionState,
    submission: &Submission,
    hotkey: Hotkey,
    record: Option<&Record>,
    session: Option<&Session>,
    policy: &Policy,
) -> Option<TaskResult> {
    let SubmissionState::Accepted(verdict) = state else {
        return None;
    };
    Some(TaskResult {
        hotkey,
        uid: session.map_or(u16::MAX, |session| session.uid),
        rating: record.map_or(policy.glicko.initial.rating, |record| record.rating.rating),
        score: verdict.score.min(1.0),
        standing: Standing::NotJudged,
        contends: true,
        submit_time: submission.submit_time,
        blob: submission.blob.clone()?,
        bytes: submission.bytes,
        synthetic: verdict.synthetic,
    })
}

/// What a settled submission is to a duel; a failure of ours ends the duel for the reason given.
fn entry_of(state: &SubmissionState, submission: &Submission) -> Result<Entry, String> {
    match state {
        SubmissionState::Accepted(verdict) => Ok(Entry::Delivered {
            score: verdict.score.min(1.0),
            sha256: submission.sha256,
            synthetic: verdict.synthetic,
        }),
        SubmissionState::Failed { reason } => Err(alloc::format!("a result could not be scored: {reason}")),
        SubmissionState::Rejected { .. } | SubmissionState::Empty | SubmissionState::Submitted { .. } => {
            Ok(Entry::Missing { reason: state.why_missing() })
        }
    }
}

impl SubmissionState {
    /// Why there is nothing that could be compared, in words.
    pub(crate) fn why_missing(&self) -> String {
        match self {
            Self::Empty => "it passed".to_string(),
            Self::Rejected { reason, .. } | Self::Failed { reason } => reason.clone(),
            Self::Submitted { .. } | Self::Accepted(_) => String::new(),
        }
    }
}
