//! What the use cases need from the outside: a ledger that decides and remembers, blobs, and a queue.
//!
//! Every MUST here is tested by the conformance suites of `sn17-store`, which every adapter passes.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use sn17_core::ledger::{DecisionId, Effect, LoadSpec, QueueName, Step, Stored, View};
use sn17_core::state::{DuelNonce, Key, KeyHash};
use sn17_core::{Hotkey, UnixMs};

/// Why a port could not do what it was asked to.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct PortError {
    /// What callers branch on.
    pub kind: PortErrorKind,
    /// What is printed, with what it was about.
    pub message: String,
}

/// What callers of a port branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortErrorKind {
    /// Others kept changing the same items; the bounded retries are used up.
    #[error("conflict")]
    Conflict,
    /// The thing asked for does not exist.
    #[error("not found")]
    NotFound,
    /// Too much at once; try again later.
    #[error("throttled")]
    Throttled,
    /// The store cannot be reached or has stopped.
    #[error("unavailable")]
    Unavailable,
    /// What was stored cannot be read.
    #[error("corrupt")]
    Corrupt,
}

impl PortError {
    /// An error of this kind, said in words.
    pub fn new(kind: PortErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// The answer of a port.
pub type PortResult<T> = Result<T, PortError>;

/// A decision without its reply, as ledgers run it. It may run more than once.
pub type Decide = Box<dyn FnMut(&View) -> Step<()> + Send>;

/// A signed request's single use (AU-2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce {
    /// Who signed.
    pub hotkey: Hotkey,
    /// The client's session.
    pub uuid: String,
    /// Its counter, nanoseconds by its clock.
    pub nonce: u64,
}

/// A period in which an API key's tasks are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuotaWindow {
    /// The key.
    pub key: KeyHash,
    /// Length of the period in seconds; 3600 and 86400 are in use.
    pub period_secs: u32,
    /// Periods since the Unix epoch.
    pub number: u64,
}

/// An item that needs attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Since when.
    pub at: UnixMs,
    /// A task or a submission.
    pub key: Key,
}

/// The one place where state changes.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Loads `load`, runs `decide` and commits what it answers.
    ///
    /// MUST run `decide` on a state that still holds when the writes take effect, all of them or none; MUST be
    /// durable before it returns; MUST treat items with `expires <= now` as absent, in loads and in conditions;
    /// MUST return the error `Conflict` after a bounded number of lost races; MUST NOT commit the same `id` twice.
    /// At most [`LOADS_MAX`](sn17_core::ledger::LOADS_MAX) loads, the first included, and
    /// [`WRITES_MAX`](sn17_core::ledger::WRITES_MAX) writes: more is an error `Corrupt` and changes nothing.
    /// Effects are queued in the same commit.
    async fn transact(&self, id: DecisionId, now: UnixMs, load: LoadSpec, decide: Decide) -> PortResult<()>;

    /// Looks without changing anything; may be slightly behind a concurrent commit.
    async fn read(&self, now: UnixMs, load: LoadSpec) -> PortResult<View>;

    /// Uses a nonce up until `expires`; false if it was used before. MUST be durable before it returns true.
    async fn claim_nonce(&self, nonce: &Nonce, now: UnixMs, expires: UnixMs) -> PortResult<bool>;

    /// Adds one to a counter if it stays within `limit`; answers whether it did. Counters vanish two periods
    /// after their own.
    async fn bump(&self, window: &QuotaWindow, now: UnixMs, limit: u32) -> PortResult<bool>;

    /// Waits until the item of `key` has a revision above `rev` and returns it, or none at `until` by the host's
    /// clock. MUST NOT miss a commit that happens while it is being called.
    async fn watch(&self, key: &Key, rev: u64, until: UnixMs) -> PortResult<Option<Stored>>;

    /// Items whose due time (see `sn17_core::index::due_entry`) is not after `now`, longest overdue first.
    async fn due(&self, now: UnixMs, limit: usize) -> PortResult<Vec<Due>>;

    /// How many tasks stand in the queues of open tasks; a hint that may be some seconds old.
    async fn open_tasks(&self) -> PortResult<u64>;

    /// Every API key, by hash.
    async fn api_keys(&self) -> PortResult<Vec<(KeyHash, Stored)>>;

    /// The duels that have ended with a verdict (see `sn17_core::index::judged_entry`), the latest first, at most
    /// `limit` of those with nonces from `since` on and below `before`. MUST leave out those that have expired at
    /// `now`; MUST NOT look at older ones than `since`, where a store may keep expired ones for days.
    async fn duels(
        &self,
        now: UnixMs,
        since: DuelNonce,
        before: Option<DuelNonce>,
        limit: usize,
    ) -> PortResult<Vec<(DuelNonce, Stored)>>;
}

