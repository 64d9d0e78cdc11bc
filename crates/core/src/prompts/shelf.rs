//! The collector's shelf: which submissions wait to be merged, and which batch is served.
//!
//! Only names stand here. The prompts themselves lie in blobs that are written once and never changed, so whoever
//! has read the shelf reads one state of the collector, whatever others do meanwhile.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::collector::CollectorRules;
use crate::UnixMs;
use crate::ledger::{LoadSpec, Step, Stored, View, Write};
use crate::state::{Item, Key};

/// Submissions that may wait to be merged; beyond them generators are asked to come back. Ours: an hour of some four
/// a minute.
pub const SUBMISSIONS_MAX: usize = 256;

/// What the collector has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptShelf {
    /// The blobs of submissions that no batch has taken in yet, at most [`SUBMISSIONS_MAX`], oldest first.
    pub submitted: Vec<String>,
    /// The batch that is served.
    pub current: Option<PromptBatch>,
    /// The one before it, which somebody may still be reading.
    pub previous: Option<PromptBatch>,
}

/// A batch of prompts, as a folder of blobs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptBatch {
    /// What the names of its blobs begin with.
    pub folder: String,
    /// When it was made.
    pub made: UnixMs,
    /// How many prompts it has.
    pub prompts: u32,
    /// How many pages they are on.
    pub pages: u32,
}

/// What became of a new batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// It is served from now on.
    Now {
        /// A batch that nobody is pointed to any more.
        retired: Option<PromptBatch>,
    },
    /// Somebody else has put up another one meanwhile; this one is for nobody.
    Before,
}

impl PromptShelf {
    /// Whether it is time for a new batch: at once for the first submission, then every
    /// [`refresh_secs`](CollectorRules::refresh_secs), earlier where no further submission finds room.
    pub fn is_due(&self, now: UnixMs, rules: &CollectorRules) -> bool {
        let Some(current) = &self.current else { return !self.submitted.is_empty() };
        let is_full = self.submitted.len() >= SUBMISSIONS_MAX;
        now >= current.made.plus_secs(if is_full { rules.retry_secs } else { rules.refresh_secs })
    }
}

impl View {
    /// The collector's shelf, with the row it came from.
    pub fn prompt_shelf(&self) -> Option<(&Stored, &PromptShelf)> {
        let stored = self.get(&Key::Prompts)?;
        let Item::Prompts(shelf) = &stored.item else {
            return None;
        };
        Some((stored, shelf))
    }
}

/// What the decisions about the shelf load first.
pub fn load() -> LoadSpec {
    LoadSpec::keys([Key::Prompts])
}

/// Puts a submission's blob on the shelf; answers whether there was room.
pub fn submit(view: &View, blob: &str) -> Step<bool> {
    if !view.has_loaded(&Key::Prompts) {
        return Step::Load(load());
    }
    let mut shelf = view.prompt_shelf().map(|(_, shelf)| shelf.clone()).unwrap_or_default();
    if shelf.submitted.len() >= SUBMISSIONS_MAX {
        return Step::Reply(false);
    }
    shelf.submitted.push(blob.to_string());
    Step::Commit { writes: vec![written(view, shelf)], reply: true }
}

/// Puts `batch` up, which was made of `basis`: submissions that have come since then stay.
pub fn refresh(view: &View, basis: &PromptShelf, batch: &PromptBatch) -> Step<Refreshed> {
    if !view.has_loaded(&Key::Prompts) {
        return Step::Load(load());
    }
    let mut shelf = view.prompt_shelf().map(|(_, shelf)| shelf.clone()).unwrap_or_default();
    if shelf.current != basis.current {
        return Step::Reply(Refreshed::Before);
    }
    shelf.submitted.retain(|blob| !basis.submitted.contains(blob));
    let retired = core::mem::replace(&mut shelf.previous, shelf.current.replace(batch.clone()));
    Step::Commit { writes: vec![written(view, shelf)], reply: Refreshed::Now { retired } }
}

