//! What the network remembers: one item per key, each with a revision.
//!
//! The same items live in every store. Indexes are derived from them ([`crate::index`]), never written beside
//! them, so that a task and its place in the queue cannot diverge.

mod duels;

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::glicko::Rating;
use crate::index::OpenPosition;
use crate::judging::Likeness;
use crate::leaderboard::Leaderboard;
use crate::prompts::shelf::PromptShelf;
use crate::scoring::Metrics;
use crate::window::ResultWindow;
use crate::{Hotkey, TaskId, UnixMs};

pub use duels::{
    Duel, DuelNonce, DuelState, Entry, History, Matchmaker, PendingDuel, RatingChange, RatingPoint, Side,
};

/// Keyed BLAKE3 hash of an API key; the key itself is never stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyHash(#[serde(with = "crate::text::bytes32")] pub [u8; 32]);

impl Key {
    /// Whether an item of this kind is what the key names.
    pub const fn names(&self, item: &Item) -> bool {
        match self {
            Self::Task(_) => matches!(item, Item::Task(_)),
            Self::Submission(..) => matches!(item, Item::Submission(_)),
            Self::Session(_) => matches!(item, Item::Session(_)),
            Self::Record(_) => matches!(item, Item::Record(_)),
            Self::ApiKey(_) => matches!(item, Item::ApiKey(_)),
            Self::Roster => matches!(item, Item::Roster(_)),
            Self::Duel(_) => matches!(item, Item::Duel(_)),
            Self::History(_) => matches!(item, Item::History(_)),
            Self::Matchmaker => matches!(item, Item::Matchmaker(_)),
            Self::Leaderboard => matches!(item, Item::Leaderboard(_)),
            Self::Prompts => matches!(item, Item::Prompts(_)),
        }
    }
}

impl core::fmt::Debug for KeyHash {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "KeyHash({:02x}{:02x}{:02x}…)", self.0[0], self.0[1], self.0[2])
    }
}

/// The name of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Key {
    /// An organic task, `T#id`.
    Task(TaskId),
    /// What one miner handed in for one task, `T#id / S#hotkey`.
    Submission(TaskId, Hotkey),
    /// A registered miner's dealings with us, `M#hotkey / S`. No session means not registered.
    Session(Hotkey),
    /// A registered miner's standing, `M#hotkey / R`; apart from the session so that pulling never conflicts
    /// with settling.
    Record(Hotkey),
    /// An API key, `K#hash`.
    ApiKey(KeyHash),
    /// The last metagraph that was applied, `X#roster`.
    Roster,
    /// A duel, `D#nonce`.
    Duel(DuelNonce),
    /// A miner's last duels, `M#hotkey / H`; apart from the record, which every accepted result writes.
    History(Hotkey),
    /// When the next duel may be made, `X#matchmaker`.
    Matchmaker,
    /// The standings as last computed, `X#leaderboard`.
    Leaderboard,
    /// Which prompts the collector has, `X#prompts`.
    Prompts,
}

/// The value behind a [`Key`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Item {
    /// Behind [`Key::Task`].
    Task(Task),
    /// Behind [`Key::Submission`].
    Submission(Submission),
    /// Behind [`Key::Session`].
    Session(Session),
    /// Behind [`Key::Record`].
    Record(Record),
    /// Behind [`Key::ApiKey`].
    ApiKey(ApiKey),
    /// Behind [`Key::Roster`].
    Roster(Roster),
    /// Behind [`Key::Duel`].
    Duel(Duel),
    /// Behind [`Key::History`].
    History(History),
    /// Behind [`Key::Matchmaker`].
    Matchmaker(Matchmaker),
    /// Behind [`Key::Leaderboard`].
    Leaderboard(Leaderboard),
    /// Behind [`Key::Prompts`].
    Prompts(PromptShelf),
}

/// A prompt in words or as a picture kept in the blob store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prompt {
    /// Words.
    Text(String),
    /// A PNG, JPEG or WebP picture.
    Image {
        /// Where the picture's bytes lie.
        blob: String,
        /// SHA-256 of those bytes.
        #[serde(with = "crate::text::bytes32")]
        sha256: [u8; 32],
    },
}

