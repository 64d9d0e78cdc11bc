//! Messages: delivery, leases, dead letters.

use std::sync::Arc;

use sn17_app::ports::{Delivery, PortErrorKind, Queue, Receipt};
use sn17_core::ledger::{Effect, QueueName};

use super::Harness;
use super::samples::{judge_effect, score_effect, timer_effect};

/// Receives without hope: what is there now, at most ten.
async fn receive(queue: &dyn Queue, name: QueueName) -> Vec<Delivery> {
    queue.receive(name, 10, 30, 0).await.expect("an answer")
}

/// Receives with patience what must be there.
async fn receive_one(queue: &dyn Queue, name: QueueName, visibility_secs: u32) -> Delivery {
    let mut received = queue.receive(name, 1, visibility_secs, 5).await.expect("an answer");
    assert_eq!(received.len(), 1, "one message was to be received");
    received.remove(0)
}

async fn send(queue: &dyn Queue, effect: Effect) {
    queue.send(effect, None).await.expect("the queue takes it");
}

fn effects(received: &[Delivery]) -> Vec<Effect> {
    received.iter().map(|delivery| delivery.effect).collect()
}

/// A message arrives in its effect's queue and no other, with what it says.
pub async fn messages_arrive_in_their_queue(harness: &mut impl Harness) {
    let queue = harness.queue();
    let timer = timer_effect(harness.now());
    send(&*queue, score_effect(1)).await;
    send(&*queue, timer).await;
    send(&*queue, judge_effect(1)).await;
    let received = receive_one(&*queue, QueueName::Scoring, 30).await;
    assert_eq!((received.effect, received.receive_count), (score_effect(1), 1));
    let received = receive_one(&*queue, QueueName::Timers, 30).await;
    assert_eq!((received.effect, received.receive_count), (timer, 1));
    let received = receive_one(&*queue, QueueName::Judging, 30).await;
    assert_eq!((received.effect, received.receive_count), (judge_effect(1), 1));
    queue.extend(&received.receipt, 60).await.expect("the delivery is ours");
    queue.ack(&received.receipt).await.expect("the delivery is ours");
}

/// The backlog of a queue counts waiting, delayed and delivered messages, and no other queue's.
pub async fn the_backlog_counts_every_message(harness: &mut impl Harness) {
    let queue = harness.queue();
    send(&*queue, score_effect(1)).await;
    queue.send(score_effect(2), Some(harness.now().plus_secs(20))).await.expect("the queue takes it");
    let received = receive_one(&*queue, QueueName::Scoring, 30).await;
    assert_eq!(queue.backlog(QueueName::Scoring).await.expect("a count"), 2);
    for other in [QueueName::Timers, QueueName::Judging] {
        assert_eq!(queue.backlog(other).await.expect("a count"), 0);
    }
    send(&*queue, judge_effect(1)).await;
    assert_eq!(queue.backlog(QueueName::Judging).await.expect("a count"), 1);
    queue.ack(&received.receipt).await.expect("the delivery is ours");
    assert_eq!(queue.backlog(QueueName::Scoring).await.expect("a count"), 1);
}

/// A delayed message is not delivered before its time.
pub async fn delayed_messages_wait(harness: &mut impl Harness) {
    let queue = harness.queue();
    queue.send(score_effect(1), Some(harness.now().plus_secs(20))).await.expect("the queue takes it");
    harness.advance(15).await;
    assert_eq!(receive(&*queue, QueueName::Scoring).await, []);
    harness.advance(6).await;
    assert_eq!(receive_one(&*queue, QueueName::Scoring, 30).await.effect, score_effect(1));
}

/// A received message is hidden for its visibility time, then handed out again with its count.
pub async fn received_messages_are_hidden(harness: &mut impl Harness) {
    let queue = harness.queue();
    send(&*queue, score_effect(1)).await;
    receive_one(&*queue, QueueName::Scoring, 20).await;
    harness.advance(15).await;
    assert_eq!(receive(&*queue, QueueName::Scoring).await, []);
    harness.advance(6).await;
    assert_eq!(receive_one(&*queue, QueueName::Scoring, 20).await.receive_count, 2);
}

