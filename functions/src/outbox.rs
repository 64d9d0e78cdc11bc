//! From a batch of the table's stream to the queues.

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use lambda_runtime::Error;
use sn17_app::ports::PortError;
use sn17_aws::dispatch::{effects_in, send_all};
use sn17_aws::queue::SqsQueue;
use sn17_aws::schema;
use sn17_core::ledger::Effect;

/// Sends the effects in the records of one batch, and answers from which record on the stream must deliver again.
///
/// A record that cannot be read would be no better the next time: it is logged and passed over, and what it should
/// have caused is repaired by the sweeper.
///
/// # Errors
/// When there is something to send and nothing could be sent. The stream delivers the whole batch again, as it would
/// for a partial answer that names the first record; but an error is counted, and a partial answer is not.
pub async fn dispatch(queue: &SqsQueue, event: Event) -> Result<DynamoDbEventResponse, Error> {
    let effects: Vec<Vec<Effect>> = event.records.iter().map(effects_of).collect();
    let outcomes = send_all(queue, &effects).await;
    let with_effects = effects.iter().filter(|effects| !effects.is_empty()).count();
    let failed: Vec<(&EventRecord, PortError)> = event
        .records
        .iter()
        .zip(outcomes)
        .filter_map(|(record, outcome)| Some((record, outcome.err()?)))
        .collect();
    let (failed_count, mut failed) = (failed.len(), failed.into_iter());
    let mut answer = DynamoDbEventResponse::default();
    if let Some((record, error)) = failed.next() {
        if failed_count == with_effects {
            return Err(error.into());
        }
        tracing::warn!(%error, failed_count, "effects could not be sent, they will be delivered again");
        // The stream goes on from the first failure, so the later ones need not be named.
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier.clone_from(&record.change.sequence_number);
        answer.batch_item_failures.push(failure);
    }
    Ok(answer)
}

fn effects_of(record: &EventRecord) -> Vec<Effect> {
    let image: &std::collections::HashMap<_, _> = record.change.new_image.as_ref();
    let Some(serde_dynamo::AttributeValue::S(fx)) = image.get(schema::EFFECTS) else {
        return Vec::new();
    };
    effects_in(fx).unwrap_or_else(|error| {
        tracing::error!(%error, event.id = record.event_id, "a record of the stream cannot be read");
        Vec::new()
    })
}
