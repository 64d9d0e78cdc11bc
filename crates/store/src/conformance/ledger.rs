//! Decisions, nonces and quotas.

use std::sync::Arc;

use sn17_app::ports::{Ledger, Nonce, PortErrorKind, QuotaWindow, transact};
use sn17_core::ledger::{Change, Expect, LOADS_MAX, LoadSpec, QueueName, Step, View, WRITES_MAX, Write};
use sn17_core::state::{Item, Key, KeyHash};

use super::Harness;
use super::samples::{
    commit, commit_as, create, decision_id, hotkey, judge_effect, read, rev, score_effect, session,
    submission, task, task_id, timer_effect, update,
};

fn session_key(number: u8) -> Key {
    Key::Session(hotkey(number))
}

fn create_session(number: u8) -> Write {
    Write::create(session_key(number), Item::Session(session(0)), None)
}

/// A commit takes effect as a whole or not at all.
pub async fn commits_all_items_or_none(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    commit(&*ledger, now, vec![create_session(1), create_session(2)]).await.expect("both are new");
    assert_eq!(rev(&*ledger, now, session_key(1)).await, Some(1));
    assert_eq!(rev(&*ledger, now, session_key(2)).await, Some(1));

    let task_key = Key::Task(task_id(now, 1));
    let with_task = Write::create(task_key, Item::Task(task(now, 1)), None).causing(score_effect(1));
    let error = commit(&*ledger, now, vec![with_task, create_session(2)]).await.expect_err("one is not new");
    assert_eq!(error.kind, PortErrorKind::Conflict);
    assert_eq!(rev(&*ledger, now, task_key).await, None);
    assert_eq!(ledger.open_tasks().await.expect("a count"), 0);
    let received = harness.queue().receive(QueueName::Scoring, 1, 30, 0).await.expect("an empty queue");
    assert_eq!(received, []);
}

/// `Absent` and `Rev` must hold when the writes take effect.
pub async fn absent_and_rev_are_conditions(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    create(&*ledger, now, session_key(1), Item::Session(session(0))).await;
    update(&*ledger, now, session_key(1), |item| *item = Item::Session(session(5))).await;
    let stored = read(&*ledger, now, session_key(1)).await.expect("it was created");
    assert_eq!((stored.rev, stored.item.clone()), (2, Item::Session(session(5))));
    for (expect, holds) in [(Expect::Absent, false), (Expect::Rev(1), false), (Expect::Rev(3), false)]
        .into_iter()
        .chain([(Expect::Rev(2), true)])
    {
        let change = Change::Put(Item::Session(session(9)), None);
        let write = Write { key: session_key(1), expect, change, effects: Vec::new() };
        let outcome = commit(&*ledger, now, vec![write]).await;
        assert_eq!(outcome.is_ok(), holds, "{expect:?}");
    }
    assert_eq!(rev(&*ledger, now, session_key(1)).await, Some(3));
    let change = Change::Put(Item::Session(session(9)), None);
    let write = Write { key: session_key(2), expect: Expect::Rev(1), change, effects: Vec::new() };
    commit(&*ledger, now, vec![write]).await.expect_err("nothing is there");
}

/// An item with `expires <= now` is absent, in loads and in conditions, before anybody has deleted it.
pub async fn expired_counts_as_absent(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let (key, end) = (session_key(1), now.plus_secs(10));
    commit(&*ledger, now, vec![create_session(1).expiring(end)]).await.expect("it is new");
    let before = now.plus_ms(9_999);
    assert_eq!(rev(&*ledger, before, key).await, Some(1));
    assert_eq!(rev(&*ledger, end, key).await, None);

    let old = read(&*ledger, now, key).await.expect("not yet expired");
    let replace = Write::replace(key, &old, Item::Session(session(1)));
    let error = commit(&*ledger, end, vec![replace]).await.expect_err("it has expired");
    assert_eq!(error.kind, PortErrorKind::Conflict);
    commit(&*ledger, before, vec![create_session(1)]).await.expect_err("it has not expired");

    let is_seen = move |view: &View| Step::<bool>::Reply(view.get(&key).is_some());
    let load = LoadSpec::keys([key]);
    let seen = transact(&*ledger, decision_id(), end, load, is_seen).await.expect("a reply");
    assert!(!seen);
    commit(&*ledger, end, vec![create_session(1)]).await.expect("it has expired");
    assert_eq!(rev(&*ledger, end, key).await, Some(1));
}