/// Extending hides a delivered message for that long from now on.
pub async fn extending_hides_for_longer(harness: &mut impl Harness) {
    let queue = harness.queue();
    send(&*queue, score_effect(1)).await;
    let delivery = receive_one(&*queue, QueueName::Scoring, 20).await;
    harness.advance(15).await;
    queue.extend(&delivery.receipt, 20).await.expect("the delivery is ours");
    harness.advance(15).await;
    assert_eq!(receive(&*queue, QueueName::Scoring).await, []);
    queue.extend(&delivery.receipt, 20).await.expect("the delivery is still ours");
    queue.ack(&delivery.receipt).await.expect("the delivery is still ours");
    harness.advance(100).await;
    assert_eq!(receive(&*queue, QueueName::Scoring).await, []);
}

/// Extending by zero seconds shows a message at once.
pub async fn extending_by_zero_shows_at_once(harness: &mut impl Harness) {
    let queue = harness.queue();
    send(&*queue, score_effect(1)).await;
    let delivery = receive_one(&*queue, QueueName::Scoring, 300).await;
    queue.extend(&delivery.receipt, 0).await.expect("the delivery is ours");
    assert_eq!(receive_one(&*queue, QueueName::Scoring, 300).await.receive_count, 2);
}

/// An acknowledged message never comes again, and cannot be acknowledged again.
pub async fn acknowledged_messages_are_gone(harness: &mut impl Harness) {
    let queue = harness.queue();
    send(&*queue, score_effect(1)).await;
    let delivery = receive_one(&*queue, QueueName::Scoring, 20).await;
    queue.ack(&delivery.receipt).await.expect("the delivery is ours");
    harness.advance(60).await;
    assert_eq!(receive(&*queue, QueueName::Scoring).await, []);
    for outcome in [queue.ack(&delivery.receipt).await, queue.extend(&delivery.receipt, 9).await] {
        assert_eq!(outcome.expect_err("it is gone").kind, PortErrorKind::NotFound);
    }
    let nonsense = Receipt("nonsense".to_owned());
    assert_eq!(queue.ack(&nonsense).await.expect_err("no receipt").kind, PortErrorKind::NotFound);
}

/// A consumer whose delivery was handed to another can neither extend nor acknowledge it.
pub async fn a_delivery_lost_to_another_is_not_found(harness: &mut impl Harness) {
    let queue = harness.queue();
    send(&*queue, score_effect(1)).await;
    let lost = receive_one(&*queue, QueueName::Scoring, 10).await;
    harness.advance(11).await;
    let ours = receive_one(&*queue, QueueName::Scoring, 60).await;
    for outcome in [queue.ack(&lost.receipt).await, queue.extend(&lost.receipt, 0).await] {
        assert_eq!(outcome.expect_err("another has it").kind, PortErrorKind::NotFound);
    }
    assert_eq!(receive(&*queue, QueueName::Scoring).await, []);
    queue.ack(&ours.receipt).await.expect("the delivery is ours");
}

/// A message that was handed out as often as the queue allows goes to the dead letters, in the order of arrival.
pub async fn poison_becomes_a_dead_letter(harness: &mut impl Harness) {
    let queue = harness.queue();
    for number in [1, 2] {
        send(&*queue, score_effect(number)).await;
        for count in 1..=harness.max_receives() {
            assert_eq!(receive_one(&*queue, QueueName::Scoring, 10).await.receive_count, count);
            harness.advance(11).await;
        }
        assert_eq!(receive(&*queue, QueueName::Scoring).await, []);
    }
    let dead = queue.dead_letters(QueueName::Scoring, 10).await.expect("an answer");
    assert_eq!(dead, [score_effect(1), score_effect(2)]);
    assert_eq!(queue.dead_letters(QueueName::Scoring, 1).await.expect("an answer"), [score_effect(1)]);
    for other in [QueueName::Timers, QueueName::Judging] {
        assert_eq!(queue.dead_letters(other, 10).await.expect("an answer"), []);
    }
}

