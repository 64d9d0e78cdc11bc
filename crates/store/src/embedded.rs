//! The handle of the embedded ledger and queue.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use async_trait::async_trait;
use sn17_app::ports::{Decide, Due, Ledger, Nonce, PortError, PortErrorKind, PortResult, QuotaWindow};
use sn17_core::UnixMs;
use sn17_core::index::{due_entry, judged_entry};
use sn17_core::ledger::{DecisionId, LoadSpec, Stored, View};
use sn17_core::state::{DuelNonce, Key, KeyHash};
use tokio::sync::{mpsc, oneshot};

use crate::attention::Attention;
use crate::clock::Clock;
use crate::codec::{API_KEYS, Table, decode, item_key, message_name};
use crate::indexes::Indexes;
use crate::messages::Message;
use crate::rows::durable::DurableRows;
use crate::rows::memory::MemoryRows;
use crate::rows::{Rows, try_scan};
use crate::sweep::SWEEP_MAX;
use crate::transact::{look, look_at};
use crate::writer::{Answer, Batch, Job, NEXT_NUMBER_ROW, Progress, Shared};
use crate::{counters, sweep, transact, verify, writer};

/// Most jobs that wait for the writer; who comes then waits before the door.
const JOBS_MAX: usize = 4096;
/// How many entries of the calendar are taken from the index at a time.
const DUE_PAGE: usize = 256;

/// What can be set about the embedded store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// A message that was handed out so often goes to the dead letters instead of being handed out again.
    pub max_receives: u32,
    /// The same for what is to be judged: a judge fails more often than a scorer.
    pub judging_max_receives: u32,
    /// Memory for blocks read from disk, in bytes.
    pub cache_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_receives: 4, judging_max_receives: 4, cache_bytes: 128 << 20 }
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

/// Reads what must be in memory: the indexes and the next message number. The two long scans run side by side,
/// which halves the time that a restart with a million open tasks takes.
fn recover(rows: &dyn Rows) -> PortResult<(Indexes, Progress)> {
    let (attention, messages) = std::thread::scope(|scope| {
        let attention = scope.spawn(|| recover_attention(rows));
        let messages = recover_messages(rows);
        let panicked = |_| PortError::new(PortErrorKind::Unavailable, "reading the indexes panicked");
        (attention.join().map_err(panicked).flatten(), messages)
    });
    let indexes = Indexes::join(attention?, messages?);
    let next_number = rows.snapshot().get(&NEXT_NUMBER_ROW)?.map_or(Ok(0), |value| decode(&value))?;
    let sweep_from = Table::Expiry.range().0.to_vec();
    Ok((indexes, Progress { next_number, sweep_from }))
}

fn recover_attention(rows: &dyn Rows) -> PortResult<Indexes> {
    let mut attention: Vec<(Key, Attention)> = Vec::new();
    let (from, to) = Table::Attention.range();
    try_scan(&*rows.snapshot(), &from, &to, |row, value| {
        attention.push((item_key(row)?, decode(value)?));
        Ok(true)
    })?;
    Ok(Indexes::of_items(&attention))
}

fn recover_messages(rows: &dyn Rows) -> PortResult<Indexes> {
    let mut messages = Vec::new();
    let (from, to) = Table::Messages.range();
    try_scan(&*rows.snapshot(), &from, &to, |row, value| {
        let (queue, number) = message_name(row)?;
        let message: Message = decode(value)?;
        messages.push((queue, message.visible_at, number));
        Ok(true)
    })?;
    Ok(Indexes::of_messages(&messages))
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
                && !stored.is_expired(now)
            {
                keys.push((hash, stored));
            }
            Ok(true)
        })?;
        Ok(keys)
    }

    async fn duels(
        &self,
        now: UnixMs,
        since: DuelNonce,
        before: Option<DuelNonce>,
        limit: usize,
    ) -> PortResult<Vec<(DuelNonce, Stored)>> {
        let shared = self.shared();
        shared.pulse.check()?;
        let rows = shared.rows.snapshot();
        let (mut duels, mut before) = (Vec::new(), before);
        while duels.len() < limit {
            let wanted = limit - duels.len();
            let page = shared.indexes().judged_page(since, before, wanted);
            for &nonce in &page {
                let key = Key::Duel(nonce);
                // The index may be ahead of the rows, and keeps an expired duel until it is swept.
                let stored = look_at(&*rows, now, &key)?;
                let judged = stored.filter(|stored| judged_entry(&key, &stored.item).is_some());
                duels.extend(judged.map(|stored| (nonce, stored)));
            }
            before = page.last().copied();
            if page.len() < wanted {
                break;
            }
        }
        Ok(duels)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use sn17_core::Hotkey;
    use sn17_core::state::Item;

    use super::*;
    use crate::conformance::samples::{commit, create, session};
    use crate::rows::{Change, RowsError, Snapshot};

    const KEY: Key = Key::Session(Hotkey([1; 32]));
    const NOW: UnixMs = UnixMs(1);

    /// Rows whose disk fails when it is told to.
    #[derive(Default)]
    struct FailingRows {
        rows: MemoryRows,
        fails: Arc<AtomicBool>,
    }

    impl Rows for FailingRows {
        fn snapshot(&self) -> Box<dyn Snapshot + '_> {
            self.rows.snapshot()
        }

        fn get(&self, row: &[u8]) -> Result<Option<fjall::UserValue>, RowsError> {
            self.rows.get(row)
        }

        fn commit(&self, changes: Vec<Change>) -> Result<(), RowsError> {
            if self.fails.load(Ordering::SeqCst) {
                return Err(RowsError::from(fjall::Error::Io(std::io::Error::other("the disk is full"))));
            }
            self.rows.commit(changes)
        }
    }

    #[tokio::test]
    async fn after_a_failed_write_everything_is_unavailable_for_good() {
        let rows = FailingRows::default();
        let fails = Arc::clone(&rows.fails);
        let store = Embedded::start(Box::new(rows), Clock::new(|| NOW), Options::default()).unwrap();
        create(&store, NOW, KEY, Item::Session(session(0))).await;
        let old = store.read(NOW, LoadSpec::keys([KEY])).await.unwrap().get(&KEY).cloned().unwrap();
        let update = vec![sn17_core::ledger::Write::replace(KEY, &old, Item::Session(session(1)))];

        fails.store(true, Ordering::SeqCst);
        let until = NOW.plus_secs(60);
        let (watched, committed) =
            tokio::join!(store.watch(&KEY, 1, until), commit(&store, NOW, update.clone()));
        assert_eq!(committed.unwrap_err().kind, PortErrorKind::Unavailable);
        assert_eq!(watched.unwrap_err().kind, PortErrorKind::Unavailable);
        assert!(store.stopped().await.contains("the disk is full"));

        fails.store(false, Ordering::SeqCst);
        let later = commit(&store, NOW, update).await;
        assert_eq!(later.unwrap_err().kind, PortErrorKind::Unavailable);
        let read = store.read(NOW, LoadSpec::keys([KEY])).await;
        assert_eq!(read.unwrap_err().kind, PortErrorKind::Unavailable);
        assert_eq!(store.open_tasks().await.unwrap_err().kind, PortErrorKind::Unavailable);
        assert_eq!(store.sweep(NOW).await.unwrap_err().kind, PortErrorKind::Unavailable);
    }
}
