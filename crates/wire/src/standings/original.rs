//! What the original validator leaves on its disk: `state.txt`, its miners by uid, and `ratings.json`, their duel
//! ratings by uid.
//!
//! Whatever else stands in these files stays there: assigned tasks, locks, and fields of other versions.

use serde::{Deserialize, Deserializer};
use sn17_core::UnixMs;
use sn17_core::glicko::Rating;
use sn17_core::standings::MinerStanding;
use sn17_core::state::{History, Neuron, Record};
use sn17_core::window::ResultWindow;

use super::ACCEPTED_MAX;
use crate::metagraph::NEURONS_MAX;
use crate::ss58;

/// Largest `state.txt` in bytes: every slot may hold a task with a picture of 1 MiB in base64.
pub const STATE_BYTES_MAX: u64 = 512 << 20;
/// Largest `ratings.json` in bytes.
pub const RATINGS_BYTES_MAX: u64 = 1 << 20;

/// Why a text is none of the original's files.
#[derive(Debug, thiserror::Error)]
pub enum OriginalError {
    /// It is not the JSON of that file.
    #[error("malformed JSON: {0}")]
    Malformed(serde_json::Error),
    /// More entries than a subnet has slots.
    #[error("more than {NEURONS_MAX} entries")]
    TooMany,
    /// The original writes its miners in the order of their uids.
    #[error("entry {position} says that it is uid {uid}")]
    OutOfOrder {
        /// Counted from 0.
        position: usize,
        /// What it says.
        uid: u16,
    },
}

/// One slot of `state.txt`.
#[derive(Clone, Debug, PartialEq)]
pub struct OriginalMiner {
    /// Who had it.
    owner: Owner,
    /// Unix seconds of its results accepted lately.
    observations: Vec<u64>,
    /// Moving average of its scores.
    average_score: f64,
    /// No task before this Unix second.
    cooldown_until: u64,
    /// Early pulls not yet worked off.
    violations: u32,
}

/// Who had a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    /// An ss58 address.
    Hotkey(String),
    /// Nobody yet.
    Nobody,
    /// The version that wrote the file did not say.
    Unsaid,
}

/// A slot of the original that is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedSlot {
    /// Which.
    pub uid: u16,
    /// The ss58 address there, in the file or else in the metagraph.
    pub hotkey: String,
    /// Why.
    pub reason: SkipReason,
}

/// Why a slot of the original is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// The metagraph here has nobody in the slot.
    #[error("nobody is registered at its uid here")]
    NotRegistered,
    /// The metagraph here has somebody else in the slot.
    #[error("another hotkey is registered at its uid here")]
    OtherHotkey,
    /// The slot was empty when the original saved its files.
    #[error("the original did not know it yet")]
    Newcomer,
    /// The ratings end before the slot.
    #[error("it has no entry among the ratings")]
    NoRating,
    /// More results than are remembered.
    #[error("it has more than {ACCEPTED_MAX} observations")]
    Observations,
}

/// Reads `state.txt`; the caller has bounded its size.
///
/// # Errors
/// [`OriginalError`] for the first thing that is wrong.
pub fn read_state(json: &[u8]) -> Result<Vec<OriginalMiner>, OriginalError> {
    #[derive(Deserialize)]
    struct State {
        miners: Vec<MinerData>,
    }
    let State { miners } = serde_json::from_slice(json).map_err(OriginalError::Malformed)?;
    if miners.len() > NEURONS_MAX {
        return Err(OriginalError::TooMany);
    }
    let mut slots = Vec::with_capacity(miners.len());
    for (position, miner) in miners.into_iter().enumerate() {
        if usize::from(miner.uid) != position {
            return Err(OriginalError::OutOfOrder { position, uid: miner.uid });
        }
        slots.push(miner.slot());
    }
    Ok(slots)
}

/// Reads `ratings.json`; the caller has bounded its size. The ratings are by uid.
///
/// # Errors
/// [`OriginalError`] for the first thing that is wrong.
pub fn read_ratings(json: &[u8]) -> Result<Vec<Rating>, OriginalError> {
    #[derive(Deserialize)]
    struct State {
        ratings: Vec<Slot>,
    }
    #[derive(Deserialize)]
    struct Slot {
        glicko: Glicko,
    }
    #[derive(Deserialize)]
    struct Glicko {
        rating: f64,
        rd: f64,
        vol: f64,
    }
    let State { ratings } = serde_json::from_slice(json).map_err(OriginalError::Malformed)?;
    if ratings.len() > NEURONS_MAX {
        return Err(OriginalError::TooMany);
    }
    let rating =
        |Slot { glicko }| Rating { rating: glicko.rating, deviation: glicko.rd, volatility: glicko.vol };
    Ok(ratings.into_iter().map(rating).collect())
}

