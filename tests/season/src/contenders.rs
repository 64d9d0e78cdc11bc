//! The policies that are compared.

use sn17_core::glicko::{Bounds, GlickoFlavour, GlickoRules, Rating};
use sn17_core::policy::{FairPlayRules, JudgeRules, Policy, WeightRules, WeightScheme};

/// A policy by its name.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// What reports call it.
    pub name: &'static str,
    /// Its numbers; the judge is on.
    pub policy: Policy,
}

/// All of them: the original's, the defaults, and what a search over the policy's own numbers has found, with and
/// without as many calls of the judge.
pub fn contenders() -> [Contender; 4] {
    [
        Contender { name: "upstream-compat", policy: upstream() },
        Contender { name: "textbook", policy: textbook() },
        Contender { name: "best", policy: best(false) },
        Contender { name: "best, both orders", policy: best(true) },
    ]
}

/// The original: one call for each duel, its library's volatility function, and nothing that keeps the game fair.
fn upstream() -> Policy {
    Policy {
        judge: JudgeRules { enabled: true, both_orders: false, neutral: false, ..JudgeRules::default() },
        glicko: GlickoRules { flavour: GlickoFlavour::UpstreamCompat, ..GlickoRules::default() },
        fair_play: FairPlayRules::upstream(),
        weights: WeightRules { scheme: WeightScheme::RankCurve, ..WeightRules::default() },
        ..Policy::default()
    }
}

/// The defaults.
fn textbook() -> Policy {
    Policy { judge: JudgeRules { enabled: true, ..JudgeRules::default() }, ..Policy::default() }
}

/// What [`search`](crate::search) has found over seasons of either judge: a strength that hardly fluctuates, and a
/// deviation that may sink until a duel moves a rating by a point or two.
fn best(both_orders: bool) -> Policy {
    let mut policy = textbook();
    policy.judge.both_orders = both_orders;
    policy.judge.neutral = false;
    policy.glicko.initial = Rating { rating: 1500.0, deviation: 150.0, volatility: 0.01 };
    policy.glicko.deviation_bounds = Bounds { min: 20.0, max: 350.0 };
    policy.glicko.volatility_bounds = Bounds { min: 0.005, max: 0.01 };
    policy
}
