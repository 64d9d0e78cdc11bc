//! Indexes derived from items: the queue of open tasks and the calendar of what falls due.

use serde::{Deserialize, Serialize};

use crate::state::{DuelNonce, DuelState, Item, Key, SubmissionState, Task, TaskState};
use crate::{TaskId, UnixMs};

/// A place in the queue of open tasks: oldest first, ids break ties (TK-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OpenPosition {
    /// When the task was accepted.
    pub created: UnixMs,
    /// The task.
    pub task: TaskId,
}

/// Which queue an open task stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum OpenQueue {
    /// Any miner may take it.
    Anyone,
    /// Its copies are all with weak miners: one strong miner more may take it.
    StrongOnly,
}

/// Where `item` stands in the queue of open tasks, if it does.
///
/// An ended task and one with no place left stand nowhere. A task past `assignable_until` stays until it ends;
/// the pull decision skips it.
pub fn open_entry(task: TaskId, item: &Item) -> Option<(OpenQueue, OpenPosition)> {
    let Item::Task(value) = item else { return None };
    if value.state != TaskState::Open {
        return None;
    }
    let position = OpenPosition { created: value.created, task };
    open_queue(value).map(|queue| (queue, position))
}

/// Which queue an open task belongs to by the places it has left (AS-2).
pub fn open_queue(task: &Task) -> Option<OpenQueue> {
    let has_place = task.holders.len() < usize::from(task.copies);
    let has_strong = task.holders.iter().any(|holder| holder.strong);
    match (has_place, has_strong) {
        (true, _) => Some(OpenQueue::Anyone),
        (false, false) => Some(OpenQueue::StrongOnly),
        (false, true) => None,
    }
}

/// When `item` next needs attention even if nobody asks for it: a task's deadline or first-result timer, a
/// submission or a duel whose verdict is overdue, a duel whose sides are.
pub fn due_entry(item: &Item) -> Option<UnixMs> {
    match item {
        Item::Task(task) => match task.state {
            TaskState::Open => Some(task.due()),
            TaskState::Success { .. } | TaskState::Failure { .. } => None,
        },
        Item::Submission(submission) => match submission.state {
            SubmissionState::Submitted { resend_at, .. } => Some(resend_at),
            SubmissionState::Accepted(_)
            | SubmissionState::Rejected { .. }
            | SubmissionState::Empty
            | SubmissionState::Failed { .. } => None,
        },
        Item::Duel(duel) => match duel.state {
            DuelState::Open => Some(duel.closes),
            DuelState::Awaiting { resend_at, .. } => Some(resend_at),
            DuelState::Judged { .. } | DuelState::Void { .. } => None,
        },
        Item::Session(_)
        | Item::Record(_)
        | Item::ApiKey(_)
        | Item::Roster(_)
        | Item::History(_)
        | Item::Matchmaker(_)
        | Item::Leaderboard(_)
        | Item::Prompts(_) => None,
    }
}

/// Which duel `item` is in the list of those that have ended with a verdict, if it is one.
pub fn judged_entry(key: &Key, item: &Item) -> Option<DuelNonce> {
    let (Key::Duel(nonce), Item::Duel(duel)) = (key, item) else {
        return None;
    };
    matches!(duel.state, DuelState::Judged { .. }).then_some(*nonce)
}

impl Task {
    /// When an open task ends at the latest: its deadline, or earlier once a result is there.
    pub fn due(&self) -> UnixMs {
        self.first_result_due.map_or(self.deadline, |due| due.min(self.deadline))
    }
}
