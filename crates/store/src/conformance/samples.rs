//! Items to test with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use sn17_app::ports::{Ledger, PortResult, transact};
use sn17_app::{App, Host, KeySecret, Ports, PromptBook};
use sn17_core::glicko::{Outcome, Rating};
use sn17_core::leaderboard::{Leaderboard, Standings};
use sn17_core::ledger::{Contest, DecisionId, Effect, LoadSpec, Step, Stored, Write};
use sn17_core::policy::Policy;
use sn17_core::prompts::shelf::{PromptBatch, PromptShelf};
use sn17_core::state::{
    ApiKey, Assignment, Duel, DuelNonce, DuelState, Entry, History, Holder, Item, Key, KeyHash, Matchmaker,
    Origin, Prompt, RatingChange, RatingPoint, Session, Side, Submission, SubmissionState, Task, TaskKind,
    TaskState,
};
use sn17_core::{Hotkey, TaskId, UnixMs};

use super::ManualClock;
use crate::{Embedded, MemoryBlobs};

/// A decision id that no other call has got, in this process or in one that began at another time.
pub fn decision_id() -> DecisionId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    static BEGUN_NANOS: LazyLock<u128> =
        LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos());
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    DecisionId(*BEGUN_NANOS << 64 | u128::from(number))
}

/// The validator of a [`process`].
pub const VALIDATOR: Hotkey = Hotkey([200; 32]);

/// A process over a store, with blobs of its own and no prompts, whose random numbers count up from 1.
pub fn process(store: &Embedded, clock: &ManualClock, policy: Policy) -> App {
    let ports = Ports {
        ledger: Arc::new(store.clone()),
        blobs: Arc::new(MemoryBlobs::default()),
        queue: Arc::new(store.clone()),
    };
    let (now, numbers) = (clock.clone(), AtomicU64::new(1));
    let host = Host {
        now: Arc::new(move || now.now()),
        random: Arc::new(move || numbers.fetch_add(1, Ordering::Relaxed).into()),
    };
    App::new(ports, host, policy, VALIDATOR, KeySecret([7; 32]), PromptBook::default())
}

/// The `number`th miner.
pub fn hotkey(number: u8) -> Hotkey {
    Hotkey([number; 32])
}

/// The id of a task created at `created`; `number` tells those of one instant apart, in order.
pub fn task_id(created: UnixMs, number: u64) -> TaskId {
    TaskId::new(created, number.into())
}

/// An open task for `copies` miners that is due in ten minutes.
pub fn task(created: UnixMs, copies: u8) -> Task {
    Task {
        prompt: Prompt::Text("a small wooden chair with three legs".to_owned()),
        owner: KeyHash([3; 32]),
        origin: Origin::Api,
        created,
        assignable_until: created.plus_secs(300),
        deadline: created.plus_secs(600),
        copies,
        holders: Vec::new(),
        results: Vec::new(),
        first_result_due: None,
        judging: false,
        state: TaskState::Open,
    }
}

/// A miner's place on a task.
pub fn holder(number: u8, strong: bool, assigned_at: UnixMs) -> Holder {
    Holder { hotkey: hotkey(number), strong, assigned_at, finished: false }
}

/// A miner with nothing to do, whose cooldown tells versions of it apart.
pub fn session(cooldown_until: u64) -> Session {
    Session {
        uid: 7,
        strong: false,
        stake: 1.5,
        assignment: None,
        cooldown_until,
        violations: 0,
        violation_at: UnixMs(0),
        last_pull: UnixMs(0),
        duels: Vec::new(),
        passes: 0,
        passes_at: UnixMs(0),
        cursor: None,
    }
}

/// A miner that holds `task`.
pub fn busy_session(task: TaskId, assigned_at: UnixMs) -> Session {
    let prompt = Prompt::Text("a small wooden chair with three legs".to_owned());
    let assignment = Assignment { task, assigned_at, kind: TaskKind::Organic, prompt };
    Session { assignment: Some(assignment), ..session(0) }
}

/// A submission that waits for its verdict until `resend_at`.
pub fn submission(submitted_at: UnixMs, resend_at: UnixMs) -> Submission {
    Submission {
        kind: TaskKind::Organic,
        prompt: Prompt::Text("a small wooden chair with three legs".to_owned()),
        blob: Some("submissions/one".to_owned()),
        bytes: 1_500_000,
        sha256: [1; 32],
        prompt_sha256: [2; 32],
        submit_time: 1_750_000_000_000_000_000,
        signature: "c2lnbmF0dXJl".repeat(7),
        assigned_at: submitted_at,
        submitted_at,
        threshold: 0.6,
        likeness: None,
        state: SubmissionState::Submitted { resends: 0, resend_at },
    }
}

/// An API key of `owner`.
pub fn api_key(owner: &str) -> ApiKey {
    ApiKey {
        owner: owner.to_owned(),
        prefix: "sn17_ab".to_owned(),
        created: UnixMs(1),
        hourly: Some(10),
        daily: None,
    }
}

/// An open duel of the first two miners, whose sides are in by an hour after `created` or never.
pub fn duel(created: UnixMs) -> Duel {
    let side = |number: u8| Side {
        hotkey: hotkey(number),
        coldkey: Some(hotkey(number + 100)),
        uid: number.into(),
        pulled: None,
        entry: Entry::Awaited,
    };
    Duel {
        task: task_id(created, 77),
        prompt: Prompt::Text("a small wooden chair with three legs".to_owned()),
        slots: 256,
        created,
        pull_until: created.plus_secs(1800),
        closes: created.plus_secs(3600),
        left: side(1),
        right: side(2),
        state: DuelState::Open,
    }
}

