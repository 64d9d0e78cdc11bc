//! Each operation once, by the use cases themselves.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sn17_app::ports::{Delivery, Receipt};
use sn17_app::{
    AddTask, AssignedTask, Attempt, Caller, KeyLimits, NewPrompt, Previews, PullAnswer, ScoreError, Scored,
    Scorer, ScoringJob, Verdict,
};
use sn17_core::TaskId;
use sn17_core::index::OpenQueue;
use sn17_core::ledger::{Effect, LoadSpec, OpenPage};
use sn17_core::scoring::RawViews;
use sn17_core::state::Origin;
use sn17_scaling::costs::{Operation, VERDICT_MS};

use crate::network::Network;

/// Scores everything well, with the pictures that are wanted.
struct Good;

#[async_trait]
impl Scorer for Good {
    async fn score(&self, job: ScoringJob) -> Result<Scored, ScoreError> {
        let all = |value: f64, count: usize| vec![value; count];
        let (cosines, iqa) = (all(0.35, 16), all(0.9, 16));
        let views = RawViews { cosines, iqa, lpips: all(0.1, 16), ssim: all(0.9, 16) };
        let png = Bytes::from_static(b"png");
        let previews = Some(Previews {
            front: png.clone(),
            grid: png.clone(),
            neutral: job.wants_pictures.then(|| png.clone()),
            turntable: job.wants_pictures.then_some(png),
        });
        Ok(Scored::Measured { views, synthetic: false, previews, likeness: None })
    }
}

async fn key(network: &Network, hourly: Option<u32>) -> Caller {
    let key = network.app.add_key("owner", KeyLimits { hourly, daily: None }).await.expect("a key is made");
    network.app.authenticate(&key.text).await.expect("it can be read").expect("it is good")
}

async fn add(network: &Network, caller: &Caller) -> TaskId {
    let prompt = NewPrompt::Text("a small wooden chair with three legs".to_owned());
    let request = AddTask { prompt, origin: Origin::Api };
    network.app.add_task(caller, request).await.expect("a task is accepted")
}

pub(crate) async fn pull(network: &Network, miner: usize) -> AssignedTask {
    match network.app.pull(&network.pull(miner)).await.expect("a pull is answered") {
        PullAnswer::Task(task) => task,
        other @ (PullAnswer::Replayed | PullAnswer::Wait { .. }) => {
            panic!("the miner may have a task: {other:?}")
        }
    }
}

pub(crate) async fn submit<'a>(
    app: &'a sn17_app::App,
    network: &Network,
    miner: usize,
    task: &AssignedTask,
) -> sn17_app::TakenSubmission<'a> {
    let (caller, body) = network.submission(miner, task);
    let mut intake = app.begin_submission(caller).await.expect("the miner is registered");
    intake.push(&body).await.expect("the body is a submission");
    intake.commit().await.expect("it is taken")
}

pub(crate) async fn settle(app: &sn17_app::App, task: TaskId, hotkey: sn17_core::Hotkey) {
    let effect = Effect::Score { task, hotkey };
    let delivery = Delivery { receipt: Receipt(String::new()), effect, receive_count: 1 };
    assert_eq!(app.attempt(&delivery, &Good).await.expect("it is settled"), Attempt::Done);
}

