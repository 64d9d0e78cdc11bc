//! The queue on SQS: an engine if there is one, and a service that answers from a script.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use sn17_app::Host;
use sn17_app::ports::{Ledger, PortErrorKind, PortResult, Queue};
use sn17_aws::clients::Clients;
use sn17_aws::native;
use sn17_aws::queue::{QueueUrls, SqsQueue};
use sn17_core::UnixMs;
use sn17_core::ledger::QueueName;
use sn17_store::conformance::Harness;
use sn17_store::conformance::samples::{judge_effect, score_effect, timer_effect};
use sn17_store::{Clock, Embedded, Options};

use crate::engines::{self, Answer, MAX_RECEIVES, Scripted};

mod on_an_engine {
    use super::SqsHarness;
    sn17_store::queue_conformance!(match SqsHarness::start().await {
        Some(harness) => harness,
        None => return,
    });
}

/// Queues on the engine that the environment names, whose clock is the machine's.
struct SqsHarness {
    clients: Clients,
    urls: QueueUrls,
    queue: Arc<SqsQueue>,
    /// The promises of the queue ask nothing of a ledger.
    ledger: Embedded,
}

impl SqsHarness {
    async fn start() -> Option<Self> {
        let clients = engines::engine()?;
        let urls = engines::queues(&clients).await;
        let queue = Arc::new(SqsQueue::new(clients.sqs(), urls.clone(), native::host()));
        let ledger = Embedded::memory(Clock::new(|| (native::host().now)()), Options::default()).unwrap();
        Some(Self { clients, urls, queue, ledger })
    }

    /// Puts a message into a queue as it is.
    async fn send_raw(&self, url: &str, body: &str) {
        self.clients.sqs().send_message().queue_url(url).message_body(body).send().await.unwrap();
    }

    fn dead_letters_url(&self) -> String {
        self.urls.scoring_dead_letters.clone().unwrap()
    }

    /// The dead letters of scoring, those that looking at them has hidden for a while too.
    async fn dead_letter_count(&self) -> usize {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let request = self.clients.sqs().get_queue_attributes().queue_url(self.dead_letters_url());
        let output = request.set_attribute_names(Some(names.to_vec())).send().await.unwrap();
        let attributes = output.attributes.unwrap();
        names.iter().map(|name| attributes[name].parse::<usize>().unwrap()).sum()
    }
}

#[async_trait]
impl Harness for SqsHarness {
    fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::new(self.ledger.clone())
    }

    fn queue(&self) -> Arc<dyn Queue> {
        Arc::<SqsQueue>::clone(&self.queue)
    }

    fn now(&self) -> UnixMs {
        (native::host().now)()
    }

    async fn advance(&self, secs: u64) {
        tokio::time::sleep(Duration::from_secs(secs)).await;
    }

    async fn reopen(&mut self) -> bool {
        self.queue = Arc::new(SqsQueue::new(self.clients.sqs(), self.urls.clone(), native::host()));
        true
    }

    fn max_receives(&self) -> u32 {
        MAX_RECEIVES
    }

    async fn verify(&self) -> PortResult<()> {
        Ok(())
    }
}

#[tokio::test]
async fn garbage_becomes_a_dead_letter_and_blocks_nobody() {
    let Some(harness) = SqsHarness::start().await else { return };
    let timer = serde_json::to_string(&timer_effect(UnixMs(1))).unwrap();
    for garbage in ["garbage", "{}", timer.as_str()] {
        harness.send_raw(&harness.urls.scoring, garbage).await;
    }
    harness.queue.send(score_effect(1), None).await.unwrap();
    let received = harness.queue.receive(QueueName::Scoring, 10, 1, 0).await.unwrap();
    assert_eq!(received.iter().map(|delivery| delivery.effect).collect::<Vec<_>>(), [score_effect(1)]);
    harness.queue.ack(&received[0].receipt).await.unwrap();
    for _ in 0..MAX_RECEIVES {
        harness.advance(2).await;
        assert_eq!(harness.queue.receive(QueueName::Scoring, 10, 1, 0).await.unwrap(), []);
    }
    assert_eq!(harness.queue.backlog(QueueName::Scoring).await.unwrap(), 0);
    // They are dead letters for people to look at, and none of them is an effect.
    assert_eq!(harness.queue.dead_letters(QueueName::Scoring, 10).await.unwrap(), []);
    assert_eq!(harness.queue.redrive(QueueName::Scoring).await.unwrap(), 0);
    assert_eq!(harness.dead_letter_count().await, 3);
}

