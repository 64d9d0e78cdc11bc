//! The use cases of the network and the ports they need. Runs on any executor and on WASM: time and randomness
//! come from the host.

mod canaries;
mod clients;
mod collector;
mod competition;
mod judging;
mod keys;
mod miners;
pub mod ports;
mod prompts;
mod roster;
mod scoring;
mod standings;
mod submissions;
mod turns;
mod upkeep;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use sn17_core::ledger::DecisionId;
use sn17_core::policy::Policy;
use sn17_core::{Hotkey, UnixMs};

pub use clients::{AddTask, AddTaskError, NewPrompt, ResultFile, ResultLink, TaskStatus};
pub use collector::{PromptsForValidator, SubmitPromptsError};
pub use competition::{DUELS_PAGE_MAX, DuelPicture, DuelSide};
pub use judging::{
    DURATION_MS_MAX, Ground, Judge, JudgeError, JudgeFigures, Judged, Judgement, Question, Reply, Weighed,
};
pub use keys::{Caller, KeyLimits, KeyRow, KeySecret, NewKey};
pub use miners::{Admission, AssignedTask, PullAnswer};
pub use prompts::{PromptBook, PromptImage, sha256};
pub use roster::{RefreshError, Refreshed};
pub use scoring::{
    Attempt, Conclusion, Examined, Picture, Previews, ScoreError, Scored, Scorer, ScoringJob, ScoringPrompt,
};
pub use standings::{RestoreMode, STANDINGS_PAGE_MAX};
pub use submissions::{Intake, IntakeError, SubmitAnswer, TakenSubmission, Verdict};
pub use upkeep::Upkeep;

use ports::{Blobs, Ledger, Queue};

/// What the host supplies besides the ports: its clock and its randomness, as functions, since neither exists on
/// every target.
#[derive(Clone)]
pub struct Host {
    /// Milliseconds since the Unix epoch.
    pub now: Arc<dyn Fn() -> UnixMs + Send + Sync>,
    /// 128 unpredictable bits.
    pub random: Arc<dyn Fn() -> u128 + Send + Sync>,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Host").finish_non_exhaustive()
    }
}

/// The adapters that an [`App`] works with.
#[derive(Clone)]
pub struct Ports {
    /// State.
    pub ledger: Arc<dyn Ledger>,
    /// Large bytes.
    pub blobs: Arc<dyn Blobs>,
    /// Work to be done.
    pub queue: Arc<dyn Queue>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Ports").finish_non_exhaustive()
    }
}

/// The network's use cases over some adapters. Cheap to share behind an `Arc`; everything it remembers between
/// calls is a cache or a guard of this process, and its loss harms nobody.
#[derive(Debug)]
pub struct App {
    ports: Ports,
    host: Host,
    policy: Policy,
    validator: Hotkey,
    keys: keys::KeyCache,
    prompts: PromptBook,
    uploads: turns::UploadGuards,
    canaries: canaries::Canaries,
    judging: judging::Tally,
    /// How long scoring a submission takes; 0 while nobody knows.
    pace_ms: AtomicU64,
    /// How long each submission ahead has lately held up the verdicts that were waited for.
    wait_pace_ms: AtomicU64,
}

impl App {
    /// Puts the use cases over `ports`. `validator` is the hotkey that miners address and sign for.
    pub fn new(
        ports: Ports,
        host: Host,
        policy: Policy,
        validator: Hotkey,
        key_secret: KeySecret,
        prompts: PromptBook,
    ) -> Self {
        Self {
            ports,
            host,
            policy,
            validator,
            keys: keys::KeyCache::new(key_secret),
            prompts,
            uploads: turns::UploadGuards::default(),
            canaries: canaries::Canaries::default(),
            judging: judging::Tally::default(),
            pace_ms: AtomicU64::new(0),
            wait_pace_ms: AtomicU64::new(scoring::PACE_UNKNOWN_MS),
        }
    }

    /// Receives a miner's uploads beside each other instead of one after the other, for a host on which no request may
    /// wait for what another one does. A third one of the same miner is refused.
    #[must_use]
    pub fn with_uploads_side_by_side(mut self) -> Self {
        self.uploads = turns::UploadGuards::beside();
        self
    }

    /// The numbers of the game.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The hotkey that miners address and sign for.
    pub const fn validator(&self) -> Hotkey {
        self.validator
    }

    /// The adapters.
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The prompts of synthetic tasks.
    pub const fn prompts(&self) -> &PromptBook {
        &self.prompts
    }

    /// The host's clock.
    pub fn now(&self) -> UnixMs {
        (self.host.now)()
    }

    /// 128 unpredictable bits of the host.
    pub fn random(&self) -> u128 {
        (self.host.random)()
    }

    fn decision_id(&self) -> DecisionId {
        DecisionId(self.random())
    }
}
