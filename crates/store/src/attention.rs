//! What of an item stands in the indexes.

use serde::{Deserialize, Serialize};
use sn17_core::UnixMs;
use sn17_core::index::{OpenPosition, OpenQueue, due_entry, open_entry};
use sn17_core::state::{Item, Key};

/// An item's places in the indexes, kept beside it while it has any.
///
/// One small row per item that waits for something: after a restart the indexes are read from these, however
/// many ended items are still kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attention {
    /// Its place in a queue of open tasks.
    pub(crate) open: Option<(OpenQueue, OpenPosition)>,
    /// Its place in the calendar.
    pub(crate) due: Option<UnixMs>,
}

impl Attention {
    /// The places of `item`.
    pub(crate) fn of(key: &Key, item: &Item) -> Self {
        let open = match key {
            Key::Task(task) => open_entry(*task, item),
            Key::Submission(..) | Key::Session(_) | Key::Record(_) | Key::ApiKey(_) | Key::Roster => None,
        };
        Self { open, due: due_entry(item) }
    }

    /// Whether there is any.
    pub(crate) const fn is_some(&self) -> bool {
        self.open.is_some() || self.due.is_some()
    }
}