#[tokio::test]
async fn many_dead_letters_are_listed_oldest_first_and_redriven() {
    let Some(harness) = SqsHarness::start().await else { return };
    for number in 0..25 {
        let body = serde_json::to_string(&score_effect(number)).unwrap();
        harness.send_raw(&harness.dead_letters_url(), &body).await;
        // SQS tells letters apart by milliseconds.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for _ in 0..2 {
        let letters = harness.queue.dead_letters(QueueName::Scoring, 20).await.unwrap();
        assert_eq!(letters, (0..20).map(score_effect).collect::<Vec<_>>());
    }
    assert_eq!(harness.queue.redrive(QueueName::Scoring).await.unwrap(), 25);
    assert_eq!(harness.queue.dead_letters(QueueName::Scoring, 20).await.unwrap(), []);
    let received = harness.queue.receive(QueueName::Scoring, 100, 30, 5).await.unwrap();
    assert_eq!(received.len(), 25);
}

#[tokio::test]
async fn a_timer_received_too_early_is_sent_on() {
    let Some(harness) = SqsHarness::start().await else { return };
    let timers = harness.urls.timers.clone().unwrap();
    let early = timer_effect(harness.now().plus_secs(4));
    // As if it had been sent with the longest delay, which was over before its time.
    harness.send_raw(&timers, &serde_json::to_string(&early).unwrap()).await;
    assert_eq!(harness.queue.receive(QueueName::Timers, 10, 30, 1).await.unwrap(), []);
    assert_eq!(harness.queue.backlog(QueueName::Timers).await.unwrap(), 1);
    let received = harness.queue.receive(QueueName::Timers, 10, 30, 10).await.unwrap();
    assert_eq!((received[0].effect, received[0].receive_count), (early, 1));
    assert!(harness.now() >= early.not_before().unwrap());
    assert!(!harness.queue.send_on_if_early(early).await.unwrap());
}

#[tokio::test]
async fn a_message_delivered_twice_has_one_owner() {
    let Some(harness) = SqsHarness::start().await else { return };
    for number in 0..3 {
        harness.queue.send(score_effect(number), None).await.unwrap();
    }
    let first = harness.queue.receive(QueueName::Scoring, 3, 1, 5).await.unwrap();
    harness.advance(2).await;
    let mut second = harness.queue.receive(QueueName::Scoring, 3, 30, 5).await.unwrap();
    assert_eq!((first.len(), second.len()), (3, 3));
    // Whatever order they come in, only the later delivery ends each of them.
    second.reverse();
    for lost in &first {
        assert_eq!(harness.queue.ack(&lost.receipt).await.unwrap_err().kind, PortErrorKind::NotFound);
    }
    for ours in &second {
        assert!(first.iter().any(|lost| lost.effect == ours.effect && lost.receipt != ours.receipt));
        harness.queue.ack(&ours.receipt).await.unwrap();
    }
    assert_eq!(harness.queue.backlog(QueueName::Scoring).await.unwrap(), 0);
}

fn scripted(service: &Scripted, urls: QueueUrls) -> SqsQueue {
    SqsQueue::new(engines::scripted(service).sqs(), urls, native::host())
}

fn scoring_only() -> QueueUrls {
    QueueUrls { scoring: "http://service.invalid/1/scoring".to_owned(), ..QueueUrls::default() }
}

#[tokio::test]
async fn a_queue_that_is_not_configured_is_named() {
    let service = Scripted::new(|_| (200, "{}".to_owned()));
    let queue = scripted(&service, scoring_only());
    let outcomes = [
        (queue.send(timer_effect(UnixMs(1)), None).await, "SN17_TIMERS_QUEUE_URL"),
        (queue.backlog(QueueName::Timers).await.map(drop), "SN17_TIMERS_QUEUE_URL"),
        (queue.receive(QueueName::Timers, 1, 1, 1).await.map(drop), "SN17_TIMERS_QUEUE_URL"),
        (queue.send(judge_effect(1), None).await, "SN17_JUDGING_QUEUE_URL"),
        (queue.backlog(QueueName::Judging).await.map(drop), "SN17_JUDGING_QUEUE_URL"),
        (queue.dead_letters(QueueName::Judging, 1).await.map(drop), "dead letters of judging"),
        (queue.redrive(QueueName::Scoring).await.map(drop), "SN17_SCORING_DEAD_LETTERS_URL"),
        (queue.dead_letters(QueueName::Scoring, 1).await.map(drop), "SN17_SCORING_DEAD_LETTERS_URL"),
    ];
    for (outcome, variable) in outcomes {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind, PortErrorKind::Unavailable);
        assert!(error.message.contains(variable), "{error}");
    }
    assert!(service.asked().is_empty());
}

