//! Many miners at the same tasks: who gets what, and what it costs to settle who was first.
//!
//! 64 miners, a quarter of them strong, pull, pass and pull again until every task has ended, on the ledger on
//! DynamoDB, 64 processes of it as on Lambda, and on the embedded one. There are as many tasks as make about a
//! thousand assignments: a task goes to one strong miner more if none was strong. With `SN17_FULL=1` there are 10,000
//! tasks, which costs some ten minutes of processor time for one copy of each, most of it in an SDK that is not
//! optimised; `docs/scaling.md` has what came of it:
//!
//! ```text
//! SN17_FULL=1 cargo test -p sn17-aws --test contention one_miner -- --nocapture
//! ```
//!
//! The engine handles one request after the other: conflicts are conditions that fail, and never the conflicts
//! between overlapping transactions that DynamoDB answers as well.

#[path = "../it/dynamo.rs"]
#[expect(dead_code, reason = "the conformance suite's parts of it")]
mod dynamo;
#[path = "../it/intermediary.rs"]
mod intermediary;
mod rivals;
mod traffic;

use std::sync::Arc;

use rivals::{Contest, Outcome, Rival};
use sn17_app::ports::Ledger;
use sn17_aws::ledger::{LedgerOptions, pages::QUERIES_MAX};
use sn17_store::{Clock, Embedded, Options};
use traffic::Traffic;

/// Miners, each in a process of its own.
const RIVALS: u8 = 64;

fn tasks(copies: u8) -> u64 {
    if std::env::var_os("SN17_FULL").is_some() { 10_000 } else { 1_000 / (u64::from(copies) + 1) }
}

async fn on_dynamo(copies: u8) -> Outcome {
    let engine = dynamo::Engine::dynoxide().await;
    let options = LedgerOptions::new(dynamo::table_name());
    let observer = engine.client(dynamo::http());
    dynamo::create_table(&observer, &options.table).await;
    let ledger = |client| -> Arc<dyn Ledger> {
        let sleep = aws_smithy_async::rt::sleep::TokioSleep::new();
        let sleep = aws_smithy_async::rt::sleep::SharedAsyncSleep::new(sleep);
        let host = dynamo::host(|| Clock::system().now());
        Arc::new(sn17_aws::ledger::DynamoLedger::new(client, options.clone(), host, sleep))
    };
    let rivals = (0..RIVALS).map(|number| {
        let traffic = Traffic::default();
        let client = engine.client(traffic.over(dynamo::http()));
        Rival { number, ledger: ledger(client), traffic }
    });
    Contest::new(ledger(observer), tasks(copies), copies).await.run(rivals.collect()).await
}

async fn on_embedded(copies: u8) -> Outcome {
    let store = Embedded::memory(Clock::system(), Options::default()).expect("a store in memory");
    let ledger: Arc<dyn Ledger> = Arc::new(store);
    let rivals =
        (0..RIVALS).map(|number| Rival { number, ledger: Arc::clone(&ledger), traffic: Traffic::default() });
    let rivals = rivals.collect();
    Contest::new(ledger, tasks(copies), copies).await.run(rivals).await
}

#[expect(clippy::print_stderr, reason = "a measurement that nobody asserts is there to be read")]
async fn contend(copies: u8) {
    let (dynamo, embedded) = (on_dynamo(copies).await, on_embedded(copies).await);
    let ratio = dynamo.assignments_per_sec() / embedded.assignments_per_sec();
    eprintln!("{} tasks, {copies} copies, {RIVALS} miners", tasks(copies));
    eprintln!("  DynamoDB: {dynamo}");
    eprintln!("  embedded: {embedded}");
    eprintln!("  assignments a second, DynamoDB's to the embedded store's: {ratio:.4}");
    let queries = dynamo.queries_max();
    assert!(queries <= QUERIES_MAX, "a pull made {queries} queries");
    assert!(dynamo.commits > 0 && embedded.commits == 0, "the recorder sees DynamoDB's calls alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_for_one_miner_goes_to_one() {
    contend(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_for_four_miners_goes_to_four() {
    contend(4).await;
}
