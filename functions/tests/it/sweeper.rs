//! Messages of the timers' queue, and the schedule's event.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use sn17_app::{App, Host, PromptBook};
use sn17_aws::backlog::Snapshots;
use sn17_aws::native;
use sn17_aws::settings::{Role, Settings};
use sn17_core::ledger::Effect;
use sn17_core::{Hotkey, TaskId, UnixMs};
use sn17_functions::Sweeper;

use crate::service::{Answer, Asked, Service};

/// Alice, the well-known account of Substrate's development chains.
const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
/// What a request gets that is refused for good.
const REFUSED: &str =
    r#"{"__type":"com.amazonaws.dynamodb.v20120810#ValidationException","message":"as scripted"}"#;

fn settings(policy: &str) -> Settings {
    let lookup = |name: &str| {
        let text = match name {
            "SN17_TABLE" => "sn17",
            "SN17_BUCKET" => "sn17-blobs",
            "SN17_SCORING_QUEUE_URL" => "http://service.invalid/1/scoring",
            "SN17_SCORING_DEAD_LETTERS_URL" => "http://service.invalid/1/scoring-dead",
            "SN17_TIMERS_QUEUE_URL" => "http://service.invalid/1/timers",
            "SN17_JUDGING_QUEUE_URL" => "http://service.invalid/1/judging",
            "SN17_POLICY" => policy,
            "SN17_VALIDATOR_HOTKEY" => ALICE,
            _ => return None,
        };
        Some(text.to_owned())
    };
    Settings::from_lookup(Role::Sweeper, lookup).unwrap()
}

/// An instant a second after the minute in which standings are noted, and so none at which they are.
const NOW: UnixMs = UnixMs::from_secs(1_750_000_061);

fn sweeper(service: &Service) -> Sweeper {
    sweeper_of(service, NOW, "{}")
}

