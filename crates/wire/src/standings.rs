//! Standings as JSON: the file that `sn17 admin export` writes, and the bodies of the admin route.

pub mod original;

use serde::{Deserialize, Serialize};
use sn17_core::glicko::Rating;
use sn17_core::standings::{MinerStanding, RestoreRefusal, Restored, Snapshot};
use sn17_core::state::{DuelNonce, History, RatingPoint, Record};
use sn17_core::window::ResultWindow;
use sn17_core::{Hotkey, UnixMs};

use crate::metagraph::NEURONS_MAX;
use crate::ss58::{self, Ss58Error};

/// The version of the document that is written, and the only one that is read.
pub const VERSION: u32 = 1;
/// Most accepted results of one miner.
pub const ACCEPTED_MAX: usize = 1024;
/// Most duels of one miner's history; no policy remembers more.
pub const HISTORY_MAX: usize = 256;
/// Largest document of a whole subnet in bytes: some 100 KB for a miner who has as much as can be written.
pub const BYTES_MAX: u64 = 32 << 20;

/// The standings of a network, or a part of them, as JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standings {
    /// [`VERSION`].
    pub version: u32,
    /// When they were taken, whole Unix seconds.
    pub taken: u64,
    /// The ss58 address of the validator whose network it was.
    pub validator: String,
    /// One entry per registered miner, at most [`NEURONS_MAX`].
    pub miners: Vec<MinerEntry>,
    /// The uid to go on after, where there are more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u16>,
}

/// One miner of [`Standings`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinerEntry {
    /// Its slot.
    pub uid: u16,
    /// Its ss58 address.
    pub hotkey: String,
    /// Its duel rating.
    pub rating: Rating,
    /// Moving average of its accepted scores.
    pub average_score: f64,
    /// Unix seconds of its results accepted lately, oldest first, at most [`ACCEPTED_MAX`].
    pub accepted: Vec<u64>,
    /// Duels fought.
    pub duels: u32,
    /// Duels won.
    pub wins: u32,
    /// Duels drawn.
    pub draws: u32,
    /// It gets no task before this Unix second; 0 for none.
    pub cooldown_until: u64,
    /// Early pulls not yet worked off.
    pub violations: u32,
    /// Empty results not yet worked off.
    pub passes: u32,
    /// Until when they have been worked off, Unix milliseconds.
    pub passes_at_ms: u64,
    /// Its last duels, oldest first, at most [`HISTORY_MAX`].
    pub history: Vec<DuelEntry>,
}

/// One duel of a [`MinerEntry`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DuelEntry {
    /// The duel's nonce.
    pub nonce: u64,
    /// When it was judged, Unix milliseconds.
    pub at_ms: u64,
    /// The other side's ss58 address.
    pub opponent: String,
    /// The ss58 address of the other side's owner, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// 1 for a win, 0.5 for a draw, 0 for a loss.
    pub score: f64,
    /// The miner's rating after the duel.
    pub rating: f64,
    /// The deviation after the duel.
    pub deviation: f64,
    /// By how many points the duel moved the rating.
    pub moved: f64,
}

/// Why a text is no standings.
#[derive(Debug, thiserror::Error)]
pub enum StandingsError {
    /// It is not the JSON of [`Standings`].
    #[error("malformed JSON: {0}")]
    Malformed(serde_json::Error),
    /// A later program wrote it.
    #[error("version {0} of the standings, only version {VERSION} is known")]
    Version(u32),
    /// More miners than a subnet has slots.
    #[error("more than {NEURONS_MAX} miners")]
    TooMany,
    /// The validator is not an address.
    #[error("validator: {0}")]
    Validator(Ss58Error),
    /// A miner's hotkey, or one in its history, is not an address.
    #[error("uid {uid}: {error}")]
    Address {
        /// Whose entry it is.
        uid: u16,
        /// What is wrong with it.
        error: Ss58Error,
    },
    /// A slot or a hotkey occurs twice.
    #[error("uid {uid} or its hotkey stands there twice")]
    Twice {
        /// The second occurrence.
        uid: u16,
    },
    /// More results than are remembered.
    #[error("uid {uid}: more than {ACCEPTED_MAX} accepted results")]
    Accepted {
        /// Whose.
        uid: u16,
    },
    /// More duels than are remembered.
    #[error("uid {uid}: more than {HISTORY_MAX} duels")]
    History {
        /// Whose.
        uid: u16,
    },
}

