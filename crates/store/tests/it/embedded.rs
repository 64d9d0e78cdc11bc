//! What only the embedded store promises.

use sn17_app::ports::{Ledger, Nonce, PortErrorKind, Queue, QuotaWindow, transact};
use sn17_core::ledger::{Contest, Effect, LoadSpec, QueueName, Step, View, Write};
use sn17_core::state::{DuelNonce, Item, Key, KeyHash};
use sn17_store::conformance::ManualClock;
use sn17_store::conformance::samples::{
    commit, create, decision_id, hotkey, rev, score_effect, session, task, task_id,
};
use sn17_store::{Clock, Embedded, OpenError, Options};

fn memory(clock: Clock) -> Embedded {
    Embedded::memory(clock, Options::default()).unwrap()
}

#[tokio::test]
async fn a_panicking_decision_harms_nobody() {
    let clock = ManualClock::default();
    let store = memory(clock.clock());
    let decide = |_: &View| -> Step<()> { panic!("this decision panics to see what happens") };
    let outcome = transact(&store, decision_id(), clock.now(), LoadSpec::default(), decide).await;
    assert_eq!(outcome.unwrap_err().kind, PortErrorKind::Corrupt);
    let key = Key::Session(hotkey(1));
    create(&store, clock.now(), key, Item::Session(session(0))).await;
    assert_eq!(rev(&store, clock.now(), key).await, Some(1));
}

#[tokio::test]
async fn sweeping_deletes_what_has_expired_and_nothing_else() {
    let clock = ManualClock::default();
    let (store, now) = (memory(clock.clock()), clock.now());
    let end = now.plus_secs(60);
    for number in 0..5 {
        let key = Key::Task(task_id(now, number));
        let expires = if number < 3 { end } else { end.plus_ms(1) };
        commit(&store, now, vec![Write::create(key, Item::Task(task(now, 1)), Some(expires))]).await.unwrap();
    }
    let nonce = Nonce { hotkey: hotkey(1), uuid: "a".to_owned(), nonce: 1 };
    assert!(store.claim_nonce(&nonce, now, end).await.unwrap());
    let window = QuotaWindow { key: KeyHash([1; 32]), period_secs: 3600, number: now.secs() / 3600 };
    assert!(store.bump(&window, now, 1).await.unwrap());

    assert_eq!(store.sweep(now.plus_ms(59_999)).await.unwrap(), 0);
    assert_eq!(store.sweep(end).await.unwrap(), 4);
    store.verify().await.unwrap();
    assert_eq!(store.open_tasks().await.unwrap(), 2);
    assert_eq!(store.sweep(end).await.unwrap(), 0);
    assert_eq!(store.sweep(end.plus_ms(1)).await.unwrap(), 2);
    assert_eq!(store.sweep(now.plus_secs(3 * 3600)).await.unwrap(), 1);
    store.verify().await.unwrap();
    assert!(store.bump(&window, now, 1).await.unwrap());
}

#[tokio::test]
async fn sweeping_finds_what_expires_behind_its_back() {
    let clock = ManualClock::default();
    let (store, now) = (memory(clock.clock()), clock.now());
    assert_eq!(store.sweep(now).await.unwrap(), 0);
    let key = Key::Session(hotkey(1));
    let early = now.plus_secs(1);
    let write = Write::create(key, Item::Session(session(0)), Some(early));
    assert_eq!(store.sweep(now.plus_secs(10)).await.unwrap(), 0);
    commit(&store, now, vec![write]).await.unwrap();
    assert_eq!(store.sweep(now.plus_secs(10)).await.unwrap(), 1);
    store.verify().await.unwrap();
}

#[tokio::test]
async fn more_than_a_batch_is_swept_in_one_call() {
    let clock = ManualClock::default();
    let (store, now) = (memory(clock.clock()), clock.now());
    for number in 0..2_100 {
        let nonce = Nonce { hotkey: hotkey(1), uuid: String::new(), nonce: number };
        assert!(store.claim_nonce(&nonce, now, now.plus_secs(1)).await.unwrap());
    }
    assert_eq!(store.sweep(now.plus_secs(1)).await.unwrap(), 2_100);
    store.verify().await.unwrap();
}

#[tokio::test]
async fn a_renewed_item_is_not_swept_at_its_old_time() {
    let clock = ManualClock::default();
    let (store, now) = (memory(clock.clock()), clock.now());
    let key = Key::Session(hotkey(1));
    let end = now.plus_secs(1);
    commit(&store, now, vec![Write::create(key, Item::Session(session(0)), Some(end))]).await.unwrap();
    let renewed = Write::create(key, Item::Session(session(1)), Some(end.plus_secs(100)));
    commit(&store, end, vec![renewed]).await.unwrap();
    assert_eq!(store.sweep(end.plus_secs(50)).await.unwrap(), 0);
    assert_eq!(rev(&store, end.plus_secs(50), key).await, Some(1));
    store.verify().await.unwrap();
}

#[tokio::test]
async fn max_receives_is_an_option_of_each_queue() {
    let clock = ManualClock::default();
    let options = Options { max_receives: 1, judging_max_receives: 2, ..Options::default() };
    let store = Embedded::memory(clock.clock(), options).unwrap();
    store.send(score_effect(1), None).await.unwrap();
    store.send(Effect::Judge(Contest::Duel(DuelNonce(1))), None).await.unwrap();
    for (queue, max_receives) in [(QueueName::Scoring, 1), (QueueName::Judging, 2)] {
        for _ in 0..max_receives {
            assert_eq!(store.receive(queue, 1, 10, 0).await.unwrap().len(), 1);
            clock.advance(10);
        }
        assert_eq!(store.receive(queue, 1, 10, 0).await.unwrap().len(), 0);
        assert_eq!(store.dead_letters(queue, 9).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_folder_is_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::default();
    let store = Embedded::open(folder.path(), clock.clock(), Options::default()).unwrap();
    let second = Embedded::open(folder.path(), clock.clock(), Options::default());
    assert!(matches!(second, Err(OpenError::Folder { .. })));
    drop(store);
    Embedded::open(folder.path(), clock.clock(), Options::default()).unwrap();
}

#[tokio::test]
async fn a_file_is_no_store() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let opened = Embedded::open(file.path(), Clock::system(), Options::default());
    assert!(matches!(opened, Err(OpenError::Folder { .. })));
}
