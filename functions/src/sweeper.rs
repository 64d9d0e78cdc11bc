//! What the sweeper does with its two kinds of events.

mod looked_at;

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use lambda_runtime::Error;
use serde_json::Value;
use sn17_app::App;
use sn17_app::ports::{PortResult, Queue as _};
use sn17_aws::backlog::{Snapshot, Snapshots};
use sn17_aws::blobs::{S3Blobs, UPLOAD_STALE_SECS};
use sn17_aws::queue::{SqsQueue, effect_in};
use sn17_core::ledger::QueueName;

use looked_at::LookedAt;

/// Dead letters looked at in one sweep: as many as the queue finds in one go.
const DEAD_LETTERS_MAX: usize = 1_000;
/// Dead letters settled at the same time.
const SETTLE_PARALLEL: usize = 8;
/// The standings are noted in every so many-th minute since the Unix epoch: a look at every miner's record costs some 300
/// read units.
const LEADERBOARD_MINUTES: u64 = 5;

/// The function's state between events.
#[derive(Debug)]
pub struct Sweeper {
    app: Arc<App>,
    queue: SqsQueue,
    blobs: S3Blobs,
    snapshots: Snapshots,
    /// The dead letters that this process has settled: they stay in their queue for 14 days, and need it once.
    settled: LookedAt,
}

impl Sweeper {
    /// Over the function's ports.
    pub fn new(app: Arc<App>, queue: SqsQueue, blobs: S3Blobs, snapshots: Snapshots) -> Self {
        Self { app, queue, blobs, snapshots, settled: LookedAt::default() }
    }

    /// Handles messages of the timers' queue, else the schedule's event; answers which messages are to be delivered
    /// again.
    ///
    /// # Errors
    /// When a duty of the schedule's event could not be done, or none of the messages: Lambda counts it, and the next
    /// event does the rest.
    pub async fn handle(&self, event: Value) -> Result<Value, Error> {
        if event.get("Records").is_none() {
            self.sweep().await?;
            return Ok(Value::Null);
        }
        let messages = serde_json::from_value::<SqsEvent>(event)?.records;
        let outcomes = join_all(messages.iter().map(|message| self.timer(message))).await;
        let mut answer = SqsBatchResponse::default();
        let mut last_error = None;
        for (message, outcome) in messages.iter().zip(outcomes) {
            if let Err(error) = outcome {
                tracing::warn!(%error, "a timer could not be handled, it will be delivered again");
                answer.add_failure(message.message_id.clone().unwrap_or_default());
                last_error = Some(error);
            }
        }
        match last_error {
            // They all come again either way, but an error is counted and a partial answer is not.
            Some(error) if answer.batch_item_failures.len() == messages.len() => Err(error.into()),
            Some(_) | None => Ok(serde_json::to_value(answer)?),
        }
    }

    async fn timer(&self, message: &SqsMessage) -> PortResult<()> {
        let effect = effect_in(QueueName::Timers, message.body.as_deref().unwrap_or_default())?;
        // SQS delays a message by 15 minutes at most: a later timer travels on until its time has come.
        if self.queue.send_on_if_early(effect).await? {
            return Ok(());
        }
        self.app.timer(effect).await
    }

    /// Repairs whatever was lost on the way, makes duels and batches of prompts, notes the standings and tells the edges
    /// how long the queue is. The duties are done beside each other, so that none of them keeps another from its turn by
    /// failing or by taking all the function's time.
    async fn sweep(&self) -> Result<(), Error> {
        let (overdue, letters, uploads, backlog, duels, standings, prompts) = tokio::join!(
            self.app.sweep(),
            self.settle_dead_letters(),
            self.blobs.abort_stale(UPLOAD_STALE_SECS),
            self.leave_backlog(),
            self.app.make_duels(),
            self.note_leaderboard(),
            self.app.refresh_prompts()
        );
        let mut failed = Vec::new();
        match overdue {
            Ok(done) => tracing::info!(
                done.tasks_ended,
                done.submissions_resent,
                done.duels,
                "swept what was overdue"
            ),
            Err(error) => failed.push(format!("overdue items: {error}")),
        }
        match letters {
            Ok((new, settled)) => tracing::info!(new, settled, "looked at dead letters"),
            Err(error) => failed.push(format!("dead letters: {error}")),
        }
        match uploads {
            Ok(aborted) => tracing::info!(aborted, "swept stale uploads"),
            Err(error) => failed.push(format!("stale uploads: {error}")),
        }
        match backlog {
            Ok(count) => tracing::info!(count, "left the backlog for the edges"),
            Err(error) => failed.push(format!("backlog: {error}")),
        }
        match duels {
            Ok(made) => tracing::info!(made, "made duels"),
            Err(error) => failed.push(format!("duels: {error}")),
        }
        match standings {
            Ok(Some(miners)) => tracing::info!(miners, "noted the standings"),
            Ok(None) => {}
            Err(error) => failed.push(format!("standings: {error}")),
        }
        // A new batch says so itself.
        if let Err(error) = prompts {
            failed.push(format!("prompts: {error}"));
        }
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ").into()) }
    }

    /// Notes the standings if this is their minute; answers how many miners there are then.
    async fn note_leaderboard(&self) -> PortResult<Option<usize>> {
        if !(self.app.now().secs() / 60).is_multiple_of(LEADERBOARD_MINUTES) {
            return Ok(None);
        }
        Ok(Some(self.app.note_leaderboard().await?.rows.len()))
    }

    /// Leaves how many submissions wait for a score where hosts that cannot ask the queue find it; answers the count.
    async fn leave_backlog(&self) -> PortResult<u64> {
        let taken = self.app.now();
        let count = self.queue.backlog(QueueName::Scoring).await?;
        self.snapshots.leave(Snapshot { taken, count }).await?;
        Ok(count)
    }

    /// Settles the submissions behind dead letters that this process has not settled yet; answers how many of those
    /// there were, and how many of them had no verdict. One that cannot be settled is logged and left for the next
    /// sweep.
    ///
    /// # Errors
    /// Those of the queue; those of the ledger when none of several letters could be settled.
    async fn settle_dead_letters(&self) -> PortResult<(usize, usize)> {
        let mut letters = self.app.dead_letters(DEAD_LETTERS_MAX).await?;
        letters.retain(|letter| !self.settled.has(letter));
        let new = letters.len();
        let mut outcomes =
            stream::iter(letters)
                .map(|(task, hotkey)| async move {
                    ((task, hotkey), self.app.settle_dead_letter(task, hotkey).await)
                })
                .buffer_unordered(SETTLE_PARALLEL);
        let (mut settled, mut failed) = (0, Vec::new());
        while let Some((letter, outcome)) = outcomes.next().await {
            match outcome {
                Ok(is_first) => {
                    settled += usize::from(is_first);
                    self.settled.note(letter);
                }
                Err(error) => {
                    tracing::error!(task.id = %letter.0, %error, "a dead letter could not be settled");
                    failed.push(error);
                }
            }
        }
        match failed.pop() {
            Some(error) if new > 1 && failed.len() + 1 == new => Err(error),
            Some(_) | None => Ok((new, settled)),
        }
    }
}
