//! A miner hands in what it made, or passes.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::cooldown::cooldown_until;
use crate::duel;
use crate::ledger::{Effect, LoadSpec, Step, Stored, View, Write};
use crate::policy::Policy;
use crate::state::{Assignment, Entry, Item, Key, Session, Submission, SubmissionState, TaskKind};
use crate::task;
use crate::{Hotkey, TaskId, UnixMs};

/// A result as it arrived, with what the host has checked about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// Who sends it: the verified header hotkey and nothing else (AU-1).
    pub hotkey: Hotkey,
    /// The task it is for.
    pub task: TaskId,
    /// Whether the consent signature holds for this task's prompt.
    pub signature_is_valid: bool,
    /// The consent signature as it was sent, base64.
    pub signature: String,
    /// The signed submission time, nanoseconds since the epoch.
    pub submit_time: i64,
    /// SHA-256 of the prompt that the signature was checked against.
    pub prompt_sha256: [u8; 32],
    /// The payload; none for an empty result.
    pub payload: Option<Payload>,
    /// Why the payload cannot be taken, whatever is in it: another format or compression than asked for.
    pub refusal: Option<String>,
}

/// A payload that has arrived whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Where it lies.
    pub blob: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: [u8; 32],
}

/// What became of a submission.
#[derive(Clone, Debug, PartialEq)]
pub enum SubmitReply {
    /// The sender is not registered on the subnet.
    Unregistered,
    /// The sender holds no task, and never handed in anything for this one.
    NoTask,
    /// The sender holds another task, or the signed time cannot be: nothing has changed.
    Ignored {
        /// Why, in words.
        reason: &'static str,
    },
    /// The task is closed for this miner by an earlier submission with another payload: nothing has changed.
    Closed,
    /// Taken now, or earlier with this same payload (SB-1). The verdict is in it or comes to this revision's
    /// successor.
    Taken {
        /// The submission as it stands.
        submission: Box<Submission>,
        /// Its revision.
        rev: u64,
        /// Whether it was taken by an earlier request.
        again: bool,
    },
}

/// What to load first for a submission.
pub fn load(hotkey: Hotkey, task: TaskId) -> LoadSpec {
    LoadSpec::keys([Key::Session(hotkey), Key::Submission(task, hotkey)])
}

impl View {
    /// A submission, with the row it came from.
    pub fn submission(&self, task: TaskId, hotkey: &Hotkey) -> Option<(&Stored, &Submission)> {
        let stored = self.get(&Key::Submission(task, *hotkey))?;
        let Item::Submission(submission) = &stored.item else {
            return None;
        };
        Some((stored, submission))
    }
}

/// Decides a submission (SB-1 to SB-5): it closes the assignment and sets the plain cooldown in one commit; a
/// payload waits for its verdict, anything else is final at once.
pub fn decide(view: &View, submit: &Submit, now: UnixMs, policy: &Policy) -> Step<SubmitReply> {
    let Some((session_row, session)) = view.session(&submit.hotkey) else {
        return Step::Reply(SubmitReply::Unregistered);
    };
    if let Some((row, submission)) = view.submission(submit.task, &submit.hotkey) {
        return Step::Reply(repeat(submit, submission, row.rev));
    }
    let assignment = match &session.assignment {
        None => return Step::Reply(SubmitReply::NoTask),
        Some(held) if held.task != submit.task => {
            return Step::Reply(SubmitReply::Ignored { reason: "another task is assigned" });
        }
        Some(held) => held,
    };
    if !is_time_plausible(submit.submit_time, assignment.assigned_at, now, policy) {
        return Step::Reply(SubmitReply::Ignored { reason: "submit_time lies outside the assignment" });
    }
    let state = receive(submit, now, policy);
    let is_final = !matches!(state, SubmissionState::Submitted { .. });
    let mut writes = Vec::new();
    if is_final {
        match assignment.kind {
            TaskKind::Organic => {
                let key = Key::Task(submit.task);
                if !view.has_loaded(&key) {
                    return Step::Load(LoadSpec::keys([key]));
                }
                writes.extend(task::finish_holder(view, submit.task, submit.hotkey, None, now, policy));
            }
            TaskKind::Duel(nonce) => {
                let key = Key::Duel(nonce);
                if !view.has_loaded(&key) {
                    return Step::Load(LoadSpec::keys([key]));
                }
                let entry = Entry::Missing { reason: state.why_missing() };
                writes.extend(duel::enter(view, nonce, &submit.hotkey, entry, now, policy));
            }
            TaskKind::Synthetic => {}
        }
    }
    let updated = after_receipt(session, assignment, submit, &state, now, policy);
    writes.push(Write::replace(Key::Session(submit.hotkey), session_row, Item::Session(updated)));
    let submission = record(submit, assignment, state, now, policy);
    let expires = now.plus_secs(policy.submissions.lifetime_secs);
    let key = Key::Submission(submit.task, submit.hotkey);
    let write = Write::create(key, Item::Submission(submission.clone()), Some(expires));
    writes.push(if is_final {
        write
    } else {
        write.causing(Effect::Score { task: submit.task, hotkey: submit.hotkey })
    });
    Step::Commit {
        writes,
        reply: SubmitReply::Taken { submission: Box::new(submission), rev: 1, again: false },
    }
}

