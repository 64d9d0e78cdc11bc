//! A miner asks for a task.

use alloc::vec;
use alloc::vec::Vec;

use crate::cooldown::is_on_cooldown;
use crate::duel;
use crate::index::{OpenPosition, OpenQueue};
use crate::ledger::{LoadSpec, OpenPage, Step, Stored, View, Write};
use crate::policy::{MinerRules, Policy};
use crate::state::{Assignment, Item, Key, Prompt, Session, Task, TaskKind};
use crate::task;
use crate::{Hotkey, TaskId, UnixMs};

/// So many tasks of a queue are looked at in one load.
pub const PAGE: usize = 8;
/// Tasks younger than this stay ahead of every cursor: commits of other hosts may still slip in among them.
const CURSOR_AGE_MS: u64 = 10_000;
/// Rounds of pages one pull looks at; with the session they make [`crate::ledger::LOADS_MAX`] loads.
const ROUNDS_MAX: usize = 2;

/// A miner's request, with what the host has drawn for it in case no client's task is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Who asks: the verified header hotkey and nothing else (AU-1).
    pub hotkey: Hotkey,
    /// Id of the synthetic task.
    pub synthetic_id: TaskId,
    /// Prompt of the synthetic task.
    pub synthetic: Prompt,
    /// A task that this miner holds but whose prompt is gone: it gets another instead.
    pub lost: Option<TaskId>,
}

/// What the miner is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullReply {
    /// Not registered on the subnet: nothing before this second.
    Unregistered {
        /// Unix seconds.
        cooldown_until: u64,
    },
    /// Too early.
    OnCooldown {
        /// Unix seconds.
        cooldown_until: u64,
        /// Early pulls counted so far.
        violations: u32,
    },
    /// Its task, new or as before (AS-1).
    Task {
        /// The task.
        id: TaskId,
        /// What is to be made.
        prompt: Prompt,
    },
}

/// What to load first for a pull.
pub fn load(hotkey: Hotkey) -> LoadSpec {
    LoadSpec::keys([Key::Session(hotkey)])
}

/// Decides a pull: unregistered, the same task again, on cooldown, a client's task, a duel, a synthetic one, in this
/// order (TK-2).
///
/// A miner that holds a task gets it even on cooldown: a penalty that arrives late must not touch a newer
/// assignment (SB-3).
pub fn decide(view: &View, pull: &Pull, now: UnixMs, policy: &Policy) -> Step<PullReply> {
    let Some((stored, session)) = view.session(&pull.hotkey) else {
        let until = now.plus_secs(policy.miners.unregistered_secs);
        return Step::Reply(PullReply::Unregistered { cooldown_until: until.secs() });
    };
    if let Some(assignment) = session.assignment.as_ref().filter(|held| pull.lost != Some(held.task)) {
        // AS-1: nothing is written, so the assignment time stays.
        let (id, prompt) = (assignment.task, assignment.prompt.clone());
        return Step::Reply(PullReply::Task { id, prompt });
    }
    if is_on_cooldown(session.cooldown_until, now) {
        return too_early(stored, session, pull.hotkey, now, &policy.miners);
    }
    let candidates = candidates(view, session.strong);
    let horizon = horizon(view);
    // What was not seen must not be passed: the cursor never goes back.
    let seen_to = horizon.into_iter().chain(view.seen_to()).min();
    let cursor = cursor_behind(&candidates, &pull.hotkey, seen_to, now).or(session.cursor);
    let pages = next_pages(view, session, too_old(now, policy));
    // TK-2: an older task may stand on a page that has not been seen yet.
    let is_oldest = |position: OpenPosition| pages.is_empty() || is_within(position, horizon);
    let found = candidates
        .iter()
        .find(|(_, _, task)| task.is_assignable(&pull.hotkey, session.strong, now))
        .filter(|(position, _, _)| is_oldest(*position));
    if let Some((position, row, task)) = found {
        let assigned = task::assign(task, pull.hotkey, session.strong, now);
        let assignment = Assignment {
            task: position.task,
            assigned_at: now,
            kind: TaskKind::Organic,
            prompt: task.prompt.clone(),
        };
        let task_write = Write::replace(Key::Task(position.task), row, Item::Task(assigned));
        let writes = vec![task_write];
        return hand_out(stored, session, pull.hotkey, assignment, cursor, writes);
    }
    let pending = session.next_duel(now).map(|pending| pending.nonce);
    if !pages.is_empty() {
        // Should no client's task be there, the duel is at hand.
        let duel = pending.map(Key::Duel).filter(|key| !view.has_loaded(key));
        return Step::Load(LoadSpec { keys: duel.into_iter().collect(), open_tasks: pages });
    }
    let offer = pending.and_then(|nonce| Some((nonce, view.duel(nonce)?)));
    if let Some((nonce, (row, duel))) = offer.filter(|(_, (_, duel))| duel.is_open_to(&pull.hotkey, now)) {
        let assignment = Assignment {
            task: duel.task,
            assigned_at: now,
            kind: TaskKind::Duel(nonce),
            prompt: duel.prompt.clone(),
        };
        let writes = vec![duel::assign(nonce, row, duel, &pull.hotkey, now)];
        return hand_out(stored, session, pull.hotkey, assignment, cursor, writes);
    }
    let assignment = Assignment {
        task: pull.synthetic_id,
        assigned_at: now,
        kind: TaskKind::Synthetic,
        prompt: pull.synthetic.clone(),
    };
    hand_out(stored, session, pull.hotkey, assignment, cursor, Vec::new())
}

