//! The ledger on one DynamoDB table; `crate::schema` says what lies where and what it costs.
//!
//! A decision of one write is one conditional `PutItem` or `DeleteItem`, one of more is one `TransactWriteItems`.
//! Every item carries the id of the decision that wrote it: when a condition fails on an item that carries our own
//! id, an earlier try of ours took effect and only its answer was lost. A transaction's token is the decision's id
//! and the number of the try, so that the SDK's own repetitions take effect once.
//!
//! What remains: a *single* write whose answer was lost and whose item others have written again before the SDK
//! repeats it looks like a lost race, and so does a lost deletion. The decision then runs again on a state that
//! contains its own effect, and answers by that state as the rules do for any repeated request.

pub(crate) mod attributes;
mod commit;
mod counters;
pub mod hints;
mod listing;
mod load;
mod open;
pub mod pages;
pub mod quota;
mod refresh;
mod watch;

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep};
use sn17_app::Host;
use sn17_app::ports::{Decide, Due, Ledger, Nonce, PortError, PortErrorKind, PortResult, QuotaWindow};
use sn17_core::UnixMs;
use sn17_core::ledger::{DecisionId, LOADS_MAX, LoadSpec, Step, Stored, View};
use sn17_core::state::{DuelNonce, Key, KeyHash};

use crate::schema::SHARDS_MAX;
use commit::Outcome;
use hints::HintCache;
use pages::{OpenReader, SPREAD_MAX, SPREAD_MIN};
use quota::Leases;
use refresh::depth_ms;
use watch::Waits;

/// Shortest upper bound of the pause after a lost race, in milliseconds; it doubles with each try.
const PAUSE_MS_MIN: u64 = 10;
/// Longest upper bound of that pause, in milliseconds.
const PAUSE_MS_MAX: u64 = 320;
/// For so long after a lost race for a task, decisions of this process spread out from the first, in milliseconds.
const RUSH_MS: u64 = 1000;

/// What can be set about the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerOptions {
    /// The table's name.
    pub table: String,
    /// Shards of the queues of open tasks and of the calendar, in 1..=1024; the same in every process.
    pub shards: u16,
    /// Age at which the hints about the queues are refreshed, in milliseconds; 0 looks at every shard every time.
    pub hints_ms: u64,
    /// Tries of one decision before lost races end it, at least 1.
    pub conflict_tries: u32,
}

impl LedgerOptions {
    /// The defaults with this table.
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into(), shards: 4, hints_ms: 500, conflict_tries: 8 }
    }
}

/// The ledger on DynamoDB.
///
/// What it keeps in memory is bounded, and nothing of it is state: hints, leased blocks of quotas (what is left of
/// them is lost to their window when the process dies), recent waits.
pub struct DynamoLedger {
    client: Client,
    options: LedgerOptions,
    host: Host,
    sleep: SharedAsyncSleep,
    hints: Mutex<HintCache>,
    /// How old hints may be for the depth.
    depth_ms: u64,
    leases: Mutex<Leases>,
    waits: Mutex<Waits>,
    /// When a race for a task was last lost, milliseconds since the Unix epoch.
    lost_at_ms: AtomicU64,
}

impl fmt::Debug for DynamoLedger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DynamoLedger").field("options", &self.options).finish_non_exhaustive()
    }
}

impl DynamoLedger {
    /// A ledger on the table of `options`, which must exist. Options outside of their ranges are moved to the
    /// nearest end.
    pub fn new(client: Client, options: LedgerOptions, host: Host, sleep: SharedAsyncSleep) -> Self {
        let options = LedgerOptions {
            shards: options.shards.clamp(1, SHARDS_MAX),
            conflict_tries: options.conflict_tries.max(1),
            ..options
        };
        Self {
            client,
            hints: Mutex::new(HintCache::new(options.shards)),
            depth_ms: depth_ms((host.random)()),
            options,
            leases: Mutex::new(Leases::new((host.random)())),
            host,
            sleep,
            waits: Mutex::default(),
            lost_at_ms: AtomicU64::new(0),
        }
    }

    fn now(&self) -> UnixMs {
        (self.host.now)()
    }

    /// A random number below `bound`.
    fn random_below(&self, bound: u64) -> u64 {
        let random = (self.host.random)() % u128::from(bound.max(1));
        u64::try_from(random).expect("below a number of 64 bits")
    }

