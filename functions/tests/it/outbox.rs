//! Batches of the stream.

use serde_json::{Value, json};
use sn17_aws::native;
use sn17_aws::queue::{QueueUrls, SqsQueue};
use sn17_core::ledger::Effect;
use sn17_core::{Hotkey, TaskId};
use sn17_functions::dispatch;

use crate::service::{Answer, Asked, Service};

/// The effects of a stream's record, as the ledger writes them.
fn fx(hotkey: u8) -> String {
    serde_json::to_string(&[Effect::Score { task: TaskId(1), hotkey: Hotkey([hotkey; 32]) }]).unwrap()
}

/// A record as the stream delivers it (Amazon DynamoDB developer guide, "DynamoDB Streams and AWS Lambda triggers").
fn record(sequence_number: u32, fx: Option<&str>) -> Value {
    let mut image = json!({ "pk": { "S": "T#1" }, "sk": { "S": "T" }, "rev": { "N": "1" } });
    if let Some(fx) = fx {
        image["fx"] = json!({ "S": fx });
    }
    json!({
        "eventID": format!("event-{sequence_number}"),
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_773_342_238,
            "Keys": { "pk": { "S": "T#1" }, "sk": { "S": "T" } },
            "NewImage": image,
            "SequenceNumber": sequence_number.to_string(),
            "SizeBytes": 100,
            "StreamViewType": "NEW_IMAGE",
        },
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/sn17/stream/1",
    })
}

/// Takes every message but those at these positions of their batch.
fn refuse(refused: &[usize]) -> impl Fn(&Asked) -> Answer + use<> {
    let refused = refused.to_vec();
    move |asked| {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        let (mut taken, mut failed) = (Vec::new(), Vec::new());
        for (position, entry) in body["Entries"].as_array().unwrap().iter().enumerate() {
            if refused.contains(&position) {
                failed.push(json!({ "Id": entry["Id"], "Code": "InternalError", "SenderFault": false }));
            } else {
                taken.push(json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "0" }));
            }
        }
        (200, json!({ "Successful": taken, "Failed": failed }).to_string())
    }
}

/// What the function answers to these records, or its error.
async fn answer(service: &Service, records: &[Value]) -> Result<Value, String> {
    let urls = QueueUrls { scoring: "http://service.invalid/1/scoring".to_owned(), ..QueueUrls::default() };
    let queue = SqsQueue::new(service.clients().sqs(), urls, native::host());
    let event = serde_json::from_value(json!({ "Records": records })).unwrap();
    let answer = dispatch(&queue, event).await.map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(answer).unwrap())
}

#[tokio::test]
async fn the_stream_goes_on_from_the_first_record_that_failed() {
    let records: Vec<Value> =
        (0..5).map(|number| record(100 + u32::from(number), Some(&fx(number)))).collect();
    let some = Service::new(refuse(&[1, 3]));
    let expected = json!({ "batchItemFailures": [{ "itemIdentifier": "101" }] });
    assert_eq!(answer(&some, &records).await.unwrap(), expected);
    let all = Service::new(refuse(&[]));
    assert_eq!(answer(&all, &records).await.unwrap(), json!({ "batchItemFailures": [] }));
}

#[tokio::test]
async fn a_poisoned_record_is_passed_over() {
    let poison = [
        record(100, Some("garbage")),
        record(101, Some(r#"["Nothing"]"#)),
        record(102, Some(&fx(1))),
        record(103, None),
    ];
    let service = Service::new(refuse(&[]));
    assert_eq!(answer(&service, &poison).await.unwrap(), json!({ "batchItemFailures": [] }));
    let asked = service.asked("SendMessageBatch");
    assert_eq!(asked.len(), 1);
    let sent: Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(sent["Entries"].as_array().unwrap().len(), 1, "what can be read is sent");
    // Nothing is left to send of what cannot be read, so it fails no batch either.
    assert!(answer(&service, &poison[..2]).await.is_ok());
}

#[tokio::test]
async fn a_batch_of_which_nothing_could_be_sent_is_an_error() {
    let service = Service::new(refuse(&[0, 1]));
    let records = [record(100, None), record(101, Some(&fx(1))), record(102, Some(&fx(2)))];
    let error = answer(&service, &records).await.unwrap_err();
    assert!(error.contains("InternalError"), "{error}");
}