impl Standings {
    /// The JSON's content for these standings.
    pub fn of(snapshot: &Snapshot) -> Self {
        Self {
            version: VERSION,
            taken: snapshot.taken.secs(),
            validator: ss58::encode(&snapshot.validator),
            miners: snapshot.miners.iter().map(MinerEntry::of).collect(),
            next: snapshot.next,
        }
    }

    /// Reads and checks a text; the caller has bounded its size. The miners come by uid.
    ///
    /// # Errors
    /// [`StandingsError`] for the first thing that is wrong.
    pub fn read(json: &[u8]) -> Result<Snapshot, StandingsError> {
        /// What every version begins with.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_slice(json).map_err(StandingsError::Malformed)?;
        if version != VERSION {
            return Err(StandingsError::Version(version));
        }
        serde_json::from_slice::<Self>(json).map_err(StandingsError::Malformed)?.check()
    }

    /// Checks what the shape alone does not say. The miners come by uid.
    ///
    /// # Errors
    /// [`StandingsError`] for the first thing that is wrong.
    pub fn check(self) -> Result<Snapshot, StandingsError> {
        if self.version != VERSION {
            return Err(StandingsError::Version(self.version));
        }
        if self.miners.len() > NEURONS_MAX {
            return Err(StandingsError::TooMany);
        }
        let validator = ss58::decode(&self.validator).map_err(StandingsError::Validator)?;
        let mut miners: Vec<MinerStanding> = Vec::with_capacity(self.miners.len());
        for entry in self.miners {
            let miner = entry.read()?;
            if miners.iter().any(|other| other.uid == miner.uid || other.hotkey == miner.hotkey) {
                return Err(StandingsError::Twice { uid: miner.uid });
            }
            miners.push(miner);
        }
        miners.sort_unstable_by_key(|miner| miner.uid);
        Ok(Snapshot { taken: UnixMs::from_secs(self.taken), validator, miners, next: self.next })
    }
}

impl MinerEntry {
    fn of(miner: &MinerStanding) -> Self {
        let MinerStanding { record, history, .. } = miner;
        Self {
            uid: miner.uid,
            hotkey: ss58::encode(&miner.hotkey),
            rating: record.rating,
            average_score: record.average_score,
            accepted: record.accepted.accepted_secs().to_vec(),
            duels: record.duels,
            wins: record.wins,
            draws: record.draws,
            cooldown_until: miner.cooldown_until,
            violations: miner.violations,
            passes: miner.passes,
            passes_at_ms: miner.passes_at.0,
            history: history.points.iter().map(DuelEntry::of).collect(),
        }
    }

    fn read(self) -> Result<MinerStanding, StandingsError> {
        let uid = self.uid;
        if self.accepted.len() > ACCEPTED_MAX {
            return Err(StandingsError::Accepted { uid });
        }
        if self.history.len() > HISTORY_MAX {
            return Err(StandingsError::History { uid });
        }
        let wrong = |error| StandingsError::Address { uid, error };
        let points: Result<Vec<RatingPoint>, Ss58Error> = self.history.iter().map(DuelEntry::read).collect();
        Ok(MinerStanding {
            uid,
            hotkey: ss58::decode(&self.hotkey).map_err(wrong)?,
            record: Record {
                rating: self.rating,
                average_score: self.average_score,
                accepted: ResultWindow::from_iter(self.accepted),
                duels: self.duels,
                wins: self.wins,
                draws: self.draws,
            },
            history: History { points: points.map_err(wrong)? },
            cooldown_until: self.cooldown_until,
            violations: self.violations,
            passes: self.passes,
            passes_at: UnixMs(self.passes_at_ms),
        })
    }
}

impl DuelEntry {
    fn of(point: &RatingPoint) -> Self {
        Self {
            nonce: point.nonce.0,
            at_ms: point.at.0,
            opponent: ss58::encode(&point.opponent),
            owner: point.owner.as_ref().map(ss58::encode),
            score: point.score,
            rating: point.rating,
            deviation: point.deviation,
            moved: point.moved,
        }
    }

    fn read(&self) -> Result<RatingPoint, Ss58Error> {
        Ok(RatingPoint {
            nonce: DuelNonce(self.nonce),
            at: UnixMs(self.at_ms),
            opponent: ss58::decode(&self.opponent)?,
            owner: self.owner.as_deref().map(ss58::decode).transpose()?,
            score: self.score,
            rating: self.rating,
            deviation: self.deviation,
            moved: self.moved,
        })
    }
}

