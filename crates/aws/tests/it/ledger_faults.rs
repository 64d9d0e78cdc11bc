//! The ledger when the network and the table fail it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sn17_app::ports::{Ledger, Nonce, PortErrorKind, QuotaWindow, transact};
use sn17_aws::ledger::{DynamoLedger, LedgerOptions};
use sn17_core::index::OpenQueue;
use sn17_core::ledger::{LoadSpec, OpenPage, Step, View, Write};
use sn17_core::state::{Item, Key, KeyHash};
use sn17_store::conformance::ManualClock;
use sn17_store::conformance::samples::{
    add_task, commit, commit_as, create, decision_id, hotkey, read, rev, score_effect, session, task, task_id,
};

use crate::dynamo::{Engine, create_table, exact, http, ledger, table_name};
use crate::faulty::{Fault, Script};

/// A ledger on a fresh table behind a network that fails by a script.
struct World {
    ledger: Arc<DynamoLedger>,
    script: Script,
    clock: ManualClock,
    options: LedgerOptions,
}

impl World {
    async fn new() -> Self {
        let (engine, script) = (Engine::dynoxide().await, Script::default());
        let (client, options) = (engine.client(script.over(http())), exact(&table_name()));
        create_table(&client, &options.table).await;
        let clock = ManualClock::default();
        Self { ledger: Arc::new(ledger(client, options.clone(), &clock)), script, clock, options }
    }

    /// Everything that was planned has happened.
    fn check_script(&self) {
        assert_eq!(self.script.left(), 0, "the script has come to its end");
    }
}

fn key(number: u8) -> Key {
    Key::Session(hotkey(number))
}

fn create_session(number: u8) -> Write {
    Write::create(key(number), Item::Session(session(0)), None)
}

/// Adds one to a session's cooldown and to `runs`.
fn add_one(runs: &Arc<AtomicUsize>) -> impl FnMut(&View) -> Step<()> + Send + 'static {
    let runs = Arc::clone(runs);
    move |view| {
        runs.fetch_add(1, Ordering::Relaxed);
        let old = view.get(&key(1)).expect("it was created");
        let Item::Session(mut value) = old.item.clone() else { panic!("a session holds a session") };
        value.cooldown_until += 1;
        let write = Write::replace(key(1), old, Item::Session(value));
        Step::Commit { writes: vec![write], reply: () }
    }
}