/// CD-1: no task; the pull counts as a violation unless one was counted a moment ago, and beyond the threshold
/// each counted one prolongs the cooldown.
fn too_early(
    stored: &Stored,
    session: &Session,
    hotkey: Hotkey,
    now: UnixMs,
    rules: &MinerRules,
) -> Step<PullReply> {
    let counts = now.ms_since(session.violation_at) >= rules.violation_interval_ms;
    if !counts {
        let (cooldown_until, violations) = (session.cooldown_until, session.violations);
        return Step::Reply(PullReply::OnCooldown { cooldown_until, violations });
    }
    let violations = session.violations.saturating_add(1);
    let penalty_secs = if violations > rules.violations_allowed { rules.violation_penalty_secs } else { 0 };
    let cooldown_until = session.cooldown_until.saturating_add(penalty_secs);
    let updated = Session { violations, violation_at: now, cooldown_until, ..session.clone() };
    let write = Write::replace(Key::Session(hotkey), stored, Item::Session(updated));
    Step::Commit { writes: vec![write], reply: PullReply::OnCooldown { cooldown_until, violations } }
}

type Candidate<'a> = (OpenPosition, &'a Stored, &'a Task);

/// The open tasks seen so far that may concern this miner, oldest first.
fn candidates(view: &View, strong: bool) -> Vec<Candidate<'_>> {
    let mut positions: Vec<OpenPosition> = view
        .pages()
        .iter()
        .filter(|(page, _)| strong || page.queue == OpenQueue::Anyone)
        .flat_map(|(_, positions)| positions.iter().copied())
        .collect();
    positions.sort_unstable();
    positions.dedup();
    let with_task = |position: OpenPosition| {
        let (stored, task) = view.task(position.task)?;
        Some((position, stored, task))
    };
    positions.into_iter().filter_map(with_task).collect()
}

/// The place before which tasks are too old to be handed out, however many of them still wait for their deadline.
fn too_old(now: UnixMs, policy: &Policy) -> OpenPosition {
    let oldest_ms = now.0.saturating_sub(policy.tasks.assignable_secs.saturating_mul(1000));
    OpenPosition { created: UnixMs(oldest_ms), task: TaskId(0) }
}

/// The pages to look at next: the first ones behind the cursor and `floor`, then what follows full ones, a bounded
/// number of rounds.
fn next_pages(view: &View, session: &Session, floor: OpenPosition) -> Vec<OpenPage> {
    let queues: &[OpenQueue] =
        if session.strong { &[OpenQueue::Anyone, OpenQueue::StrongOnly] } else { &[OpenQueue::Anyone] };
    let next = |queue: &OpenQueue| {
        let mut seen = view.pages().iter().filter(|(page, _)| page.queue == *queue);
        let Some((page, positions)) = seen.next_back() else {
            let after = session.cursor.map_or(floor, |cursor| cursor.max(floor));
            return Some(OpenPage { queue: *queue, after: Some(after), limit: PAGE });
        };
        let rounds = 1 + seen.count();
        let is_full = positions.len() >= page.limit;
        let after = positions.last().copied();
        (is_full && rounds < ROUNDS_MAX).then_some(OpenPage { queue: *queue, after, limit: PAGE })
    };
    queues.iter().filter_map(next).collect()
}

/// Up to where every queue has been seen: the nearest end of a full page. None when all of them have been seen
/// whole.
fn horizon(view: &View) -> Option<OpenPosition> {
    let last_page_of = |queue: OpenQueue| view.pages().iter().rfind(|(page, _)| page.queue == queue);
    [OpenQueue::Anyone, OpenQueue::StrongOnly]
        .into_iter()
        .filter_map(last_page_of)
        .filter(|(page, positions)| positions.len() >= page.limit)
        .filter_map(|(_, positions)| positions.last().copied())
        .min()
}

fn is_within(position: OpenPosition, horizon: Option<OpenPosition>) -> bool {
    horizon.is_none_or(|horizon| position <= horizon)
}

/// The last of the leading tasks that this miner can never get any more.
fn cursor_behind(
    candidates: &[Candidate<'_>],
    hotkey: &Hotkey,
    seen_to: Option<OpenPosition>,
    now: UnixMs,
) -> Option<OpenPosition> {
    let is_behind = |(position, _, task): &&Candidate<'_>| {
        let is_settled = now.ms_since(position.created) >= CURSOR_AGE_MS;
        let is_out_of_reach = task.has_holder(hotkey) || now > task.assignable_until;
        is_settled && is_within(*position, seen_to) && is_out_of_reach
    };
    let leading = candidates.iter().take_while(is_behind);
    leading.last().map(|(position, _, _)| *position)
}

fn hand_out(
    stored: &Stored,
    session: &Session,
    hotkey: Hotkey,
    assignment: Assignment,
    cursor: Option<OpenPosition>,
    mut writes: Vec<Write>,
) -> Step<PullReply> {
    let now = assignment.assigned_at;
    let reply = PullReply::Task { id: assignment.task, prompt: assignment.prompt.clone() };
    let updated = session.clone().holding(assignment, cursor, now);
    writes.push(Write::replace(Key::Session(hotkey), stored, Item::Session(updated)));
    Step::Commit { writes, reply }
}
