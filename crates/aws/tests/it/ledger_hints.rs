//! Sharded queues through hints: what is found, by whom, and with how many queries.

use std::time::Duration;

use sn17_app::ports::Ledger;
use sn17_aws::ledger::pages::QUERIES_MAX;
use sn17_aws::ledger::{DynamoLedger, LedgerOptions};
use sn17_core::index::OpenQueue;
use sn17_core::ledger::{LoadSpec, OpenPage};
use sn17_core::{TaskId, UnixMs};
use sn17_store::conformance::ManualClock;
use sn17_store::conformance::samples::{add_task, task, task_id};

use crate::calls::Calls;
use crate::dynamo::{Engine, create_table, http, ledger, table_name};
use crate::faulty::{Fault, Script};

/// Two processes on a fresh table, recorded together.
struct World {
    here: DynamoLedger,
    there: DynamoLedger,
    calls: Calls,
    script: Script,
    clock: ManualClock,
}

impl World {
    async fn new(shards: u16) -> Self {
        let (engine, calls, script) = (Engine::dynoxide().await, Calls::default(), Script::default());
        let client = engine.client(calls.over(script.over(http())));
        let options = LedgerOptions { shards, ..LedgerOptions::new(table_name()) };
        create_table(&client, &options.table).await;
        let clock = ManualClock::default();
        let here = ledger(client.clone(), options.clone(), &clock);
        Self { here, there: ledger(client, options, &clock), calls, script, clock }
    }

    /// Adds open tasks, a millisecond apart.
    async fn add(&self, from: u64, count: u64) -> Vec<TaskId> {
        let mut ids = Vec::new();
        for number in from..from + count {
            let at = self.clock.now().plus_ms(number);
            ids.push(task_id(at, number));
            add_task(&self.here, at, task_id(at, number), task(at, 4)).await;
        }
        ids
    }
}

async fn page(ledger: &DynamoLedger, now: UnixMs) -> Vec<TaskId> {
    pages(ledger, now, &[OpenQueue::Anyone]).await.remove(0)
}

async fn pages(ledger: &DynamoLedger, now: UnixMs, queues: &[OpenQueue]) -> Vec<Vec<TaskId>> {
    let page = |queue: &OpenQueue| OpenPage { queue: *queue, after: None, limit: 8 };
    let load = LoadSpec { keys: Vec::new(), open_tasks: queues.iter().map(page).collect() };
    let view = ledger.read(now, load).await.expect("the ledger can be read");
    let tasks = |found: &Vec<_>| {
        found.iter().map(|position: &sn17_core::index::OpenPosition| position.task).collect()
    };
    view.pages().iter().map(|(_, found)| tasks(found)).collect()
}

#[tokio::test]
async fn a_process_sees_its_own_tasks_at_once_and_others_soon() {
    let world = World::new(16).await;
    assert_eq!(page(&world.here, world.clock.now()).await, []);
    assert_eq!(page(&world.there, world.clock.now()).await, []);
    let ids = world.add(0, 1).await;
    assert_eq!(page(&world.here, world.clock.now()).await, ids);
    assert_eq!(world.here.open_tasks().await.expect("a count"), 1);
    world.clock.advance(1);
    assert_eq!(page(&world.there, world.clock.now()).await, ids);
    assert_eq!(world.there.open_tasks().await.expect("a count"), 1);
}

#[tokio::test]
async fn an_empty_queue_costs_no_query() {
    let world = World::new(4).await;
    page(&world.here, world.clock.now()).await;
    world.calls.take();
    for _ in 0..10 {
        page(&world.here, world.clock.now()).await;
        world.here.open_tasks().await.expect("a count");
    }
    assert_eq!(world.calls.take(), []);
}

#[tokio::test]
async fn one_process_refreshes_for_all() {
    let world = World::new(4).await;
    world.add(0, 3).await;
    world.clock.advance(1);
    world.calls.take();
    page(&world.here, world.clock.now()).await;
    let first = world.calls.cost();
    assert_eq!(first.of("PutItem"), 2, "the lease and the hints: {first:?}");
    world.there.open_tasks().await.expect("a count");
    let second = world.calls.cost();
    assert_eq!((second.of("GetItem"), second.of("Query"), second.of("PutItem")), (1, 0, 0), "{second:?}");
}

#[tokio::test]
async fn a_refresh_that_died_is_made_again() {
    let world = World::new(4).await;
    let ids = world.add(0, 3).await;
    world.clock.advance(1);
    world.script.next("Query", 1, &Fault::Delay(Duration::from_secs(600)));
    let died = tokio::time::timeout(Duration::from_millis(300), world.there.open_tasks()).await;
    assert!(died.is_err(), "the refresh waits for its query");
    world.clock.advance(1);
    assert_eq!(world.there.open_tasks().await.expect("a count"), 3);
    assert_eq!(page(&world.there, world.clock.now()).await, ids);
}

#[tokio::test]
async fn no_decision_makes_more_than_four_queries() {
    for shards in [1, 4, 64] {
        let world = World::new(shards).await;
        world.add(0, 120).await;
        for queues in [&[OpenQueue::Anyone][..], &[OpenQueue::Anyone, OpenQueue::StrongOnly]] {
            // Whatever a process has drawn for itself, hints for the depth are older than it now.
            world.clock.advance(16);
            world.there.open_tasks().await.expect("a count");
            world.here.open_tasks().await.expect("a count");
            world.calls.take();
            let found = pages(&world.there, world.clock.now(), queues).await.remove(0);
            let cost = world.calls.cost();
            assert!((1..=QUERIES_MAX).contains(&cost.of("Query")), "{shards} shards: {cost:?}");
            assert_eq!(cost.of("BatchGetItem"), 1, "{shards} shards: {cost:?}");
            let expected = if shards == 64 { 2 } else { 8 };
            assert!(found.len() >= expected, "{shards} shards: {found:?}");
            assert!(found.is_sorted(), "oldest first");
        }
        assert_eq!(world.here.open_tasks().await.expect("a count"), 120);
    }
}

#[tokio::test]
async fn the_shard_that_waits_longest_is_looked_at() {
    let world = World::new(64).await;
    let old = world.add(0, 1).await;
    world.clock.advance(5);
    world.add(0, 200).await;
    world.clock.advance(1);
    for _ in 0..5 {
        let found = page(&world.there, world.clock.now()).await;
        assert_eq!(found.first(), old.first());
    }
}

#[tokio::test]
async fn a_failed_refresh_stops_nobody() {
    let world = World::new(4).await;
    let ids = world.add(0, 3).await;
    world.clock.advance(1);
    world.script.next("PutItem", 3, &Fault::Throttle);
    assert_eq!(page(&world.there, world.clock.now()).await, ids);
    assert_eq!(world.script.left(), 0, "the refresh failed");
}
