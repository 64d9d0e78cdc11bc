//! Every number of the game in one place, with the original's defaults.

mod competition;
mod prompts;

use serde::{Deserialize, Serialize};

use crate::glicko::GlickoRules;
use crate::prompts::PromptRules;
use crate::prompts::collector::CollectorRules;
use crate::scoring::MetricRules;
use crate::window::RewardRules;

pub use competition::{DuelRules, FairPlayRules, JudgeRules, PairChoice, WeightRules, WeightScheme};

/// The rules of the game as data. `Default` is the original validator and gateway of October 2025, with the
/// bounds they lack, and with fairer duels; [`Policy::upstream`] is the original throughout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Pulling, cooldowns and violations.
    pub miners: MinerRules,
    /// Clients' tasks.
    pub tasks: TaskRules,
    /// Receiving and settling what miners hand in.
    pub submissions: SubmissionRules,
    /// From raw figures to a score.
    pub metrics: MetricRules,
    /// The four-hour window and the moving average.
    pub rewards: RewardRules,
    /// Duels between two miners.
    pub duels: DuelRules,
    /// The judge of duels and of clients' results.
    pub judge: JudgeRules,
    /// Duel ratings.
    pub glicko: GlickoRules,
    /// What keeps the game fair.
    pub fair_play: FairPlayRules,
    /// From rewards to weights on the chain.
    pub weights: WeightRules,
    /// Which lines become synthetic prompts.
    pub prompts: PromptRules,
    /// Prompts that generators hand in.
    pub collector: CollectorRules,
    /// Age limits of signed requests.
    pub nonces: NonceRules,
}

/// Pulling, cooldowns and violations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MinerRules {
    /// Seconds between a submission and the next task, before the throttle reduces it.
    pub cooldown_secs: u64,
    /// Seconds of work that shorten the cooldown, at most.
    pub throttle_secs: u64,
    /// Seconds added to the cooldown for a refused result.
    pub penalty_secs: u64,
    /// Early pulls that are forgiven.
    pub violations_allowed: u32,
    /// Seconds added to the cooldown by each early pull beyond them.
    pub violation_penalty_secs: u64,
    /// At most one early pull is counted in this many milliseconds; 0 counts every one, as the original does.
    pub violation_interval_ms: u64,
    /// Seconds an unregistered caller is told to stay away.
    pub unregistered_secs: u64,
    /// How many miners of highest incentive are strong.
    pub strong_miners: usize,
    /// Share of synthetic tasks that are texts; the rest are pictures, where there are any.
    pub text_share: f64,
}

impl Default for MinerRules {
    fn default() -> Self {
        Self {
            cooldown_secs: 300,
            throttle_secs: 30,
            penalty_secs: 600,
            violations_allowed: 100,
            violation_penalty_secs: 10,
            violation_interval_ms: 1000,
            unregistered_secs: 3600,
            strong_miners: 100,
            text_share: 0.8,
        }
    }
}

/// Clients' tasks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskRules {
    /// Miners per task.
    pub copies: u8,
    /// Seconds after acceptance in which miners get the task.
    pub assignable_secs: u64,
    /// Seconds from the first accepted result to the final choice.
    pub first_result_secs: u64,
    /// Seconds after acceptance when the task ends at the latest.
    pub deadline_secs: u64,
    /// Seconds that an ended task and its results stay readable.
    pub lifetime_secs: u64,
    /// Open tasks at most; beyond it clients are asked to come back.
    pub open_max: u64,
    /// Seconds after which a refused client is told to come back.
    pub retry_after_secs: u64,
    /// Fewest characters of a prompt.
    pub prompt_chars_min: usize,
    /// Most characters of a prompt.
    pub prompt_chars_max: usize,
    /// Largest picture in bytes.
    pub image_bytes_max: usize,
    /// Largest width and height of a picture in pixels.
    pub image_pixels_max: u32,
    /// Tells clients how many results an open task has, except those known to fail on it.
    pub partial_results: bool,
}

impl Default for TaskRules {
    fn default() -> Self {
        Self {
            copies: 4,
            assignable_secs: 300,
            first_result_secs: 30,
            deadline_secs: 600,
            lifetime_secs: 24 * 3600,
            open_max: 1_000_000,
            retry_after_secs: 30,
            prompt_chars_min: 3,
            prompt_chars_max: 384,
            image_bytes_max: 2 << 20,
            image_pixels_max: 1024,
            partial_results: false,
        }
    }
}

