//! The handle of the embedded ledger and queue.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use sn17_app::ports::{Decide, Due, Ledger, Nonce, PortError, PortErrorKind, PortResult, QuotaWindow};
use sn17_core::UnixMs;
use sn17_core::index::due_entry;
use sn17_core::ledger::{DecisionId, LoadSpec, Stored, View};
use sn17_core::state::{Key, KeyHash};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::codec::{API_KEYS, Table, decode, item_key, message_name};
use crate::indexes::Indexes;
use crate::messages::Message;
use crate::rows::durable::DurableRows;
use crate::rows::memory::MemoryRows;
use crate::rows::{Rows, try_scan};
use crate::sweep::SWEEP_MAX;
use crate::transact::{is_expired, look, look_at};
use crate::writer::{Answer, Batch, Job, NEXT_NUMBER_ROW, Progress, Shared};
use crate::{counters, sweep, transact, verify, writer};

/// Most jobs that wait for the writer; who comes then waits before the door.
const JOBS_MAX: usize = 4096;
/// How many entries of the calendar are looked at between two looks at the clock of the caller's page.
const DUE_PAGE: usize = 256;

/// What can be set about the embedded store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// A message that was handed out so often goes to the dead letters instead of being handed out again.
    pub max_receives: u32,
    /// Memory for blocks read from disk, in bytes.
    pub cache_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_receives: 4, cache_bytes: 128 << 20 }
    }
}

/// The embedded store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be opened as a database, or another process has it open.
    #[error("cannot open the store in {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What fjall says.
        source: fjall::Error,
    },
    /// What lies there cannot be read.
    #[error("cannot read the store")]
    Content(#[source] PortError),
    /// The operating system gives no thread.
    #[error("cannot start the writer")]
    Thread(#[source] std::io::Error),
}

/// A ledger and a queue in one place, in this process.
///
/// Every change goes through one writer thread and is durable, in one `fdatasync` for all changes that waited,
/// before its caller gets an answer. Reads run on the caller's thread and do not wait for the writer. After the
/// first failed write everything answers `Unavailable`, and so does everything after [`Self::stopped`].
///
/// Clones share the store; the last one to be dropped waits for the writer to end, and the folder is free then.
#[derive(Clone)]
pub struct Embedded(Arc<Handle>);

struct Handle {
    /// None only while being dropped.
    jobs: Option<mpsc::Sender<Job>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shared = self.shared();
        formatter.debug_struct("Embedded").field("stopped", &shared.pulse.reason()).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        drop(self.jobs.take());
        // A writer that hangs in a commit never ends; the process is about to.
        if self.shared.pulse.check().is_ok()
            && let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer has panicked");
        }
    }
}

impl Embedded {
    /// A store that is gone with its last handle.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub fn memory(clock: Clock, options: Options) -> Result<Self, OpenError> {
        Self::start(Box::new(MemoryRows::default()), clock, options)
    }

    /// Opens the durable store in `folder`, or makes it there.
    ///
    /// # Errors
    /// When the folder cannot be opened or read, or another process has it open.
    pub fn open(folder: &Path, clock: Clock, options: Options) -> Result<Self, OpenError> {
        let rows = DurableRows::open(folder, options.cache_bytes)
            .map_err(|source| OpenError::Folder { path: folder.to_owned(), source })?;
        Self::start(Box::new(rows), clock, options)
    }

    fn start(rows: Box<dyn Rows>, clock: Clock, options: Options) -> Result<Self, OpenError> {
        let (indexes, progress) = recover(&*rows).map_err(OpenError::Content)?;
        let shared = Arc::new(Shared::new(rows, clock, options, indexes));
        let (sender, jobs) = mpsc::channel(JOBS_MAX);
        // Dropped by the writer when it ends, which ends the watchdog.
        let (alive, watched) = std::sync::mpsc::channel();
        let pulse = Arc::clone(&shared.pulse);
        std::thread::Builder::new()
            .name("store-watchdog".into())
            .spawn(move || pulse.look_after(&watched))
            .map_err(OpenError::Thread)?;
        let of_writer = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                writer::run(&of_writer, progress, jobs);
                drop(alive);
            })
            .map_err(OpenError::Thread)?;
        Ok(Self(Arc::new(Handle { jobs: Some(sender), shared, thread: Some(thread) })))
    }

    /// Waits until the store stops by itself, after a failed or hanging write, and says why. A host ends then: a
    /// restart reads what is really on disk.
    pub async fn stopped(&self) -> String {
        self.shared().pulse.stopped().await;
        self.shared().pulse.reason().unwrap_or_default().to_owned()
    }

    /// Deletes what has expired by `now`, a bounded number of rows at a time; answers how many.
    ///
    /// # Errors
    /// `Unavailable` when the store has stopped.
    pub async fn sweep(&self, now: UnixMs) -> PortResult<usize> {
        let mut total = 0;
        loop {
            let swept = self.run(move |batch| sweep::sweep(batch, now)).await?;
            total += swept;
            if swept < SWEEP_MAX {
                return Ok(total);
            }
        }
    }

    /// Checks that every index agrees with the items it is derived from. It reads the whole store into memory.
    ///
    /// # Errors
    /// `Corrupt` with the first difference.
    pub async fn verify(&self) -> PortResult<()> {
        self.run(|batch| verify::verify(batch)).await
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// Has the writer run `job`, and answers what it said once its changes are durable.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Batch<'_>) -> PortResult<T> + Send + 'static,
    ) -> PortResult<T> {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |batch| -> Answer {
            let result = job(batch);
            // A caller that has gone away does not want its answer.
            Box::new(move |committed| drop(sender.send(committed.and(result))))
        });
        self.shared().pulse.check()?;
        let jobs = self.0.jobs.as_ref().ok_or_else(unavailable)?;
        jobs.send(job).await.map_err(|_| self.gone())?;
        receiver.await.map_err(|_| self.gone())?
    }

    fn gone(&self) -> PortError {
        self.shared().pulse.check().err().unwrap_or_else(unavailable)
    }
}

