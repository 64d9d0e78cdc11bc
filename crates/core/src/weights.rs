//! What a miner's reward is worth on the chain.

use alloc::vec;
use alloc::vec::Vec;

use crate::policy::{WeightRules, WeightScheme};

/// The weight of each reward, in the same order; they sum to 1 unless all are 0.
///
/// A reward up to the floor, and one that is no finite number, gets 0. Where only the rank counts, the first of equal
/// rewards ranks highest, so that they must come in an order that is fair.
pub fn weights(rewards: &[f64], rules: &WeightRules) -> Vec<f64> {
    let is_paid = |reward: f64| reward.is_finite() && reward > rules.floor;
    let mut weights = match rules.scheme {
        WeightScheme::Reward => {
            rewards.iter().map(|&reward| if is_paid(reward) { reward } else { 0.0 }).collect()
        }
        WeightScheme::RankCurve => {
            let mut paid: Vec<usize> = (0..rewards.len()).filter(|&index| is_paid(rewards[index])).collect();
            paid.sort_by(|&a, &b| rewards[a].total_cmp(&rewards[b]).then(b.cmp(&a)));
            let mut weights = vec![0.0; rewards.len()];
            for (rank, &index) in paid.iter().enumerate() {
                weights[index] = curve(rank, paid.len(), rules);
            }
            weights
        }
    };
    let sum: f64 = weights.iter().sum();
    if sum > 0.0 && sum.is_finite() {
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    weights
}

/// The original's curve: base + span / (1 + exp(−slope × (rank − count / 2))), rank 0 for the least reward.
fn curve(rank: usize, count: usize, rules: &WeightRules) -> f64 {
    let number = |value: usize| f64::from(u32::try_from(value).unwrap_or(u32::MAX));
    let distance = number(rank) - number(count) / 2.0;
    rules.curve_base + rules.curve_span / (1.0 + libm::exp(-rules.curve_slope * distance))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use proptest::prelude::*;

    use super::*;

    fn by_rank(rewards: &[f64]) -> Vec<f64> {
        weights(rewards, &WeightRules { scheme: WeightScheme::RankCurve, ..WeightRules::default() })
    }

    fn close(a: f64, b: f64, tolerance: f64) -> bool {
        (a - b).abs() < tolerance
    }

    /// Computed with the original validator's formula.
    #[test]
    fn the_rank_curve_is_the_originals() {
        let two = by_rank(&[900.0, 100.0]);
        assert!(close(two[1], 0.49657, 5e-6) && close(two[0], 0.50343, 5e-6), "{two:?}");
        let rewards: Vec<f64> = (1..=10).map(|reward| f64::from(reward) * 100.0).collect();
        let ten = by_rank(&rewards);
        assert!(close(ten[0], 0.093_868, 5e-7) && close(ten[9], 0.106_147, 5e-7), "{ten:?}");
        let rewards: Vec<f64> = (1..=200).map(|reward| f64::from(reward) * 100.0).collect();
        let many = by_rank(&rewards);
        assert!(close(many[0], 0.002_744_7, 5e-8) && close(many[199], 0.007_277_3, 5e-8));
    }

    #[test]
    fn the_first_of_equal_rewards_has_the_largest_weight() {
        let weights = by_rank(&[1500.0, 1500.0, 3000.0, 1500.0]);
        assert!(weights[2] > weights[0] && weights[0] > weights[1] && weights[1] > weights[3], "{weights:?}");
    }

    #[test]
    fn the_floor_itself_earns_nothing() {
        assert_eq!(by_rank(&[5.0, 5.1]), [0.0, 1.0]);
        assert_eq!(weights(&[5.0, 10.0, 30.0], &WeightRules::default()), [0.0, 0.25, 0.75]);
        assert_eq!(weights(&[f64::NAN, f64::INFINITY, 0.0], &WeightRules::default()), [0.0; 3]);
        assert!(by_rank(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn weights_are_a_share_and_follow_the_rewards(rewards in prop::collection::vec(0.0..1e6_f64, 1..200)) {
            for scheme in [WeightScheme::Reward, WeightScheme::RankCurve] {
                let rules = WeightRules { scheme, ..WeightRules::default() };
                let weights = weights(&rewards, &rules);
                let sum: f64 = weights.iter().sum();
                prop_assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-9);
                for (a, b) in (0..rewards.len()).zip(1..rewards.len()) {
                    prop_assert!(rewards[a] > rewards[b] || weights[a] <= weights[b]);
                }
            }
        }
    }
}