/// Receiving and settling what miners hand in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubmissionRules {
    /// The least score that is accepted.
    pub threshold: f64,
    /// Largest JSON body of a submission in bytes.
    pub body_bytes_max: u64,
    /// Largest compressed splat in bytes.
    pub splat_bytes_max: u64,
    /// Most splats that are scored.
    pub splats_max: usize,
    /// How far the signed submission time may lie outside the time from assignment to receipt, in seconds.
    pub clock_skew_secs: u64,
    /// Seconds a miner's request waits for its verdict, at most.
    pub wait_secs: u64,
    /// Seconds kept back from the miner's own time-out, so that the answer still arrives.
    pub wait_margin_secs: u64,
    /// Seconds after which an unsettled submission is sent to scoring again.
    pub resend_secs: u64,
    /// How often it is sent again before it counts as a failure of ours.
    pub resends_max: u8,
    /// Seconds a worker holds a submission before others may try; a heartbeat prolongs it.
    pub visibility_secs: u32,
    /// How often scoring a submission is tried before it counts as a failure of ours.
    pub attempts_max: u32,
    /// Seconds that a submission and its signature are kept.
    pub lifetime_secs: u64,
    /// Answers refused results as the original does: `validation_failed` false and a score of 0 for them, true
    /// for failures of ours.
    pub upstream_feedback: bool,
}

impl Default for SubmissionRules {
    fn default() -> Self {
        Self {
            threshold: 0.6,
            body_bytes_max: 48 << 20,
            splat_bytes_max: 32 << 20,
            splats_max: 2_000_000,
            clock_skew_secs: 60,
            wait_secs: 25,
            wait_margin_secs: 3,
            resend_secs: 900,
            resends_max: 3,
            visibility_secs: 60,
            attempts_max: 3,
            lifetime_secs: 48 * 3600,
            upstream_feedback: false,
        }
    }
}

/// Age limits of signed requests (AU-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NonceRules {
    /// Seconds a nonce may be old beyond the request's own time-out.
    pub age_secs: u64,
    /// Most seconds of a request's time-out that count.
    pub timeout_secs_max: u64,
    /// Seconds a nonce may lie in the future.
    pub future_secs: u64,
}

impl Default for NonceRules {
    fn default() -> Self {
        Self { age_secs: 4, timeout_secs_max: 300, future_secs: 60 }
    }
}

/// No time of the game is longer: a year of seconds, so that sums of times stay far from overflow.
const SECS_MAX: u64 = 365 * 24 * 3600;

