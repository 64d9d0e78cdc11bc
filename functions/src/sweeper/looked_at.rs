//! What a warm process has done before.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use sn17_core::{Hotkey, TaskId};

/// So many submissions are kept in mind; beyond it the longest known one is forgotten, and is looked at again.
const SUBMISSIONS_MAX: usize = 4_096;

/// A bounded set of submissions.
#[derive(Debug, Default)]
pub(super) struct LookedAt(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    submissions: BTreeSet<(TaskId, Hotkey)>,
    by_age: VecDeque<(TaskId, Hotkey)>,
}

impl LookedAt {
    pub(super) fn has(&self, submission: &(TaskId, Hotkey)) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).submissions.contains(submission)
    }

    pub(super) fn note(&self, submission: (TaskId, Hotkey)) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.submissions.insert(submission) {
            return;
        }
        known.by_age.push_back(submission);
        if known.by_age.len() > SUBMISSIONS_MAX
            && let Some(oldest) = known.by_age.pop_front()
        {
            known.submissions.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_known_is_forgotten_first() {
        let looked_at = LookedAt::default();
        let submission = |number: usize| (TaskId(number as u128), Hotkey([0; 32]));
        for number in 0..SUBMISSIONS_MAX {
            looked_at.note(submission(number));
        }
        looked_at.note(submission(0));
        assert!(looked_at.has(&submission(0)), "noting it again takes no room");
        looked_at.note(submission(SUBMISSIONS_MAX));
        assert!(!looked_at.has(&submission(0)));
        assert!(looked_at.has(&submission(1)) && looked_at.has(&submission(SUBMISSIONS_MAX)));
    }
}
