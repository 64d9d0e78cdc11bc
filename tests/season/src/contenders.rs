//! The policies that are compared.

use sn17_core::glicko::{Bounds, GlickoFlavour, GlickoRules, Rating};
use sn17_core::policy::{FairPlayRules, JudgeRules, Policy, WeightRules, WeightScheme};

use crate::judge::Accuracy;

/// A policy by its name.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// What reports call it.
    pub name: &'static str,
    /// Its numbers; the judge is on.
    pub policy: Policy,
    /// Kendall's tau-b that its ratings must reach in a comparison of size CI, before the flat and before the graded
    /// judge: about 0.04 below what they do.
    floors: [f64; 2],
}

impl Contender {
    /// The floor before that judge.
    pub const fn floor(&self, judge: Accuracy) -> f64 {
        match judge {
            Accuracy::Flat => self.floors[0],
            Accuracy::Graded => self.floors[1],
        }
    }
}

/// All of them: the original's, the defaults, and what a search over the policy's own numbers has found: with the
/// defaults' questions to the judge, with fewer of them, and for miners that change.
pub fn contenders() -> [Contender; 6] {
    let asking =
        |both_orders| Policy { judge: JudgeRules { both_orders, neutral: false, ..judge() }, ..best() };
    [
        Contender { name: "upstream-compat", policy: upstream(), floors: [0.66, 0.75] },
        Contender { name: "textbook", policy: textbook(), floors: [0.76, 0.82] },
        Contender { name: "best", policy: best(), floors: [0.84, 0.87] },
        Contender { name: "best, both orders", policy: asking(true), floors: [0.82, 0.85] },
        Contender { name: "best, one call", policy: asking(false), floors: [0.77, 0.82] },
        Contender { name: "volatility 0.03", policy: calm(), floors: [0.84, 0.87] },
    ]
}

fn judge() -> JudgeRules {
    JudgeRules { enabled: true, ..JudgeRules::default() }
}

/// The original: one call for each duel, its library's volatility function, and nothing that keeps the game fair.
fn upstream() -> Policy {
    Policy {
        judge: JudgeRules { both_orders: false, neutral: false, ..judge() },
        glicko: GlickoRules { flavour: GlickoFlavour::UpstreamCompat, ..GlickoRules::default() },
        fair_play: FairPlayRules::upstream(),
        weights: WeightRules { scheme: WeightScheme::RankCurve, ..WeightRules::default() },
        ..Policy::default()
    }
}

/// The defaults.
fn textbook() -> Policy {
    Policy { judge: judge(), ..Policy::default() }
}

/// What [`search`](crate::search()) has found over seasons of either judge, whose miners stay as they are. A strength
/// of Glicko-2 fluctuates by its volatility at every game; with the original's bounds that is by up to 35 points, so that
/// a rating remembers little more than the last dozen duels.
fn best() -> Policy {
    let mut policy = textbook();
    policy.glicko.initial = Rating { rating: 1500.0, deviation: 350.0, volatility: 0.001 };
    policy.glicko.volatility_bounds = Bounds { min: 0.001, max: 0.001 };
    policy.glicko.deviation_bounds = Bounds { min: 5.0, max: 350.0 };
    policy
}

/// What it has found where one miner in seven changes its quality once: the defaults with the volatility at its lower
/// bound, 5 points a game.
fn calm() -> Policy {
    let mut policy = textbook();
    policy.glicko.initial.volatility = 0.03;
    policy.glicko.volatility_bounds = Bounds { min: 0.03, max: 0.03 };
    policy
}