#[tokio::test]
async fn throttles_are_retried_and_then_said() {
    let throttled = r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"slower"}"#;
    let service = Scripted::new(move |_| (403, throttled.to_owned()));
    let queue = scripted(&service, scoring_only());
    let error = queue.send(score_effect(1), None).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Throttled, "{error}");
    assert_eq!(service.asked().len(), 3);
}

#[tokio::test]
async fn a_submission_cannot_be_held_back_for_longer_than_sqs_does() {
    let service = Scripted::new(|_| (200, r#"{"MessageId":"1"}"#.to_owned()));
    let queue = scripted(&service, scoring_only());
    let now = (native::host().now)();
    queue.send(score_effect(1), Some(now.plus_secs(890))).await.unwrap();
    let error = queue.send(score_effect(1), Some(now.plus_secs(1000))).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Corrupt);
    assert_eq!(service.asked().len(), 1);
}

/// SQS with dead letters without end, ten in an answer, which takes every message and deletes none of `refused`.
fn dead_letters_without_end(refused: &'static [usize]) -> Scripted {
    Scripted::new(move |request| {
        let target = request.headers().get("x-amz-target").unwrap();
        if target.ends_with("ReceiveMessage") {
            return letters((0..10).map(|number| serde_json::to_string(&score_effect(number)).unwrap()));
        }
        let refused = if target.ends_with("DeleteMessageBatch") { refused } else { &[] };
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let (mut taken, mut failed) = (Vec::new(), Vec::new());
        for (position, entry) in body["Entries"].as_array().unwrap().iter().enumerate() {
            if refused.contains(&position) {
                failed.push(json!({ "Id": entry["Id"], "Code": "InternalError", "SenderFault": false }));
            } else {
                taken.push(json!({ "Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "0" }));
            }
        }
        (200, json!({ "Successful": taken, "Failed": failed }).to_string())
    })
}

/// An answer with these messages.
fn letters(bodies: impl Iterator<Item = String>) -> Answer {
    let message = |(number, body): (usize, String)| json!({ "MessageId": format!("m-{number}"), "ReceiptHandle": format!("h-{number}"), "Body": body });
    (200, json!({ "Messages": bodies.enumerate().map(message).collect::<Vec<_>>() }).to_string())
}

/// How often the service was asked to delete messages.
fn deletes(service: &Scripted) -> usize {
    // Only these requests have receipt handles and no visibility.
    let is_delete = |body: &[u8]| {
        let body = String::from_utf8_lossy(body);
        body.contains("ReceiptHandle") && !body.contains("VisibilityTimeout")
    };
    service.asked().iter().filter(|asked| is_delete(&asked.body)).count()
}

fn with_dead_letters() -> QueueUrls {
    let scoring_dead_letters = Some("http://service.invalid/1/scoring-dead".to_owned());
    QueueUrls { scoring_dead_letters, ..scoring_only() }
}

#[tokio::test]
async fn one_call_redrives_so_many_letters_and_no_more() {
    let service = dead_letters_without_end(&[]);
    let queue = scripted(&service, with_dead_letters());
    assert_eq!(queue.redrive(QueueName::Scoring).await.unwrap(), 500);
    assert_eq!(deletes(&service), 50, "ten are deleted at once");
}

#[tokio::test]
async fn a_slow_redrive_ends_in_time_and_says_what_it_did() {
    let service = dead_letters_without_end(&[]);
    let seconds = AtomicU64::new(0);
    // Every look at the clock takes a second.
    let now = Arc::new(move || UnixMs(1_000 * seconds.fetch_add(1, Ordering::Relaxed)));
    let host = Host { now, ..native::host() };
    let queue = SqsQueue::new(engines::scripted(&service).sqs(), with_dead_letters(), host);
    let moved = queue.redrive(QueueName::Scoring).await.unwrap();
    assert!((10..=200).contains(&moved), "{moved}");
}

#[tokio::test]
async fn letters_that_could_not_be_deleted_are_not_counted() {
    let service = dead_letters_without_end(&[2, 5]);
    let queue = scripted(&service, with_dead_letters());
    assert_eq!(queue.redrive(QueueName::Scoring).await.unwrap(), 8, "it stops, and can be called again");
    let service = dead_letters_without_end(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let queue = scripted(&service, with_dead_letters());
    let error = queue.redrive(QueueName::Scoring).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Unavailable, "{error}");
    assert!(error.message.contains("delete"), "{error}");
}
