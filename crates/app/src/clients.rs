//! What clients can do: ask for a task, look at it, fetch its results.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sn17_core::ledger::LoadSpec;
use sn17_core::state::{Key, Origin, Prompt, Task, TaskState};
use sn17_core::task::{self, NewTask};
use sn17_core::{Hotkey, TaskId};

use crate::ports::{BlobKey, BlobRead, Blobs, PortError, PortErrorKind, PortResult, transact};
use crate::scoring::{Picture, preview_key};
use crate::{App, Caller, prompts};

/// A prompt that has passed the checks of its surface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewPrompt {
    /// Words.
    Text(String),
    /// A picture's bytes.
    Image(Bytes),
}

/// A client's request for a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddTask {
    /// What is to be made.
    pub prompt: NewPrompt,
    /// The client's program.
    pub origin: Origin,
}

/// Why a task is not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AddTaskError {
    /// As many tasks are open as are allowed; nothing was charged.
    #[error("Task queue is full")]
    QueueFull {
        /// When to come back.
        retry_after_secs: u64,
    },
    /// The key's quota is used up.
    #[error("User rate limit exceeded")]
    QuotaExceeded {
        /// When the next period begins.
        retry_after_secs: u64,
    },
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// What a client is told about its task.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskStatus {
    /// Unknown to this caller, or nothing yet.
    NoResult,
    /// Results are there, and a better one may still come; nothing can be fetched yet.
    Partial {
        /// How many, from 1.
        results: u32,
    },
    /// A result can be fetched.
    Success {
        /// Who made the best one.
        hotkey: Hotkey,
        /// Its uid.
        uid: u16,
        /// Its rating then.
        rating: f64,
        /// Whether synthetic model weights chose it.
        synthetic: bool,
    },
    /// It ended without a result.
    Failure {
        /// Why.
        reason: String,
    },
}

/// A result to be read.
#[derive(Debug)]
pub struct ResultFile {
    /// The SPZ.
    pub splat: BlobRead,
    /// Whether synthetic model weights scored it.
    pub synthetic: bool,
}

/// Where the store itself gives out a result.
#[derive(Clone, PartialEq, Eq)]
pub struct ResultLink {
    /// A URL that needs no key for as long as it is valid.
    pub url: String,
    /// Whether synthetic model weights scored it.
    pub synthetic: bool,
}

impl std::fmt::Debug for ResultLink {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ResultLink").field("synthetic", &self.synthetic).finish_non_exhaustive()
    }
}

impl App {
    /// Accepts a task: it is durable when this returns (TK-1).
    ///
    /// # Errors
    /// See [`AddTaskError`]; a full queue charges no quota.
    pub async fn add_task(&self, caller: &Caller, request: AddTask) -> Result<TaskId, AddTaskError> {
        let rules = self.policy.tasks;
        if self.ports.ledger.open_tasks().await? >= rules.open_max {
            return Err(AddTaskError::QueueFull { retry_after_secs: rules.retry_after_secs });
        }
        let now = self.now();
        // A client that goes on asking costs neither a write nor a stored picture.
        if let Some(retry_after_secs) = self.quota_wait(caller, now) {
            return Err(AddTaskError::QuotaExceeded { retry_after_secs });
        }
        let id = TaskId::new(now, self.random());
        let prompt = match request.prompt {
            NewPrompt::Text(text) => Prompt::Text(text),
            NewPrompt::Image(bytes) => {
                let sha256 = prompts::sha256(&bytes);
                let blob = format!("prompts/{id}");
                put(&*self.ports.blobs, &BlobKey(blob.clone()), bytes).await?;
                Prompt::Image { blob, sha256 }
            }
        };
        // After the picture, so that one that cannot be stored is not charged.
        if let Some(retry_after_secs) = self.charge(caller, now).await? {
            self.discard(&prompt).await;
            return Err(AddTaskError::QuotaExceeded { retry_after_secs });
        }
        let new = NewTask { id, prompt, owner: caller.hash, origin: request.origin };
        let load = LoadSpec::keys([Key::Task(id)]);
        let decide = move |view: &_| task::add(view, &new, now, &rules);
        transact(&*self.ports.ledger, self.decision_id(), now, load, decide).await?;
        Ok(id)
    }

    /// Removes the picture of a task that is not accepted.
    async fn discard(&self, prompt: &Prompt) {
        let Prompt::Image { blob, .. } = prompt else { return };
        if let Err(error) = self.ports.blobs.delete(&BlobKey(blob.clone())).await {
            // Whatever is left behind goes when blobs of its age are swept.
            tracing::warn!(blob, %error, "cannot remove a picture that was not taken");
        }
    }

