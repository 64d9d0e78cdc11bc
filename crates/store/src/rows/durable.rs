//! Rows in a folder, kept by fjall.
//!
//! One keyspace holds every table: a second one that is written less often would keep sealed journals alive
//! (fjall issue 288). Commits are durable by `fdatasync` of the journal.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable, UserValue};

use super::{Change, Rows, RowsError, Snapshot, Visit};

/// Threads that flush and compact: one is always free for flushing, so that writers do not wait for a compaction.
const WORKER_THREADS: usize = 2;

/// Rows in a fjall database.
pub(crate) struct DurableRows {
    database: Database,
    keyspace: Keyspace,
}

impl DurableRows {
    /// Opens the database in `folder`, or makes it.
    pub(crate) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, fjall::Error> {
        let database =
            Database::builder(folder).cache_size(cache_bytes).worker_threads(WORKER_THREADS).open()?;
        let keyspace = database.keyspace("rows", KeyspaceCreateOptions::default)?;
        Ok(Self { database, keyspace })
    }
}

impl Rows for DurableRows {
    fn snapshot(&self) -> Box<dyn Snapshot + '_> {
        Box::new(DurableSnapshot { snapshot: self.database.snapshot(), keyspace: &self.keyspace })
    }

    fn get(&self, row: &[u8]) -> Result<Option<UserValue>, RowsError> {
        // fjall syncs the journal before it changes the table that is read here.
        Ok(self.keyspace.get(row)?)
    }

    fn commit(&self, changes: Vec<Change>) -> Result<(), RowsError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (row, value) in changes {
            match value {
                Some(value) => batch.insert(&self.keyspace, row, value),
                None => batch.remove(&self.keyspace, row),
            }
        }
        Ok(batch.commit()?)
    }
}

struct DurableSnapshot<'a> {
    snapshot: fjall::Snapshot,
    keyspace: &'a Keyspace,
}

impl Snapshot for DurableSnapshot<'_> {
    fn get(&self, row: &[u8]) -> Result<Option<UserValue>, RowsError> {
        Ok(self.snapshot.get(self.keyspace, row)?)
    }

    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), RowsError> {
        for entry in self.snapshot.range(self.keyspace, from..to) {
            let (row, value) = entry.into_inner()?;
            if visit(&row, &value).is_break() {
                break;
            }
        }
        Ok(())
    }
}
