//! A judge that knows how good the miners are, and is often wrong.

use serde::{Deserialize, Serialize};
use sn17_core::glicko::Outcome;
use sn17_core::judging::{Worst, agreed, confirmed};
use sn17_core::policy::JudgeRules;
use sn17_model::Random;

/// The share of answers that prefer what is shown first, whatever it is.
const ORDER_BIASED: f64 = 0.15;
/// How often a single call of the flat judge is right, those answers included.
const FLAT: f64 = 0.8;
/// The gap in quality at which 1 − 1/e of the graded judge's doubt is gone. Two miners of the simulated network are on
/// average 0.056 apart, so that a single call about a random pair is right in 80 % of all cases here too.
const GRADED_SCALE: f64 = 0.03;

/// How a judge's accuracy depends on the gap in quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accuracy {
    /// 80 % whatever the gap.
    Flat,
    /// From a toss-up at no gap to certainty at a large one, in answers without a bias.
    Graded,
}

impl Accuracy {
    /// The name that reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flat => "flat",
            Self::Graded => "graded",
        }
    }

    /// How often an answer without a bias is right.
    fn of_unbiased(self, gap: f64) -> f64 {
        match self {
            Self::Flat => (FLAT - ORDER_BIASED / 2.0) / (1.0 - ORDER_BIASED),
            Self::Graded => 1.0 - 0.5 * libm::exp(-gap / GRADED_SCALE),
        }
    }
}

/// The judge of a season. It answers the same question the same way, as a model does at a given seed.
#[derive(Clone, Copy, Debug)]
pub struct ModelJudge {
    /// How often it is right.
    pub accuracy: Accuracy,
    /// Where its errors come from.
    pub seed: u64,
}

impl ModelJudge {
    /// The outcome of a contest between the left and the right quality, and how many calls it took: both orders and
    /// neutral pictures as the rules say, combined as the worker combines them.
    pub fn compare(
        &self,
        rules: &JudgeRules,
        contest: u64,
        qualities: [f64; 2],
        scores: [f64; 2],
    ) -> (Outcome, u64) {
        let both_orders = |first_call| {
            let forward = self.ask(contest, first_call, qualities).outcome();
            if !rules.both_orders {
                return (forward, 1);
            }
            let [left, right] = qualities;
            let swapped = self.ask(contest, first_call + 1, [right, left]).outcome_swapped();
            (agreed(forward, swapped), 2)
        };
        let (decided, calls) = both_orders(0);
        if !rules.neutral || decided == Outcome::Draw {
            return (decided, calls);
        }
        let (neutral, more_calls) = both_orders(2);
        let [left, right] = scores;
        (confirmed(decided, neutral, left, right, rules.score_lead_min), calls + more_calls)
    }

    /// Which of two is the worse one.
    fn ask(&self, contest: u64, call: u64, [first, second]: [f64; 2]) -> Worst {
        let mut random = Random::new(Random::new(self.seed ^ contest.rotate_left(20)).next() ^ call);
        if random.unit() < ORDER_BIASED {
            return Worst::Second;
        }
        let is_first_better = first >= second;
        let is_right = random.unit() < self.accuracy.of_unbiased((first - second).abs());
        if is_first_better == is_right { Worst::Second } else { Worst::First }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of contests won by the better one, and of draws.
    fn shares(accuracy: Accuracy, rules: &JudgeRules, gap: f64) -> (f64, f64) {
        let judge = ModelJudge { accuracy, seed: 5 };
        let (mut right, mut draws) = (0.0, 0.0);
        for contest in 0..20_000 {
            // The better one is on either side.
            let (qualities, better) = if contest % 2 == 0 {
                ([0.5 + gap, 0.5], Outcome::Left)
            } else {
                ([0.5, 0.5 + gap], Outcome::Right)
            };
            let (outcome, _) = judge.compare(rules, contest, qualities, [0.7, 0.7]);
            right += f64::from(u8::from(outcome == better));
            draws += f64::from(u8::from(outcome == Outcome::Draw));
        }
        (right / 20_000.0, draws / 20_000.0)
    }

    fn one_call() -> JudgeRules {
        JudgeRules { both_orders: false, neutral: false, ..JudgeRules::default() }
    }

    #[test]
    fn the_flat_judge_is_right_in_80_percent_of_single_calls_whatever_the_gap() {
        for gap in [0.001, 0.1] {
            let (right, draws) = shares(Accuracy::Flat, &one_call(), gap);
            assert!((right - 0.8).abs() < 0.01 && draws < 1e-9, "{gap}: {right}");
        }
    }

    #[test]
    fn the_graded_judge_tosses_a_coin_at_no_gap_and_sees_a_large_one() {
        let (right, _) = shares(Accuracy::Graded, &one_call(), 1e-9);
        assert!((right - 0.5).abs() < 0.02, "{right}");
        // All that is left at a large gap is the bias, which is wrong in half of its cases.
        let (right, _) = shares(Accuracy::Graded, &one_call(), 0.5);
        assert!((right - (1.0 - ORDER_BIASED / 2.0)).abs() < 0.01, "{right}");
    }

    #[test]
    fn asking_in_both_orders_makes_errors_draws() {
        let rules = JudgeRules { both_orders: true, neutral: false, ..JudgeRules::default() };
        let (right, draws) = shares(Accuracy::Flat, &rules, 0.1);
        let wrong = 1.0 - right - draws;
        assert!(wrong < 0.06 && right > 0.6, "{right} right, {draws} drawn");
    }

    #[test]
    fn a_question_has_one_answer() {
        let judge = ModelJudge { accuracy: Accuracy::Flat, seed: 1 };
        let answer = || judge.compare(&JudgeRules::default(), 7, [0.5, 0.6], [0.7, 0.8]);
        assert_eq!(answer(), answer());
    }
}
