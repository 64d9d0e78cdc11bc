//! Duels, and what they leave behind.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::glicko::{Outcome, Rating};
use crate::state::Prompt;
use crate::{Hotkey, TaskId, UnixMs};

/// A duel's identity and the seed of its pairing: Unix seconds, raised where two duels would share one, as the
/// original's `timestamp_nonce`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DuelNonce(pub u64);

impl fmt::Display for DuelNonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Two miners who work on the same prompt, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Duel {
    /// The task's id, the same for both sides.
    pub task: TaskId,
    /// What is to be made.
    pub prompt: Prompt,
    /// Slots that the pair was drawn from (DU-2).
    pub slots: u32,
    /// When it was made.
    pub created: UnixMs,
    /// From this instant on no side gets it any more.
    pub pull_until: UnixMs,
    /// At this it ends if a side is still missing.
    pub closes: UnixMs,
    /// The first of the pair.
    pub left: Side,
    /// The second of the pair.
    pub right: Side,
    /// Where it stands.
    pub state: DuelState,
}

/// One of the two miners of a duel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// The miner.
    pub hotkey: Hotkey,
    /// Who owns it, where the metagraph says so.
    pub coldkey: Option<Hotkey>,
    /// Its uid when the duel was made.
    pub uid: u16,
    /// When it got the task.
    pub pulled: Option<UnixMs>,
    /// What it handed in.
    pub entry: Entry,
}

/// What one side of a duel has handed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Entry {
    /// Nothing yet.
    Awaited,
    /// An accepted result.
    Delivered {
        /// Its score, at most 1.
        score: f64,
        /// SHA-256 of its payload.
        #[serde(with = "crate::text::bytes32")]
        sha256: [u8; 32],
        /// Whether synthetic model weights made the score.
        synthetic: bool,
    },
    /// Nothing that could be compared: the miner passed or was refused.
    Missing {
        /// Why, in words.
        reason: String,
    },
}

/// Where a duel stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum DuelState {
    /// A side is still missing.
    Open,
    /// Both sides are in, the judge has not spoken.
    Awaiting {
        /// How often judging was asked for again.
        resends: u8,
        /// When to ask again, or give up.
        resend_at: UnixMs,
    },
    /// Ended, and both ratings have changed (DU-1).
    Judged {
        /// When.
        ended: UnixMs,
        /// How.
        outcome: Outcome,
        /// Why, in the judge's words or ours.
        explanation: String,
        /// The left side's rating.
        left: RatingChange,
        /// The right side's rating.
        right: RatingChange,
    },
    /// Ended, and no rating has changed.
    Void {
        /// When.
        ended: UnixMs,
        /// Why, in words.
        reason: String,
    },
}

/// What a duel did to a rating.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatingChange {
    /// Before the duel.
    pub before: Rating,
    /// After it.
    pub after: Rating,
}

/// A duel that waits for a miner's next pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingDuel {
    /// Which.
    pub nonce: DuelNonce,
    /// From this instant on it is too late.
    pub pull_until: UnixMs,
}

/// When the next duel may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matchmaker {
    /// When it was first asked for a duel: miners need time to show themselves.
    pub since: UnixMs,
    /// The last duel that it made.
    pub last_nonce: DuelNonce,
    /// Not before this instant.
    pub next_at: UnixMs,
}

/// A miner's last duels, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History {
    /// At most [`history_max`](crate::policy::DuelRules::history_max).
    pub points: Vec<RatingPoint>,
}

/// One duel as one of its sides remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatingPoint {
    /// The duel.
    pub nonce: DuelNonce,
    /// When it was judged.
    pub at: UnixMs,
    /// The other side.
    pub opponent: Hotkey,
    /// Who owns the other side, where the metagraph says so.
    pub owner: Option<Hotkey>,
    /// 1 for a win, 0.5 for a draw, 0 for a loss.
    pub score: f64,
    /// The rating after the duel.
    pub rating: f64,
    /// The deviation after the duel.
    pub deviation: f64,
    /// By how many points the duel moved the rating.
    pub moved: f64,
}