    /// How many leading open tasks to leave out after so many lost races for tasks: none, or any number below 8, 16
    /// and then 32.
    fn spread(&self, races_lost: u32) -> usize {
        let Some(doublings) = races_lost.checked_sub(1) else { return 0 };
        let bound = (SPREAD_MIN << doublings.min(8)).min(SPREAD_MAX);
        usize::try_from(self.random_below(bound)).unwrap_or_default()
    }

    async fn pause_ms(&self, ms: u64) {
        self.sleep.sleep(Duration::from_millis(ms)).await;
    }

    /// Waits for a random time before the next try, longer from try to try.
    async fn pause_before(&self, attempt: u32) {
        let bound = PAUSE_MS_MIN.saturating_mul(1 << attempt.min(16)).min(PAUSE_MS_MAX);
        self.pause_ms(self.random_below(bound)).await;
    }

    /// Loads, decides and commits once.
    async fn attempt(
        &self,
        id: DecisionId,
        attempt: u32,
        now: UnixMs,
        first: &LoadSpec,
        decide: &mut Decide,
        reader: &mut OpenReader,
    ) -> PortResult<Outcome> {
        let mut view = View::default();
        let mut spec = first.clone();
        for _ in 0..LOADS_MAX {
            self.load(now, &spec, reader, &mut view).await?;
            match decide(&view) {
                Step::Load(more) => spec = more,
                Step::Commit { writes, reply: () } => {
                    return self.commit(id, attempt, now, &view, writes).await;
                }
                Step::Reply(()) => return Ok(Outcome::Done),
            }
        }
        let message = format!("a decision asked for more than {LOADS_MAX} loads");
        Err(PortError::new(PortErrorKind::Corrupt, message))
    }
}

#[async_trait]
impl Ledger for DynamoLedger {
    async fn transact(
        &self,
        id: DecisionId,
        now: UnixMs,
        load: LoadSpec,
        mut decide: Decide,
    ) -> PortResult<()> {
        let mut reader = OpenReader::default();
        let mut lost = Vec::new();
        // A task that is missed in a rush is somebody else's; whoever races for the oldest would meet there again.
        let is_rush = self.now().0.abs_diff(self.lost_at_ms.load(Ordering::Relaxed)) < RUSH_MS;
        let mut races_lost = u32::from(is_rush);
        for attempt in 0..self.options.conflict_tries {
            if attempt > 0 {
                self.pause_before(attempt).await;
            }
            reader.skip_leading(self.spread(races_lost));
            match self.attempt(id, attempt, now, &load, &mut decide, &mut reader).await? {
                Outcome::Done => return Ok(()),
                Outcome::Lost(keys) => lost = keys,
            }
            if lost.iter().any(|key| matches!(key, Key::Task(_))) {
                races_lost += 1;
                self.lost_at_ms.store(self.now().0, Ordering::Relaxed);
            }
        }
        tracing::warn!(tries = self.options.conflict_tries, ?lost, "a decision lost every race");
        let message = format!("others kept changing {lost:?}");
        Err(PortError::new(PortErrorKind::Conflict, message))
    }

    /// Reads are strongly consistent: a miner submits right after its pull, and what one call shows as ended the
    /// next one must not show as open (BL-1). It costs half a read unit more than the alternative.
    async fn read(&self, now: UnixMs, load: LoadSpec) -> PortResult<View> {
        let mut view = View::default();
        self.load(now, &load, &mut OpenReader::default(), &mut view).await?;
        Ok(view)
    }

    async fn claim_nonce(&self, nonce: &Nonce, now: UnixMs, expires: UnixMs) -> PortResult<bool> {
        self.claim(nonce, now, expires).await
    }

    async fn bump(&self, window: &QuotaWindow, now: UnixMs, limit: u32) -> PortResult<bool> {
        self.count(window, now, limit).await
    }

    async fn watch(&self, key: &Key, rev: u64, until: UnixMs) -> PortResult<Option<Stored>> {
        self.poll(key, rev, until).await
    }

    async fn due(&self, now: UnixMs, limit: usize) -> PortResult<Vec<Due>> {
        self.list_due(now, limit).await
    }

    async fn open_tasks(&self) -> PortResult<u64> {
        self.depth().await
    }

    async fn api_keys(&self) -> PortResult<Vec<(KeyHash, Stored)>> {
        self.list_api_keys().await
    }

    async fn duels(
        &self,
        now: UnixMs,
        since: DuelNonce,
        before: Option<DuelNonce>,
        limit: usize,
    ) -> PortResult<Vec<(DuelNonce, Stored)>> {
        self.list_duels(now, since, before, limit).await
    }
}
