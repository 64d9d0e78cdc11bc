//! The requests to SQS.

use std::time::Duration;

use aws_sdk_sqs::config::Builder;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry,
    MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use aws_smithy_types::timeout::TimeoutConfig;
use sn17_app::ports::{PortError, PortErrorKind, PortResult};
use sn17_core::UnixMs;
use sn17_core::ledger::{Effect, QueueName};

use super::{SqsQueue, VISIBILITY_SECS_MAX, delay_secs};
use crate::error::{port_error, service_kind};

/// Most messages in one request.
pub(super) const BATCH_MAX: usize = 10;
/// An answer to a request that waits may take so much longer than its wait, in seconds.
const WAIT_MARGIN_SECS: u64 = 5;

/// A message as SQS hands it out.
pub(super) struct Message {
    pub(super) id: String,
    pub(super) handle: String,
    pub(super) body: String,
    /// How often it has been handed out, this time included.
    pub(super) receive_count: u32,
    pub(super) sent_at: UnixMs,
}

impl SqsQueue {
    pub(super) async fn send_message(&self, url: &str, effect: &Effect, delay_secs: u64) -> PortResult<()> {
        let request = self.client.send_message().queue_url(url).message_body(body(effect)?);
        let outcome = request.delay_seconds(whole(delay_secs)).send().await;
        outcome.map_err(|error| port_error("send a message", &error))?;
        Ok(())
    }

    /// Sends at most [`BATCH_MAX`] effects to `queue` and answers for each one.
    pub(super) async fn send_batch(&self, queue: QueueName, effects: &[Effect]) -> Vec<PortResult<()>> {
        let all = |error: PortError| effects.iter().map(|_| Err(error.clone())).collect();
        if effects.is_empty() {
            return Vec::new();
        }
        let entries: PortResult<Vec<_>> = effects.iter().enumerate().map(|entry| self.entry(entry)).collect();
        let (url, entries) = match (self.url(queue), entries) {
            (Ok(url), Ok(entries)) => (url, entries),
            (Err(error), _) | (_, Err(error)) => return all(error),
        };
        let outcome = self.client.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await;
        let output = match outcome {
            Ok(output) => output,
            Err(error) => return all(port_error("send messages", &error)),
        };
        let unanswered =
            PortError::new(PortErrorKind::Unavailable, "SQS does not say whether a message was taken");
        let mut outcomes: Vec<PortResult<()>> = all(unanswered);
        for entry in output.successful() {
            if let Some(outcome) = entry.id().parse().ok().and_then(|id: usize| outcomes.get_mut(id)) {
                *outcome = Ok(());
            }
        }
        note_failures("send a message", output.failed(), &mut outcomes);
        outcomes
    }

    fn entry(&self, (position, effect): (usize, &Effect)) -> PortResult<SendMessageBatchRequestEntry> {
        let delay = whole(delay_secs(effect.not_before(), (self.host.now)()));
        let entry = SendMessageBatchRequestEntry::builder().id(position.to_string());
        let entry = entry.message_body(body(effect)?).delay_seconds(delay).build();
        entry.map_err(|error| PortError::new(PortErrorKind::Corrupt, error.to_string()))
    }

