//! From a batch of the table's stream to the queues.

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use aws_lambda_events::event::streams::{DynamoDbBatchItemFailure, DynamoDbEventResponse};
use sn17_aws::dispatch::{effects_in, send_all};
use sn17_aws::queue::SqsQueue;
use sn17_aws::schema;
use sn17_core::ledger::Effect;

/// Sends the effects in the records of one batch, and answers from which record on the stream must deliver again.
///
/// A record that cannot be read would be no better the next time: it is logged and passed over, and what it should
/// have caused is repaired by the sweeper.
pub async fn dispatch(queue: &SqsQueue, event: Event) -> DynamoDbEventResponse {
    let effects: Vec<Vec<Effect>> = event.records.iter().map(effects_of).collect();
    let outcomes = send_all(queue, &effects).await;
    let mut answer = DynamoDbEventResponse::default();
    let failed =
        event.records.iter().zip(outcomes).find_map(|(record, outcome)| Some((record, outcome.err()?)));
    if let Some((record, error)) = failed {
        tracing::warn!(%error, "effects could not be sent, they will be delivered again");
        // The stream goes on from the first failure, so the later ones need not be named.
        let mut failure = DynamoDbBatchItemFailure::default();
        failure.item_identifier.clone_from(&record.change.sequence_number);
        answer.batch_item_failures.push(failure);
    }
    answer
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