/// Every operation, in the order of a task's life.
pub(crate) async fn measure() -> Vec<Operation> {
    let mut network = Network::start(|_| {}).await;
    let app = Arc::clone(&network.app);
    let mut operations = Vec::new();
    let (quota, free) = (key(&network, Some(1000)).await, key(&network, None).await);
    network.measure("").await;

    // A synthetic task first, while no other is there.
    let synthetic = pull(&network, 4).await;
    operations.push(network.measure("pull, nothing waits: a synthetic task").await);
    app.pull(&network.pull(4)).await.expect("an answer");
    operations.push(network.measure("pull again with a task in hand").await);
    drop(submit(&app, &network, 4, &synthetic).await);
    operations.push(network.measure("submit, synthetic").await);
    settle(&app, synthetic.id, network.hotkey(4)).await;
    operations.push(network.measure("score and settle, synthetic").await);
    app.pull(&network.pull(4)).await.expect("an answer");
    operations.push(network.measure("pull, too early, once a second").await);
    app.pull(&network.pull(4)).await.expect("an answer");
    operations.push(network.measure("pull, too early, again in the same second").await);

    // A refresh of the hints is an operation of its own.
    network.time.pass(2_000);
    // No task waits for a strong miner, so with fresh hints this page costs nothing.
    let page = OpenPage { queue: OpenQueue::StrongOnly, after: None, limit: 8 };
    let load = LoadSpec { keys: Vec::new(), open_tasks: vec![page] };
    app.ports().ledger.read(network.time.now(), load).await.expect("the hints are taken");
    operations.push(network.measure("refresh the hints, 4 shards").await);

    let task = add(&network, &quota).await;
    operations.push(network.measure("add_task, a text, with an hourly quota").await);
    let other = add(&network, &free).await;
    operations.push(network.measure("add_task, a text, without a quota").await);
    app.status(&quota, task).await.expect("a status");
    operations.push(network.measure("status").await);

    let names = [
        ["pull, a client's task", "submit, a client's task", "score and settle, a client's first result"],
        ["", "", "score and settle, a client's later result"],
        ["", "", ""],
        ["pull, the last place of a client's task", "", "score and settle, a client's last result"],
    ];
    // Both were accepted in the same millisecond, so their ids say which comes first.
    let mut first = task;
    for (miner, [pulling, submitting, settling]) in names.into_iter().enumerate() {
        let pulled = pull(&network, miner).await;
        first = pulled.id;
        assert!([task, other].contains(&pulled.id), "a client's task");
        push(&mut operations, network.measure(pulling).await);
        drop(submit(&app, &network, miner, &pulled).await);
        push(&mut operations, network.measure(submitting).await);
        settle(&app, pulled.id, network.hotkey(miner)).await;
        push(&mut operations, network.measure(settling).await);
    }
    let owner = if first == task { &quota } else { &free };
    let ended = app.task_of(owner, first).await.expect("a view").expect("the client's task");
    network.measure("").await;
    app.task_of(owner, first).await.expect("a view").expect("the client's task");
    assert_eq!(app.results(&ended, 1).await.expect("a result").len(), 1, "{:?}", ended.state);
    operations.push(network.measure("result").await);
    operations.extend(waits(&mut network).await);

    let open = add(&network, &free).await;
    network.measure("").await;
    network.time.pass(600_000);
    app.timer(Effect::Timer { task: open, at: network.time.now() }).await.expect("it ends");
    operations.push(network.measure("end a task by its timer").await);
    operations.extend(crate::duels::measure().await);
    operations
}

fn push(operations: &mut Vec<Operation>, operation: Operation) {
    if !operation.name.is_empty() {
        operations.push(operation);
    }
}

/// The wait for a verdict that comes after the usual time, and for one that never comes.
async fn waits(network: &mut Network) -> Vec<Operation> {
    let app = Arc::clone(&network.app);
    let mut operations = Vec::new();
    // The process gets to know how long waits are.
    for name in ["", "", "wait for a verdict, the median", "wait for a verdict, the longest"] {
        network.time.pass(400_000);
        let task = pull(network, 4).await;
        let taken = submit(&app, network, 4, &task).await;
        network.measure("").await;
        if !name.ends_with("longest") {
            let (app, hotkey) = (Arc::clone(&network.elsewhere), network.hotkey(4));
            let settled = async move {
                let reason = "as planned".to_owned();
                let finding = sn17_core::settle::Finding::Failed { reason };
                app.settle(task.id, hotkey, finding).await.expect("it is settled");
            };
            network.time.plan(network.time.now().plus_ms(VERDICT_MS), Box::pin(settled));
        }
        let answer = taken.answer().await.expect("an answer");
        let is_pending = matches!(answer.verdict, Verdict::Pending);
        assert_eq!(is_pending, name.ends_with("longest"), "{answer:?}");
        let operation = Operation { name, ..network.measure("").await };
        push(&mut operations, operation);
    }
    operations
}
