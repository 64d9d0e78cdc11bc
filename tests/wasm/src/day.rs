//! A day of a simulated network as a recording, and its replay on any host.
//!
//! The recording holds what comes into each decision from outside (the clock, ids, randomness, payloads, raw figures),
//! and a digest of what was decided: the writes with all bits of their items, the effects and the answer. A replay
//! makes the same decisions on a state of its own and compares. Both are postcard, which writes floats as their bits.

mod call;
mod network;
mod outcome;
mod replay;
mod tamper;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use sn17_core::policy::Policy;
use sn17_model::{Committed, ContractError, MapLedger};

use call::{Call, Entry};
use outcome::Outcome;

pub use network::{Size, record};
pub use replay::{Difference, describe, replay};
pub use tamper::flip_a_bit;

/// Seconds of a virtual hour.
const HOUR_SECS: u64 = 3600;
/// A frame of a recording is never longer than this many bytes; a roster is the longest.
const FRAME_BYTES_MAX: usize = 1 << 20;
/// A decision that loses so many races in a row is a fault of the ledger.
const ATTEMPTS_MAX: u8 = 3;

/// Why a day cannot be recorded or replayed.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The recording cannot be read or written.
    #[error("cannot read or write the recording: {0}")]
    Io(#[from] io::Error),
    /// The recording is no recording.
    #[error("not a recording: {0}")]
    Encoding(#[from] postcard::Error),
    /// The frames are not in the order of a recording.
    #[error("not a recording: {0}")]
    Frames(&'static str),
    /// A decision broke the contract of ledgers.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// A decision never took effect.
    #[error("decision {0} lost every race")]
    Conflicts(u64),
    /// A decision wrote or answered a float that is not finite.
    #[error("decision {0} has a float that is no finite number")]
    NotFinite(u64),
}

/// A part of a recording.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Frame {
    /// Comes first.
    Begin {
        /// The rules of the day.
        policy: Box<Policy>,
        /// The hour of the Unix epoch in which the day begins.
        first_hour: u64,
    },
    /// A decision, and the first bytes of the BLAKE3 of its outcome.
    Step { entry: Box<Entry>, outcome: [u8; 16] },
    /// An hour is over; the digest covers the day so far.
    Hour { digest: [u8; 32] },
    /// Comes last.
    End,
}

impl Frame {
    /// Appends the frame: its length in four bytes, then itself.
    fn write(&self, recording: &mut Vec<u8>) -> Result<(), Fault> {
        let bytes = postcard::to_stdvec(self)?;
        let length = u32::try_from(bytes.len()).map_err(|_| Fault::Frames("a frame is too long"))?;
        recording.write_all(&length.to_le_bytes())?;
        recording.write_all(&bytes)?;
        Ok(())
    }

    fn read(recording: &mut impl Read) -> Result<Self, Fault> {
        let mut length = [0; 4];
        recording.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(Fault::Frames("a frame is too long"));
        }
        let mut bytes = vec![0; length];
        recording.read_exact(&mut bytes)?;
        Ok(postcard::from_bytes(&bytes)?)
    }
}

/// What a day amounted to; equal on every host, to the letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many decisions there were, rivals included.
    pub decisions: u64,
    /// How many of them had to be repeated because a rival came first.
    pub conflicts: u64,
    /// How many floats were looked at.
    pub floats: u64,
    /// How many items expired.
    pub expired: u64,
    /// Decisions by kind and by what came of them.
    pub counts: BTreeMap<(&'static str, &'static str), u64>,
    /// Each hour's number of decisions, and the digest of the day up to its end.
    pub hours: Vec<(u64, String)>,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { decisions, conflicts, floats, expired, counts, hours } = self;
        for (hour, (decisions, digest)) in hours.iter().enumerate() {
            writeln!(formatter, "hour {hour:2}: {decisions:6} decisions, {digest}")?;
        }
        for ((kind, outcome), count) in counts {
            writeln!(formatter, "{kind}, {outcome}: {count}")?;
        }
        write!(
            formatter,
            "{decisions} decisions, {conflicts} conflicts, {expired} items expired, {floats} floats"
        )
    }
}

/// The state of the day, and what it has amounted to so far.
struct Machine {
    ledger: MapLedger,
    policy: Policy,
    /// The hour of the Unix epoch that is under way.
    hour: u64,
    digest: blake3::Hasher,
    summary: Summary,
    decisions_before: u64,
}

impl Machine {
    fn new(policy: Policy, hour: u64) -> Self {
        Self {
            ledger: MapLedger::default(),
            policy,
            hour,
            digest: blake3::Hasher::new(),
            summary: Summary::default(),
            decisions_before: 0,
        }
    }

    /// Makes one decision; the bytes of its outcome come with it.
    fn step(&mut self, entry: &Entry) -> Result<(Outcome, Vec<u8>), Fault> {
        let outcome = self.decide(entry)?;
        let bytes = postcard::to_stdvec(&outcome)?;
        self.digest.update(&postcard::to_stdvec(entry)?);
        self.digest.update(&bytes);
        Ok((outcome, bytes))
    }

    /// Ends an hour: removes what has expired, and answers the digest of the day so far.
    fn close_hour(&mut self) -> [u8; 32] {
        self.hour += 1;
        let purged = self.ledger.purge(sn17_core::UnixMs::from_secs(self.hour * HOUR_SECS));
        self.summary.expired += purged.len() as u64;
        let digest = self.digest.finalize();
        let decisions = self.summary.decisions - self.decisions_before;
        self.decisions_before = self.summary.decisions;
        self.summary.hours.push((decisions, digest.to_hex().to_string()));
        digest.into()
    }

    fn decide(&mut self, entry: &Entry) -> Result<Outcome, Fault> {
        let Entry { now, id, call, .. } = entry;
        let mut rival = None;
        for attempts in 1..=ATTEMPTS_MAX {
            let (writes, reply) =
                self.ledger.decide(*now, call.load(), |view| call.decide(view, *now, &self.policy))?;
            if let (Some((id, call)), 1) = (&entry.rival, attempts) {
                let between = Entry { now: *now, id: *id, call: call.clone(), rival: None };
                rival = Some(Box::new(self.decide(&between)?));
            }
            let committed = self.ledger.commit(*id, *now, &writes);
            if committed == Committed::Conflict {
                self.summary.conflicts += 1;
                continue;
            }
            let is_repeat = committed == Committed::Before;
            let writes = writes.into_iter().map(Into::into).collect();
            let outcome = Outcome { attempts, is_repeat, writes, reply, rival };
            self.note(call, &outcome)?;
            return Ok(outcome);
        }
        Err(Fault::Conflicts(self.summary.decisions))
    }

    fn note(&mut self, call: &Call, outcome: &Outcome) -> Result<(), Fault> {
        let floats = outcome.floats();
        if !floats.iter().all(|float| float.is_finite()) {
            return Err(Fault::NotFinite(self.summary.decisions));
        }
        self.summary.floats += floats.len() as u64;
        self.summary.decisions += 1;
        *self.summary.counts.entry((call.name(), outcome.name())).or_default() += 1;
        Ok(())
    }
}

/// What a recording remembers of an outcome: enough to tell any two apart.
fn fingerprint(outcome: &[u8]) -> [u8; 16] {
    let digest = blake3::hash(outcome);
    let mut short = [0; 16];
    short.copy_from_slice(&digest.as_bytes()[..16]);
    short
}
