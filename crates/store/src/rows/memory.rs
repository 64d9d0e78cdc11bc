//! Rows in memory, for tests and for hosts that need nothing to last.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use fjall::UserValue;

use super::{Change, Rows, RowsError, Snapshot, Visit};

/// Rows in a map behind a lock.
#[derive(Default)]
pub(crate) struct MemoryRows(RwLock<BTreeMap<Vec<u8>, UserValue>>);

impl Rows for MemoryRows {
    fn snapshot(&self) -> Box<dyn Snapshot + '_> {
        Box::new(MemorySnapshot(self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }

    fn get(&self, row: &[u8]) -> Result<Option<UserValue>, RowsError> {
        self.snapshot().get(row)
    }

    fn commit(&self, changes: Vec<Change>) -> Result<(), RowsError> {
        let mut rows = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (row, value) in changes {
            match value {
                Some(value) => rows.insert(row, value),
                None => rows.remove(&row),
            };
        }
        Ok(())
    }
}

struct MemorySnapshot<'a>(RwLockReadGuard<'a, BTreeMap<Vec<u8>, UserValue>>);

impl Snapshot for MemorySnapshot<'_> {
    fn get(&self, row: &[u8]) -> Result<Option<UserValue>, RowsError> {
        Ok(self.0.get(row).cloned())
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), RowsError> {
        for (row, value) in self.0.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to))) {
            if visit(row, value).is_break() {
                break;
            }
        }
        Ok(())
    }
}
