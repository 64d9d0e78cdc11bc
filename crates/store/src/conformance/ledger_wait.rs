//! Waiting for an item to change.

use std::sync::Arc;

use sn17_core::Hotkey;
use sn17_core::state::{Item, Key};

use super::Harness;
use super::samples::{create, hotkey, session, update};

const KEY: Key = Key::Session(Hotkey([1; 32]));

/// A watch answers at once when the item is newer already.
pub async fn watch_answers_at_once_when_newer(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    create(&*ledger, now, KEY, Item::Session(session(0))).await;
    let seen = ledger.watch(&KEY, 0, now.plus_secs(60)).await.expect("an answer");
    assert_eq!(seen.expect("it is there").rev, 1);
    let seen = ledger.watch(&KEY, 1, now).await.expect("an answer");
    assert_eq!(seen, None);
}

/// A watch answers after a commit that makes the item new or newer; other items' commits do not end it.
pub async fn watch_answers_after_a_commit(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let until = now.plus_secs(60);
    let (seen, ()) = tokio::join!(ledger.watch(&KEY, 0, until), async {
        create(&*ledger, now, Key::Session(hotkey(2)), Item::Session(session(0))).await;
        create(&*ledger, now, KEY, Item::Session(session(0))).await;
    });
    assert_eq!(seen.expect("an answer").expect("it was created").rev, 1);
    let (seen, ()) = tokio::join!(ledger.watch(&KEY, 1, until), async {
        update(&*ledger, now, KEY, |item| *item = Item::Session(session(1))).await;
    });
    let seen = seen.expect("an answer").expect("it was changed");
    assert_eq!((seen.rev, seen.item), (2, Item::Session(session(1))));
}

/// A watch ends with none at its deadline, by the host's clock.
pub async fn watch_ends_at_its_deadline(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    create(&*ledger, now, KEY, Item::Session(session(0))).await;
    let (seen, ()) = tokio::join!(ledger.watch(&KEY, 1, now.plus_secs(2)), async {
        harness.advance(1).await;
        harness.advance(1).await;
    });
    assert_eq!(seen.expect("an answer"), None);
}

/// A watch misses no commit that happens while it is being called.
pub async fn watch_misses_no_commit(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    create(&*ledger, now, KEY, Item::Session(session(0))).await;
    for rev in 1..=50 {
        let watching = Arc::clone(&ledger);
        let watch = tokio::spawn(async move { watching.watch(&KEY, rev, now.plus_secs(60)).await });
        update(&*ledger, now, KEY, move |item| *item = Item::Session(session(rev))).await;
        let seen = watch.await.expect("no panic").expect("an answer").expect("the commit is not missed");
        assert_eq!(seen.rev, rev + 1);
    }
}
