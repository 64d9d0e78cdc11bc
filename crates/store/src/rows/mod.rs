//! Where rows lie: in memory or in a durable folder.

pub(crate) mod durable;
pub(crate) mod memory;

use std::ops::ControlFlow;

use sn17_app::ports::{PortError, PortErrorKind};

/// A change of one row: its new value, or none if it goes.
pub(crate) type Change = (Vec<u8>, Option<fjall::UserValue>);

/// What is called with the rows of a scan.
pub(crate) type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// An ordered set of rows that changes by atomic, durable commits.
pub(crate) trait Rows: Send + Sync {
    /// The rows as of the last commit. To be held briefly: it may hold up the next commit.
    fn snapshot(&self) -> Box<dyn Snapshot + '_>;

    /// One row's value, which is on disk: half the cost of a snapshot that is looked at once. A commit that is just being
    /// made may show here before it shows in snapshots.
    fn get(&self, row: &[u8]) -> Result<Option<fjall::UserValue>, RowsError>;

    /// Makes all changes or none, durably. After an error nothing may be committed any more.
    fn commit(&self, changes: Vec<Change>) -> Result<(), RowsError>;
}

/// The rows at one instant.
pub(crate) trait Snapshot {
    /// One row's value.
    fn get(&self, row: &[u8]) -> Result<Option<fjall::UserValue>, RowsError>;

    /// Visits the rows from `from` up to `to`, which is excluded, in order, until `visit` breaks off.
    fn scan(&self, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), RowsError>;
}

/// The rows cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot access the rows: {0}")]
pub(crate) struct RowsError(#[from] fjall::Error);

impl From<RowsError> for PortError {
    fn from(error: RowsError) -> Self {
        Self::new(PortErrorKind::Unavailable, error.to_string())
    }
}

/// Scans with a visitor that may fail and says whether it wants more.
pub(crate) fn try_scan(
    rows: &dyn Snapshot,
    from: &[u8],
    to: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, PortError>,
) -> Result<(), PortError> {
    let mut outcome = Ok(());
    rows.scan(from, to, &mut |row, value| match visit(row, value) {
        Ok(true) => ControlFlow::Continue(()),
        Ok(false) => ControlFlow::Break(()),
        Err(error) => {
            outcome = Err(error);
            ControlFlow::Break(())
        }
    })?;
    outcome
}