/// Whether a verdict cannot be expected within `left_ms`: so many submissions are ahead, and each has lately taken
/// `pace_ms`. Nothing is hopeless before the pace is known (0).
pub const fn is_wait_hopeless(ahead: u64, pace_ms: u64, left_ms: u64) -> bool {
    ahead.saturating_mul(pace_ms) > left_ms
}

/// SB-1: the same payload joins what it began, another one has no effect.
fn repeat(submit: &Submit, earlier: &Submission, rev: u64) -> SubmitReply {
    let is_same = match &submit.payload {
        Some(payload) => earlier.bytes > 0 && earlier.sha256 == payload.sha256,
        None => earlier.bytes == 0,
    };
    if is_same {
        SubmitReply::Taken { submission: Box::new(earlier.clone()), rev, again: true }
    } else {
        SubmitReply::Closed
    }
}

/// Whether the signed time lies between assignment and receipt, give or take the clock skew; an old signature
/// over the same prompt can thus not be used again.
fn is_time_plausible(submit_time: i64, assigned_at: UnixMs, now: UnixMs, policy: &Policy) -> bool {
    let Ok(submit_ns) = u64::try_from(submit_time) else {
        return false;
    };
    let submitted = UnixMs(submit_ns / 1_000_000);
    let skew_secs = policy.submissions.clock_skew_secs;
    submitted.plus_secs(skew_secs) >= assigned_at && submitted <= now.plus_secs(skew_secs)
}

fn receive(submit: &Submit, now: UnixMs, policy: &Policy) -> SubmissionState {
    let rejected = |reason: &str| SubmissionState::Rejected { reason: reason.to_string(), verdict: None };
    if !submit.signature_is_valid {
        return rejected("the signature does not cover the licence consent, time, prompt and hotkeys");
    }
    match (&submit.payload, &submit.refusal) {
        (None, _) => SubmissionState::Empty,
        (Some(_), Some(refusal)) => rejected(refusal),
        (Some(_), None) => SubmissionState::Submitted {
            resends: 0,
            resend_at: now.plus_secs(policy.submissions.resend_secs),
        },
    }
}

impl Session {
    /// The empty results not yet worked off at `now`, and until when the others have been.
    fn passes_at(&self, now: UnixMs, policy: &Policy) -> (u32, UnixMs) {
        let pass_ms = policy.fair_play.pass_secs.saturating_mul(1000).max(1);
        let worked_off = now.ms_since(self.passes_at) / pass_ms;
        match self.passes.checked_sub(u32::try_from(worked_off).unwrap_or(u32::MAX)) {
            Some(passes) if passes > 0 => (passes, self.passes_at.plus_ms(worked_off * pass_ms)),
            _ => (0, now),
        }
    }
}

/// CD-2 and SB-2: the plain cooldown, or a penalised one for a refused result and for passing too often; a good
/// signature works off one violation. A penalty that is already running is not shortened.
fn after_receipt(
    session: &Session,
    assignment: &Assignment,
    submit: &Submit,
    state: &SubmissionState,
    now: UnixMs,
    policy: &Policy,
) -> Session {
    let (passes, passes_at) = session.passes_at(now, policy);
    let (penalty_secs, passes) = match state {
        SubmissionState::Rejected { .. } => (policy.miners.penalty_secs, passes),
        SubmissionState::Empty if passes >= policy.fair_play.passes_allowed => {
            (policy.fair_play.pass_penalty_secs, passes)
        }
        SubmissionState::Empty => (0, passes + 1),
        SubmissionState::Submitted { .. } | SubmissionState::Accepted(_) | SubmissionState::Failed { .. } => {
            (0, passes)
        }
    };
    let cooldown = cooldown_until(assignment.assigned_at, now, &policy.miners, penalty_secs);
    Session {
        assignment: None,
        cooldown_until: session.cooldown_until.max(cooldown),
        violations: session.violations.saturating_sub(u32::from(submit.signature_is_valid)),
        passes,
        passes_at,
        ..session.clone()
    }
}

fn record(
    submit: &Submit,
    assignment: &Assignment,
    state: SubmissionState,
    now: UnixMs,
    policy: &Policy,
) -> Submission {
    let payload = submit.payload.as_ref();
    let is_kept = matches!(state, SubmissionState::Submitted { .. });
    Submission {
        kind: assignment.kind,
        prompt: assignment.prompt.clone(),
        blob: payload.filter(|_| is_kept).map(|payload| payload.blob.clone()),
        bytes: payload.map_or(0, |payload| payload.bytes),
        sha256: payload.map_or([0; 32], |payload| payload.sha256),
        prompt_sha256: submit.prompt_sha256,
        submit_time: submit.submit_time,
        signature: submit.signature.clone(),
        assigned_at: assignment.assigned_at,
        submitted_at: now,
        threshold: policy.submissions.threshold,
        likeness: None,
        state,
    }
}