/// A condition that never holds ends in the error `Conflict`, after a bounded number of tries.
pub async fn lost_races_end_in_conflict(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    create(&*ledger, now, session_key(1), Item::Session(session(0))).await;
    let error = commit(&*ledger, now, vec![create_session(1)]).await.expect_err("never absent");
    assert_eq!(error.kind, PortErrorKind::Conflict);
}

/// A decision that comes again, because its answer was lost, takes effect once and is told that it did.
pub async fn the_same_id_commits_once(harness: &mut impl Harness) {
    let (ledger, now, id) = (harness.ledger(), harness.now(), decision_id());
    let writes = vec![create_session(1).causing(score_effect(1))];
    commit_as(&*ledger, id, now, writes.clone()).await.expect("the first time");
    commit_as(&*ledger, id, now, writes).await.expect("its answer was lost, not its effect");
    assert_eq!(rev(&*ledger, now, session_key(1)).await, Some(1));
    let received = harness.queue().receive(QueueName::Scoring, 10, 30, 5).await.expect("messages");
    assert_eq!(received.len(), 1);
}

/// The same holds for a decision that would apply to its own outcome.
pub async fn a_repeated_update_commits_once(harness: &mut impl Harness) {
    let (ledger, now, id) = (harness.ledger(), harness.now(), decision_id());
    create(&*ledger, now, session_key(1), Item::Session(session(0))).await;
    for _ in 0..2 {
        let add_one = |view: &View| {
            let old = view.get(&session_key(1)).expect("it was created");
            let Item::Session(mut value) = old.item.clone() else { panic!("a session holds a session") };
            value.cooldown_until += 1;
            let write = Write::replace(session_key(1), old, Item::Session(value));
            Step::Commit { writes: vec![write], reply: () }
        };
        let load = LoadSpec::keys([session_key(1)]);
        transact(&*ledger, id, now, load, add_one).await.expect("both calls succeed");
    }
    let stored = read(&*ledger, now, session_key(1)).await.expect("it was created");
    assert_eq!(stored.item, Item::Session(session(1)));
}

/// A decision may load [`LOADS_MAX`] times and sees everything it has loaded; one more is `Corrupt`.
pub async fn three_loads_are_allowed_and_no_more(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    for number in 0..5 {
        create(&*ledger, now, session_key(number), Item::Session(session(number.into()))).await;
    }
    for (loads, allowed) in [(LOADS_MAX, true), (LOADS_MAX + 1, false)] {
        let decide = move |view: &View| {
            let loaded = view.items().count();
            if loaded < loads {
                let next = u8::try_from(loaded).expect("a handful");
                return Step::Load(LoadSpec::keys([session_key(next)]));
            }
            Step::Commit {
                writes: vec![create_session(100)],
                reply: view.items().flat_map(|(_, item)| item).count(),
            }
        };
        let load = LoadSpec::keys([session_key(0)]);
        let outcome = transact(&*ledger, decision_id(), now, load, decide).await;
        match (outcome, allowed) {
            (Ok(seen), true) => assert_eq!(seen, loads),
            (Err(error), false) => assert_eq!(error.kind, PortErrorKind::Corrupt),
            (outcome, _) => panic!("{loads} loads ended in {outcome:?}"),
        }
        assert_eq!(rev(&*ledger, now, session_key(100)).await, Some(1));
    }
}

/// A commit may write [`WRITES_MAX`] items; one more is `Corrupt` and changes nothing.
pub async fn eight_writes_are_allowed_and_no_more(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let most = u8::try_from(WRITES_MAX).expect("a handful");
    let error =
        commit(&*ledger, now, (0..=most).map(create_session).collect()).await.expect_err("one too many");
    assert_eq!(error.kind, PortErrorKind::Corrupt);
    assert_eq!(rev(&*ledger, now, session_key(0)).await, None);
    commit(&*ledger, now, (0..most).map(create_session).collect()).await.expect("as many as allowed");
    assert_eq!(rev(&*ledger, now, session_key(most - 1)).await, Some(1));
}

/// A commit that writes an item twice is `Corrupt` and changes nothing.
pub async fn one_item_is_written_once(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let writes = vec![create_session(1), create_session(2), create_session(1)];
    let error = commit(&*ledger, now, writes).await.expect_err("the same item twice");
    assert_eq!(error.kind, PortErrorKind::Corrupt);
    assert_eq!(rev(&*ledger, now, session_key(2)).await, None);
}