/// Runs a decision with its reply on any ledger.
///
/// # Errors
/// What the ledger answers; see [`Ledger::transact`].
pub async fn transact<R: Send + 'static>(
    ledger: &dyn Ledger,
    id: DecisionId,
    now: UnixMs,
    load: LoadSpec,
    mut decide: impl FnMut(&View) -> Step<R> + Send + 'static,
) -> PortResult<R> {
    let slot = Arc::new(Mutex::new(None));
    let answer = Arc::clone(&slot);
    let decide: Decide = Box::new(move |view| {
        let (step, reply) = match decide(view) {
            Step::Load(spec) => (Step::Load(spec), None),
            Step::Commit { writes, reply } => (Step::Commit { writes, reply: () }, Some(reply)),
            Step::Reply(reply) => (Step::Reply(()), Some(reply)),
        };
        *answer.lock().unwrap_or_else(PoisonError::into_inner) = reply;
        step
    });
    ledger.transact(id, now, load, decide).await?;
    let reply = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
    reply.ok_or_else(|| PortError::new(PortErrorKind::Corrupt, "the ledger answered without a decision"))
}

/// The name of a blob: a path of letters, digits, `-`, `_`, `.` and `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobKey(pub String);

impl BlobKey {
    /// Longest name in bytes.
    const BYTES_MAX: usize = 512;
    /// Longest part of a name between two slashes in bytes, below the 255 that file systems allow.
    const PART_BYTES_MAX: usize = 200;

    /// The parts of the name, none of which can leave a folder or hide in it.
    ///
    /// # Errors
    /// `NotFound` for anything that is no name of a blob.
    pub fn parts(&self) -> PortResult<Vec<&str>> {
        let parts: Vec<&str> = self.0.split('/').collect();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_part = |part: &&str| {
            !part.is_empty()
                && part.len() <= Self::PART_BYTES_MAX
                && !part.starts_with('.')
                && part.bytes().all(allowed)
        };
        if self.0.len() <= Self::BYTES_MAX && parts.iter().all(is_part) {
            return Ok(parts);
        }
        Err(PortError::new(PortErrorKind::NotFound, format!("{:?} is no name of a blob", self.0)))
    }
}

/// An upload in progress.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UploadId(pub String);

/// A blob's size and a stream of its bytes.
pub struct BlobRead {
    /// Size of the whole blob in bytes.
    pub bytes: u64,
    /// Its content, in chunks of at most 1 MiB.
    pub stream: futures_util::stream::BoxStream<'static, PortResult<Bytes>>,
}

impl std::fmt::Debug for BlobRead {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("BlobRead").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// Large bytes, by name.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Starts an upload. MUST NOT make anything visible under `key`.
    async fn begin(&self, key: &BlobKey) -> PortResult<UploadId>;

    /// Appends bytes to an upload, in any size; the adapter gathers them as it needs.
    async fn part(&self, upload: &UploadId, bytes: Bytes) -> PortResult<()>;

    /// Makes the blob visible, durable and complete. MUST replace an older blob of the same name as a whole.
    async fn finish(&self, upload: &UploadId) -> PortResult<()>;

    /// Forgets an upload and its bytes. Unknown uploads are no error.
    async fn abort(&self, upload: &UploadId) -> PortResult<()>;

    /// Forgets an upload without waiting, for a caller that is being dropped. It MUST no longer count against any
    /// limit; its bytes may be removed later.
    fn forget(&self, upload: &UploadId);

    /// Reads a finished blob; `NotFound` for anything else.
    async fn get(&self, key: &BlobKey) -> PortResult<BlobRead>;

    /// Removes a blob; a missing one is no error.
    async fn delete(&self, key: &BlobKey) -> PortResult<()>;

    /// A link that lets anybody download the blob as `filename` for `valid_secs`; none where the store has no
    /// address of its own. Whether there is such a blob need not be looked up.
    async fn presign(&self, _key: &BlobKey, _valid_secs: u32, _filename: &str) -> PortResult<Option<String>> {
        Ok(None)
    }
}

/// A message handed to a consumer for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What acknowledges or prolongs this delivery, and only this one.
    pub receipt: Receipt,
    /// What is to be done.
    pub effect: Effect,
    /// How often it has been handed out, this time included.
    pub receive_count: u32,
}

/// The handle of one delivery.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt(pub String);

/// Work to be done at least once.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Queues an effect outside of any decision, to be delivered from `not_before` on.
    async fn send(&self, effect: Effect, not_before: Option<UnixMs>) -> PortResult<()>;

    /// Hands out at most `max` messages, each hidden from others for `visibility_secs`; waits up to `wait_secs`
    /// for the first. A message handed out more often than the queue's limit goes to its dead letters instead.
    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        visibility_secs: u32,
        wait_secs: u32,
    ) -> PortResult<Vec<Delivery>>;

    /// Hides a delivered message for `visibility_secs` from now on; 0 makes it visible at once.
    /// `NotFound` when the delivery is no longer this consumer's.
    async fn extend(&self, receipt: &Receipt, visibility_secs: u32) -> PortResult<()>;

    /// Removes a delivered message. `NotFound` when the delivery is no longer this consumer's.
    async fn ack(&self, receipt: &Receipt) -> PortResult<()>;

    /// How many messages wait in a queue, delivered or not; a hint that may be a moment old.
    async fn backlog(&self, queue: QueueName) -> PortResult<u64>;

    /// The dead letters of a queue, oldest first.
    async fn dead_letters(&self, queue: QueueName, max: usize) -> PortResult<Vec<Effect>>;

    /// Puts dead letters back into their queue with a fresh receive count; answers how many. An adapter may bound what
    /// one call does, so this may be called again until it answers none.
    async fn redrive(&self, queue: QueueName) -> PortResult<usize>;
}
