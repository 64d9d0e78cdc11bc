//! What of an item stands in the indexes.

use serde::{Deserialize, Serialize};
use sn17_core::UnixMs;
use sn17_core::index::{OpenPosition, OpenQueue, due_entry, judged_entry, open_entry};
use sn17_core::state::{DuelNonce, Item, Key};

/// An item's places in the indexes, kept beside it while it has any.
///
/// One small row per item that waits for something or is listed: after a restart the indexes are read from these,
/// however many other items are still kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attention {
    /// Its place in a queue of open tasks.
    pub(crate) open: Option<(OpenQueue, OpenPosition)>,
    /// Its place in the calendar.
    pub(crate) due: Option<UnixMs>,
    /// Its place in the list of judged duels.
    pub(crate) judged: Option<DuelNonce>,
}

impl Attention {
    /// The places of `item`.
    pub(crate) fn of(key: &Key, item: &Item) -> Self {
        let open = match key {
            Key::Task(task) => open_entry(*task, item),
            Key::Submission(..)
            | Key::Session(_)
            | Key::Record(_)
            | Key::ApiKey(_)
            | Key::Roster
            | Key::Duel(_)
            | Key::History(_)
            | Key::Matchmaker
            | Key::Leaderboard
            | Key::Prompts => None,
        };
        Self { open, due: due_entry(item), judged: judged_entry(key, item) }
    }

    /// Whether there is any.
    pub(crate) const fn is_some(&self) -> bool {
        self.open.is_some() || self.due.is_some() || self.judged.is_some()
    }
}