/// A commit that puts an item under another item's key is `Corrupt`.
pub async fn keys_hold_their_own_items(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let write = Write::create(session_key(1), Item::Task(task(now, 1)), None);
    let error = commit(&*ledger, now, vec![write]).await.expect_err("a task is no session");
    assert_eq!(error.kind, PortErrorKind::Corrupt);
}

/// A reply without a commit changes nothing, and reaches the caller.
pub async fn a_reply_changes_nothing(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    create(&*ledger, now, session_key(1), Item::Session(session(4))).await;
    let decide = |view: &View| Step::Reply(view.get(&session_key(1)).map(|stored| stored.rev));
    let load = LoadSpec::keys([session_key(1), session_key(2)]);
    let reply = transact(&*ledger, decision_id(), now, load, decide).await;
    assert_eq!(reply.expect("a reply"), Some(1));
    assert_eq!(rev(&*ledger, now, session_key(1)).await, Some(1));
}

/// A deleted item is absent, and new when it comes again.
pub async fn a_deleted_item_starts_again(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    create(&*ledger, now, session_key(1), Item::Session(session(0))).await;
    update(&*ledger, now, session_key(1), |item| *item = Item::Session(session(1))).await;
    let old = read(&*ledger, now, session_key(1)).await.expect("it was created");
    commit(&*ledger, now, vec![Write::delete(session_key(1), &old)]).await.expect("nobody interferes");
    assert_eq!(rev(&*ledger, now, session_key(1)).await, None);
    let error =
        commit(&*ledger, now, vec![Write::delete(session_key(1), &old)]).await.expect_err("it is gone");
    assert_eq!(error.kind, PortErrorKind::Conflict);
    create(&*ledger, now, session_key(1), Item::Session(session(0))).await;
    assert_eq!(rev(&*ledger, now, session_key(1)).await, Some(1));
}

/// What was acknowledged is still there after the ledger was closed and opened.
pub async fn commits_survive_a_reopen(harness: &mut impl Harness) {
    let now = harness.now();
    for number in 0..20 {
        create(&*harness.ledger(), now, session_key(number), Item::Session(session(number.into()))).await;
    }
    if !harness.reopen().await {
        return;
    }
    for number in 0..20 {
        let stored = read(&*harness.ledger(), now, session_key(number)).await.expect("it was acknowledged");
        assert_eq!(stored.item, Item::Session(session(number.into())));
    }
}

/// Decisions that run at the same time on the same item each see what the others did.
pub async fn parallel_decisions_lose_nothing(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    create(&*ledger, now, session_key(1), Item::Session(session(0))).await;
    let callers = (0..8).map(|_| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move {
            let mut committed = 0;
            for _ in 0..10 {
                committed += u64::from(add_one(&*ledger, now).await);
            }
            committed
        })
    });
    let mut committed = 0;
    for caller in callers.collect::<Vec<_>>() {
        committed += caller.await.expect("no panic");
    }
    assert!(committed > 0, "some decision wins each race");
    let stored = read(&*ledger, now, session_key(1)).await.expect("it was created");
    assert_eq!(stored.item, Item::Session(session(committed)));
    assert_eq!(stored.rev, committed + 1);
}

/// Adds one to a session's cooldown; false after too many lost races.
async fn add_one(ledger: &dyn Ledger, now: sn17_core::UnixMs) -> bool {
    let decide = |view: &View| {
        let old = view.get(&session_key(1)).expect("it was created");
        let Item::Session(mut value) = old.item.clone() else { panic!("a session holds a session") };
        value.cooldown_until += 1;
        let write = Write::replace(session_key(1), old, Item::Session(value));
        Step::Commit { writes: vec![write], reply: () }
    };
    match transact(ledger, decision_id(), now, LoadSpec::keys([session_key(1)]), decide).await {
        Ok(()) => true,
        Err(error) if error.kind == PortErrorKind::Conflict => false,
        Err(error) => panic!("{error}"),
    }
}

/// Effects are queued with the commit that causes them, those with a time not before it.
pub async fn effects_come_with_the_commit(harness: &mut impl Harness) {
    let (ledger, queue, now) = (harness.ledger(), harness.queue(), harness.now());
    let timer = timer_effect(now.plus_secs(20));
    let write = create_session(1).causing(score_effect(1)).causing(timer).causing(score_effect(2));
    let write = write.causing(judge_effect(17));
    commit(&*ledger, now, vec![write]).await.expect("it is new");
    let received = queue.receive(QueueName::Scoring, 10, 30, 5).await.expect("messages");
    let mut effects: Vec<_> = received.iter().map(|delivery| delivery.effect).collect();
    effects.sort_by_key(|effect| format!("{effect:?}"));
    assert_eq!(effects, [score_effect(1), score_effect(2)]);
    let received = queue.receive(QueueName::Judging, 10, 30, 5).await.expect("messages");
    assert_eq!(received.iter().map(|delivery| delivery.effect).collect::<Vec<_>>(), [judge_effect(17)]);
    assert_eq!(queue.receive(QueueName::Timers, 10, 30, 0).await.expect("messages"), []);
    harness.advance(21).await;
    let received = queue.receive(QueueName::Timers, 10, 30, 5).await.expect("messages");
    assert_eq!(received.iter().map(|delivery| delivery.effect).collect::<Vec<_>>(), [timer]);
}

