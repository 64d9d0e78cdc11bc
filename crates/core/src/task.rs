//! An organic task from acceptance to its end.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::glicko::Outcome;
use crate::ledger::{Contest, Effect, LoadSpec, Step, Stored, View, Write};
use crate::policy::{Policy, TaskRules};
use crate::state::{Holder, Item, Key, KeyHash, Origin, Prompt, Standing, Task, TaskResult, TaskState};
use crate::{Hotkey, TaskId, UnixMs};

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// What is to be made.
    pub prompt: Prompt,
    /// Whose key asks.
    pub owner: KeyHash,
    /// The client's program.
    pub origin: Origin,
}

/// Accepts a task (TK-1: from here on it ends in success or failure by its deadline).
pub fn add(view: &View, new: &NewTask, now: UnixMs, rules: &TaskRules) -> Step<()> {
    let key = Key::Task(new.id);
    if view.get(&key).is_some() {
        return Step::Reply(());
    }
    let task = Task {
        prompt: new.prompt.clone(),
        owner: new.owner,
        origin: new.origin,
        created: now,
        assignable_until: now.plus_secs(rules.assignable_secs),
        deadline: now.plus_secs(rules.deadline_secs),
        copies: rules.copies,
        holders: Vec::new(),
        results: Vec::new(),
        first_result_due: None,
        judging: false,
        state: TaskState::Open,
    };
    let timer = Effect::Timer { task: new.id, at: task.deadline };
    let write = Write::create(key, Item::Task(task), None).causing(timer);
    Step::Commit { writes: alloc::vec![write], reply: () }
}

impl View {
    /// A task, with the row it came from.
    pub fn task(&self, id: TaskId) -> Option<(&Stored, &Task)> {
        let stored = self.get(&Key::Task(id))?;
        let Item::Task(task) = &stored.item else {
            return None;
        };
        Some((stored, task))
    }
}

impl Task {
    /// Whether a miner may get the task now (AS-2): it is open and young enough, this hotkey was never on it, and
    /// there is a place: one of the copies, or the extra one for a strong miner if none was strong.
    pub fn is_assignable(&self, hotkey: &Hotkey, strong: bool, now: UnixMs) -> bool {
        let is_open = self.state == TaskState::Open && now < self.due() && now <= self.assignable_until;
        is_open && !self.has_holder(hotkey) && self.has_place(strong)
    }

    /// Whether this miner has or had a place on the task.
    pub fn has_holder(&self, hotkey: &Hotkey) -> bool {
        self.holders.iter().any(|holder| holder.hotkey == *hotkey)
    }

    /// The best accepted result so far: best standing, then highest rating, highest score, earliest submission.
    pub fn best(&self) -> Option<&TaskResult> {
        self.results.iter().min_by(|a, b| best_first(a, b))
    }

    /// The state as it is at `now`: an open task past its time has ended, whether anybody has noted it or not.
    pub fn state_at(&self, now: UnixMs) -> TaskState {
        if self.state == TaskState::Open && now >= self.due() {
            self.end(self.due())
        } else {
            self.state.clone()
        }
    }

    /// Results a client may read, best first; empty while the task is open.
    pub fn readable_results(&self, now: UnixMs) -> Vec<&TaskResult> {
        if !matches!(self.state_at(now), TaskState::Success { .. }) {
            return Vec::new();
        }
        let mut results: Vec<&TaskResult> = self.results.iter().collect();
        results.sort_by(|a, b| best_first(a, b));
        results
    }

    fn has_place(&self, strong: bool) -> bool {
        let has_copy_left = self.holders.len() < usize::from(self.copies);
        has_copy_left || (strong && !self.holders.iter().any(|holder| holder.strong))
    }

    /// Nobody is working any more, and nobody else will: not even a strong miner could still get a place, and the judge
    /// is done.
    fn is_all_work_done(&self) -> bool {
        !self.judging && !self.has_place(true) && self.holders.iter().all(|holder| holder.finished)
    }

    /// The next two results to compare, the better one first; none while fewer than two wait for that.
    pub fn contest(&self) -> Option<[&TaskResult; 2]> {
        let mut waiting: Vec<&TaskResult> = self.results.iter().filter(|result| result.contends).collect();
        waiting.sort_by(|a, b| best_first(a, b));
        waiting.first_chunk().copied()
    }

    fn result_mut(&mut self, hotkey: &Hotkey) -> Option<&mut TaskResult> {
        self.results.iter_mut().find(|result| result.hotkey == *hotkey)
    }

    fn end(&self, ended: UnixMs) -> TaskState {
        match self.best() {
            Some(best) => TaskState::Success { ended, best: best.hotkey },
            None => TaskState::Failure { ended, reason: self.failure_reason() },
        }
    }

    fn failure_reason(&self) -> String {
        match self.holders.len() {
            0 => String::from("no miner took the task in time"),
            count => format!("{count} miners submitted results but no one is good"),
        }
    }
}

/// The order of a task's results, the best first.
pub fn best_first(a: &TaskResult, b: &TaskResult) -> Ordering {
    a.standing
        .cmp(&b.standing)
        .then(b.rating.total_cmp(&a.rating))
        .then(b.score.total_cmp(&a.score))
        .then(a.submit_time.cmp(&b.submit_time))
}

/// Gives a miner a place on a task that it may have.
pub fn assign(task: &Task, hotkey: Hotkey, strong: bool, now: UnixMs) -> Task {
    let mut assigned = task.clone();
    assigned.holders.push(Holder { hotkey, strong, assigned_at: now, finished: false });
    assigned
}

