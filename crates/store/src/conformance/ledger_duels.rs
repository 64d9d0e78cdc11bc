//! Duels: the list of those with a verdict, and when they are due.

use sn17_app::ports::Ledger;
use sn17_core::UnixMs;
use sn17_core::ledger::Write;
use sn17_core::state::{Duel, DuelNonce, DuelState, Item, Key};

use super::Harness;
use super::samples::{commit, competition, create, duel, judged, read, update};

/// The nonce of the `number`th duel; the last ones have as many digits as any.
fn nonce(number: u64) -> DuelNonce {
    const NONCES: [u64; 6] = [9, 10, 1_750_000_000, 1_750_000_001, u64::MAX - 1, u64::MAX];
    DuelNonce(NONCES[usize::try_from(number).expect("a handful")])
}

async fn add(ledger: &dyn Ledger, now: UnixMs, number: u64, state: DuelState) {
    let item = Item::Duel(Duel { state, ..duel(now) });
    create(ledger, now, Key::Duel(nonce(number)), item).await;
}

async fn end(ledger: &dyn Ledger, now: UnixMs, number: u64, state: DuelState) {
    update(ledger, now, Key::Duel(nonce(number)), move |item| {
        let Item::Duel(duel) = item else { panic!("a duel holds a duel") };
        duel.state = state.clone();
    })
    .await;
}

async fn listed(ledger: &dyn Ledger, now: UnixMs, before: Option<DuelNonce>, limit: usize) -> Vec<DuelNonce> {
    listed_since(ledger, now, DuelNonce(0), before, limit).await
}

async fn listed_since(
    ledger: &dyn Ledger,
    now: UnixMs,
    since: DuelNonce,
    before: Option<DuelNonce>,
    limit: usize,
) -> Vec<DuelNonce> {
    let duels = ledger.duels(now, since, before, limit).await.expect("a list");
    duels.into_iter().map(|(nonce, _)| nonce).collect()
}

async fn due_keys(ledger: &dyn Ledger, now: UnixMs) -> Vec<Key> {
    ledger.due(now, 10).await.expect("the ledger can be read").into_iter().map(|due| due.key).collect()
}

fn void(now: UnixMs) -> DuelState {
    DuelState::Void { ended: now, reason: "a side was missing".to_owned() }
}

/// Every kind of item that the competition has comes back as it was written, also after a reopen.
pub async fn items_of_the_competition_come_back(harness: &mut impl Harness) {
    let now = harness.now();
    let items = competition(now);
    for (key, item) in &items {
        create(&*harness.ledger(), now, *key, item.clone()).await;
    }
    for (key, item) in &items {
        let stored = read(&*harness.ledger(), now, *key).await.expect("it was created");
        assert_eq!(stored.item, *item);
    }
    if !harness.reopen().await {
        return;
    }
    for (key, item) in items {
        let stored = read(&*harness.ledger(), now, key).await.expect("it was acknowledged");
        assert_eq!(stored.item, item);
    }
}

/// The latest duels come first, with what is stored about them, and no more than were asked for.
pub async fn judged_duels_come_latest_first(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    assert_eq!(ledger.duels(now, DuelNonce(0), None, 10).await.expect("a list"), []);
    for number in [2, 0, 5, 1, 3, 4] {
        add(&*ledger, now, number, DuelState::Open).await;
        end(&*ledger, now, number, judged(now)).await;
    }
    let all: Vec<DuelNonce> = (0..6).rev().map(nonce).collect();
    assert_eq!(listed(&*ledger, now, None, 10).await, all);
    assert_eq!(listed(&*ledger, now, None, 2).await, all[..2]);
    assert_eq!(listed(&*ledger, now, None, 0).await, []);
    for (nonce, stored) in ledger.duels(now, DuelNonce(0), None, 10).await.expect("a list") {
        assert_eq!(read(&*ledger, now, Key::Duel(nonce)).await, Some(stored));
    }
}

/// A page ends before the nonce it is asked for, whether or not that is a duel's.
pub async fn pages_of_duels_end_before_a_nonce(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    for number in 0..6 {
        add(&*ledger, now, number, judged(now)).await;
    }
    let all: Vec<DuelNonce> = (0..6).rev().map(nonce).collect();
    assert_eq!(listed(&*ledger, now, Some(nonce(5)), 10).await, all[1..]);
    assert_eq!(listed(&*ledger, now, Some(nonce(4)), 2).await, all[2..4]);
    assert_eq!(listed(&*ledger, now, Some(DuelNonce(1_000)), 10).await, all[4..]);
    assert_eq!(listed(&*ledger, now, Some(nonce(0)), 10).await, []);
    assert_eq!(listed(&*ledger, now, Some(DuelNonce(0)), 10).await, []);
}