/// AU-2: a nonce is accepted once, however many hands present it at the same time.
pub async fn nonces_are_claimed_once(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let nonce = Nonce { hotkey: hotkey(1), uuid: "a-b".to_owned(), nonce: 17 };
    let claims = (0..16).map(|_| {
        let (ledger, nonce) = (Arc::clone(&ledger), nonce.clone());
        tokio::spawn(async move { ledger.claim_nonce(&nonce, now, now.plus_secs(300)).await })
    });
    let mut claimed = 0;
    for claim in claims.collect::<Vec<_>>() {
        claimed += u32::from(claim.await.expect("no panic").expect("an answer"));
    }
    assert_eq!(claimed, 1);
    let others = [
        Nonce { hotkey: hotkey(2), ..nonce.clone() },
        Nonce { uuid: "a-c".to_owned(), ..nonce.clone() },
        Nonce { nonce: 18, ..nonce.clone() },
    ];
    for other in others {
        assert!(ledger.claim_nonce(&other, now, now.plus_secs(300)).await.expect("an answer"), "{other:?}");
    }
    let almost = now.plus_ms(299_999);
    assert!(!ledger.claim_nonce(&nonce, almost, now.plus_secs(900)).await.expect("an answer"));
    assert!(ledger.claim_nonce(&nonce, now.plus_secs(300), now.plus_secs(900)).await.expect("an answer"));
}

/// AU-2: a claimed nonce stays claimed when the ledger was closed and opened.
pub async fn a_claimed_nonce_survives_a_reopen(harness: &mut impl Harness) {
    let now = harness.now();
    let nonce = Nonce { hotkey: hotkey(1), uuid: String::new(), nonce: u64::MAX };
    assert!(harness.ledger().claim_nonce(&nonce, now, now.plus_secs(300)).await.expect("an answer"));
    harness.reopen().await;
    assert!(!harness.ledger().claim_nonce(&nonce, now, now.plus_secs(300)).await.expect("an answer"));
}

/// A counter stays within its limit, however many callers bump it at the same time.
pub async fn bumps_stop_at_the_limit(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let window = QuotaWindow { key: KeyHash([1; 32]), period_secs: 3600, number: now.secs() / 3600 };
    let bumps = (0..16).map(|_| {
        let ledger = Arc::clone(&ledger);
        tokio::spawn(async move { ledger.bump(&window, now, 10).await })
    });
    let mut counted = 0;
    for bump in bumps.collect::<Vec<_>>() {
        counted += u32::from(bump.await.expect("no panic").expect("an answer"));
    }
    assert_eq!(counted, 10);
    assert!(!ledger.bump(&window, now, 10).await.expect("an answer"));
    assert!(ledger.bump(&window, now, 11).await.expect("an answer"));
    let unused = QuotaWindow { number: window.number + 1, ..window };
    assert!(!ledger.bump(&unused, now, 0).await.expect("an answer"));
}

/// Keys, periods and their numbers have counters of their own.
pub async fn windows_count_apart(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let window = QuotaWindow { key: KeyHash([1; 32]), period_secs: 3600, number: now.secs() / 3600 };
    let others = [
        window,
        QuotaWindow { key: KeyHash([2; 32]), ..window },
        QuotaWindow { period_secs: 86_400, number: now.secs() / 86_400, ..window },
        QuotaWindow { number: window.number + 1, ..window },
    ];
    for other in others {
        assert!(ledger.bump(&other, now, 1).await.expect("an answer"), "{other:?}");
        assert!(!ledger.bump(&other, now, 1).await.expect("an answer"), "{other:?}");
    }
    let unrelated = Write::create(
        Key::Submission(task_id(now, 1), hotkey(1)),
        Item::Submission(submission(now, now.plus_secs(60))),
        None,
    );
    commit(&*ledger, now, vec![unrelated]).await.expect("counters are no items");
}