/// A policy that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy: {0}")]
pub struct PolicyError(&'static str);

impl Policy {
    /// The original's behaviour throughout, its faults included, for comparisons with it.
    pub fn upstream() -> Self {
        Self {
            miners: MinerRules { violation_interval_ms: 0, ..MinerRules::default() },
            submissions: SubmissionRules { upstream_feedback: true, ..SubmissionRules::default() },
            judge: JudgeRules::upstream(),
            duels: DuelRules { choice: PairChoice::First, ..DuelRules::default() },
            glicko: GlickoRules::upstream(),
            fair_play: FairPlayRules::upstream(),
            prompts: PromptRules::UPSTREAM,
            weights: WeightRules { scheme: WeightScheme::RankCurve, ..WeightRules::default() },
            ..Self::default()
        }
    }

    /// Every time of the game, in seconds.
    const fn times_secs(&self) -> [u64; 32] {
        let Self { miners, tasks, submissions, rewards, duels, judge, fair_play, collector, nonces, .. } =
            self;
        [
            miners.cooldown_secs,
            miners.throttle_secs,
            miners.penalty_secs,
            miners.violation_penalty_secs,
            miners.violation_interval_ms / 1000,
            miners.unregistered_secs,
            tasks.assignable_secs,
            tasks.first_result_secs,
            tasks.deadline_secs,
            tasks.lifetime_secs,
            tasks.retry_after_secs,
            submissions.clock_skew_secs,
            submissions.wait_secs,
            submissions.wait_margin_secs,
            submissions.resend_secs,
            submissions.visibility_secs as u64,
            submissions.lifetime_secs,
            rewards.window_secs,
            duels.start_delay_secs,
            duels.inactive_secs,
            duels.pull_secs,
            duels.open_secs,
            duels.lifetime_secs,
            judge.resend_secs,
            fair_play.movement_secs,
            fair_play.pass_secs,
            fair_play.pass_penalty_secs,
            collector.refresh_secs,
            collector.retry_secs,
            nonces.age_secs,
            nonces.timeout_secs_max,
            nonces.future_secs,
        ]
    }

    /// Checks that the numbers fit together.
    ///
    /// # Errors
    /// Names the first rule that is broken.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let Self { miners, tasks, submissions, rewards, duels, judge, fair_play, weights, collector, .. } =
            self;
        let rules = [
            (
                miners.throttle_secs <= miners.cooldown_secs,
                "miners.throttle_secs exceeds miners.cooldown_secs",
            ),
            ((0.0..=1.0).contains(&miners.text_share), "miners.text_share is not within 0 and 1"),
            ((1..=16).contains(&tasks.copies), "tasks.copies is not within 1 and 16"),
            (
                tasks.assignable_secs <= tasks.deadline_secs,
                "tasks.assignable_secs exceeds tasks.deadline_secs",
            ),
            (
                tasks.prompt_chars_min <= tasks.prompt_chars_max,
                "tasks.prompt_chars_min exceeds prompt_chars_max",
            ),
            ((0.0..=1.0).contains(&submissions.threshold), "submissions.threshold is not within 0 and 1"),
            (submissions.attempts_max >= 1, "submissions.attempts_max is zero"),
            (submissions.visibility_secs >= 1, "submissions.visibility_secs is zero"),
            (
                submissions.lifetime_secs >= tasks.lifetime_secs.saturating_add(tasks.deadline_secs),
                "submissions.lifetime_secs is shorter than a task can be read (BL-1)",
            ),
            (rewards.results_max >= 1, "rewards.results_max is zero"),
            ((0.0..=1.0).contains(&rewards.average_alpha), "rewards.average_alpha is not within 0 and 1"),
            (duels.per_minute >= 1, "duels.per_minute is zero"),
            (duels.draws >= 1, "duels.draws is zero"),
            (duels.slots <= 1 << 16, "duels.slots exceeds 65536"),
            (duels.pending_max <= 64, "duels.pending_max exceeds 64"),
            (duels.history_max <= 256, "duels.history_max exceeds 256"),
            (duels.pull_secs <= duels.open_secs, "duels.pull_secs exceeds duels.open_secs"),
            (
                u64::from(duels.per_minute).saturating_mul(duels.open_secs) <= u64::from(duels.open_max) * 60,
                "more duels than duels.open_max can be open with duels.per_minute and duels.open_secs",
            ),
            (judge.attempts_max >= 1, "judge.attempts_max is zero"),
            (judge.visibility_secs >= 1, "judge.visibility_secs is zero"),
            ((0.0..=1.0).contains(&judge.canary_share), "judge.canary_share is not within 0 and 1"),
            (
                (0.0..=1.0).contains(&judge.canary_accuracy_min),
                "judge.canary_accuracy_min is not within 0 and 1",
            ),
            ((0.0..=1.0).contains(&judge.canary_alpha), "judge.canary_alpha is not within 0 and 1"),
            (judge.score_lead_min >= 0.0, "judge.score_lead_min is negative"),
            ((0.0..=1.0).contains(&judge.sides_ratio_min), "judge.sides_ratio_min is not within 0 and 1"),
            (fair_play.pair_points_max >= 0.0, "fair_play.pair_points_max is negative"),
            (fair_play.owner_points_max >= 0.0, "fair_play.owner_points_max is negative"),
            (fair_play.pass_secs >= 1, "fair_play.pass_secs is zero"),
            (
                weights.floor >= 0.0 && weights.curve_base > 0.0 && weights.curve_span >= 0.0,
                "the weights' curve does not rise from above zero",
            ),
            (collector.refresh_secs >= 1 && collector.retry_secs >= 1, "the collector never rests"),
            (self.times_secs().iter().all(|secs| *secs <= SECS_MAX), "a time is longer than a year"),
        ];
        match rules.iter().chain(&prompts::rules(self)).find(|(holds, _)| !holds) {
            Some((_, broken)) => Err(PolicyError(broken)),
            None => Ok(()),
        }
    }
}
