//! Accepted results of the last hours, the reward they earn, and the moving average of the scores.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::UnixMs;

/// The numbers of the reward; the defaults are the original validator's, but for `results_max`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RewardRules {
    /// How long an accepted result counts, in seconds: four hours.
    pub window_secs: u64,
    /// Most results a window remembers; beyond it the oldest is forgotten.
    ///
    /// The original has no bound. A miner that pulls at every end of the default cooldown reaches 48.
    pub results_max: usize,
    /// The weight of a new score in the moving average, in 0..=1.
    pub average_alpha: f64,
    /// The moving average of a newcomer.
    pub average_initial: f64,
}

impl Default for RewardRules {
    fn default() -> Self {
        Self { window_secs: 4 * 60 * 60, results_max: 1024, average_alpha: 0.05, average_initial: 1.0 }
    }
}

impl RewardRules {
    /// The moving average after one more `score`; a score that is not a finite number leaves it unchanged.
    pub fn average_after(&self, average: f64, score: f64) -> f64 {
        if !score.is_finite() {
            return average;
        }
        average * (1.0 - self.average_alpha) + self.average_alpha * score
    }
}

/// The instants of a miner's accepted results, in whole Unix seconds, oldest first.
///
/// Several results may share a second. The list never exceeds [`RewardRules::results_max`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ResultWindow {
    accepted_secs: Vec<u64>,
}

impl<'de> Deserialize<'de> for ResultWindow {
    /// Reads a list of Unix seconds in any order.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<u64>::deserialize(deserializer).map(Self::from_iter)
    }
}

impl FromIterator<u64> for ResultWindow {
    /// The window of results accepted at these Unix seconds, in any order.
    fn from_iter<I: IntoIterator<Item = u64>>(secs: I) -> Self {
        let mut accepted_secs: Vec<u64> = secs.into_iter().collect();
        accepted_secs.sort_unstable();
        Self { accepted_secs }
    }
}

impl ResultWindow {
    /// Notes a result accepted at `at` and forgets what no longer counts at `now`.
    ///
    /// Verdicts arrive out of order, so `at` may lie before results noted earlier.
    pub fn accept(&mut self, at: UnixMs, now: UnixMs, rules: &RewardRules) {
        let at_secs = at.secs();
        let position = self.accepted_secs.partition_point(|&secs| secs <= at_secs);
        self.accepted_secs.insert(position, at_secs);
        let expired = self.expired_at(now, rules);
        let surplus = self.accepted_secs.len().saturating_sub(rules.results_max);
        self.accepted_secs.drain(..expired.max(surplus));
    }

    /// RW-1: how many results were accepted in (now − window, now].
    pub fn count(&self, now: UnixMs, rules: &RewardRules) -> usize {
        let until_now = self.accepted_secs.partition_point(|&secs| secs <= now.secs());
        until_now.saturating_sub(self.expired_at(now, rules))
    }

    /// RW-1: the reward at `now`, which is the duel rating times the count.
    #[expect(clippy::cast_precision_loss, reason = "the count is at most results_max, far below 2^52")]
    pub fn reward(&self, rating: f64, now: UnixMs, rules: &RewardRules) -> f64 {
        rating * self.count(now, rules) as f64
    }

    /// The remembered instants in Unix seconds, oldest first.
    pub fn accepted_secs(&self) -> &[u64] {
        &self.accepted_secs
    }