/// What the miners registered here have earned by the original's files, and the slots that are not taken.
///
/// Only who sits in the same slot under the same hotkey keeps anything, as at a change of hotkey in the original. Duels,
/// their history and passes are not in the files and begin at nothing.
pub fn standings(
    miners: &[OriginalMiner],
    ratings: &[Rating],
    roster: &[Neuron],
) -> (Vec<MinerStanding>, Vec<SkippedSlot>) {
    let (mut taken, mut skipped) = (Vec::new(), Vec::new());
    for (miner, uid) in miners.iter().zip(0_u16..) {
        let neuron = roster.iter().find(|neuron| neuron.uid == uid);
        let hotkey = match (&miner.owner, neuron) {
            (Owner::Hotkey(hotkey), _) => hotkey.clone(),
            (Owner::Nobody | Owner::Unsaid, Some(neuron)) => ss58::encode(&neuron.hotkey),
            // A slot that is empty here and there.
            (Owner::Nobody | Owner::Unsaid, None) => continue,
        };
        let rating = ratings.get(usize::from(uid)).copied();
        let standing = match neuron {
            None => Err(SkipReason::NotRegistered),
            Some(neuron) if ss58::encode(&neuron.hotkey) != hotkey => Err(SkipReason::OtherHotkey),
            Some(neuron) => miner.standing(neuron, rating),
        };
        match standing {
            Ok(standing) => taken.push(standing),
            Err(reason) => skipped.push(SkippedSlot { uid, hotkey, reason }),
        }
    }
    (taken, skipped)
}

impl OriginalMiner {
    fn standing(&self, neuron: &Neuron, rating: Option<Rating>) -> Result<MinerStanding, SkipReason> {
        if self.owner == Owner::Nobody {
            return Err(SkipReason::Newcomer);
        }
        if self.observations.len() > ACCEPTED_MAX {
            return Err(SkipReason::Observations);
        }
        Ok(MinerStanding {
            uid: neuron.uid,
            hotkey: neuron.hotkey,
            record: Record {
                rating: rating.ok_or(SkipReason::NoRating)?,
                average_score: self.average_score,
                accepted: self.observations.iter().copied().collect::<ResultWindow>(),
                duels: 0,
                wins: 0,
                draws: 0,
            },
            history: History::default(),
            cooldown_until: self.cooldown_until,
            violations: self.violations,
            passes: 0,
            passes_at: UnixMs(0),
        })
    }
}

/// A slot of `state.txt` as it stands there; what is left out has the original's default.
#[derive(Deserialize)]
struct MinerData {
    uid: u16,
    #[serde(default, deserialize_with = "said")]
    hotkey: Option<Option<String>>,
    #[serde(default)]
    observations: Vec<u64>,
    #[serde(default = "fidelity_score_initial")]
    fidelity_score: f64,
    #[serde(default)]
    cooldown_until: u64,
    #[serde(default)]
    cooldown_violations: u32,
}

impl MinerData {
    fn slot(self) -> OriginalMiner {
        OriginalMiner {
            owner: match self.hotkey {
                Some(Some(hotkey)) => Owner::Hotkey(hotkey),
                Some(None) => Owner::Nobody,
                None => Owner::Unsaid,
            },
            observations: self.observations,
            average_score: self.fidelity_score,
            cooldown_until: self.cooldown_until,
            violations: self.cooldown_violations,
        }
    }
}

/// Tells `null` from nothing at all.
fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