/// The answer of `PUT /admin/standings`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreReply {
    /// Whether it was only tried out.
    pub dry_run: bool,
    /// What came of each miner, in the order of the request's uids.
    pub miners: Vec<RestoreRow>,
}

/// One miner of a [`RestoreReply`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreRow {
    /// Its slot, as the request says.
    pub uid: u16,
    /// Its ss58 address.
    pub hotkey: String,
    /// What came of it.
    pub outcome: RestoreOutcome,
    /// Why it was skipped, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What came of one miner of a [`RestoreReply`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreOutcome {
    /// Its standing replaced the one that was there.
    Restored,
    /// Its standing was there already.
    Unchanged,
    /// Its standing was not taken.
    Skipped,
}

impl RestoreRow {
    /// What came of a miner's standing.
    pub fn of(uid: u16, hotkey: &Hotkey, restored: Restored) -> Self {
        let (outcome, reason) = match restored {
            Restored::Changed => (RestoreOutcome::Restored, None),
            Restored::Unchanged => (RestoreOutcome::Unchanged, None),
            Restored::Refused(refusal) => (RestoreOutcome::Skipped, Some(refusal)),
        };
        let reason = reason.as_ref().map(RestoreRefusal::to_string);
        Self { uid, hotkey: ss58::encode(hotkey), outcome, reason }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    const BOB: &str = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";

    fn entry(uid: u16, hotkey: &str) -> Value {
        json!({
            "uid": uid, "hotkey": hotkey,
            "rating": { "rating": 1612.25, "deviation": 71.5, "volatility": 0.06 },
            "average_score": 0.875, "accepted": [1_800_000_000, 1_799_999_000],
            "duels": 4, "wins": 2, "draws": 1,
            "cooldown_until": 1_800_000_300, "violations": 3, "passes": 2, "passes_at_ms": 1_799_999_999_500_u64,
            "history": [{
                "nonce": 1_735_691_400, "at_ms": 1_799_999_000_250_u64, "opponent": BOB,
                "score": 0.5, "rating": 1612.25, "deviation": 71.5, "moved": -3.25,
            }],
        })
    }

    fn document(miners: Vec<Value>) -> Value {
        json!({ "version": 1, "taken": 1_800_000_000, "validator": BOB, "miners": miners })
    }

    fn read(document: &Value) -> Result<Snapshot, StandingsError> {
        Standings::read(document.to_string().as_bytes())
    }

    #[test]
    fn standings_read_by_uid_and_write() {
        let snapshot = read(&document(vec![entry(9, BOB), entry(3, ALICE)])).unwrap();
        assert_eq!(snapshot.miners.iter().map(|miner| miner.uid).collect::<Vec<_>>(), [3, 9]);
        let alice = &snapshot.miners[0];
        assert_eq!(alice.record.accepted.accepted_secs(), [1_799_999_000, 1_800_000_000]);
        assert_eq!(ss58::encode(&alice.history.points[0].opponent), BOB);
        let written = serde_json::to_vec(&Standings::of(&snapshot)).unwrap();
        assert_eq!(Standings::read(&written).unwrap(), snapshot);
    }

    /// Changes the first miner and checks what is said about it.
    #[track_caller]
    fn check_refused(words: &str, change: impl FnOnce(&mut Value)) {
        let mut document = document(vec![entry(3, ALICE), entry(9, BOB)]);
        change(&mut document);
        let error = read(&document).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    }

    #[test]
    fn what_is_none_is_refused_with_its_reason() {
        check_refused("version 2 of the standings, only version 1 is known", |all| {
            *all = json!({ "version": 2, "whatever": [] });
        });
        check_refused("malformed JSON: missing field `version`", |all| *all = json!({ "miners": [] }));
        check_refused("malformed JSON: unknown field `ratings`", |all| all["ratings"] = json!([]));
        check_refused("malformed JSON: unknown field `score`", |all| all["miners"][0]["score"] = json!(1));
        check_refused("malformed JSON: missing field `wins`", |all| {
            all["miners"][0].as_object_mut().unwrap().remove("wins");
        });
        check_refused("malformed JSON: invalid value: integer `-1`, expected u32", |all| {
            all["miners"][0]["duels"] = json!(-1);
        });
        check_refused("malformed JSON: invalid value: integer `65536`, expected u16", |all| {
            all["miners"][0]["uid"] = json!(65_536);
        });
        check_refused("malformed JSON: invalid type: null, expected f64", |all| {
            all["miners"][0]["rating"]["rating"] = Value::Null;
        });
        check_refused("validator: not the base58", |all| all["validator"] = json!("5Grw"));
        check_refused("uid 3: not the base58", |all| all["miners"][0]["hotkey"] = json!("5Grw"));
        check_refused("uid 3: not the base58", |all| {
            all["miners"][0]["history"][0]["opponent"] = json!("");
        });
        check_refused("uid 9 or its hotkey stands there twice", |all| {
            all["miners"][0]["hotkey"] = json!(BOB);
        });
        check_refused("uid 3 or its hotkey stands there twice", |all| all["miners"][1]["uid"] = json!(3));
    }

    #[test]
    fn numbers_that_json_does_not_have_are_refused() {
        let text = document(vec![entry(3, ALICE)]).to_string();
        for (from, to) in [("1612.25", "1e999"), ("1612.25", "NaN"), ("0.875", "Infinity")] {
            let error = Standings::read(text.replace(from, to).as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("malformed JSON: "), "{error}");
        }
        let twice = text.replace("\"wins\":2", "\"wins\":2,\"wins\":3");
        let error = Standings::read(twice.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("malformed JSON: duplicate field `wins`"), "{error}");
    }

    #[test]
    fn lists_end_at_their_bounds() {
        let miners = |count: usize| {
            let hotkey = |uid: usize| {
                let mut key = [0; 32];
                key[..8].copy_from_slice(&uid.to_le_bytes());
                ss58::encode(&Hotkey(key))
            };
            let entries = (0..count).map(|uid| entry(u16::try_from(uid).unwrap(), &hotkey(uid)));
            document(entries.collect())
        };
        assert_eq!(read(&miners(NEURONS_MAX)).unwrap().miners.len(), NEURONS_MAX);
        assert!(matches!(read(&miners(NEURONS_MAX + 1)), Err(StandingsError::TooMany)));

        let with = |name: &str, list: Vec<Value>| {
            let mut entry = entry(3, ALICE);
            entry[name] = Value::Array(list);
            read(&document(vec![entry]))
        };
        let duel = entry(3, ALICE)["history"][0].clone();
        assert!(with("accepted", vec![json!(7); ACCEPTED_MAX]).is_ok());
        let long = with("accepted", vec![json!(7); ACCEPTED_MAX + 1]).unwrap_err().to_string();
        assert_eq!(long, "uid 3: more than 1024 accepted results");
        assert!(with("history", vec![duel.clone(); HISTORY_MAX]).is_ok());
        let long = with("history", vec![duel; HISTORY_MAX + 1]).unwrap_err().to_string();
        assert_eq!(long, "uid 3: more than 256 duels");
    }

    #[test]
    fn the_largest_document_fits() {
        let mut entry = entry(u16::MAX, ALICE);
        let mut duel = entry["history"][0].clone();
        for figure in ["nonce", "at_ms"] {
            duel[figure] = json!(u64::MAX);
        }
        for figure in ["score", "rating", "deviation", "moved"] {
            duel[figure] = json!(-1.234_567_890_123_456_7e-300_f64);
        }
        duel["owner"] = json!(ALICE);
        entry["history"] = Value::Array(vec![duel; HISTORY_MAX]);
        entry["accepted"] = Value::Array(vec![json!(u64::MAX); ACCEPTED_MAX]);
        let bytes = document(vec![entry; NEURONS_MAX]).to_string().len();
        assert!(bytes as u64 <= BYTES_MAX, "{bytes}");
    }

    #[test]
    fn a_text_cut_short_is_refused() {
        let text = document(vec![entry(3, ALICE)]).to_string();
        for end in 0..text.len() {
            assert!(Standings::read(&text.as_bytes()[..end]).is_err(), "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn figures_survive_to_the_last_bit(rating in 0.0..3000.0, deviation in 30.0..350.0, average in 0.0..1.0) {
            let mut snapshot = read(&document(vec![entry(3, ALICE)])).unwrap();
            let miner = &mut snapshot.miners[0];
            miner.record.rating = Rating { rating, deviation, volatility: deviation / 1750.0 };
            miner.record.average_score = average;
            miner.history.points[0].moved = average - rating / 7.0;
            let written = serde_json::to_vec(&Standings::of(&snapshot)).unwrap();
            prop_assert_eq!(Standings::read(&written).unwrap(), snapshot);
        }

        #[test]
        fn no_text_brings_the_reader_down(text in ".{0,200}") {
            let _ = Standings::read(text.as_bytes());
        }
    }
}
