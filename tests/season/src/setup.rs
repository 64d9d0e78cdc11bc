//! What a season is made of, besides its seed.

use serde::Serialize;
use sn17_core::policy::Policy;

use crate::judge::Accuracy;

/// One season.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Setup {
    /// Where all its randomness comes from.
    pub seed: u64,
    /// Places on the subnet, each held by a miner.
    pub miners: u16,
    /// How long it lasts, in virtual hours.
    pub hours: u64,
    /// Judged duels between two points of the curve.
    pub step: u64,
    /// How often the judge is right.
    pub accuracy: Accuracy,
    /// The share of miners whose quality changes once, in the middle half of the season, in thousandths.
    pub changing_per_mille: u64,
    /// The rules.
    #[serde(skip)]
    pub policy: Policy,
}
