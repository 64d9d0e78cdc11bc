//! The numbers of the competition: duels, the judge, fair play, weights.

use serde::{Deserialize, Serialize};

use super::Policy;

/// Duels between two miners. The defaults are the original validator's, but for what it leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DuelRules {
    /// Duels made in a minute, at most.
    pub per_minute: u32,
    /// Seconds after the first request for a duel until the first is made: miners need time to show themselves.
    pub start_delay_secs: u64,
    /// Seconds after its last new task in which a miner counts as active.
    pub inactive_secs: u64,
    /// Slots that pairs are drawn from; 0 for as many as the metagraph uses. The original draws from 256 always, which
    /// in a small network hardly ever meets two miners.
    pub slots: u32,
    /// Prompts that are tried for each duel, until one of them draws two active miners.
    pub draws: usize,
    /// Which of the pairs so drawn that could meet does.
    pub choice: PairChoice,
    /// Duels that may wait for one miner.
    pub pending_max: usize,
    /// Duels open at the same time, at most. As many as are made within [`DuelRules::open_secs`] must fit.
    pub open_max: u32,
    /// Seconds after which a side that has not pulled no longer gets the duel.
    pub pull_secs: u64,
    /// Seconds after which a duel ends whose sides are not both in.
    pub open_secs: u64,
    /// Seconds that an ended duel stays readable.
    pub lifetime_secs: u64,
    /// Duels of a miner that its rating history remembers.
    pub history_max: usize,
}

/// Which pair meets, of those that a duel's prompts draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairChoice {
    /// The first, whoever they are, as in the original.
    First,
    /// The two whose ratings are closest, of the first eight pairs: of a duel between unequal ones the winner is known
    /// beforehand, and a rating learns little from it. A host chooses no more by it than before: the pair still follows
    /// from its prompt (DU-2). Miners far above or below all others meet less often, newcomers in the middle more often.
    #[default]
    Closest,
}

impl Default for DuelRules {
    fn default() -> Self {
        Self {
            per_minute: 6,
            start_delay_secs: 1800,
            inactive_secs: 1200,
            slots: 256,
            draws: 256,
            choice: PairChoice::Closest,
            pending_max: 8,
            open_max: 512,
            pull_secs: 1800,
            open_secs: 3600,
            lifetime_secs: 30 * 24 * 3600,
            history_max: 48,
        }
    }
}

/// The judge, a vision-language model that compares what two miners have made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JudgeRules {
    /// Whether there is one. Without it no duel is made, and a client's results are ranked by rating and score.
    pub enabled: bool,
    /// Asks a second time with the pictures swapped; two answers that disagree make a draw. The original asks once.
    pub both_orders: bool,
    /// Asks about a decisive answer again with neutral pictures, in which what is painted can hardly be read. The
    /// original does not.
    pub neutral: bool,
    /// A decision that the neutral pictures neither bear out nor contradict stands only if the winner's score is ahead
    /// by this much.
    pub score_lead_min: f64,
    /// A winner whose sides are less than this share of the loser's has drawn: a card with a picture on it must not beat
    /// an object. Whole objects measure 0.1 to 0.9, cards near 0. 0 turns it off, as the original never looks.
    pub sides_ratio_min: f64,
    /// Share of comparisons before which the judge is asked a question with a known answer. The original asks none.
    pub canary_share: f64,
    /// Nothing is compared while a smaller share of those answers is right, the latest counting most. A judge that is
    /// right four times in five falls below the default once in a thousand, one that draws lots at once.
    pub canary_accuracy_min: f64,
    /// How much the latest of those answers counts.
    pub canary_alpha: f64,
    /// No duel is made while so many results wait for the judge. Four at a time, each of four answers that take 15 s, are
    /// done before a duel is given up.
    pub backlog_max: u64,
    /// How often the judge is asked about the same pair before it is given up.
    pub attempts_max: u32,
    /// Seconds a worker holds a pair before others may try.
    pub visibility_secs: u32,
    /// Seconds after which a duel without a verdict is sent to the judge again.
    pub resend_secs: u64,
    /// How often it is sent again before it ends without a verdict.
    pub resends_max: u8,
}

impl Default for JudgeRules {
    fn default() -> Self {
        Self {
            enabled: false,
            both_orders: true,
            neutral: true,
            score_lead_min: 0.05,
            sides_ratio_min: 0.4,
            canary_share: 0.02,
            canary_accuracy_min: 0.6,
            canary_alpha: 0.05,
            backlog_max: 256,
            attempts_max: 5,
            visibility_secs: 120,
            resend_secs: 1800,
            resends_max: 3,
        }
    }
}

impl JudgeRules {
    /// The original, which asks once and believes what it hears.
    pub fn upstream() -> Self {
        Self {
            both_orders: false,
            neutral: false,
            sides_ratio_min: 0.0,
            canary_share: 0.0,
            canary_accuracy_min: 0.0,
            ..Self::default()
        }
    }
}

impl Policy {
    /// Seconds after its making in which a duel has ended, unless the host stood still: its sides have come or not, and
    /// the judge has been asked as often as it may be.
    pub const fn duel_secs_max(&self) -> u64 {
        let Self { duels, judge, .. } = self;
        duels.open_secs + judge.resend_secs * (judge.resends_max as u64 + 1)
    }
}

/// What keeps the game fair. The original has none of it; [`FairPlayRules::upstream`] turns all of it off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FairPlayRules {
    /// Whether two miners of one owner may meet in a duel.
    pub same_owner_duels: bool,
    /// Points by which duels against one opponent may move a rating in either direction within
    /// [`FairPlayRules::movement_secs`].
    pub pair_points_max: f64,
    /// The same for duels against all miners of one owner.
    pub owner_points_max: f64,
    /// Seconds that movements count for; as far back as the rating history reaches.
    pub movement_secs: u64,
    /// Empty results that cost nothing but the plain cooldown.
    pub passes_allowed: u32,
    /// Seconds that work off one of them.
    pub pass_secs: u64,
    /// Seconds added to the cooldown by each empty result beyond them.
    pub pass_penalty_secs: u64,
}

impl Default for FairPlayRules {
    fn default() -> Self {
        Self {
            same_owner_duels: false,
            pair_points_max: 200.0,
            owner_points_max: 400.0,
            movement_secs: 24 * 3600,
            passes_allowed: 12,
            pass_secs: 1200,
            pass_penalty_secs: 600,
        }
    }
}

impl FairPlayRules {
    /// The original, which trusts its miners.
    pub const fn upstream() -> Self {
        Self {
            same_owner_duels: true,
            pair_points_max: f64::MAX,
            owner_points_max: f64::MAX,
            movement_secs: 0,
            passes_allowed: u32::MAX,
            pass_secs: 1,
            pass_penalty_secs: 0,
        }
    }
}

/// How rewards become weights on the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightScheme {
    /// In proportion to the reward.
    #[default]
    Reward,
    /// By rank alone, as the original does.
    RankCurve,
}

/// Weights. The figures of the curve are the original validator's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WeightRules {
    /// Which of the two.
    pub scheme: WeightScheme,
    /// Rewards up to here earn nothing.
    pub floor: f64,
    /// The curve's lower end.
    pub curve_base: f64,
    /// How far its upper end lies above it.
    pub curve_span: f64,
    /// How steep it is in the middle, per rank.
    pub curve_slope: f64,
}

impl Default for WeightRules {
    fn default() -> Self {
        Self {
            scheme: WeightScheme::Reward,
            floor: 5.0,
            curve_base: 0.003,
            curve_span: 0.005,
            curve_slope: 0.06,
        }
    }
}
