//! Working memory that is handed out in shares (IN-1).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that may be in use at once.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    bytes: usize,
    free: AtomicUsize,
}

/// A share of a [`MemoryBudget`]; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct MemoryShare {
    budget: Arc<MemoryBudget>,
    bytes: usize,
}

impl MemoryBudget {
    pub(crate) fn new(bytes: usize) -> Arc<Self> {
        Arc::new(Self { bytes, free: AtomicUsize::new(bytes) })
    }

    /// Takes a share, or none if there is not so much left. Who needs more than there is in all gets all of it.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Option<MemoryShare> {
        let bytes = bytes.min(self.bytes);
        self.free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |free| free.checked_sub(bytes))
            .ok()
            .map(|_| MemoryShare { budget: Arc::clone(self), bytes })
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> usize {
        self.bytes - self.free.load(Ordering::Relaxed)
    }
}

impl MemoryShare {
    /// Makes the share `bytes` large, if so much is free; one that is larger already stays as it is.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let missing = bytes.min(self.budget.bytes).saturating_sub(self.bytes);
        let Some(mut more) = self.budget.take(missing) else {
            return false;
        };
        self.bytes += std::mem::take(&mut more.bytes);
        true
    }
}

impl MemoryShare {
    /// Gives back what is above `bytes`.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes -= surplus;
        self.budget.free.fetch_add(surplus, Ordering::Relaxed);
    }
}

impl Drop for MemoryShare {
    fn drop(&mut self) {
        self.budget.free.fetch_add(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_back() {
        let budget = MemoryBudget::new(10);
        let first = budget.take(6).unwrap();
        assert!(budget.take(5).is_none());
        let second = budget.take(4).unwrap();
        assert_eq!(budget.used(), 10);
        drop(first);
        assert!(budget.take(99).is_none(), "all of it is not free");
        drop(second);
        assert!(budget.take(99).is_some(), "all of it is enough");
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn shares_shrink_to_what_is_left() {
        let budget = MemoryBudget::new(10);
        let mut share = budget.take(8).unwrap();
        share.shrink(3);
        assert_eq!(budget.used(), 3);
        share.shrink(5);
        assert_eq!(budget.used(), 3, "it does not grow");
        drop(share);
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn shares_grow_to_what_is_there() {
        let budget = MemoryBudget::new(10);
        let mut share = budget.take(3).unwrap();
        let other = budget.take(2).unwrap();
        assert!(!share.grow(9));
        assert!(share.grow(8) && share.grow(5));
        assert_eq!(budget.used(), 10);
        drop(other);
        assert!(share.grow(99), "all of it is enough");
        drop(share);
        assert_eq!(budget.used(), 0);
    }
}
