//! What the sweeper does with its two kinds of events.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::Error;
use serde_json::Value;
use sn17_app::App;
use sn17_app::ports::PortResult;
use sn17_aws::blobs::S3Blobs;
use sn17_aws::queue::{SqsQueue, effect_in};
use sn17_core::ledger::QueueName;

/// An upload without an end for so long has lost its sender: the longest request takes a minute.
const UPLOAD_STALE_SECS: u64 = 15 * 60;
/// Dead letters looked at in one sweep.
const DEAD_LETTERS_MAX: usize = 100;

/// The function's state between events.
#[derive(Debug)]
pub struct Sweeper {
    app: Arc<App>,
    queue: SqsQueue,
    blobs: S3Blobs,
}

impl Sweeper {
    /// Over the function's ports.
    pub const fn new(app: Arc<App>, queue: SqsQueue, blobs: S3Blobs) -> Self {
        Self { app, queue, blobs }
    }

    /// Handles messages of the timers' queue, else the schedule's event; answers which messages are to be delivered
    /// again.
    ///
    /// # Errors
    /// When the schedule's event could not be handled: Lambda counts it, and the next one does the rest.
    pub async fn handle(&self, event: Value) -> Result<Value, Error> {
        if event.get("Records").is_none() {
            self.sweep().await?;
            return Ok(Value::Null);
        }
        let mut answer = SqsBatchResponse::default();
        for message in serde_json::from_value::<SqsEvent>(event)?.records {
            if let Err(error) = self.timer(&message).await {
                tracing::warn!(%error, "a timer could not be handled, it will be delivered again");
                answer.add_failure(message.message_id.unwrap_or_default());
            }
        }
        Ok(serde_json::to_value(answer)?)
    }

    async fn timer(&self, message: &SqsMessage) -> PortResult<()> {
        let effect = effect_in(QueueName::Timers, message.body.as_deref().unwrap_or_default())?;
        // SQS delays a message by 15 minutes at most: a later timer travels on until its time has come.
        if self.queue.send_on_if_early(effect).await? {
            return Ok(());
        }
        self.app.timer(effect).await
    }

    /// Repairs whatever was lost on the way.
    async fn sweep(&self) -> PortResult<()> {
        let done = self.app.sweep().await?;
        let letters = self.app.dead_letters(DEAD_LETTERS_MAX).await?;
        let settled = self.app.settle_dead_letters(&letters).await?;
        let uploads = self.blobs.abort_stale(UPLOAD_STALE_SECS).await?;
        tracing::info!(
            tasks_ended = done.tasks_ended,
            submissions_resent = done.submissions_resent,
            dead_letters = letters.len(),
            settled,
            uploads_aborted = uploads,
            "swept"
        );
        Ok(())
    }
}