/// Which program a client used, as it says in `x-client-origin`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// Direct use of the API, or no header.
    #[default]
    Api,
    /// The Blender add-on.
    Blender,
    /// The Unity plug-in.
    Unity,
    /// The Discord bot.
    Discord,
    /// The web page, `gen.404.xyz`.
    Web,
}

/// A client's task: a prompt, the miners who work on it, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// What is to be made.
    pub prompt: Prompt,
    /// Whose key asked for it.
    pub owner: KeyHash,
    /// The client's program.
    pub origin: Origin,
    /// When it was accepted.
    pub created: UnixMs,
    /// After this no further miner gets it.
    pub assignable_until: UnixMs,
    /// At this the task ends with whatever there is (TK-1).
    pub deadline: UnixMs,
    /// How many miners may work on it, strong or not (AS-2).
    pub copies: u8,
    /// The miners that got it, in order.
    pub holders: Vec<Holder>,
    /// Accepted results, in order of their verdicts.
    pub results: Vec<TaskResult>,
    /// Set by the first accepted result: the best one is final at this instant.
    pub first_result_due: Option<UnixMs>,
    /// Whether results are being compared by the judge.
    #[serde(default)]
    pub judging: bool,
    /// Open or ended.
    pub state: TaskState,
}

/// Whether a task still waits for results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskState {
    /// Work may still come.
    Open,
    /// Ended with a result.
    Success {
        /// When it ended.
        ended: UnixMs,
        /// The miner whose result is the best.
        best: Hotkey,
    },
    /// Ended without one.
    Failure {
        /// When it ended.
        ended: UnixMs,
        /// What the client is told.
        reason: String,
    },
}

/// A miner's place on an organic task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The miner.
    pub hotkey: Hotkey,
    /// Whether it was among the strong miners when it pulled.
    pub strong: bool,
    /// When it pulled.
    pub assigned_at: UnixMs,
    /// Whether its part is over, well or badly.
    pub finished: bool,
}

/// One accepted result of an organic task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// The miner.
    pub hotkey: Hotkey,
    /// Its uid at the time.
    pub uid: u16,
    /// Its Glicko-2 rating at the time of the verdict.
    pub rating: f64,
    /// The score, at most 1.
    pub score: f64,
    /// How it fared against the task's other results.
    pub standing: Standing,
    /// Whether it waits for another result to be compared with.
    #[serde(default)]
    pub contends: bool,
    /// The miner's signed submission time, nanoseconds since the epoch.
    pub submit_time: i64,
    /// Where the SPZ lies.
    pub blob: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Whether the score was made with synthetic model weights.
    pub synthetic: bool,
}

/// How a result fared when it was judged against others of the same task; lower is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// Won its last comparison.
    Won,
    /// Drew its last comparison.
    Drew,
    /// Not compared.
    NotJudged,
    /// Lost a comparison.
    Lost,
    /// The same as another miner's, who was first.
    Duplicate,
}

/// What one miner handed in for one task, and the verdict on it (SB-1: at most one per miner and task).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// Where the task came from.
    pub kind: TaskKind,
    /// What was to be made.
    pub prompt: Prompt,
    /// Where the SPZ lies; none for an empty or refused result.
    pub blob: Option<String>,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of the decoded SPZ bytes (SB-5).
    #[serde(with = "crate::text::bytes32")]
    pub sha256: [u8; 32],
    /// SHA-256 of the prompt that the consent signature covers (SB-5).
    #[serde(with = "crate::text::bytes32")]
    pub prompt_sha256: [u8; 32],
    /// The miner's signed submission time, nanoseconds since the epoch (SB-5).
    pub submit_time: i64,
    /// The consent signature as it was sent, base64 (SB-5).
    pub signature: String,
    /// When the miner got the task.
    pub assigned_at: UnixMs,
    /// When we received the result; the `now` of CD-2 (SB-3).
    pub submitted_at: UnixMs,
    /// The score that was asked for.
    pub threshold: f64,
    /// What makes it recognisable, once it was looked at for a judge.
    pub likeness: Option<Likeness>,
    /// Where it stands.
    pub state: SubmissionState,
}