    /// How many of the leading entries lie at or before now − window: the left edge does not count.
    fn expired_at(&self, now: UnixMs, rules: &RewardRules) -> usize {
        match now.secs().checked_sub(rules.window_secs) {
            Some(edge) => self.accepted_secs.partition_point(|&secs| secs <= edge),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    const HOUR: u64 = 3600;

    fn window_of(accepted: &[u64], rules: &RewardRules) -> ResultWindow {
        let mut window = ResultWindow::default();
        for &secs in accepted {
            window.accept(UnixMs::from_secs(secs), UnixMs::from_secs(secs), rules);
        }
        window
    }

    #[track_caller]
    fn check_count(window: &ResultWindow, now_secs: u64, expected: usize) {
        assert_eq!(
            window.count(UnixMs::from_secs(now_secs), &RewardRules::default()),
            expected,
            "at {now_secs}"
        );
    }

    #[test]
    fn rw_1_the_left_edge_is_excluded_and_the_right_one_included() {
        let window = window_of(&[100_000], &RewardRules::default());
        check_count(&window, 99_999, 0);
        check_count(&window, 100_000, 1);
        check_count(&window, 100_000 + 4 * HOUR - 1, 1);
        check_count(&window, 100_000 + 4 * HOUR, 0);
    }

    #[test]
    fn rw_1_hourly_results_earn_at_most_four_ratings() {
        let rules = RewardRules::default();
        let mut window = ResultWindow::default();
        for hour in 1..=10_u32 {
            let now = UnixMs::from_secs(1_000_000 + u64::from(hour) * HOUR);
            window.accept(now, now, &rules);
            let expected = f64::from(hour.min(4)) * 1500.0;
            assert_eq!(window.reward(1500.0, now, &rules).to_bits(), expected.to_bits());
        }
        assert_eq!(window.accepted_secs().len(), 4);
    }

    #[test]
    fn late_verdicts_keep_the_order() {
        let rules = RewardRules::default();
        let mut window = window_of(&[500, 700], &rules);
        window.accept(UnixMs(600_999), UnixMs::from_secs(800), &rules);
        assert_eq!(window.accepted_secs(), [500, 600, 700]);
    }

    #[test]
    fn a_full_window_forgets_the_oldest() {
        let rules = RewardRules { results_max: 3, ..RewardRules::default() };
        assert_eq!(window_of(&[1, 2, 3], &rules).accepted_secs(), [1, 2, 3]);
        assert_eq!(window_of(&[1, 2, 3, 4], &rules).accepted_secs(), [2, 3, 4]);
    }

    #[test]
    fn the_moving_average_starts_at_one_and_follows_slowly() {
        let rules = RewardRules::default();
        let average = rules.average_after(rules.average_initial, 0.6);
        assert!((average - 0.98).abs() < 1e-15);
        assert!((rules.average_after(average, 0.6) - 0.961).abs() < 1e-15);
        assert_eq!(rules.average_after(average, f64::NAN).to_bits(), average.to_bits());
    }

    fn any_instants() -> impl Strategy<Value = Vec<u64>> {
        prop::collection::vec(0..40_000_u64, 0..60)
    }

    proptest! {
        #[test]
        fn the_window_counts_exactly_its_interval(mut accepted in any_instants(), now in 0..60_000_u64) {
            let rules = RewardRules::default();
            let mut window = ResultWindow::default();
            for &secs in &accepted {
                window.accept(UnixMs::from_secs(secs), UnixMs(0), &rules);
            }
            let counts = |&&secs: &&u64| secs <= now && secs + rules.window_secs > now;
            let expected = accepted.iter().filter(counts).count();
            prop_assert_eq!(window.count(UnixMs::from_secs(now), &rules), expected);
            accepted.sort_unstable();
            prop_assert_eq!(window.accepted_secs(), &accepted[..]);
        }

        #[test]
        fn the_count_only_falls_while_nothing_is_accepted(
            mut accepted in any_instants(),
            pause in 0..20_000_u64,
        ) {
            let rules = RewardRules::default();
            accepted.sort_unstable();
            let window = window_of(&accepted, &rules);
            let last = window.accepted_secs().last().copied().unwrap_or(0);
            let early = window.count(UnixMs::from_secs(last), &rules);
            prop_assert!(window.count(UnixMs::from_secs(last + pause), &rules) <= early);
        }

        #[test]
        fn the_window_stays_bounded_and_sorted(accepted in any_instants(), results_max in 0..20_usize) {
            let rules = RewardRules { results_max, ..RewardRules::default() };
            let mut window = ResultWindow::default();
            for secs in accepted {
                window.accept(UnixMs::from_secs(secs), UnixMs::from_secs(40_000), &rules);
                prop_assert!(window.accepted_secs().len() <= results_max);
                prop_assert!(window.accepted_secs().is_sorted());
            }
        }
    }

    #[test]
    fn an_empty_window_earns_nothing() {
        let rules = RewardRules::default();
        let window = ResultWindow { accepted_secs: vec![] };
        assert_eq!(window.count(UnixMs(u64::MAX), &rules), 0);
        assert_eq!(window.reward(3000.0, UnixMs(0), &rules).to_bits(), 0.0_f64.to_bits());
    }
}