fn written(view: &View, shelf: PromptShelf) -> Write {
    let item = Item::Prompts(shelf);
    match view.get(&Key::Prompts) {
        Some(stored) => Write::replace(Key::Prompts, stored, item),
        None => Write::create(Key::Prompts, item, None),
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::format;

    use super::*;
    use crate::ledger::{Change, DecisionId};

    const NOW: UnixMs = UnixMs::from_secs(1_800_000_000);
    const RULES: CollectorRules = CollectorRules {
        batch_prompts_max: 10,
        batch_prompts_min: 1,
        submission_prompts_max: 10,
        archive_prompts_max: 10,
        refresh_secs: 3600,
        retry_secs: 60,
        stake_min: 1.0,
    };

    fn view(shelf: Option<PromptShelf>) -> View {
        let mut view = View::default();
        let stored =
            |shelf| Stored { rev: 1, decision: DecisionId(1), expires: None, item: Item::Prompts(shelf) };
        view.insert(Key::Prompts, shelf.map(stored));
        view
    }

    fn committed<R>(step: Step<R>) -> (PromptShelf, R) {
        let Step::Commit { writes, reply } = step else { panic!("nothing was committed") };
        let Change::Put(Item::Prompts(shelf), None) = &writes[0].change else { panic!("not a shelf") };
        (shelf.clone(), reply)
    }

    fn batch(name: &str, made: UnixMs) -> PromptBatch {
        PromptBatch { folder: name.to_string(), made, prompts: 10, pages: 1 }
    }

    #[test]
    fn submissions_wait_in_order_and_within_bounds() {
        let mut shelf = None;
        for number in 0..SUBMISSIONS_MAX {
            let (next, taken) = committed(submit(&view(shelf), &format!("{number}")));
            assert!(taken, "{number}");
            shelf = Some(next);
        }
        assert_eq!(shelf.as_ref().map(|shelf| shelf.submitted[255].clone()), Some("255".to_string()));
        assert!(matches!(submit(&view(shelf), "256"), Step::Reply(false)));
        assert!(matches!(submit(&View::default(), "a"), Step::Load(_)), "it looks first");
    }

    #[test]
    fn a_batch_takes_the_place_of_the_one_it_was_made_of() {
        let waiting = |names: &[&str]| names.iter().map(|name| name.to_string()).collect();
        let basis = PromptShelf { submitted: waiting(&["a", "b"]), ..PromptShelf::default() };
        let later = PromptShelf { submitted: waiting(&["a", "b", "c"]), ..basis.clone() };
        let first = batch("first", NOW);
        let (shelf, refreshed) = committed(refresh(&view(Some(later)), &basis, &first));
        assert_eq!((shelf.submitted.clone(), refreshed), (waiting(&["c"]), Refreshed::Now { retired: None }));
        assert_eq!((&shelf.current, &shelf.previous), (&Some(first.clone()), &None));
        let late = refresh(&view(Some(shelf.clone())), &basis, &batch("late", NOW));
        assert!(matches!(late, Step::Reply(Refreshed::Before)), "of two refreshes one counts");

        let (shelf, refreshed) =
            committed(refresh(&view(Some(shelf.clone())), &shelf, &batch("second", NOW)));
        assert_eq!(refreshed, Refreshed::Now { retired: None });
        assert_eq!(shelf.previous, Some(first.clone()), "somebody may be reading it");
        let (_, refreshed) = committed(refresh(&view(Some(shelf.clone())), &shelf, &batch("third", NOW)));
        assert_eq!(refreshed, Refreshed::Now { retired: Some(first) });
    }

    #[test]
    fn a_refresh_is_due_for_the_first_submission_every_hour_and_when_there_is_no_room() {
        let mut shelf = PromptShelf::default();
        assert!(!shelf.is_due(NOW, &RULES), "there is nothing to merge");
        shelf.submitted.push("a".to_string());
        assert!(shelf.is_due(NOW, &RULES));
        shelf.current = Some(batch("first", NOW));
        let due = |shelf: &PromptShelf, secs| shelf.is_due(NOW.plus_secs(secs), &RULES);
        assert_eq!([due(&shelf, 3599), due(&shelf, 3600)], [false, true]);
        shelf.submitted = (0..SUBMISSIONS_MAX).map(|number| format!("{number}")).collect();
        assert_eq!([due(&shelf, 59), due(&shelf, 60)], [false, true]);
        shelf.submitted.clear();
        assert!(due(&shelf, 3600), "what is kept is shuffled, and kept young");
    }
}