    /// What has become of a task. A task of another key is as unknown as one that never was.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn status(&self, caller: &Caller, id: TaskId) -> PortResult<TaskStatus> {
        let now = self.now();
        let view = self.ports.ledger.read(now, LoadSpec::keys([Key::Task(id)])).await?;
        let Some((_, task)) = view.task(id).filter(|(_, task)| task.owner == caller.hash) else {
            return Ok(TaskStatus::NoResult);
        };
        Ok(match task.state_at(now) {
            TaskState::Open => self.open_status(task),
            TaskState::Failure { reason, .. } => TaskStatus::Failure { reason },
            TaskState::Success { .. } => match task.best() {
                Some(best) => TaskStatus::Success {
                    hotkey: best.hotkey,
                    uid: best.uid,
                    rating: best.rating,
                    synthetic: best.synthetic,
                },
                None => TaskStatus::NoResult,
            },
        })
    }

    /// The Unity plug-in fails on a partial result, and the Blender add-on is kept from it too.
    fn open_status(&self, task: &Task) -> TaskStatus {
        let is_told =
            self.policy.tasks.partial_results && !matches!(task.origin, Origin::Blender | Origin::Unity);
        match u32::try_from(task.results.len()) {
            Ok(results @ 1..) if is_told => TaskStatus::Partial { results },
            Ok(_) | Err(_) => TaskStatus::NoResult,
        }
    }

    /// A task of this caller, none if it is not theirs or unknown.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn task_of(&self, caller: &Caller, id: TaskId) -> PortResult<Option<Task>> {
        let view = self.ports.ledger.read(self.now(), LoadSpec::keys([Key::Task(id)])).await?;
        Ok(view.task(id).map(|(_, task)| task).filter(|task| task.owner == caller.hash).cloned())
    }

    /// The results of an ended task, best first, at most `max` of them (BL-1: as often as the client likes). The best is
    /// opened, the others are when they are read.
    ///
    /// # Errors
    /// Those of the blob store.
    pub async fn results(&self, task: &Task, max: usize) -> PortResult<Vec<ResultFile>> {
        let mut files = Vec::new();
        for result in task.readable_results(self.now()).into_iter().take(max) {
            let key = BlobKey(result.blob.clone());
            let splat = if files.is_empty() {
                self.ports.blobs.get(&key).await?
            } else {
                later(Arc::clone(&self.ports.blobs), key, result.bytes)
            };
            files.push(ResultFile { splat, synthetic: result.synthetic });
        }
        Ok(files)
    }

    /// A picture of the best result of an ended task; none if there is no result, or no such picture was kept of it.
    ///
    /// # Errors
    /// Those of the blob store.
    pub async fn preview(&self, id: TaskId, task: &Task, picture: Picture) -> PortResult<Option<BlobRead>> {
        let results = task.readable_results(self.now());
        let Some(best) = results.first() else { return Ok(None) };
        match self.ports.blobs.get(&preview_key(id, best.hotkey, picture)).await {
            Ok(read) => Ok(Some(read)),
            Err(error) if error.kind == PortErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A link to the best result of an ended task in the store itself, valid for `valid_secs`; none if it has no more
    /// than `bytes_max` bytes, or the store has no address of its own.
    ///
    /// # Errors
    /// Those of the blob store.
    pub async fn result_link(
        &self,
        task: &Task,
        bytes_max: u64,
        valid_secs: u32,
        filename: &str,
    ) -> PortResult<Option<ResultLink>> {
        let results = task.readable_results(self.now());
        let Some(best) = results.first().filter(|best| best.bytes > bytes_max) else {
            return Ok(None);
        };
        let blob = BlobKey(best.blob.clone());
        let url = self.ports.blobs.presign(&blob, valid_secs, filename).await?;
        Ok(url.map(|url| ResultLink { url, synthetic: best.synthetic }))
    }
}

/// A blob that is opened when its first bytes are asked for: a platform may allow few open answers to one request, and
/// cut off those that nobody reads (Cloudflare Workers: six).
fn later(blobs: Arc<dyn Blobs>, key: BlobKey, bytes: u64) -> BlobRead {
    let opened = async move { Ok(blobs.get(&key).await?.stream) };
    BlobRead { bytes, stream: stream::once(opened).try_flatten().boxed() }
}

/// Stores a small blob in one go.
pub(crate) async fn put(blobs: &dyn Blobs, key: &BlobKey, bytes: Bytes) -> PortResult<()> {
    let upload = blobs.begin(key).await?;
    blobs.part(&upload, bytes).await?;
    blobs.finish(&upload).await
}

/// Reads a whole blob of at most `bytes_max`.
pub(crate) async fn fetch(blobs: &dyn Blobs, key: &BlobKey, bytes_max: u64) -> PortResult<Bytes> {
    fetch_within(blobs, key, bytes_max, |_| true).await
}

/// The same if there is room for its bytes, of which none has been read by then; `Throttled` otherwise.
pub(crate) async fn fetch_within(
    blobs: &dyn Blobs,
    key: &BlobKey,
    bytes_max: u64,
    has_room: impl FnOnce(u64) -> bool + Send,
) -> PortResult<Bytes> {
    use futures_util::StreamExt as _;

    let mut read = blobs.get(key).await?;
    if read.bytes > bytes_max {
        return Err(PortError::new(
            PortErrorKind::Corrupt,
            format!("blob {} has {} bytes", key.0, read.bytes),
        ));
    }
    if !has_room(read.bytes) {
        return Err(PortError::new(PortErrorKind::Throttled, "there is no memory for a picture"));
    }
    let mut whole = Vec::with_capacity(usize::try_from(read.bytes).unwrap_or(0));
    while let Some(chunk) = read.stream.next().await {
        whole.extend_from_slice(&chunk?);
    }
    Ok(Bytes::from(whole))
}
