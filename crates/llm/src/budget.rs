//! The tokens that may be spent in a day.

use sn17_core::UnixMs;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// What was spent today, by the clock that callers pass in; a day is one in UTC.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: Limit,
    /// Days since the epoch.
    day: u64,
    spent: u64,
    /// What has been settled since the beginning.
    total: u64,
}

/// What may be spent in a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Anything.
    None,
    /// So much.
    PerDay(u64),
    /// What has been leased for today.
    Leased(u64),
}

/// Why tokens cannot be set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Short {
    /// Today's are used up.
    UsedUp,
    /// More have to be leased for this day.
    Lease {
        /// Days since the epoch.
        day: u64,
    },
}

/// Tokens set aside for one try. One that is dropped counts as spent: a try that nobody waited for may still be
/// charged.
#[derive(Debug)]
#[must_use]
pub(crate) struct Reserved {
    day: u64,
    tokens: u64,
}

impl Budget {
    /// Nothing spent yet; without a limit it only counts.
    pub(crate) const fn new(limit: Limit) -> Self {
        Self { limit, day: 0, spent: 0, total: 0 }
    }

    /// Sets tokens aside.
    pub(crate) fn reserve(&mut self, now: UnixMs, tokens: u64) -> Result<Reserved, Short> {
        let day = now.0 / DAY_MS;
        // A clock that is set back does not bring a spent budget back.
        if day > self.day {
            self.day = day;
            self.spent = 0;
            if let Limit::Leased(leased) = &mut self.limit {
                *leased = 0;
            }
        }
        let spent = self.spent.saturating_add(tokens);
        match self.limit {
            Limit::PerDay(limit) if spent > limit => return Err(Short::UsedUp),
            Limit::Leased(leased) if spent > leased => return Err(Short::Lease { day: self.day }),
            Limit::None | Limit::PerDay(_) | Limit::Leased(_) => {}
        }
        self.spent = spent;
        Ok(Reserved { day: self.day, tokens })
    }

    /// Adds what has been leased for a day, if that is still today.
    pub(crate) fn add(&mut self, day: u64, tokens: u64) {
        if let Limit::Leased(leased) = &mut self.limit
            && day == self.day
        {
            *leased = leased.saturating_add(tokens);
        }
    }

    /// Replaces what was set aside by what was really spent.
    pub(crate) fn settle(&mut self, reserved: Reserved, tokens: u64) {
        self.total = self.total.saturating_add(tokens);
        if reserved.day == self.day {
            self.spent = self.spent.saturating_sub(reserved.tokens).saturating_add(tokens);
        }
    }

    /// Seconds until the next day begins.
    pub(crate) fn ends_in_secs(&self, now: UnixMs) -> u64 {
        let next_day_ms = (self.day + 1).saturating_mul(DAY_MS);
        next_day_ms.saturating_sub(now.0).div_ceil(1_000)
    }

    /// Tokens settled since the beginning; it only grows.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// Tokens spent or set aside today.
    pub(crate) const fn spent(&self) -> u64 {
        self.spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1.5 s before midnight.
    const EVENING: UnixMs = UnixMs(20_000 * DAY_MS - 1_500);
    const MORNING: UnixMs = UnixMs(20_000 * DAY_MS);

    #[test]
    fn a_budget_is_used_up_until_the_next_day() {
        let mut budget = Budget::new(Limit::PerDay(100));
        let first = budget.reserve(EVENING, 60).expect("there is enough");
        assert_eq!(budget.reserve(EVENING, 41).expect_err("there is not"), Short::UsedUp);
        assert_eq!(budget.ends_in_secs(EVENING), 2);
        budget.settle(first, 10);
        let second = budget.reserve(EVENING, 90).expect("the rest is free again");
        assert_eq!((budget.spent(), budget.total()), (100, 10));
        drop(second);
        assert_eq!(budget.reserve(EVENING, 1).expect_err("what was dropped is spent"), Short::UsedUp);
        assert!(budget.reserve(MORNING, 100).is_ok());
        assert_eq!(budget.total(), 10, "a new day forgets nothing of the total");
    }

    #[test]
    fn what_is_leased_is_good_for_its_day() {
        let (evening, morning) = (EVENING.0 / DAY_MS, MORNING.0 / DAY_MS);
        let mut budget = Budget::new(Limit::Leased(0));
        assert_eq!(budget.reserve(EVENING, 60).expect_err("nothing is"), Short::Lease { day: evening });
        budget.add(evening, 50);
        assert_eq!(budget.reserve(EVENING, 60).expect_err("too little is"), Short::Lease { day: evening });
        budget.add(evening, 10);
        let _all = budget.reserve(EVENING, 60).expect("exactly enough");
        assert_eq!(budget.reserve(EVENING, 1).expect_err("no more"), Short::Lease { day: evening });
        assert_eq!(budget.reserve(MORNING, 1).expect_err("a new day"), Short::Lease { day: morning });
        budget.add(evening, 100);
        assert_eq!(budget.reserve(MORNING, 1).expect_err("yesterday's"), Short::Lease { day: morning });
    }

    #[test]
    fn what_was_set_aside_yesterday_does_not_count_today() {
        let mut budget = Budget::new(Limit::PerDay(100));
        let yesterdays = budget.reserve(EVENING, 60).expect("there is enough");
        let todays = budget.reserve(MORNING, 30).expect("there is enough");
        budget.settle(yesterdays, 70);
        budget.settle(todays, 20);
        assert_eq!(budget.spent(), 20);
    }

    #[test]
    fn a_clock_that_is_set_back_brings_nothing_back() {
        let mut budget = Budget::new(Limit::PerDay(100));
        let _spent = budget.reserve(MORNING, 100).expect("there is enough");
        assert_eq!(budget.reserve(EVENING, 1).expect_err("today is used up"), Short::UsedUp);
        assert_eq!(budget.ends_in_secs(EVENING), 86_402);
    }

    #[test]
    fn figures_beyond_reason_do_not_overflow() {
        let mut budget = Budget::new(Limit::None);
        let reserved = budget.reserve(UnixMs(u64::MAX), u64::MAX).expect("there is no limit");
        budget.settle(reserved, u64::MAX);
        let _more = budget.reserve(UnixMs(u64::MAX), u64::MAX).expect("there is no limit");
        assert_eq!(budget.spent(), u64::MAX);
    }
}