/// One whose network has a judge.
fn judging_sweeper(service: &Service, now: UnixMs) -> Sweeper {
    sweeper_of(service, now, r#"{"judge":{"enabled":true}}"#)
}

fn sweeper_of(service: &Service, now: UnixMs, policy: &str) -> Sweeper {
    let host = Host { now: Arc::new(move || now), ..native::host() };
    let (settings, clients) = (settings(policy), service.clients());
    let network = settings.network().unwrap().clone();
    let app = App::new(
        native::ports(&settings, &clients, &host).unwrap(),
        host.clone(),
        network.policy,
        network.validator,
        native::random_key_secret(),
        PromptBook::default(),
    );
    let queue = native::queue(&settings, &clients, &host);
    let blobs = native::blobs(&network.bucket, &clients, &host);
    Sweeper::new(Arc::new(app), queue, blobs, Snapshots::new(clients.dynamodb(), &settings.table))
}

/// A network in which nothing is left to do.
fn idle(asked: &Asked) -> Answer {
    let body = match asked.operation.as_str() {
        "Query" => r#"{"Items":[],"Count":0,"ScannedCount":0}"#,
        "BatchGetItem" => r#"{"Responses":{"sn17":[]},"UnprocessedKeys":{}}"#,
        operation if operation.contains("uploads") => {
            "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
        }
        "SendMessage" => r#"{"MessageId":"m","MD5OfMessageBody":"0"}"#,
        "GetQueueAttributes" => {
            r#"{"Attributes":{"ApproximateNumberOfMessages":"20","ApproximateNumberOfMessagesDelayed":"2","ApproximateNumberOfMessagesNotVisible":"1"}}"#
        }
        _ => "{}",
    };
    (200, body.to_owned())
}

fn refused() -> Answer {
    (400, REFUSED.to_owned())
}

/// An event of the timers' queue with a message for each body, `m-0` and so on (Lambda developer guide, "Using Lambda
/// with Amazon SQS").
fn event(bodies: impl IntoIterator<Item = String>) -> Value {
    let message = |(number, body): (usize, String)| {
        json!({
            "messageId": format!("m-{number}"),
            "receiptHandle": format!("handle-{number}"),
            "body": body,
            "attributes": { "ApproximateReceiveCount": "1", "SentTimestamp": "1545082649183" },
            "messageAttributes": {},
            "md5OfBody": "0",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:timers",
            "awsRegion": "us-east-1",
        })
    };
    json!({ "Records": bodies.into_iter().enumerate().map(message).collect::<Vec<_>>() })
}

/// The event of an EventBridge schedule (EventBridge user guide).
fn schedule() -> Value {
    json!({
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2015-10-08T16:53:06Z",
        "region": "us-east-1",
        "resources": ["arn:aws:events:us-east-1:123456789012:rule/sweep"],
        "detail": {},
    })
}

fn timer(number: u128, at: UnixMs) -> String {
    serde_json::to_string(&Effect::Timer { task: TaskId(number), at }).unwrap()
}

fn timers() -> impl Iterator<Item = String> {
    (0..10).map(|number| timer(number, UnixMs(1)))
}

#[tokio::test]
async fn a_failing_timer_among_ten_comes_again_alone() {
    let seventh = TaskId(7).to_string();
    let service =
        Service::new(move |asked| if asked.body.contains(&seventh) { refused() } else { idle(asked) });
    let answer = sweeper(&service).handle(event(timers())).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m-7" }] }));
    assert_eq!(service.asked("GetItem").len(), 10);
    assert_eq!(service.in_flight_max(), 10, "they do not wait for each other");
}

#[tokio::test]
async fn timers_of_which_none_could_be_handled_are_an_error() {
    let service = Service::new(|_| refused());
    assert!(sweeper(&service).handle(event(timers())).await.is_err());
    let idle = Service::new(idle);
    let garbage = event(["garbage".to_owned(), timer(1, UnixMs(1))]);
    let answer = sweeper(&idle).handle(garbage).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m-0" }] }));
}

#[tokio::test]
async fn an_early_timer_is_sent_on() {
    let service = Service::new(idle);
    let early = timer(1, NOW.plus_secs(3_600));
    let answer = sweeper(&service).handle(event([early.clone()])).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    let sent = service.asked("SendMessage");
    assert_eq!(sent.len(), 1);
    let sent: Value = serde_json::from_str(&sent[0].body).unwrap();
    assert_eq!((&sent["MessageBody"], &sent["DelaySeconds"]), (&json!(early), &json!(900)));
    assert!(sent["QueueUrl"].as_str().unwrap().ends_with("/timers"));
    assert!(service.asked("GetItem").is_empty(), "its task is not looked at yet");
}

#[tokio::test]
async fn the_schedule_asks_for_everything_that_may_be_lost() {
    let service = Service::new(idle);
    assert_eq!(sweeper(&service).handle(schedule()).await.unwrap(), Value::Null);
    assert_eq!(service.asked("Query").len(), 4, "one for each shard");
    assert_eq!(service.asked("ReceiveMessage").len(), 1);
    assert_eq!(uploads(&service), 1);
}

#[tokio::test]
async fn the_schedule_leaves_the_backlog_for_hosts_that_cannot_ask_the_queue() {
    let service = Service::new(idle);
    sweeper(&service).handle(schedule()).await.unwrap();
    let asked = service.asked("GetQueueAttributes");
    assert!(asked.iter().any(|asked| asked.body.contains("/1/scoring\"")), "{asked:?}");
    let item = put(&service, "X#backlog").expect("it is left");
    assert_eq!((&item["n"]["N"], &item["at"]["N"]), (&json!("23"), &json!(NOW.0.to_string())));
}

/// What was written of this partition.
fn put(service: &Service, partition: &str) -> Option<Value> {
    let item = |asked: &Asked| {
        let put: Value = serde_json::from_str(&asked.body).unwrap();
        assert_eq!(put["TableName"], "sn17");
        put["Item"].clone()
    };
    service.asked("PutItem").iter().map(item).find(|item| item["pk"]["S"] == partition)
}

#[tokio::test]
async fn the_schedule_makes_duels_where_there_is_a_judge() {
    let service = Service::new(idle);
    sweeper(&service).handle(schedule()).await.unwrap();
    assert_eq!(put(&service, "X#matchmaker"), None);
    assert_eq!(
        service.asked("GetQueueAttributes").len(),
        1,
        "without a judge nobody asks how many wait for it"
    );

    let service = Service::new(idle);
    judging_sweeper(&service, NOW).handle(schedule()).await.unwrap();
    let item = put(&service, "X#matchmaker").expect("the first look notes the time");
    let value: Value = serde_json::from_str(item["v"]["S"].as_str().unwrap()).unwrap();
    assert_eq!(value["Matchmaker"]["since"], NOW.0);
    let asked = service.asked("GetQueueAttributes");
    assert_eq!(asked.iter().filter(|asked| asked.body.contains("/1/judging\"")).count(), 1, "{asked:?}");
}

#[tokio::test]
async fn the_schedule_notes_the_standings_every_five_minutes() {
    for (minute, notes) in [(0, true), (1, false), (4, false), (5, true)] {
        let service = Service::new(idle);
        let now = UnixMs::from_secs(1_750_000_200 + 60 * minute + 31);
        judging_sweeper(&service, now).handle(schedule()).await.unwrap();
        assert_eq!(put(&service, "X#leaderboard").is_some(), notes, "in minute {minute}");
    }
}

/// How often the service was asked for unfinished uploads.
fn uploads(service: &Service) -> usize {
    ["uploads", "uploads="].iter().map(|operation| service.asked(operation).len()).sum()
}

#[tokio::test]
async fn a_duty_that_fails_keeps_no_other_from_its_turn() {
    let at_standings = UnixMs::from_secs(1_750_000_200);
    for (failing, said, now) in [
        ("Query", "overdue items", NOW),
        ("ReceiveMessage", "dead letters", NOW),
        ("uploads", "stale uploads", NOW),
        ("1/scoring\"", "backlog", NOW),
        ("X#backlog", "backlog", NOW),
        ("1/judging\"", "duels", NOW),
        ("X#matchmaker", "duels", NOW),
        ("X#leaderboard", "standings", at_standings),
    ] {
        let service = Service::new(move |asked| {
            let is_meant = [&asked.operation, &asked.body].iter().any(|text| text.contains(failing));
            if is_meant { refused() } else { idle(asked) }
        });
        let error = judging_sweeper(&service, now).handle(schedule()).await.unwrap_err().to_string();
        assert!(error.starts_with(said) && !error.contains("; "), "{error}");
        assert!(!service.asked("Query").is_empty(), "{failing}");
        assert!(!service.asked("ReceiveMessage").is_empty(), "{failing}");
        assert!(uploads(&service) > 0, "{failing}");
        assert!(!service.asked("GetQueueAttributes").is_empty(), "{failing}");
    }
}

/// Answers like an idle network with so many dead letters, each of which is shown once in a sweep.
fn with_letters(count: usize) -> impl Fn(&Asked) -> Answer {
    let received = AtomicUsize::new(0);
    move |asked| {
        if asked.operation != "ReceiveMessage" {
            return idle(asked);
        }
        let number = received.fetch_add(1, Ordering::SeqCst) % (count + 1);
        if number == count {
            return (200, "{}".to_owned());
        }
        let hotkey = Hotkey([u8::try_from(number).unwrap(); 32]);
        let letter = serde_json::to_string(&Effect::Score { task: TaskId(1), hotkey }).unwrap();
        let id = format!("letter-{number}");
        (200, json!({ "Messages": [{ "MessageId": id, "ReceiptHandle": id, "Body": letter }] }).to_string())
    }
}

#[tokio::test]
async fn dead_letters_are_settled_once() {
    let service = Service::new(with_letters(3));
    let sweeper = sweeper(&service);
    for _ in 0..3 {
        sweeper.handle(schedule()).await.unwrap();
    }
    assert_eq!(service.asked("ReceiveMessage").len(), 12, "each sweep looks at all of them");
    assert_eq!(service.asked("BatchGetItem").len(), 3, "and asks for each submission once");
}

#[tokio::test]
async fn dead_letters_of_which_none_could_be_settled_are_an_error_and_tried_again() {
    let letters = with_letters(2);
    let service =
        Service::new(move |asked| if asked.operation == "BatchGetItem" { refused() } else { letters(asked) });
    let sweeper = sweeper(&service);
    for sweeps in 1..=2 {
        let error = sweeper.handle(schedule()).await.unwrap_err().to_string();
        assert!(error.starts_with("dead letters"), "{error}");
        assert_eq!(service.asked("BatchGetItem").len(), 2 * sweeps);
    }
}

/// An index's answer with a task in it for each number, the first one's entry unreadable.
fn overdue(tasks: u128) -> Answer {
    let entry = |number| {
        let (task, at) = (TaskId(number), if number == 0 { "soon" } else { "0000000000001#0" });
        json!({ "pk": { "S": format!("T#{task}") }, "sk": { "S": "T" }, "ds": { "S": at } })
    };
    let items: Vec<Value> = (0..tasks).map(entry).collect();
    (200, json!({ "Items": items, "Count": tasks, "ScannedCount": tasks }).to_string())
}

#[tokio::test]
async fn one_bad_item_stops_no_sweep_and_all_of_them_fail_it() {
    for (is_broken, expected) in [(false, true), (true, false)] {
        let queried = AtomicUsize::new(0);
        let bad = TaskId(3).to_string();
        let service = Service::new(move |asked| match asked.operation.as_str() {
            "Query" if queried.fetch_add(1, Ordering::SeqCst) == 0 => overdue(6),
            "GetItem" if is_broken || asked.body.contains(&bad) => refused(),
            _ => idle(asked),
        });
        let outcome = sweeper(&service).handle(schedule()).await;
        assert_eq!(outcome.is_ok(), expected, "{outcome:?}");
        let tasks = service.asked("GetItem").iter().filter(|asked| asked.body.contains("T#")).count();
        assert_eq!(tasks, 5, "the entry that cannot be read is passed over");
    }
}
