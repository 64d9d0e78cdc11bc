//! Open tasks, the calendar and the list of API keys.

use sn17_app::ports::Ledger;
use sn17_core::index::{OpenPosition, OpenQueue};
use sn17_core::ledger::{LoadSpec, OpenPage, View, Write};
use sn17_core::state::{Item, Key, KeyHash, Submission, SubmissionState, Task, TaskState};
use sn17_core::{TaskId, UnixMs};

use super::Harness;
use super::samples::{
    add_task, api_key, commit, create, holder, hotkey, read, submission, task, task_id, update,
};

const FIRST_PAGE: OpenPage = OpenPage { queue: OpenQueue::Anyone, after: None, limit: 10 };

async fn page(ledger: &dyn Ledger, now: UnixMs, page: OpenPage) -> (View, Vec<TaskId>) {
    let load = LoadSpec { keys: Vec::new(), open_tasks: vec![page] };
    let view = ledger.read(now, load).await.expect("the ledger can be read");
    let tasks = view.pages()[0].1.iter().map(|position| position.task).collect();
    (view, tasks)
}

async fn open(ledger: &dyn Ledger, now: UnixMs, queue: OpenQueue) -> Vec<TaskId> {
    page(ledger, now, OpenPage { queue, ..FIRST_PAGE }).await.1
}

async fn due_keys(ledger: &dyn Ledger, now: UnixMs) -> Vec<Key> {
    ledger.due(now, 10).await.expect("the ledger can be read").into_iter().map(|due| due.key).collect()
}

async fn update_task(
    ledger: &dyn Ledger,
    now: UnixMs,
    id: TaskId,
    change: impl Fn(&mut Task) + Send + 'static,
) {
    update(ledger, now, Key::Task(id), move |item| {
        let Item::Task(value) = item else { panic!("a task holds a task") };
        change(value);
    })
    .await;
}

/// TK-2: open tasks come oldest first, ids break ties, and their items come with them.
pub async fn open_tasks_come_oldest_first(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let (early, late) = (now, now.plus_ms(5));
    let ids = [task_id(early, 1), task_id(early, 2), task_id(late, 0)];
    add_task(&*ledger, now, ids[2], task(late, 2)).await;
    add_task(&*ledger, now, ids[0], task(early, 2)).await;
    add_task(&*ledger, now, ids[1], task(early, 2)).await;
    let (view, tasks) = page(&*ledger, now, FIRST_PAGE).await;
    assert_eq!(tasks, ids);
    for id in ids {
        assert!(view.get(&Key::Task(id)).is_some(), "{id}");
    }
    assert_eq!(ledger.open_tasks().await.expect("a count"), 3);
    let (view, tasks) = page(&*ledger, now, OpenPage { limit: 2, ..FIRST_PAGE }).await;
    assert_eq!(tasks, ids[..2]);
    assert!(!view.has_loaded(&Key::Task(ids[2])));
}

/// AS-2: a task without a place left leaves the queue; one with weak holders only waits for a strong miner.
pub async fn full_tasks_leave_the_open_queue(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let id = task_id(now, 1);
    add_task(&*ledger, now, id, task(now, 2)).await;
    update_task(&*ledger, now, id, move |task| task.holders.push(holder(1, false, now))).await;
    assert_eq!(open(&*ledger, now, OpenQueue::Anyone).await, [id]);
    update_task(&*ledger, now, id, move |task| task.holders.push(holder(2, false, now))).await;
    assert_eq!(open(&*ledger, now, OpenQueue::Anyone).await, []);
    assert_eq!(open(&*ledger, now, OpenQueue::StrongOnly).await, [id]);
    assert_eq!(ledger.open_tasks().await.expect("a count"), 1);
    update_task(&*ledger, now, id, move |task| task.holders.push(holder(3, true, now))).await;
    assert_eq!(open(&*ledger, now, OpenQueue::StrongOnly).await, []);
    assert_eq!(ledger.open_tasks().await.expect("a count"), 0);
}

/// A page begins behind the place it is asked for, whether or not a task still stands there.
pub async fn pages_continue_behind_a_place(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let ids: Vec<TaskId> = (0..5).map(|number| task_id(now, number)).collect();
    for id in &ids {
        add_task(&*ledger, now, *id, task(now, 1)).await;
    }
    let behind = |task| OpenPage { after: Some(OpenPosition { created: now, task }), ..FIRST_PAGE };
    assert_eq!(page(&*ledger, now, behind(ids[1])).await.1, ids[2..]);
    update_task(&*ledger, now, ids[1], move |task| task.holders.push(holder(1, true, now))).await;
    assert_eq!(page(&*ledger, now, behind(ids[1])).await.1, ids[2..]);
    assert_eq!(page(&*ledger, now, behind(ids[0])).await.1, ids[2..]);
    assert_eq!(page(&*ledger, now, behind(ids[4])).await.1, []);
}

/// A task that has ended stands in no queue and is never due.
pub async fn ended_tasks_leave_every_index(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let ends = [
        TaskState::Failure { ended: now, reason: "nobody came".to_owned() },
        TaskState::Success { ended: now, best: hotkey(1) },
    ];
    for (number, end) in (0..).zip(ends) {
        let id = task_id(now, number);
        add_task(&*ledger, now, id, task(now, 2)).await;
        assert_eq!(due_keys(&*ledger, now.plus_secs(600)).await, [Key::Task(id)]);
        update_task(&*ledger, now, id, move |task| task.state = end.clone()).await;
        assert_eq!(open(&*ledger, now, OpenQueue::Anyone).await, []);
        assert_eq!(due_keys(&*ledger, now.plus_secs(6000)).await, []);
        assert_eq!(ledger.open_tasks().await.expect("a count"), 0);
    }
}