const fn fidelity_score_initial() -> f64 {
    1.0
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use sn17_core::Hotkey;

    use super::*;

    /// A miner as the original writes it down, at work on a picture.
    fn slot(uid: u16, hotkey: Value) -> Value {
        json!({
            "uid": uid, "hotkey": hotkey, "observations": [1_800_000_050 + u64::from(uid), 1_799_990_000],
            "fidelity_score": 0.875, "assigned_task": { "id": "7", "prompt": "iVBORw0KGgo=", "type": "image" },
            "assignment_time": 1_800_000_100.25, "cooldown_until": 1_800_000_400, "cooldown_violations": 3,
            "validation_locked_until": 1_800_000_120, "last_submit_time": 1_800_000_050,
        })
    }

    fn ratings(count: usize) -> Vec<Rating> {
        let entry = json!({ "glicko": { "rating": 1612.25, "rd": 71.5, "vol": 0.0625 } });
        let text = json!({ "ratings": vec![entry; count] }).to_string();
        read_ratings(text.as_bytes()).unwrap()
    }

    fn state(miners: Vec<Value>) -> Result<Vec<OriginalMiner>, OriginalError> {
        read_state(json!({ "miners": miners }).to_string().as_bytes())
    }

    fn neuron(uid: u16, number: u8) -> Neuron {
        Neuron { uid, hotkey: Hotkey([number; 32]), coldkey: None, stake: 1.0, incentive: 0.5 }
    }

    fn address(number: u8) -> Value {
        json!(ss58::encode(&Hotkey([number; 32])))
    }

    #[test]
    fn a_miner_in_its_slot_keeps_what_it_has_earned() {
        let miners = state(vec![slot(0, address(1))]).unwrap();
        let (taken, skipped) = standings(&miners, &ratings(1), &[neuron(0, 1)]);
        assert_eq!(skipped, []);
        let [miner] = taken.as_slice() else { panic!("{taken:?}") };
        assert_eq!((miner.uid, miner.hotkey), (0, Hotkey([1; 32])));
        let rating = Rating { rating: 1612.25, deviation: 71.5, volatility: 0.0625 };
        let accepted = [1_799_990_000, 1_800_000_050].into_iter().collect();
        let record = Record { rating, average_score: 0.875, accepted, duels: 0, wins: 0, draws: 0 };
        assert_eq!(miner.record, record);
        assert_eq!((miner.cooldown_until, miner.violations), (1_800_000_400, 3));
        assert_eq!((&miner.history, miner.passes), (&History::default(), 0));
    }

    #[test]
    fn who_sits_elsewhere_is_skipped_with_its_reason() {
        let mut unsaid = slot(5, address(0));
        unsaid.as_object_mut().unwrap().remove("hotkey");
        let mut long = slot(6, address(6));
        long["observations"] = json!(vec![7; ACCEPTED_MAX + 1]);
        let miners = state(vec![
            slot(0, address(10)),
            slot(1, address(1)),
            slot(2, Value::Null),
            slot(3, Value::Null),
            slot(4, address(4)),
            unsaid,
            long,
            slot(7, address(7)),
        ]);
        let roster = [neuron(0, 100), neuron(2, 2), neuron(4, 4), neuron(5, 5), neuron(6, 6), neuron(7, 7)];
        let (taken, skipped) = standings(&miners.unwrap(), &ratings(7), &roster);
        let taken: Vec<_> = taken.iter().map(|miner| (miner.uid, miner.hotkey)).collect();
        assert_eq!(taken, [(4, Hotkey([4; 32])), (5, Hotkey([5; 32]))]);
        let skipped: Vec<_> =
            skipped.iter().map(|slot| (slot.uid, json!(slot.hotkey), slot.reason)).collect();
        let expected = [
            (0, address(10), SkipReason::OtherHotkey),
            (1, address(1), SkipReason::NotRegistered),
            (2, address(2), SkipReason::Newcomer),
            (6, address(6), SkipReason::Observations),
            (7, address(7), SkipReason::NoRating),
        ];
        assert_eq!(skipped, expected);
    }

    #[test]
    fn other_texts_are_refused_with_their_reason() {
        let of = |text: &str| read_state(text.as_bytes()).unwrap_err().to_string();
        let many = (0..=256).map(|uid| slot(uid, Value::Null)).collect();
        for (error, words) in [
            (of(""), "malformed JSON: EOF"),
            (of("{}"), "malformed JSON: missing field `miners`"),
            (
                of(r#"{"miners":[{"uid":0,"observations":[-1]}]}"#),
                "malformed JSON: invalid value: integer `-1`",
            ),
            (of(r#"{"miners":[{"uid":0,"fidelity_score":null}]}"#), "malformed JSON: invalid type: null"),
            (of(r#"{"miners":[{"uid":1}]}"#), "entry 0 says that it is uid 1"),
            (state(many).unwrap_err().to_string(), "more than 256 entries"),
        ] {
            assert!(error.starts_with(words), "{error}");
        }
        for text in ["", "[]", r#"{"ratings":[{}]}"#, r#"{"ratings":[{"glicko":{"rating":1,"rd":2}}]}"#] {
            let error = read_ratings(text.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("malformed JSON: "), "{error}");
        }
        let many = json!({ "ratings": vec![json!({ "glicko": { "rating": 1, "rd": 2, "vol": 3 } }); 257] });
        assert!(matches!(read_ratings(many.to_string().as_bytes()), Err(OriginalError::TooMany)));
    }

    #[test]
    fn what_a_slot_leaves_out_has_the_originals_default() {
        let miners = read_state(br#"{"miners":[{"uid":0}]}"#).unwrap();
        let expected = OriginalMiner {
            owner: Owner::Unsaid,
            observations: Vec::new(),
            average_score: 1.0,
            cooldown_until: 0,
            violations: 0,
        };
        assert_eq!(miners, [expected]);
    }
}