/// A redriven dead letter is a message with a fresh receive count.
pub async fn redriven_messages_start_afresh(harness: &mut impl Harness) {
    let queue = harness.queue();
    assert_eq!(queue.redrive(QueueName::Scoring).await.expect("an answer"), 0);
    send(&*queue, score_effect(1)).await;
    for _ in 0..harness.max_receives() {
        receive_one(&*queue, QueueName::Scoring, 10).await;
        harness.advance(11).await;
    }
    assert_eq!(receive(&*queue, QueueName::Scoring).await, []);
    assert_eq!(queue.redrive(QueueName::Scoring).await.expect("an answer"), 1);
    assert_eq!(queue.dead_letters(QueueName::Scoring, 10).await.expect("an answer"), []);
    let delivery = receive_one(&*queue, QueueName::Scoring, 10).await;
    assert_eq!((delivery.effect, delivery.receive_count), (score_effect(1), 1));
    queue.ack(&delivery.receipt).await.expect("the delivery is ours");
}

/// A receiver that waits gets a message that is sent, or shows up, in the meantime.
pub async fn receivers_wait_for_a_message(harness: &mut impl Harness) {
    let queue = harness.queue();
    let (received, ()) = tokio::join!(queue.receive(QueueName::Scoring, 10, 30, 60), async {
        send(&*queue, score_effect(1)).await;
    });
    assert_eq!(effects(&received.expect("an answer")), [score_effect(1)]);

    queue.send(score_effect(2), Some(harness.now().plus_secs(3))).await.expect("the queue takes it");
    let (received, ()) = tokio::join!(queue.receive(QueueName::Scoring, 10, 30, 20), harness.advance(4));
    assert_eq!(effects(&received.expect("an answer")), [score_effect(2)]);
}

/// A receiver comes back with nothing when its time is up.
pub async fn receivers_give_up_in_time(harness: &mut impl Harness) {
    let queue = harness.queue();
    let (received, ()) = tokio::join!(queue.receive(QueueName::Timers, 10, 30, 2), harness.advance(2));
    assert_eq!(received.expect("an answer"), []);
}

/// Receivers at the same time get different messages, and together all of them.
pub async fn parallel_receivers_share(harness: &mut impl Harness) {
    let queue = harness.queue();
    for number in 0..20 {
        send(&*queue, score_effect(number)).await;
    }
    let receivers = (0..4).map(|_| {
        let queue = Arc::clone(&queue);
        tokio::spawn(async move {
            let mut all = Vec::new();
            loop {
                let received = queue.receive(QueueName::Scoring, 3, 300, 0).await.expect("an answer");
                if received.is_empty() {
                    return all;
                }
                assert!(received.len() <= 3);
                all.extend(received);
            }
        })
    });
    let mut all = Vec::new();
    for receiver in receivers.collect::<Vec<_>>() {
        all.extend(receiver.await.expect("no panic"));
    }
    // A distributed queue may come back empty while it still holds messages.
    while all.len() < 20 {
        all.push(receive_one(&*queue, QueueName::Scoring, 300).await);
    }
    let mut numbers: Vec<String> = all.iter().map(|delivery| format!("{:?}", delivery.effect)).collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 20);
}

/// Messages, their counts and dead letters are still there after the queue was closed and opened.
pub async fn queues_survive_a_reopen(harness: &mut impl Harness) {
    let queue = harness.queue();
    send(&*queue, score_effect(1)).await;
    let delivery = receive_one(&*queue, QueueName::Scoring, 20).await;
    send(&*queue, timer_effect(harness.now())).await;
    send(&*queue, judge_effect(1)).await;
    drop(queue);
    harness.reopen().await;
    let queue = harness.queue();
    assert_eq!(receive(&*queue, QueueName::Scoring).await, []);
    queue.extend(&delivery.receipt, 20).await.expect("the delivery is still ours");
    send(&*queue, score_effect(2)).await;
    harness.advance(21).await;
    let received = queue.receive(QueueName::Scoring, 10, 30, 5).await.expect("an answer");
    let mut counts: Vec<_> = received.iter().map(|delivery| delivery.receive_count).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2]);
    receive_one(&*queue, QueueName::Timers, 20).await;
    assert_eq!(receive_one(&*queue, QueueName::Judging, 20).await.effect, judge_effect(1));
}