/// Where a submission stands; everything but `Submitted` is final.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SubmissionState {
    /// Waits for its verdict.
    Submitted {
        /// How often scoring was asked for again.
        resends: u8,
        /// When to ask again, or give up.
        resend_at: UnixMs,
    },
    /// Scored at or above the threshold.
    Accepted(Verdict),
    /// Refused, with what the miner is told. The verdict is there when it was scored at all.
    Rejected {
        /// Why, in words.
        reason: String,
        /// The figures, if it came to scoring.
        verdict: Option<Verdict>,
    },
    /// An empty result: the miner passed.
    Empty,
    /// A failure of ours: the miner keeps the plain cooldown only (SB-4).
    Failed {
        /// What went wrong, in words.
        reason: String,
    },
}

/// The figures of a scored submission.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The final score.
    pub score: f64,
    /// What it was made of.
    pub metrics: Metrics,
    /// Whether synthetic model weights made it.
    pub synthetic: bool,
}

/// Where an assigned task comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskKind {
    /// A client asked for it; there is a task item.
    Organic,
    /// Made up for this miner alone; there is none.
    Synthetic,
    /// Made up for two miners who are compared.
    Duel(DuelNonce),
}

/// The task that a miner holds (AS-1: at most one).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The task.
    pub task: TaskId,
    /// When it was first handed out; a repull does not move it.
    pub assigned_at: UnixMs,
    /// Where it comes from.
    pub kind: TaskKind,
    /// What is to be made; here too, so that a repull and a submission need no second item.
    pub prompt: Prompt,
}

/// A registered miner's dealings with us.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its uid in the metagraph.
    pub uid: u16,
    /// Whether it is among the strong miners, copied from the roster.
    pub strong: bool,
    /// Its stake, copied from the roster.
    pub stake: f64,
    /// The task it holds.
    pub assignment: Option<Assignment>,
    /// It gets no task before this second; 0 for none.
    pub cooldown_until: u64,
    /// Early pulls counted and not yet worked off.
    pub violations: u32,
    /// When the last of them was counted.
    pub violation_at: UnixMs,
    /// When it last got a new task.
    pub last_pull: UnixMs,
    /// Duels that wait for its next pull, oldest first.
    #[serde(default)]
    pub duels: Vec<PendingDuel>,
    /// Empty results counted and not yet worked off.
    #[serde(default)]
    pub passes: u32,
    /// Until when they have been worked off.
    #[serde(default)]
    pub passes_at: UnixMs,
    /// Every open task up to here has already been its own.
    pub cursor: Option<OpenPosition>,
}

/// A registered miner's standing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Duel rating.
    pub rating: Rating,
    /// Moving average of accepted scores.
    pub average_score: f64,
    /// Receipt times of the results accepted lately (RW-1).
    pub accepted: ResultWindow,
    /// Duels fought.
    pub duels: u32,
    /// Duels won.
    pub wins: u32,
    /// Duels drawn.
    #[serde(default)]
    pub draws: u32,
}

/// An API key and what it may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Whose it is.
    pub owner: String,
    /// First characters of the key, to recognise it by.
    pub prefix: String,
    /// When it was made.
    pub created: UnixMs,
    /// Tasks allowed in each clock hour; none for unlimited.
    pub hourly: Option<u32>,
    /// Tasks allowed in each UTC day; none for unlimited.
    pub daily: Option<u32>,
}

/// The registered miners, as last applied to the sessions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Roster {
    /// One entry per neuron, by uid.
    pub neurons: Vec<Neuron>,
    /// The chain's block that it is the state of; none if it comes from an operator.
    pub block: Option<Block>,
}

/// A block of the chain. The one that was made later is the greater one: a node can say any number, and be believed for
/// ever, but its time is held against one's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Block {
    /// When it was made.
    pub made_at: UnixMs,
    /// How many blocks came before it.
    pub number: u64,
}

/// A registered neuron.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Neuron {
    /// Its slot on the subnet.
    pub uid: u16,
    /// Its key.
    pub hotkey: Hotkey,
    /// The account that owns it, if the metagraph's source says so.
    pub coldkey: Option<Hotkey>,
    /// Total stake in tokens.
    pub stake: f64,
    /// Incentive in 0 to 1, which decides who is strong.
    pub incentive: f64,
}
