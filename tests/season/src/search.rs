//! A search for the numbers of a policy that rank best.

use sn17_core::glicko::{Bounds, GlickoFlavour};
use sn17_core::policy::Policy;

use crate::rerate::rerate;
use crate::season::{Point, Season};

/// Rounds over all knobs, at most; each usually ends the search earlier.
const ROUNDS_MAX: usize = 4;
/// What a change must gain to be kept: less than that is chance.
const GAIN_MIN: f64 = 0.0005;

/// Until where a season is rated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// To its end: policies are compared at equal duels.
    Duels,
    /// Until the judge has answered so often: policies are compared at equal calls.
    Calls(u64),
}

/// A change of one number of a policy.
type Change = Box<dyn Fn(&mut Policy)>;

/// Searches one number after the other, from `start`, for the policy whose ratings agree best with the truth over all
/// `seasons`, in which the first pairs have met; tells `progress` of each step.
pub fn search(
    seasons: &[Season],
    start: Policy,
    budget: Budget,
    mut progress: impl FnMut(&str, &Policy, f64),
) -> Policy {
    let mut best = start;
    let mut best_tau = mean_tau(seasons, &best, budget);
    progress("start", &best, best_tau);
    for _ in 0..ROUNDS_MAX {
        let before = best_tau;
        for (name, changes) in knobs() {
            for change in changes {
                let mut candidate = best;
                change(&mut candidate);
                if candidate == best || !is_sensible(&candidate) {
                    continue;
                }
                let tau = mean_tau(seasons, &candidate, budget);
                if tau > best_tau + GAIN_MIN {
                    (best, best_tau) = (candidate, tau);
                    progress(name, &best, best_tau);
                }
            }
        }
        if best_tau - before < GAIN_MIN {
            break;
        }
    }
    best
}

/// Kendall's tau-b of ratings and truth where the budget ends, on average over the seasons.
pub fn mean_tau(seasons: &[Season], policy: &Policy, budget: Budget) -> f64 {
    let tau = |season: &Season| {
        let (curve, _) = rerate(season, policy);
        at_budget(&curve, budget).map_or(0.0, |point| point.by_rating)
    };
    let taus = seasons.iter().map(tau);
    taus.sum::<f64>() / f64::from(u32::try_from(seasons.len()).unwrap_or(u32::MAX))
}

/// The last point of a curve within the budget.
pub fn at_budget(curve: &[Point], budget: Budget) -> Option<&Point> {
    match budget {
        Budget::Duels => curve.last(),
        Budget::Calls(calls) => curve.iter().rfind(|point| point.judge_calls <= calls),
    }
}

fn is_sensible(policy: &Policy) -> bool {
    let rules = &policy.glicko;
    rules.volatility_bounds.min <= rules.volatility_bounds.max
        && rules.deviation_bounds.min <= rules.initial.deviation
        && policy.validate().is_ok()
}

fn knobs() -> Vec<(&'static str, Vec<Change>)> {
    fn values(values: &[f64], set: fn(&mut Policy, f64)) -> Vec<Change> {
        let change = |&value: &f64| -> Change { Box::new(move |policy| set(policy, value)) };
        values.iter().map(change).collect()
    }
    let judge = |both_orders: bool, neutral: bool| -> Change {
        Box::new(move |policy| {
            policy.judge.both_orders = both_orders;
            policy.judge.neutral = neutral;
        })
    };
    let flavour =
        |flavour: GlickoFlavour| -> Change { Box::new(move |policy| policy.glicko.flavour = flavour) };
    vec![
        (
            "volatility bounds",
            values(&[0.001, 0.003, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1], |policy, value| {
                policy.glicko.volatility_bounds = Bounds { min: value, max: value };
                policy.glicko.initial.volatility = value;
            }),
        ),
        (
            "least deviation",
            values(&[5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 70.0, 100.0], |policy, value| {
                policy.glicko.deviation_bounds.min = value;
            }),
        ),
        (
            "initial deviation",
            values(&[50.0, 75.0, 100.0, 150.0, 200.0, 250.0, 350.0], |policy, value| {
                policy.glicko.initial.deviation = value;
            }),
        ),
        (
            "most volatility",
            values(&[0.01, 0.03, 0.06, 0.1, 0.2], |policy, value| {
                policy.glicko.volatility_bounds.max = value;
            }),
        ),
        ("tau", values(&[0.2, 0.5, 1.2], |policy, value| policy.glicko.tau = value)),
        ("judge", vec![judge(false, false), judge(true, false), judge(false, true), judge(true, true)]),
        ("flavour", vec![flavour(GlickoFlavour::Textbook), flavour(GlickoFlavour::UpstreamCompat)]),
    ]
}
