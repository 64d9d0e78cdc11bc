//! How a fleet of loops ends: what is in hand is finished or given back, and nothing stays hidden.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use sn17_gpu_workers::{FleetError, Heartbeat, heartbeat};

use crate::world::{FOREVER, World};

#[tokio::test]
async fn a_stop_finishes_the_submission_in_hand_and_takes_no_other() {
    let mut world = World::new();
    world.submit(1).await;
    world.submit(2).await;
    let fleet = world.start(1, FOREVER);
    world.begun().await;
    fleet.tell().await;
    world.answers.add_permits(2);
    fleet.ended().await.unwrap();
    assert!(world.is_settled(1).await);
    assert!(!world.is_settled(2).await);
    let waiting = world.receive().await;
    assert_eq!((waiting.len(), waiting[0].receive_count), (1, 1), "nobody has touched the other one");
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_given_back_at_once() {
    let mut world = World::new();
    world.submit(1).await;
    let fleet = world.start(1, Duration::ZERO);
    world.begun().await;
    assert!(world.receive().await.is_empty(), "the submission is leased");
    fleet.tell().await;
    fleet.ended().await.unwrap();
    assert!(!world.is_settled(1).await);

    let next = world.start(1, FOREVER);
    world.begun().await;
    next.tell().await;
    world.answers.add_permits(1);
    next.ended().await.unwrap();
    assert!(world.is_settled(1).await, "the next worker gets it without waiting for the lease's end");
    assert_eq!(world.backlog().await, 0);
}

#[tokio::test]
async fn a_second_word_gives_back_what_is_in_hand() {
    let mut world = World::new();
    world.submit(1).await;
    world.submit(2).await;
    let fleet = world.start(2, FOREVER);
    world.begun().await;
    world.begun().await;
    fleet.tell().await;
    assert!(world.receive().await.is_empty(), "both are still in hand");
    fleet.tell().await;
    fleet.ended().await.unwrap();
    let counts: Vec<u32> = world.receive().await.iter().map(|delivery| delivery.receive_count).collect();
    assert_eq!(counts, [2, 2]);
}

#[tokio::test]
async fn one_of_two_finishes_and_the_other_is_given_back() {
    let mut world = World::new();
    world.submit(1).await;
    world.submit(2).await;
    let fleet = world.start(2, FOREVER);
    world.begun().await;
    world.begun().await;
    world.answers.add_permits(1);
    while world.backlog().await > 1 {
        tokio::task::yield_now().await;
    }
    fleet.tell().await;
    fleet.tell().await;
    fleet.ended().await.unwrap();
    assert_eq!(world.receive().await.len(), 1);
    assert_ne!(world.is_settled(1).await, world.is_settled(2).await);
}

#[tokio::test]
async fn a_lost_lease_is_no_error() {
    let mut world = World::new();
    world.submit(1).await;
    let fleet = world.start(1, FOREVER);
    world.begun().await;
    world.clock.advance(61);
    let elsewhere = world.receive().await;
    assert_eq!(elsewhere[0].receive_count, 2, "another worker has it now");
    fleet.tell().await;
    world.answers.add_permits(1);
    fleet.ended().await.unwrap();
    assert!(world.is_settled(1).await, "SB-1: the first verdict stands");
    assert_eq!(world.backlog().await, 1, "the message is the other worker's to acknowledge");
    world.app.ports().queue.ack(&elsewhere[0].receipt).await.unwrap();
}

#[tokio::test]
async fn a_lost_lease_is_not_given_back() {
    let mut world = World::new();
    world.submit(1).await;
    let fleet = world.start(1, Duration::ZERO);
    world.begun().await;
    world.clock.advance(61);
    assert_eq!(world.receive().await.len(), 1, "another worker has it now");
    fleet.tell().await;
    fleet.ended().await.unwrap();
    assert!(world.receive().await.is_empty(), "and keeps it");
}

#[tokio::test]
async fn what_a_request_under_way_brings_is_finished_too() {
    let mut world = World::new();
    let fleet = world.start(1, FOREVER);
    // The fleet starts its loops, which then ask for work before it hears the word.
    tokio::task::yield_now().await;
    fleet.tell().await;
    world.answers.add_permits(1);
    world.submit(1).await;
    world.begun().await;
    fleet.ended().await.unwrap();
    assert!(world.is_settled(1).await);
}

#[tokio::test]
async fn an_idle_fleet_ends_with_its_request_or_with_its_time() {
    let world = World::new();
    let fleet = world.start(2, FOREVER);
    tokio::task::yield_now().await;
    fleet.tell().await;
    world.clock.advance(10);
    fleet.ended().await.unwrap();

    let fleet = world.start(2, Duration::ZERO);
    fleet.tell().await;
    fleet.ended().await.unwrap();
}

#[tokio::test]
async fn a_loop_that_fails_ends_the_fleet() {
    let world = World::new();
    world.submit(1).await;
    world.answers.close();
    let fleet = world.start(2, FOREVER);
    let error = fleet.ended().await.unwrap_err();
    assert!(matches!(error, FleetError::LoopEnded(Some(_))), "{error:?}");
}

#[tokio::test]
async fn loops_at_work_beat() {
    let mut world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("heartbeat");
    world.submit(1).await;
    let fleet = world.start_with(1, Duration::ZERO, Some(Arc::new(Heartbeat::new(file.clone(), 1))));
    world.begun().await;
    heartbeat::check(&file, SystemTime::now()).unwrap();
    fleet.tell().await;
    fleet.ended().await.unwrap();
}