/// An expired task is on no page, and does not keep others off it.
pub async fn expired_tasks_are_on_no_page(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    for number in 0..3 {
        let key = Key::Task(task_id(now, number));
        let write = Write::create(key, Item::Task(task(now, 1)), Some(now.plus_secs(10)));
        commit(&*ledger, now, vec![write]).await.expect("it is new");
    }
    let last = task_id(now, 3);
    add_task(&*ledger, now, last, task(now, 1)).await;
    let later = now.plus_secs(10);
    assert_eq!(page(&*ledger, later, OpenPage { limit: 1, ..FIRST_PAGE }).await.1, [last]);
    assert_eq!(due_keys(&*ledger, now.plus_secs(600)).await, [Key::Task(last)]);
}

/// What is due comes longest overdue first, bounded, tasks and submissions alike, and not before its time.
pub async fn due_comes_longest_overdue_first(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let first = Key::Submission(task_id(now, 9), hotkey(1));
    let waiting = submission(now, now.plus_secs(30));
    create(&*ledger, now, first, Item::Submission(waiting)).await;
    let ids = [task_id(now, 2), task_id(now, 1)];
    add_task(&*ledger, now, ids[1], Task { deadline: now.plus_secs(700), ..task(now, 1) }).await;
    add_task(&*ledger, now, ids[0], task(now, 1)).await;
    assert_eq!(due_keys(&*ledger, now.plus_ms(29_999)).await, []);
    assert_eq!(due_keys(&*ledger, now.plus_secs(30)).await, [first]);
    let all = ledger.due(now.plus_secs(700), 10).await.expect("the ledger can be read");
    assert_eq!(
        all.iter().map(|due| due.key).collect::<Vec<_>>(),
        [first, Key::Task(ids[0]), Key::Task(ids[1])]
    );
    assert_eq!(all[0].at, now.plus_secs(30));
    let two = ledger.due(now.plus_secs(700), 2).await.expect("the ledger can be read");
    assert_eq!(two, all[..2]);
}

/// A due time moves with its item, and a final submission is never due.
pub async fn due_times_move_with_the_task(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    let id = task_id(now, 1);
    add_task(&*ledger, now, id, task(now, 1)).await;
    update_task(&*ledger, now, id, move |task| task.first_result_due = Some(now.plus_secs(40))).await;
    assert_eq!(due_keys(&*ledger, now.plus_secs(39)).await, []);
    assert_eq!(due_keys(&*ledger, now.plus_secs(40)).await, [Key::Task(id)]);
    assert_eq!(due_keys(&*ledger, now.plus_secs(4000)).await, [Key::Task(id)]);

    let key = Key::Submission(id, hotkey(1));
    create(&*ledger, now, key, Item::Submission(submission(now, now.plus_secs(30)))).await;
    let end = Submission { state: SubmissionState::Empty, ..submission(now, now) };
    update(&*ledger, now, key, move |item| *item = Item::Submission(end.clone())).await;
    assert_eq!(due_keys(&*ledger, now.plus_secs(4000)).await, [Key::Task(id)]);
}

/// Every API key is listed with what is stored about it.
pub async fn api_keys_are_listed(harness: &mut impl Harness) {
    let (ledger, now) = (harness.ledger(), harness.now());
    assert_eq!(ledger.api_keys().await.expect("a list"), []);
    for (number, owner) in [(2, "two"), (1, "one"), (255, "last")] {
        create(&*ledger, now, Key::ApiKey(KeyHash([number; 32])), Item::ApiKey(api_key(owner))).await;
    }
    let old = read(&*ledger, now, Key::ApiKey(KeyHash([2; 32]))).await.expect("it was created");
    commit(&*ledger, now, vec![Write::delete(Key::ApiKey(KeyHash([2; 32])), &old)])
        .await
        .expect("no conflict");
    let keys = ledger.api_keys().await.expect("a list");
    let owners = keys.iter().map(|(hash, stored)| (hash.0[0], stored.item.clone()));
    let expected = [(1, Item::ApiKey(api_key("one"))), (255, Item::ApiKey(api_key("last")))];
    assert_eq!(owners.collect::<Vec<_>>(), expected);
}

/// Queues and calendar are the same after the ledger was closed and opened.
pub async fn indexes_survive_a_reopen(harness: &mut impl Harness) {
    let now = harness.now();
    let ids: Vec<TaskId> = (0..4).map(|number| task_id(now, number)).collect();
    for id in &ids {
        add_task(&*harness.ledger(), now, *id, task(now, 1)).await;
    }
    let place = |strong| move |task: &mut Task| task.holders.push(holder(1, strong, now));
    update_task(&*harness.ledger(), now, ids[0], place(false)).await;
    update_task(&*harness.ledger(), now, ids[1], place(true)).await;
    harness.reopen().await;
    let ledger = harness.ledger();
    assert_eq!(open(&*ledger, now, OpenQueue::Anyone).await, ids[2..]);
    assert_eq!(open(&*ledger, now, OpenQueue::StrongOnly).await, ids[..1]);
    assert_eq!(due_keys(&*ledger, now.plus_secs(600)).await.len(), 4);
    assert_eq!(ledger.open_tasks().await.expect("a count"), 3);
}
