//! Maps in memory that keep the contract of decisions and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use sn17_core::UnixMs;
use sn17_core::index::{OpenPosition, OpenQueue, due_entry, open_entry};
use sn17_core::ledger::{
    Change, DecisionId, Expect, LOADS_MAX, LoadSpec, MalformedCommit, OpenPage, Step, Stored, View, Write,
    check_writes,
};
use sn17_core::state::Key;

/// A decision broke the contract of ledgers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// Its writes cannot be committed, whatever the state.
    #[error(transparent)]
    Malformed(#[from] MalformedCommit),
    /// It asked for more loads than [`LOADS_MAX`].
    #[error("a decision asked for too many loads")]
    TooManyLoads,
}

/// Every item, and the indexes that follow from them.
#[derive(Debug, Default)]
pub struct MapLedger {
    items: BTreeMap<Key, Stored>,
    open: BTreeMap<OpenQueue, BTreeSet<OpenPosition>>,
    due: BTreeSet<(UnixMs, Key)>,
}

/// What became of the writes of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// All of them took effect.
    Now,
    /// They had taken effect before, under the same decision.
    Before,
    /// None did: the state is no longer as the decision saw it.
    Conflict,
}

impl MapLedger {
    /// Loads what the decision asks for until it answers something else than a load; its writes and its answer.
    ///
    /// # Errors
    /// See [`ContractError`].
    pub fn decide<R>(
        &self,
        now: UnixMs,
        first: LoadSpec,
        mut decide: impl FnMut(&View) -> Step<R>,
    ) -> Result<(Vec<Write>, R), ContractError> {
        let mut view = View::default();
        let mut spec = first;
        for _ in 0..LOADS_MAX {
            self.load(now, &spec, &mut view);
            match decide(&view) {
                Step::Load(more) => spec = more,
                Step::Commit { writes, reply } => {
                    check_writes(&writes)?;
                    return Ok((writes, reply));
                }
                Step::Reply(reply) => return Ok((Vec::new(), reply)),
            }
        }
        Err(ContractError::TooManyLoads)
    }

    /// Commits all `writes` if every condition holds, else none.
    pub fn commit(&mut self, id: DecisionId, now: UnixMs, writes: &[Write]) -> Committed {
        if writes.iter().any(|write| self.items.get(&write.key).is_some_and(|old| old.decision == id)) {
            return Committed::Before;
        }
        let holds = |write: &Write| match write.expect {
            Expect::Absent => self.live(now, &write.key).is_none(),
            Expect::Rev(rev) => self.live(now, &write.key).is_some_and(|live| live.rev == rev),
        };
        if !writes.iter().all(holds) {
            return Committed::Conflict;
        }
        for write in writes {
            let rev = self.live(now, &write.key).map_or(0, |live| live.rev) + 1;
            let new = match &write.change {
                Change::Put(item, expires) => {
                    Some(Stored { rev, decision: id, expires: *expires, item: item.clone() })
                }
                Change::Delete => None,
            };
            self.replace(write.key, new);
        }
        Committed::Now
    }

    /// The first `max` items whose time has come, longest overdue first.
    pub fn due(&self, now: UnixMs, max: usize) -> Vec<Key> {
        self.due.iter().take_while(|(at, _)| *at <= now).take(max).map(|(_, key)| *key).collect()
    }

    /// Removes what has expired, as a store does some time later; answers which items that were.
    pub fn purge(&mut self, now: UnixMs) -> Vec<Key> {
        let expired = self.items.iter().filter(|(_, stored)| stored.is_expired(now));
        let keys: Vec<Key> = expired.map(|(key, _)| *key).collect();
        for key in &keys {
            self.replace(*key, None);
        }
        keys
    }

    /// Every item that is there, those not yet purged included.
    pub fn items(&self) -> impl Iterator<Item = (&Key, &Stored)> {
        self.items.iter()
    }

    /// The item of `key`, unless it has expired.
    pub fn live(&self, now: UnixMs, key: &Key) -> Option<&Stored> {
        self.items.get(key).filter(|stored| !stored.is_expired(now))
    }

    fn load(&self, now: UnixMs, spec: &LoadSpec, view: &mut View) {
        for key in &spec.keys {
            view.insert(*key, self.live(now, key).cloned());
        }
        for page in &spec.open_tasks {
            let positions = self.page(page);
            for position in &positions {
                let key = Key::Task(position.task);
                view.insert(key, self.live(now, &key).cloned());
            }
            view.insert_page(*page, positions);
        }
    }

    fn page(&self, page: &OpenPage) -> Vec<OpenPosition> {
        let from = page.after.map_or(Bound::Unbounded, Bound::Excluded);
        let queue = self.open.get(&page.queue).into_iter();
        queue.flat_map(|queue| queue.range((from, Bound::Unbounded))).take(page.limit).copied().collect()
    }

    fn replace(&mut self, key: Key, new: Option<Stored>) {
        let places = |stored: &Stored| {
            let Key::Task(task) = key else { return None };
            open_entry(task, &stored.item)
        };
        let new_open = new.as_ref().and_then(places);
        let new_due = new.as_ref().and_then(|stored| due_entry(&stored.item));
        let old = match new {
            Some(stored) => self.items.insert(key, stored),
            None => self.items.remove(&key),
        };
        if let Some((queue, position)) = old.as_ref().and_then(places) {
            self.open.entry(queue).or_default().remove(&position);
        }
        if let Some(at) = old.as_ref().and_then(|stored| due_entry(&stored.item)) {
            self.due.remove(&(at, key));
        }
        if let Some((queue, position)) = new_open {
            self.open.entry(queue).or_default().insert(position);
        }
        self.due.extend(new_due.map(|at| (at, key)));
    }
}
