//! Running one decision in a batch, and looking without deciding.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fjall::UserValue;
use sn17_app::ports::{Decide, PortError, PortErrorKind, PortResult};
use sn17_core::UnixMs;
use sn17_core::ledger::{
    Change, DecisionId, Effect, Expect, LOADS_MAX, LoadSpec, OpenPage, Step, Stored, View, Write,
    check_writes,
};
use sn17_core::state::Key;

use crate::attention::Attention;
use crate::codec::{Table, corrupt, decode, encode, expiry_row, item_row};
use crate::messages;
use crate::rows::{RowsError, Snapshot};
use crate::writer::{Batch, Shared};

/// Runs a decision; what it commits is staged in the batch.
pub(crate) fn transact(
    batch: &mut Batch<'_>,
    id: DecisionId,
    now: UnixMs,
    first: LoadSpec,
    mut decide: Decide,
) -> PortResult<()> {
    let mut view = View::default();
    let mut spec = first;
    for _ in 0..LOADS_MAX {
        load(batch.shared, &|row| batch.get(row), now, &spec, &mut view)?;
        let step = catch_unwind(AssertUnwindSafe(|| decide(&view)));
        match step.map_err(|_| corrupt("the decision panicked"))? {
            Step::Load(more) => spec = more,
            Step::Commit { writes, reply: () } => return commit(batch, id, now, writes),
            Step::Reply(()) => return Ok(()),
        }
    }
    Err(corrupt(format!("a decision asked for more than {LOADS_MAX} loads")))
}

/// Looks at the committed rows.
pub(crate) fn look(shared: &Shared, now: UnixMs, spec: &LoadSpec) -> PortResult<View> {
    let mut view = View::default();
    if let ([key], []) = (&spec.keys[..], &spec.open_tasks[..]) {
        view.insert(*key, read_item(&|row| shared.rows.get(row), now, key)?);
        return Ok(view);
    }
    let rows = shared.rows.snapshot();
    load(shared, &|row| rows.get(row), now, spec, &mut view)?;
    Ok(view)
}

/// One item of the committed rows, unless it has expired.
pub(crate) fn look_at(rows: &dyn Snapshot, now: UnixMs, key: &Key) -> PortResult<Option<Stored>> {
    read_item(&|row| rows.get(row), now, key)
}

type GetRow<'a> = &'a dyn Fn(&[u8]) -> Result<Option<UserValue>, RowsError>;

fn load(shared: &Shared, get: GetRow<'_>, now: UnixMs, spec: &LoadSpec, view: &mut View) -> PortResult<()> {
    for key in &spec.keys {
        if !view.has_loaded(key) {
            view.insert(*key, read_item(get, now, key)?);
        }
    }
    for page in &spec.open_tasks {
        load_page(shared, get, now, page, view)?;
    }
    Ok(())
}

/// Loads a page of open tasks. An entry whose task is not in this queue, as far as `get` knows, is skipped: it
/// is about to come, about to go, or expired.
fn load_page(
    shared: &Shared,
    get: GetRow<'_>,
    now: UnixMs,
    page: &OpenPage,
    view: &mut View,
) -> PortResult<()> {
    let mut positions = Vec::new();
    let mut after = page.after;
    while positions.len() < page.limit {
        let wanted = page.limit - positions.len();
        let found = shared.indexes().open_page(page.queue, after, wanted);
        for &position in &found {
            let key = Key::Task(position.task);
            if !view.has_loaded(&key) {
                view.insert(key, read_item(get, now, &key)?);
            }
            let open = view.get(&key).and_then(|task| Attention::of(&key, &task.item).open);
            if open == Some((page.queue, position)) {
                positions.push(position);
            }
        }
        after = found.last().copied();
        if found.len() < wanted {
            break;
        }
    }
    view.insert_page(*page, positions);
    Ok(())
}

