//! The record of a duel, as it is published: enough for anybody to check the pair, the verdict and the ratings.

use serde::{Deserialize, Serialize};
use sn17_core::Hotkey;
use sn17_core::duel::published_prompt;
use sn17_core::glicko::Outcome;
use sn17_core::state::{Duel, DuelNonce, DuelState, Entry, Prompt, RatingChange, Side};

use crate::ss58;

/// A duel that has ended with a verdict. The names are those of the original's record; `slots`, `uid`, `score` and
/// `synthetic` are ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DuelRecord {
    /// ss58 address of the validator that held it.
    pub validator_hotkey: String,
    /// When the verdict took effect, Unix seconds.
    pub finish_time: f64,
    /// The nonce, from which and `prompt` the pair follows (DU-2).
    pub timestamp_nonce: u64,
    /// Slots that the pair was drawn from.
    pub slots: u32,
    /// What was to be made: the words, or a picture's SHA-256 in hexadecimal digits.
    pub prompt: String,
    /// `text` or `image`.
    pub task_type: String,
    /// 1 for the left side, 2 for the right one, 0 for a draw.
    pub winner: u8,
    /// Why, in the judge's words or ours.
    pub explanation: String,
    /// The left side.
    pub left: SideRecord,
    /// The right side.
    pub right: SideRecord,
}

/// One side of a [`DuelRecord`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SideRecord {
    /// Its ss58 address.
    pub hotkey: String,
    /// Its owner's, where it is known.
    pub coldkey: Option<String>,
    /// Its uid when the duel was made.
    pub uid: u16,
    /// The score of its result; none if it made nothing.
    pub score: Option<f64>,
    /// Whether synthetic model weights made the score.
    pub synthetic: bool,
    /// Its rating before the duel.
    pub glicko_before: f64,
    /// Its rating after it.
    pub glicko_after: f64,
    /// The deviation after it.
    pub glicko_rd: f64,
    /// The volatility after it.
    pub glicko_vol: f64,
}

impl DuelRecord {
    /// The record of a duel; none unless it has ended with a verdict.
    pub fn of(nonce: DuelNonce, duel: &Duel, validator: &Hotkey) -> Option<Self> {
        let DuelState::Judged { ended, outcome, explanation, left, right } = &duel.state else {
            return None;
        };
        Some(Self {
            validator_hotkey: ss58::encode(validator),
            finish_time: std::time::Duration::from_millis(ended.0).as_secs_f64(),
            timestamp_nonce: nonce.0,
            slots: duel.slots,
            prompt: published_prompt(&duel.prompt),
            task_type: match duel.prompt {
                Prompt::Text(_) => "text".to_owned(),
                Prompt::Image { .. } => "image".to_owned(),
            },
            winner: match outcome {
                Outcome::Left => 1,
                Outcome::Right => 2,
                Outcome::Draw => 0,
            },
            explanation: explanation.clone(),
            left: SideRecord::of(&duel.left, left),
            right: SideRecord::of(&duel.right, right),
        })
    }

    /// The record as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record has no figure that JSON cannot write")
    }
}

impl SideRecord {
    fn of(side: &Side, change: &RatingChange) -> Self {
        let (score, synthetic) = match side.entry {
            Entry::Delivered { score, synthetic, .. } => (Some(score), synthetic),
            Entry::Awaited | Entry::Missing { .. } => (None, false),
        };
        Self {
            hotkey: ss58::encode(&side.hotkey),
            coldkey: side.coldkey.as_ref().map(ss58::encode),
            uid: side.uid,
            score,
            synthetic,
            glicko_before: change.before.rating,
            glicko_after: change.after.rating,
            glicko_rd: change.after.deviation,
            glicko_vol: change.after.volatility,
        }
    }
}
