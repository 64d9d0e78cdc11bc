//! Who takes part, and how good they really are.

use sn17_core::state::Neuron;
use sn17_core::{Hotkey, UnixMs};
use sn17_model::Random;

/// Qualities are normal with this mean and deviation, cut to [`QUALITY_MIN`], [`QUALITY_MAX`]: most of what miners make
/// is accepted (0.6), and the best is far from perfect.
const QUALITY_MEAN: f64 = 0.75;
const QUALITY_DEVIATION: f64 = 0.05;
const QUALITY_MIN: f64 = 0.6;
const QUALITY_MAX: f64 = 0.95;
/// How far the score of a result lies from its miner's quality: models that measure pictures disagree with judges.
const SCORE_DEVIATION: f64 = 0.03;
/// So many miners have one owner, on average.
const MINERS_PER_OWNER: u64 = 2;

/// A miner as only the simulation knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truth {
    /// How good its results are until `changes`.
    early: f64,
    /// How good they are from then on.
    late: f64,
    changes: UnixMs,
}

impl Truth {
    pub(crate) fn quality_at(&self, at: UnixMs) -> f64 {
        if at < self.changes { self.early } else { self.late }
    }
}

/// A place on the subnet and who holds it.
#[derive(Clone, Debug)]
pub(crate) struct Miner {
    pub(crate) hotkey: Hotkey,
    coldkey: Hotkey,
    pub(crate) uid: u16,
    pub(crate) truth: Truth,
    /// Milliseconds that it works on a task, at least.
    pub(crate) work_ms: u64,
    /// Milliseconds that it lets pass after its cooldown, at most.
    pub(crate) idle_ms: u64,
    stake: f64,
    pub(crate) incentive: f64,
    /// How often it has made up its mind; what it meant to do before no longer counts.
    pub(crate) turn: u64,
}

impl Miner {
    pub(crate) fn draw(random: &mut Random, uid: u16, miners: u16, changes: Option<UnixMs>) -> Self {
        let early = draw_quality(random);
        let other = draw_quality(random);
        let owner = random.between(0, u64::from(miners) / MINERS_PER_OWNER);
        Self {
            hotkey: Hotkey(random.bytes()),
            coldkey: Hotkey(Random::new(owner).bytes()),
            uid,
            truth: Truth {
                early,
                late: if changes.is_some() { other } else { early },
                changes: changes.unwrap_or(UnixMs(0)),
            },
            work_ms: random.between(4_000, 20_000),
            idle_ms: random.between(2_000, 60_000),
            stake: random.around(500_000_000, 499_000_000),
            incentive: 0.0,
            turn: 0,
        }
    }

    pub(crate) fn neuron(&self) -> Neuron {
        Neuron {
            uid: self.uid,
            hotkey: self.hotkey,
            coldkey: Some(self.coldkey),
            stake: self.stake,
            incentive: self.incentive,
        }
    }
}

/// What the models of the scoring worker say about a result of that quality.
pub(crate) fn draw_score(random: &mut Random, quality: f64) -> f64 {
    (quality + SCORE_DEVIATION * normal(random)).clamp(0.0, 1.0)
}

fn draw_quality(random: &mut Random) -> f64 {
    (QUALITY_MEAN + QUALITY_DEVIATION * normal(random)).clamp(QUALITY_MIN, QUALITY_MAX)
}

/// A standard normal number (Box and Muller 1958).
fn normal(random: &mut Random) -> f64 {
    let radius = libm::sqrt(-2.0 * libm::log(1.0 - random.unit()));
    radius * libm::cos(core::f64::consts::TAU * random.unit())
}