/// The end of a duel that the left side has won.
pub fn judged(ended: UnixMs) -> DuelState {
    let rating = |rating| Rating { rating, deviation: 120.5, volatility: 0.06 };
    let change = |after| RatingChange { before: rating(1500.0), after: rating(after) };
    DuelState::Judged {
        ended,
        outcome: Outcome::Left,
        explanation: "the right one has no legs".to_owned(),
        left: change(1562.25),
        right: change(1437.75),
    }
}

/// One of each item that only the competition has, with its key.
pub fn competition(now: UnixMs) -> [(Key, Item); 5] {
    let point = RatingPoint {
        nonce: DuelNonce(now.secs()),
        at: now,
        opponent: hotkey(2),
        owner: None,
        score: 0.5,
        rating: 1562.25,
        deviation: 120.5,
        moved: 62.25,
    };
    let row = Standings {
        hotkey: hotkey(1),
        uid: 1,
        rating: 1562.25,
        deviation: 120.5,
        accepted: 3,
        reward: 4686.75,
        weight: 1.0,
        duels: 2,
        wins: 1,
        draws: 1,
    };
    let matchmaker = Matchmaker { since: now, last_nonce: DuelNonce(now.secs()), next_at: now.plus_secs(10) };
    let batch = PromptBatch { folder: "prompts/batches/one".to_owned(), made: now, prompts: 1_000, pages: 1 };
    let submitted = vec!["prompts/submitted/one".to_owned()];
    let shelf = PromptShelf { submitted, current: Some(batch), previous: None };
    let side = Entry::Delivered { score: 0.75, sha256: [7; 32], synthetic: true };
    let duel = Duel { left: Side { entry: side, ..duel(now).left }, state: judged(now), ..duel(now) };
    [
        (Key::Duel(DuelNonce(now.secs())), Item::Duel(duel)),
        (Key::History(hotkey(1)), Item::History(History { points: vec![point] })),
        (Key::Matchmaker, Item::Matchmaker(matchmaker)),
        (Key::Leaderboard, Item::Leaderboard(Leaderboard { taken: now, synthetic: false, rows: vec![row] })),
        (Key::Prompts, Item::Prompts(shelf)),
    ]
}

/// Commits `writes` without looking at anything.
///
/// # Errors
/// What the ledger answers.
pub async fn commit(ledger: &dyn Ledger, now: UnixMs, writes: Vec<Write>) -> PortResult<()> {
    commit_as(ledger, decision_id(), now, writes).await
}

/// Commits `writes` under a given id without looking at anything.
///
/// # Errors
/// What the ledger answers.
pub async fn commit_as(
    ledger: &dyn Ledger,
    id: DecisionId,
    now: UnixMs,
    writes: Vec<Write>,
) -> PortResult<()> {
    let decide = move |_: &_| Step::Commit { writes: writes.clone(), reply: () };
    transact(ledger, id, now, LoadSpec::default(), decide).await
}

/// Creates one item.
///
/// # Panics
/// When the ledger refuses.
pub async fn create(ledger: &dyn Ledger, now: UnixMs, key: Key, item: Item) {
    commit(ledger, now, vec![Write::create(key, item, None)]).await.expect("the item is new");
}

/// Replaces one item by what `change` makes of it.
///
/// # Panics
/// When there is no such item or the ledger refuses.
pub async fn update(ledger: &dyn Ledger, now: UnixMs, key: Key, change: impl Fn(&mut Item) + Send + 'static) {
    let decide = move |view: &sn17_core::ledger::View| {
        let old = view.get(&key).expect("the item is there");
        let mut item = old.item.clone();
        change(&mut item);
        Step::Commit { writes: vec![Write::replace(key, old, item)], reply: () }
    };
    transact(ledger, decision_id(), now, LoadSpec::keys([key]), decide).await.expect("nobody interferes");
}

/// Creates a task that was accepted at `created`.
///
/// # Panics
/// When the ledger refuses.
pub async fn add_task(ledger: &dyn Ledger, now: UnixMs, id: TaskId, value: Task) {
    create(ledger, now, Key::Task(id), Item::Task(value)).await;
}

/// One item as [`Ledger::read`] shows it.
///
/// # Panics
/// When the ledger cannot be read.
pub async fn read(ledger: &dyn Ledger, now: UnixMs, key: Key) -> Option<Stored> {
    let view = ledger.read(now, LoadSpec::keys([key])).await.expect("the ledger can be read");
    view.get(&key).cloned()
}

/// The revision of an item, none if it is absent.
///
/// # Panics
/// When the ledger cannot be read.
pub async fn rev(ledger: &dyn Ledger, now: UnixMs, key: Key) -> Option<u64> {
    read(ledger, now, key).await.map(|stored| stored.rev)
}

/// The effect that asks for the score of the `number`th miner's submission.
pub fn score_effect(number: u8) -> Effect {
    Effect::Score { task: TaskId(1), hotkey: hotkey(number) }
}

/// The effect that asks for a look at a task at `at`.
pub fn timer_effect(at: UnixMs) -> Effect {
    Effect::Timer { task: TaskId(1), at }
}

/// The effect that asks for the judge's word on a duel.
pub const fn judge_effect(nonce: u64) -> Effect {
    Effect::Judge(Contest::Duel(DuelNonce(nonce)))
}