fn read_item(get: GetRow<'_>, now: UnixMs, key: &Key) -> PortResult<Option<Stored>> {
    let Some(value) = get(&item_row(Table::Items, key))? else { return Ok(None) };
    let stored: Stored = decode(&value)?;
    Ok(Some(stored).filter(|stored| !stored.is_expired(now)))
}

/// Checks every condition, then stages every write; nothing is staged when anything is wrong.
fn commit(batch: &mut Batch<'_>, id: DecisionId, now: UnixMs, writes: Vec<Write>) -> PortResult<()> {
    check_writes(&writes).map_err(|malformed| corrupt(malformed.to_string()))?;
    let olds: Vec<_> = writes.iter().map(|write| batch.stored(&write.key)).collect::<PortResult<_>>()?;
    if olds.iter().flatten().any(|old| old.decision == id) {
        // This very decision has been committed before: its answer was lost on the way.
        return Ok(());
    }
    for (write, old) in writes.iter().zip(&olds) {
        let live = old.as_ref().filter(|old| !old.is_expired(now));
        let holds = match write.expect {
            Expect::Absent => live.is_none(),
            Expect::Rev(rev) => live.is_some_and(|live| live.rev == rev),
        };
        if !holds {
            let message = format!("{:?} is not as the decision saw it", write.key);
            return Err(PortError::new(PortErrorKind::Conflict, message));
        }
    }
    let mut staged = Vec::with_capacity(writes.len());
    for (write, old) in writes.into_iter().zip(olds) {
        let live_rev = old.as_ref().filter(|old| !old.is_expired(now)).map_or(0, |live| live.rev);
        let new = match write.change {
            Change::Put(item, expires) => Some(Stored { rev: live_rev + 1, decision: id, expires, item }),
            Change::Delete => None,
        };
        staged.push(ItemChange::new(write.key, old.as_ref(), new.as_ref())?);
        stage_effects(batch, now, &write.effects)?;
    }
    for change in staged {
        change.stage(batch);
    }
    Ok(())
}

fn stage_effects(batch: &mut Batch<'_>, now: UnixMs, effects: &[Effect]) -> PortResult<()> {
    for effect in effects {
        messages::send(batch, *effect, effect.not_before().unwrap_or(now))?;
    }
    Ok(())
}

/// An item's change with everything that follows from it, encoded and ready to be staged.
pub(crate) struct ItemChange {
    key: Key,
    rows: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    old_places: Attention,
    new_places: Attention,
}

impl ItemChange {
    /// Works out the rows that change when an item goes from `old`, expired or not, to `new`.
    pub(crate) fn new(key: Key, old: Option<&Stored>, new: Option<&Stored>) -> PortResult<Self> {
        let row = item_row(Table::Items, &key);
        let mut rows = Vec::with_capacity(4);
        let old_expires = old.and_then(|old| old.expires);
        let new_expires = new.and_then(|new| new.expires);
        if old_expires != new_expires {
            rows.extend(old_expires.map(|at| (expiry_row(at, &row), None)));
            rows.extend(new_expires.map(|at| (expiry_row(at, &row), Some(Vec::new()))));
        }
        let places = |stored: &Stored| Attention::of(&key, &stored.item);
        let old_places = old.map(places).unwrap_or_default();
        let new_places = new.map(places).unwrap_or_default();
        if old_places != new_places {
            let value = if new_places.is_some() { Some(encode(&new_places)?) } else { None };
            rows.push((item_row(Table::Attention, &key), value));
        }
        rows.push((row, new.map(encode).transpose()?));
        Ok(Self { key, rows, old_places, new_places })
    }

    /// Puts the change into the batch.
    pub(crate) fn stage(self, batch: &mut Batch<'_>) {
        for (row, value) in self.rows {
            match value {
                Some(value) => batch.put(row, value),
                None => batch.remove(row),
            }
        }
        if self.old_places != self.new_places {
            batch.indexes_mut().replace(&self.key, &self.old_places, &self.new_places);
        }
        batch.written(self.key);
    }
}