/// Ends a miner's part on a task, with its accepted result if it has one, and ends the task if that was all.
///
/// The first accepted result starts the timer for the final choice. None when nothing changes: the task is gone
/// or over, or the miner's part is over already.
pub fn finish_holder(
    view: &View,
    id: TaskId,
    hotkey: Hotkey,
    result: Option<TaskResult>,
    now: UnixMs,
    policy: &Policy,
) -> Option<Write> {
    let (stored, task) = view.task(id)?;
    let is_open = task.state == TaskState::Open && now < task.due();
    let position = task.holders.iter().position(|holder| holder.hotkey == hotkey && !holder.finished)?;
    if !is_open {
        return None;
    }
    let mut task = task.clone();
    if let Some(holder) = task.holders.get_mut(position) {
        holder.finished = true;
    }
    let mut timer = None;
    if let Some(result) = result {
        task.results.push(result);
        if task.first_result_due.is_none() {
            let at = now.plus_secs(policy.tasks.first_result_secs);
            task.first_result_due = Some(at);
            timer = (at < task.deadline).then_some(Effect::Timer { task: id, at });
        }
    }
    // One request at a time: the judge's answer to it brings the next.
    let asks_judge = policy.judge.enabled && !task.judging && task.contest().is_some();
    task.judging |= asks_judge;
    if task.is_all_work_done() {
        task.state = task.end(now);
        return Some(ended(id, stored, task, now, policy));
    }
    let judge = asks_judge.then_some(Effect::Judge(Contest::Task(id)));
    let write = Write::replace(Key::Task(id), stored, Item::Task(task));
    Some(timer.into_iter().chain(judge).fold(write, Write::causing))
}

/// How the comparison of two results ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The judge has spoken, the first result on the left.
    Judged(Outcome),
    /// They are the same thing: the earlier one keeps the credit.
    Same,
}

/// Notes how two results of an open task compare, and ends the task if that was all; anything else stays as it is.
///
/// The loser is out; the winner, or the first of two that drew, waits for the next comparison, as in the original.
pub fn compared(
    view: &View,
    id: TaskId,
    pair: [Hotkey; 2],
    comparison: Comparison,
    now: UnixMs,
    policy: &Policy,
) -> Step<()> {
    let key = Key::Task(id);
    if !view.has_loaded(&key) {
        return Step::Load(LoadSpec::keys([key]));
    }
    let Some((stored, task)) = view.task(id) else {
        return Step::Reply(());
    };
    let contends =
        |hotkey: &Hotkey| task.results.iter().any(|result| result.hotkey == *hotkey && result.contends);
    if task.state != TaskState::Open || now >= task.due() || !pair.iter().all(contends) {
        return Step::Reply(());
    }
    let mut task = task.clone();
    let standings = match comparison {
        Comparison::Judged(Outcome::Left) => [(Standing::Won, true), (Standing::Lost, false)],
        Comparison::Judged(Outcome::Right) => [(Standing::Lost, false), (Standing::Won, true)],
        Comparison::Judged(Outcome::Draw) => [(Standing::Drew, true), (Standing::Drew, false)],
        Comparison::Same => same(&task, &pair),
    };
    for (hotkey, (standing, contends)) in pair.iter().zip(standings) {
        if let Some(result) = task.result_mut(hotkey) {
            (result.standing, result.contends) = (standing, contends);
        }
    }
    task.judging = task.contest().is_some();
    if task.is_all_work_done() {
        task.state = task.end(now);
        return Step::Commit { writes: alloc::vec![ended(id, stored, task, now, policy)], reply: () };
    }
    let judge = task.judging.then_some(Effect::Judge(Contest::Task(id)));
    let write = Write::replace(key, stored, Item::Task(task));
    Step::Commit { writes: alloc::vec![judge.into_iter().fold(write, Write::causing)], reply: () }
}

/// The earlier of two copies, by the order of the verdicts, goes on as it was.
fn same(task: &Task, pair: &[Hotkey; 2]) -> [(Standing, bool); 2] {
    let place = |hotkey: &Hotkey| task.results.iter().position(|result| result.hotkey == *hotkey);
    let standing = |hotkey: &Hotkey| {
        place(hotkey).map_or(Standing::NotJudged, |position| task.results[position].standing)
    };
    let is_first_earlier = place(&pair[0]) < place(&pair[1]);
    let keep = |hotkey: &Hotkey, is_earlier: bool| {
        if is_earlier { (standing(hotkey), true) } else { (Standing::Duplicate, false) }
    };
    [keep(&pair[0], is_first_earlier), keep(&pair[1], !is_first_earlier)]
}

/// Ends a task whose time has come; anything else stays as it is.
pub fn finalise(view: &View, id: TaskId, now: UnixMs, policy: &Policy) -> Step<()> {
    let key = Key::Task(id);
    if !view.has_loaded(&key) {
        return Step::Load(LoadSpec::keys([key]));
    }
    let Some((stored, task)) = view.task(id) else {
        return Step::Reply(());
    };
    if task.state != TaskState::Open || now < task.due() {
        return Step::Reply(());
    }
    let mut over = task.clone();
    over.state = task.state_at(now);
    Step::Commit { writes: alloc::vec![ended(id, stored, over, now, policy)], reply: () }
}

/// BL-1: the task expires by when it was due, not by when that was noted, so never after its results' blobs.
fn ended(id: TaskId, stored: &Stored, task: Task, now: UnixMs, policy: &Policy) -> Write {
    let expires = now.min(task.due()).plus_secs(policy.tasks.lifetime_secs);
    Write::replace(Key::Task(id), stored, Item::Task(task)).expiring(expires)
}