fn unavailable() -> PortError {
    PortError::new(PortErrorKind::Unavailable, "the store is closed")
}

/// Reads what must be in memory: the indexes and the next message number.
fn recover(rows: &dyn Rows) -> PortResult<(Indexes, Progress)> {
    let rows = rows.snapshot();
    let mut attention = Vec::new();
    let (from, to) = Table::Attention.range();
    try_scan(&*rows, &from, &to, |row, value| {
        attention.push((item_key(row)?, decode(value)?));
        Ok(true)
    })?;
    let mut messages = Vec::new();
    let (from, to) = Table::Messages.range();
    try_scan(&*rows, &from, &to, |row, value| {
        let (queue, number) = message_name(row)?;
        let message: Message = decode(value)?;
        messages.push((queue, message.visible_at, number));
        Ok(true)
    })?;
    let next_number = rows.get(&NEXT_NUMBER_ROW)?.map_or(Ok(0), |value| decode(&value))?;
    let sweep_from = Table::Expiry.range().0.to_vec();
    Ok((Indexes::build(attention, messages), Progress { next_number, sweep_from }))
}

#[async_trait]
impl Ledger for Embedded {
    async fn transact(&self, id: DecisionId, now: UnixMs, load: LoadSpec, decide: Decide) -> PortResult<()> {
        self.run(move |batch| transact::transact(batch, id, now, load, decide)).await
    }

    async fn read(&self, now: UnixMs, load: LoadSpec) -> PortResult<View> {
        self.shared().pulse.check()?;
        look(self.shared(), now, &load)
    }

    async fn claim_nonce(&self, nonce: &Nonce, now: UnixMs, expires: UnixMs) -> PortResult<bool> {
        let nonce = nonce.clone();
        self.run(move |batch| counters::claim_nonce(batch, &nonce, now, expires)).await
    }

    async fn bump(&self, window: &QuotaWindow, now: UnixMs, limit: u32) -> PortResult<bool> {
        let window = *window;
        self.run(move |batch| counters::bump(batch, &window, now, limit)).await
    }

    async fn watch(&self, key: &Key, rev: u64, until: UnixMs) -> PortResult<Option<Stored>> {
        let shared = self.shared();
        let watcher = shared.waiting.watch(*key);
        let mut sleeper = shared.clock.sleeper();
        loop {
            let written = watcher.notify.notified();
            tokio::pin!(written);
            written.as_mut().enable();
            shared.pulse.check()?;
            let now = shared.clock.now();
            let stored = look_at(&*shared.rows.snapshot(), now, key)?;
            if stored.as_ref().is_some_and(|stored| stored.rev > rev) {
                return Ok(stored);
            }
            if now >= until {
                return Ok(None);
            }
            tokio::select! {
                () = written => {}
                () = sleeper.nap(now, until) => {}
                () = shared.pulse.stopped() => {}
            }
        }
    }

    async fn due(&self, now: UnixMs, limit: usize) -> PortResult<Vec<Due>> {
        let shared = self.shared();
        shared.pulse.check()?;
        let rows = shared.rows.snapshot();
        let mut due = Vec::new();
        let mut after = None;
        while due.len() < limit {
            let page = shared.indexes().due_page(after, now, DUE_PAGE);
            for &(at, key) in &page {
                // The index may be ahead of the rows, and keeps an expired item until it is swept.
                let stored = look_at(&*rows, now, &key)?;
                if due.len() < limit && stored.is_some_and(|stored| due_entry(&stored.item) == Some(at)) {
                    due.push(Due { at, key });
                }
            }
            after = page.last().copied();
            if page.len() < DUE_PAGE {
                break;
            }
        }
        Ok(due)
    }

    async fn open_tasks(&self) -> PortResult<u64> {
        self.shared().pulse.check()?;
        Ok(self.shared().indexes().open_len().try_into().unwrap_or(u64::MAX))
    }

    async fn api_keys(&self) -> PortResult<Vec<(KeyHash, Stored)>> {
        let shared = self.shared();
        shared.pulse.check()?;
        let now = shared.clock.now();
        let mut keys = Vec::new();
        let (from, to) = API_KEYS;
        try_scan(&*shared.rows.snapshot(), &from, &to, |row, value| {
            let stored: Stored = decode(value)?;
            if let Key::ApiKey(hash) = item_key(row)?
                && !is_expired(&stored, now)
            {
                keys.push((hash, stored));
            }
            Ok(true)
        })?;
        Ok(keys)
    }
}
