//! The policies that are compared.

use sn17_core::glicko::{Bounds, GlickoFlavour, GlickoRules};
use sn17_core::policy::{DuelRules, JudgeRules, PairChoice, Policy};

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

/// All of them: the original's, the same numbers with the function of the paper, the defaults, and the best that is
/// known of; then the best at one call a duel, and what each of the defaults' two differences does alone.
pub fn contenders() -> [Contender; 7] {
    [
        Contender { name: "upstream-compat", policy: upstream(), floors: [0.66, 0.75] },
        Contender { name: "textbook", policy: textbook(), floors: [0.76, 0.82] },
        Contender { name: "default", policy: ours(), floors: [0.90, 0.91] },
        Contender { name: "best", policy: best(), floors: [0.91, 0.90] },
        Contender { name: "best, one call", policy: one_call(best()), floors: [0.89, 0.87] },
        Contender { name: "textbook, closest pairs", policy: closest(textbook()), floors: [0.88, 0.86] },
        Contender { name: "default, first pairs", policy: first(ours()), floors: [0.84, 0.87] },
    ]
}

/// The original: one call for each duel, its library's volatility function, and nothing that keeps the game fair.
fn upstream() -> Policy {
    Policy { judge: JudgeRules { enabled: true, ..JudgeRules::upstream() }, ..Policy::upstream() }
}

/// The defaults with the original's numbers for duels and ratings.
fn textbook() -> Policy {
    let flavour = GlickoFlavour::Textbook;
    first(Policy { glicko: GlickoRules { flavour, ..GlickoRules::upstream() }, ..ours() })
}

fn ours() -> Policy {
    Policy { judge: JudgeRules { enabled: true, ..JudgeRules::default() }, ..Policy::default() }
}

/// What [`search`](crate::search()) has found over seasons of either judge, whose miners stay as they are, with the
/// closest pairs: a strength that hardly fluctuates, and a deviation that never stops shrinking.
fn best() -> Policy {
    let mut policy = ours();
    policy.glicko.initial.volatility = 0.001;
    policy.glicko.volatility_bounds = Bounds { min: 0.001, max: 0.001 };
    policy.glicko.deviation_bounds.min = 5.0;
    policy
}

fn one_call(policy: Policy) -> Policy {
    Policy { judge: JudgeRules { both_orders: false, neutral: false, ..policy.judge }, ..policy }
}

fn first(policy: Policy) -> Policy {
    Policy { duels: DuelRules { choice: PairChoice::First, ..policy.duels }, ..policy }
}

fn closest(policy: Policy) -> Policy {
    Policy { duels: DuelRules { choice: PairChoice::Closest, ..policy.duels }, ..policy }
}