    pub(super) async fn receive_messages(
        &self,
        url: &str,
        max: usize,
        visibility_secs: u32,
        wait_secs: u64,
    ) -> PortResult<Vec<Message>> {
        let request = self.client.receive_message().queue_url(url);
        let request = request
            .max_number_of_messages(whole(max as u64))
            .visibility_timeout(whole(visibility_secs.into()))
            .wait_time_seconds(whole(wait_secs))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp);
        let outcome = request.customize().config_override(waiting(wait_secs)).send().await;
        let output = outcome.map_err(|error| port_error("receive messages", &error))?;
        Ok(output.messages.unwrap_or_default().into_iter().map(message).collect())
    }

    /// Hides a message for `visibility_secs` from now on.
    pub(super) async fn change_visibility(
        &self,
        url: &str,
        handle: &str,
        visibility_secs: u32,
    ) -> PortResult<()> {
        debug_assert!(visibility_secs <= VISIBILITY_SECS_MAX, "the caller bounds it");
        let request = self.client.change_message_visibility().queue_url(url).receipt_handle(handle);
        let outcome = request.visibility_timeout(whole(visibility_secs.into())).send().await;
        outcome.map(drop).map_err(|error| {
            let mut error = port_error("hide a message", &error);
            if error.kind == PortErrorKind::Corrupt {
                // The time is within its bounds, so what SQS finds invalid is the handle: "Message does not exist
                // or is not available for visibility timeout change", or 12 hours have passed since the delivery.
                error.kind = PortErrorKind::NotFound;
            }
            error
        })
    }

    /// Shows messages again that were only looked at. Those for which that fails show by themselves a little later.
    pub(super) async fn give_back(&self, url: &str, handles: &[&str]) {
        for handles in handles.chunks(BATCH_MAX) {
            let entry = |(position, handle): (usize, &&str)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(position.to_string());
                entry.receipt_handle(*handle).visibility_timeout(0).build().ok()
            };
            let entries = handles.iter().enumerate().filter_map(entry).collect();
            let request = self.client.change_message_visibility_batch().queue_url(url);
            match request.set_entries(Some(entries)).send().await {
                Ok(output) => {
                    if let Some(failure) = output.failed().first() {
                        let (count, error) =
                            (output.failed().len(), failure_of("give a message back", failure));
                        tracing::warn!(%error, count, "dead letters stay hidden for a while");
                    }
                }
                Err(error) => {
                    let error = port_error("give messages back", &error);
                    tracing::warn!(%error, count = handles.len(), "dead letters stay hidden for a while");
                }
            }
        }
    }

    /// Deletes at most [`BATCH_MAX`] messages and answers for each one.
    pub(super) async fn delete_batch(&self, url: &str, handles: &[&str]) -> Vec<PortResult<()>> {
        let all = |error: PortError| handles.iter().map(|_| Err(error.clone())).collect();
        if handles.is_empty() {
            return Vec::new();
        }
        let entry = |(position, handle): (usize, &&str)| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(position.to_string());
            entry.receipt_handle(*handle).build()
        };
        let entries = match handles.iter().enumerate().map(entry).collect() {
            Ok(entries) => entries,
            Err(error) => return all(PortError::new(PortErrorKind::Corrupt, error.to_string())),
        };
        let request = self.client.delete_message_batch().queue_url(url);
        let output = match request.set_entries(Some(entries)).send().await {
            Ok(output) => output,
            Err(error) => return all(port_error("delete messages", &error)),
        };
        let unanswered =
            PortError::new(PortErrorKind::Unavailable, "SQS does not say whether a message was deleted");
        let mut outcomes: Vec<PortResult<()>> = all(unanswered);
        for entry in output.successful() {
            if let Some(outcome) = entry.id().parse().ok().and_then(|id: usize| outcomes.get_mut(id)) {
                *outcome = Ok(());
            }
        }
        note_failures("delete a message", output.failed(), &mut outcomes);
        outcomes
    }

    pub(super) async fn delete_message(&self, url: &str, handle: &str) -> PortResult<()> {
        let outcome = self.client.delete_message().queue_url(url).receipt_handle(handle).send().await;
        outcome.map(drop).map_err(|error| port_error("delete a message", &error))
    }

    /// Messages waiting, delayed and delivered.
    pub(super) async fn count_messages(&self, url: &str) -> PortResult<u64> {
        let counts = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let request = self.client.get_queue_attributes().queue_url(url);
        let outcome = request.set_attribute_names(Some(counts.to_vec())).send().await;
        let output = outcome.map_err(|error| port_error("count messages", &error))?;
        let attributes = output.attributes.unwrap_or_default();
        let count = |name: &QueueAttributeName| attributes.get(name)?.parse::<u64>().ok();
        let counts: Option<Vec<u64>> = counts.iter().map(count).collect();
        let missing = || PortError::new(PortErrorKind::Unavailable, "SQS does not count its messages");
        counts.map(|counts| counts.iter().sum()).ok_or_else(missing)
    }
}

/// Lets an answer take as long as was asked for, whatever the client's own limit.
fn waiting(wait_secs: u64) -> Builder {
    let attempt = Duration::from_secs(wait_secs + WAIT_MARGIN_SECS);
    let limits = TimeoutConfig::builder().operation_attempt_timeout(attempt).operation_timeout(2 * attempt);
    Builder::new().timeout_config(limits.build())
}

/// Notes what a batch's answer says about the entries that failed; an entry's id is its position.
fn note_failures(what: &str, failed: &[BatchResultErrorEntry], outcomes: &mut [PortResult<()>]) {
    for entry in failed {
        if let Some(outcome) = entry.id().parse().ok().and_then(|id: usize| outcomes.get_mut(id)) {
            *outcome = Err(failure_of(what, entry));
        }
    }
}

fn failure_of(what: &str, entry: &BatchResultErrorEntry) -> PortError {
    let status = if entry.sender_fault() { 400 } else { 500 };
    let kind = service_kind(Some(entry.code()), status);
    PortError::new(kind, format!("cannot {what}: {}", entry.code()))
}

fn message(message: aws_sdk_sqs::types::Message) -> Message {
    let number = |name: &MessageSystemAttributeName| {
        message.attributes.as_ref().and_then(|attributes| attributes.get(name)?.parse::<u64>().ok())
    };
    let count = number(&MessageSystemAttributeName::ApproximateReceiveCount).unwrap_or(1);
    let sent_at = UnixMs(number(&MessageSystemAttributeName::SentTimestamp).unwrap_or(0));
    Message {
        receive_count: u32::try_from(count).unwrap_or(u32::MAX),
        sent_at,
        id: message.message_id.unwrap_or_default(),
        handle: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
    }
}

fn body(effect: &Effect) -> PortResult<String> {
    let corrupt =
        |error| PortError::new(PortErrorKind::Corrupt, format!("an effect cannot be written: {error}"));
    serde_json::to_string(effect).map_err(corrupt)
}

/// A small number as SQS takes it.
fn whole(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