/// A list begins at the nonce it is asked for, whether or not that is a duel's, and on whatever page.
pub async fn lists_of_duels_begin_at_a_nonce(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    for number in 0..6 {
        add(&*ledger, now, number, judged(now)).await;
    }
    let all: Vec<DuelNonce> = (0..6).rev().map(nonce).collect();
    for (since, before, limit, expected) in [
        (nonce(1), None, 10, &all[..5]),
        (DuelNonce(11), None, 10, &all[..4]),
        (DuelNonce(11), Some(nonce(4)), 10, &all[2..4]),
        (DuelNonce(11), Some(nonce(4)), 1, &all[2..3]),
        (nonce(2), Some(nonce(3)), 10, &all[3..4]),
        (nonce(5), None, 10, &all[..1]),
        (nonce(3), Some(nonce(3)), 10, &[]),
        (nonce(3), Some(nonce(1)), 10, &[]),
        (DuelNonce(11), Some(DuelNonce(0)), 10, &[]),
    ] {
        let listed = listed_since(&*ledger, now, since, before, limit).await;
        assert_eq!(listed, expected, "from {since} on, before {before:?}, at most {limit}");
    }
}

/// Only duels with a verdict are listed: neither those that still go on nor those that ended without one.
pub async fn duels_without_a_verdict_are_not_listed(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let awaiting = DuelState::Awaiting { resends: 0, resend_at: now.plus_secs(1800) };
    for (number, state) in (0..).zip([DuelState::Open, awaiting, void(now), judged(now)]) {
        add(&*ledger, now, number, state).await;
    }
    assert_eq!(listed(&*ledger, now, None, 10).await, [nonce(3)]);
}

/// An expired duel is not listed, and does not keep others off the page.
pub async fn expired_duels_are_not_listed(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let ended = Item::Duel(Duel { state: judged(now), ..duel(now) });
    for number in 0..5 {
        let secs = if number == 1 { 11 } else { 10 };
        let write = Write::create(Key::Duel(nonce(number)), ended.clone(), Some(now.plus_secs(secs)));
        commit(&*ledger, now, vec![write]).await.expect("it is new");
    }
    assert_eq!(listed(&*ledger, now.plus_ms(9_999), None, 10).await.len(), 5);
    assert_eq!(listed(&*ledger, now.plus_secs(10), None, 1).await, [nonce(1)]);
    assert_eq!(listed(&*ledger, now.plus_secs(11), None, 10).await, []);
}

/// A duel is due when its sides are, then when its verdict is, and never once it has ended.
pub async fn duels_are_due_until_they_have_ended(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let keys = [0, 1].map(|number| Key::Duel(nonce(number)));
    for number in 0..2 {
        add(&*ledger, now, number, DuelState::Open).await;
    }
    assert_eq!(due_keys(&*ledger, now.plus_ms(3_599_999)).await, []);
    let mut due = due_keys(&*ledger, now.plus_secs(3600)).await;
    due.sort_unstable();
    assert_eq!(due, keys);
    end(&*ledger, now, 0, DuelState::Awaiting { resends: 1, resend_at: now.plus_secs(5000) }).await;
    assert_eq!(due_keys(&*ledger, now.plus_secs(4999)).await, [keys[1]]);
    let all = ledger.due(now.plus_secs(5000), 10).await.expect("the ledger can be read");
    assert_eq!(all.iter().map(|due| due.key).collect::<Vec<_>>(), [keys[1], keys[0]]);
    assert_eq!(all[1].at, now.plus_secs(5000));
    end(&*ledger, now, 0, judged(now)).await;
    end(&*ledger, now, 1, void(now)).await;
    assert_eq!(due_keys(&*ledger, now.plus_secs(100_000)).await, []);
}

/// The list and the calendar are the same after the ledger was closed and opened.
pub async fn duels_survive_a_reopen(harness: &mut impl Harness) {
    let now = harness.now();
    for (number, state) in (0..).zip([judged(now), DuelState::Open, void(now), judged(now)]) {
        add(&*harness.ledger(), now, number, state).await;
    }
    harness.reopen().await;
    let ledger = harness.ledger();
    assert_eq!(listed(&*ledger, now, None, 10).await, [nonce(3), nonce(0)]);
    assert_eq!(due_keys(&*ledger, now.plus_secs(3600)).await, [Key::Duel(nonce(1))]);
    end(&*ledger, now, 1, judged(now)).await;
    assert_eq!(listed(&*ledger, now, None, 10).await, [nonce(3), nonce(1), nonce(0)]);
}