#[tokio::test]
async fn a_lost_answer_is_no_lost_race() {
    for lost in [1, 3] {
        for (operation, numbers) in [("PutItem", 1..2), ("TransactWriteItems", 1..4)] {
            let world = World::new().await;
            let now = world.clock.now();
            world.script.next(operation, lost, &Fault::LoseReply);
            let writes: Vec<Write> = numbers.map(create_session).collect();
            let write_count = writes.len();
            commit(&*world.ledger, now, writes).await.expect("it took effect");
            world.check_script();
            for number in 1..=write_count {
                let number = u8::try_from(number).expect("a handful");
                assert_eq!(
                    rev(&*world.ledger, now, key(number)).await,
                    Some(1),
                    "{operation} lost {lost} times"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_update_whose_answer_is_lost_runs_once() {
    let world = World::new().await;
    let (now, runs) = (world.clock.now(), Arc::new(AtomicUsize::new(0)));
    create(&*world.ledger, now, key(1), Item::Session(session(0))).await;
    for lost in 1..=3 {
        world.script.next("PutItem", lost, &Fault::LoseReply);
        let load = LoadSpec::keys([key(1)]);
        transact(&*world.ledger, decision_id(), now, load, add_one(&runs)).await.expect("it took effect");
    }
    let stored = read(&*world.ledger, now, key(1)).await.expect("it was created");
    assert_eq!((stored.item, stored.rev), (Item::Session(session(3)), 4));
    assert_eq!(runs.load(Ordering::Relaxed), 3);
    world.check_script();
}

#[tokio::test]
async fn what_never_arrives_is_unavailable_and_changes_nothing() {
    for fault in [Fault::LoseRequest, Fault::ServerError] {
        for (operation, numbers) in [("PutItem", 1..2), ("TransactWriteItems", 1..3)] {
            let world = World::new().await;
            let now = world.clock.now();
            world.script.next(operation, 3, &fault);
            let error = commit(&*world.ledger, now, numbers.map(create_session).collect()).await;
            assert_eq!(error.expect_err("nobody answers").kind, PortErrorKind::Unavailable);
            assert_eq!(rev(&*world.ledger, now, key(1)).await, None);
            world.check_script();
        }
    }
}

#[tokio::test]
async fn a_failure_or_two_are_repeated() {
    for fault in [Fault::LoseRequest, Fault::ServerError, Fault::Throttle] {
        let world = World::new().await;
        let now = world.clock.now();
        for operation in ["PutItem", "TransactWriteItems", "GetItem"] {
            world.script.next(operation, 2, &fault);
        }
        commit(&*world.ledger, now, vec![create_session(1)]).await.expect("the third try");
        commit(&*world.ledger, now, vec![create_session(2), create_session(3)]).await.expect("the third try");
        assert_eq!(rev(&*world.ledger, now, key(1)).await, Some(1));
        world.check_script();
    }
}

#[tokio::test]
async fn throttles_are_said_and_no_write_is_lost() {
    let world = World::new().await;
    let (ledger, now) = (&*world.ledger, world.clock.now());
    let check =
        |error: sn17_app::ports::PortError| assert_eq!(error.kind, PortErrorKind::Throttled, "{error}");

    world.script.next("PutItem", 3, &Fault::Throttle);
    check(commit(ledger, now, vec![create_session(1)]).await.expect_err("too much"));
    world.script.next("TransactWriteItems", 3, &Fault::Throttle);
    check(commit(ledger, now, vec![create_session(1), create_session(2)]).await.expect_err("too much"));
    let reasons = r#","CancellationReasons":[{"Code":"None"},{"Code":"ThrottlingError"}]"#;
    world.script.next("TransactWriteItems", 1, &Fault::refusal("TransactionCanceledException", reasons));
    check(commit(ledger, now, vec![create_session(1), create_session(2)]).await.expect_err("too much"));
    assert_eq!(rev(ledger, now, key(1)).await, None);

    world.script.next("GetItem", 3, &Fault::Throttle);
    check(ledger.read(now, LoadSpec::keys([key(1)])).await.expect_err("too much"));
    world.script.next("BatchGetItem", 3, &Fault::Throttle);
    check(ledger.read(now, LoadSpec::keys([key(1), key(2)])).await.expect_err("too much"));
    world.script.next("Query", 30, &Fault::Throttle);
    let page = OpenPage { queue: OpenQueue::Anyone, after: None, limit: 8 };
    let load = LoadSpec { keys: Vec::new(), open_tasks: vec![page] };
    check(ledger.read(now, load).await.expect_err("too much"));
    check(ledger.due(now, 8).await.expect_err("too much"));
    check(ledger.api_keys().await.expect_err("too much"));
    let nonce = Nonce { hotkey: hotkey(1), uuid: "a".to_owned(), nonce: 1 };
    world.script.next("PutItem", 3, &Fault::Throttle);
    check(ledger.claim_nonce(&nonce, now, now.plus_secs(60)).await.expect_err("too much"));
    assert!(ledger.claim_nonce(&nonce, now, now.plus_secs(60)).await.expect("it was not used up"));
    world.script.next("UpdateItem", 3, &Fault::Throttle);
    let window = QuotaWindow { key: KeyHash([1; 32]), period_secs: 3600, number: 1 };
    check(ledger.bump(&window, now, 1).await.expect_err("too much"));
    assert!(ledger.bump(&window, now, 1).await.expect("it was not counted"));
}

#[tokio::test]
async fn a_race_that_is_always_lost_ends() {
    let world = World::new().await;
    let (now, runs) = (world.clock.now(), Arc::new(AtomicUsize::new(0)));
    create(&*world.ledger, now, key(1), Item::Session(session(0))).await;
    let counted = Arc::clone(&runs);
    let decide = move |_: &View| {
        counted.fetch_add(1, Ordering::Relaxed);
        Step::Commit { writes: vec![create_session(1)], reply: () }
    };
    let outcome = transact(&*world.ledger, decision_id(), now, LoadSpec::default(), decide).await;
    assert_eq!(outcome.expect_err("never absent").kind, PortErrorKind::Conflict);
    assert_eq!(runs.load(Ordering::Relaxed), usize::try_from(world.options.conflict_tries).unwrap());
}

#[tokio::test]
async fn busy_items_are_tried_again() {
    let conflict = r#","CancellationReasons":[{"Code":"TransactionConflict"},{"Code":"None"}]"#;
    let refusals = [
        ("TransactWriteItems", Fault::refusal("TransactionCanceledException", conflict)),
        ("TransactWriteItems", Fault::refusal("IdempotentParameterMismatchException", "")),
        ("PutItem", Fault::refusal("TransactionConflictException", "")),
    ];
    for (operation, refusal) in refusals {
        let world = World::new().await;
        let now = world.clock.now();
        world.script.next(operation, 2, &refusal);
        let numbers = if operation == "PutItem" { 1..2 } else { 1..3 };
        commit(&*world.ledger, now, numbers.map(create_session).collect()).await.expect("the third try");
        assert_eq!(rev(&*world.ledger, now, key(1)).await, Some(1));
        world.check_script();
    }
}

#[tokio::test]
async fn what_is_refused_for_good_is_corrupt() {
    let world = World::new().await;
    let now = world.clock.now();
    let reasons = r#","CancellationReasons":[{"Code":"None"},{"Code":"ValidationError"}]"#;
    world.script.next("TransactWriteItems", 1, &Fault::refusal("TransactionCanceledException", reasons));
    let error = commit(&*world.ledger, now, vec![create_session(1), create_session(2)]).await;
    assert_eq!(error.expect_err("never").kind, PortErrorKind::Corrupt);

    create(&*world.ledger, now, key(1), Item::Session(session(0))).await;
    let old = read(&*world.ledger, now, key(1)).await.expect("it was created");
    let deletion = Write::delete(key(1), &old).causing(score_effect(1));
    let error = commit(&*world.ledger, now, vec![deletion]).await.expect_err("a deletion has no new image");
    assert_eq!(error.kind, PortErrorKind::Corrupt);
    assert_eq!(rev(&*world.ledger, now, key(1)).await, Some(1));
}

#[tokio::test]
async fn the_same_decision_commits_once_from_another_process() {
    let world = World::new().await;
    let (now, id) = (world.clock.now(), decision_id());
    let writes = vec![create_session(1), create_session(2).causing(score_effect(2))];
    world.script.next("TransactWriteItems", 3, &Fault::LoseReply);
    world.script.next("BatchGetItem", 3, &Fault::LoseRequest);
    let error = commit_as(&*world.ledger, id, now, writes.clone()).await.expect_err("nobody knows");
    assert_eq!(error.kind, PortErrorKind::Unavailable);
    commit_as(&*world.ledger, id, now, writes).await.expect("it took effect the first time");
    for number in 1..3 {
        assert_eq!(rev(&*world.ledger, now, key(number)).await, Some(1));
    }
    world.check_script();
}

#[tokio::test]
async fn keys_that_a_batch_leaves_out_are_asked_for_again() {
    let world = World::new().await;
    let now = world.clock.now();
    for number in 1..4 {
        create(&*world.ledger, now, key(number), Item::Session(session(u64::from(number)))).await;
    }
    let left_out: Vec<String> = (1..4)
        .map(|number| {
            let place = sn17_aws::schema::names::Place::of(&key(number));
            format!(r#"{{"pk":{{"S":"{}"}},"sk":{{"S":"{}"}}}}"#, place.partition, place.sort)
        })
        .collect();
    let table = &world.options.table;
    let answer = format!(
        r#"{{"Responses":{{"{table}":[]}},"UnprocessedKeys":{{"{table}":{{"ConsistentRead":true,"Keys":[{}]}}}}}}"#,
        left_out.join(",")
    );
    let load = LoadSpec::keys([key(1), key(2), key(3)]);
    world.script.next("BatchGetItem", 2, &Fault::Answer(200, answer.clone()));
    let view = world.ledger.read(now, load.clone()).await.expect("the third try");
    assert_eq!(view.items().filter(|(_, stored)| stored.is_some()).count(), 3);
    world.script.next("BatchGetItem", 6, &Fault::Answer(200, answer));
    let error = world.ledger.read(now, load).await.expect_err("left out for ever");
    assert_eq!(error.kind, PortErrorKind::Throttled);
    world.check_script();
}

#[tokio::test]
async fn nonces_and_counts_survive_lost_answers() {
    for lost in [1, 3] {
        let world = World::new().await;
        let (ledger, now) = (&*world.ledger, world.clock.now());
        let nonce = Nonce { hotkey: hotkey(1), uuid: "a".to_owned(), nonce: 1 };
        world.script.next("PutItem", lost, &Fault::LoseReply);
        assert!(ledger.claim_nonce(&nonce, now, now.plus_secs(60)).await.expect("it took effect"));
        assert!(!ledger.claim_nonce(&nonce, now, now.plus_secs(60)).await.expect("an answer"));
        let window = QuotaWindow { key: KeyHash([1; 32]), period_secs: 3600, number: 1 };
        world.script.next("UpdateItem", lost, &Fault::LoseReply);
        let mut counted = 0;
        for _ in 0..4 {
            counted += usize::from(ledger.bump(&window, now, 3).await.expect("an answer"));
        }
        assert_eq!(counted, 3, "each was counted once");
        world.check_script();
    }
}

#[tokio::test]
async fn a_watch_outlives_failures() {
    let world = World::new().await;
    let now = world.clock.now();
    create(&*world.ledger, now, key(1), Item::Session(session(0))).await;
    world.script.next("GetItem", 7, &Fault::Throttle);
    let seen = world.ledger.watch(&key(1), 0, now.plus_secs(60)).await.expect("a later look");
    assert_eq!(seen.expect("it is there").rev, 1);
    world.script.next("GetItem", 3, &Fault::ServerError);
    let error = world.ledger.watch(&key(1), 0, now).await.expect_err("the only look failed");
    assert_eq!(error.kind, PortErrorKind::Unavailable);
    world.check_script();
}

/// 16 pullers on 4 tasks with room for 16 miners: nobody is turned away for a race, and no place is given twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_conditions_ends_and_loses_nothing() {
    let world = World::new().await;
    let now = world.clock.now();
    for number in 0..4 {
        add_task(&*world.ledger, now, task_id(now, number), task(now, 4)).await;
    }
    let pullers = (0..16).map(|number| {
        let ledger = Arc::clone(&world.ledger);
        tokio::spawn(async move { take_a_place(&*ledger, now, number).await })
    });
    let mut taken = 0;
    for puller in pullers.collect::<Vec<_>>() {
        taken += usize::from(puller.await.expect("no panic"));
    }
    let mut held = 0;
    for number in 0..4 {
        let stored =
            read(&*world.ledger, now, Key::Task(task_id(now, number))).await.expect("it was created");
        let Item::Task(value) = stored.item else { panic!("a task holds a task") };
        assert!(value.holders.len() <= 4, "{:?}", value.holders);
        held += value.holders.len();
    }
    assert_eq!(held, taken, "every place that was given is there");
    assert!(taken > 0, "some decision wins each race");
}

async fn take_a_place(ledger: &dyn Ledger, now: sn17_core::UnixMs, number: u8) -> bool {
    let decide = move |view: &View| {
        let Some(position) = view.pages().iter().find_map(|(_, found)| found.first()) else {
            return Step::Reply(false);
        };
        let (row, value) = view.task(position.task).expect("tasks come with their page");
        let assigned = sn17_core::task::assign(value, hotkey(number), false, now);
        let write = Write::replace(Key::Task(position.task), row, Item::Task(assigned));
        Step::Commit { writes: vec![write], reply: true }
    };
    let page = OpenPage { queue: OpenQueue::Anyone, after: None, limit: 8 };
    let load = LoadSpec { keys: Vec::new(), open_tasks: vec![page] };
    match transact(ledger, decision_id(), now, load, decide).await {
        Ok(taken) => taken,
        Err(error) => {
            assert_eq!(error.kind, PortErrorKind::Conflict, "{error}");
            false
        }
    }
}

/// A miner that lost a race leaves tasks out, and may not move its cursor past them: it sees them the next time.
#[tokio::test]
async fn what_is_left_out_after_a_lost_race_is_seen_again() {
    let policy = sn17_core::policy::Policy::default();
    for _ in 0..8 {
        let world = World::new().await;
        let (ledger, added) = (&*world.ledger, world.clock.now());
        let mine = sn17_store::conformance::samples::holder(1, false, added);
        for number in 0..6 {
            let holders = if number < 2 { Vec::new() } else { vec![mine.clone()] };
            let value = sn17_core::state::Task { holders, ..task(added, 4) };
            add_task(ledger, added, task_id(added, number), value).await;
        }
        create(ledger, added, key(1), Item::Session(session(0))).await;
        world.clock.advance(20);
        let now = world.clock.now();
        let conflict = r#","CancellationReasons":[{"Code":"TransactionConflict"},{"Code":"None"}]"#;
        let refusal = Fault::refusal("TransactionCanceledException", conflict);
        world.script.next("TransactWriteItems", 3, &refusal);
        let pull = sn17_core::pull::Pull {
            hotkey: hotkey(1),
            synthetic_id: task_id(now, 99),
            synthetic: sn17_core::state::Prompt::Text("a very large red stone castle".to_owned()),
            lost: None,
        };
        let load = sn17_core::pull::load(hotkey(1));
        let decide = move |view: &View| sn17_core::pull::decide(view, &pull, now, &policy);
        let reply = transact(ledger, decision_id(), now, load, decide).await.expect("the fourth try");
        let sn17_core::pull::PullReply::Task { id, .. } = reply else { panic!("a task waits: {reply:?}") };
        assert!([task_id(added, 0), task_id(added, 1)].contains(&id), "{id} is not one that it may have");
        let stored = read(ledger, now, key(1)).await.expect("it was created");
        let Item::Session(value) = stored.item else { panic!("a session holds a session") };
        assert_eq!(value.cursor, None, "a task it may have comes first");
        world.check_script();
    }
}
