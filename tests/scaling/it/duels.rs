//! A duel from its making to its verdict, and the standings after it.

use std::sync::Arc;

use async_trait::async_trait;
use sn17_app::ports::{Delivery, Receipt};
use sn17_app::{Judge, JudgeError, Judged, Question};
use sn17_core::judging::{Answer, Worst};
use sn17_core::ledger::{Contest, Effect};
use sn17_core::state::DuelNonce;
use sn17_scaling::costs::Operation;

use crate::costs::{pull, settle, submit};
use crate::network::Network;

/// Milliseconds between two calls for a duel.
const TICK_MS: u64 = 10_000;
/// So many calls at most, within the minute of one duel: each draws one of 25 pairs of places, five of which are a miner
/// and itself.
const TICKS_MAX: u32 = 5;

/// Finds everything equally good.
struct Undecided;

#[async_trait]
impl Judge for Undecided {
    async fn ask(&self, _: &Question) -> Result<Answer, JudgeError> {
        Ok(Answer { worst: Worst::Neither, issues: "none".to_owned() })
    }
}

/// Every operation, in the order of a duel's life.
pub(crate) async fn measure() -> Vec<Operation> {
    let mut network = Network::start(|policy| {
        policy.judge.enabled = true;
        policy.judge.canary_share = 0.0;
        policy.duels.slots = 0;
        policy.duels.start_delay_secs = 0;
        policy.duels.per_minute = 1;
    })
    .await;
    let app = Arc::clone(&network.app);
    let mut operations = Vec::new();
    for miner in 0..network.miners() {
        let task = pull(&network, miner).await;
        drop(submit(&app, &network, miner, &task).await);
        settle(&app, task.id, network.hotkey(miner)).await;
    }
    // Their cooldowns end, and they still count as active.
    network.time.pass(600_000);
    app.make_duels().await.expect("nothing is saved up from before");

    let (nonce, making) = make(&mut network).await;
    operations.push(making);
    let duel = app.duel(nonce).await.expect("a view").expect("it was made");
    let sides = duel.sides().map(|side| {
        (0..network.miners()).find(|&miner| network.hotkey(miner) == side.hotkey).expect("one of the five")
    });
    // So that no pull has to refresh the hints.
    app.ports().ledger.open_tasks().await.expect("the hints are taken");
    network.measure("").await;
    let names = [
        ["pull, a duel's task", "submit, a duel's task", "score and settle, a duel's first side"],
        ["", "", "score and settle, a duel's second side"],
    ];
    for (miner, [pulling, submitting, settling]) in sides.into_iter().zip(names) {
        let task = pull(&network, miner).await;
        assert_eq!(task.id, duel.task, "the duel's task");
        push(&mut operations, network.measure(pulling).await);
        drop(submit(&app, &network, miner, &task).await);
        push(&mut operations, network.measure(submitting).await);
        settle(&app, task.id, network.hotkey(miner)).await;
        push(&mut operations, network.measure(settling).await);
    }
    let effect = Effect::Judge(Contest::Duel(nonce));
    let delivery = Delivery { receipt: Receipt(String::new()), effect, receive_count: 1 };
    assert_eq!(app.judge(&delivery, &Undecided).await.expect("it is judged"), Judged::Done);
    operations.push(network.measure("judge a duel and publish its record").await);
    app.note_leaderboard().await.expect("they are noted");
    operations.push(network.measure("note the standings of five miners").await);
    app.leaderboard().await.expect("a view").expect("the standings");
    operations.push(network.measure("read the standings").await);
    operations
}

/// Asks until prompt and nonce draw two of the five.
async fn make(network: &mut Network) -> (DuelNonce, Operation) {
    for _ in 0..TICKS_MAX {
        network.time.pass(TICK_MS);
        network.measure("").await;
        if network.app.make_duels().await.expect("an answer") == 1 {
            let making = network.measure("make a duel, and see that no other is due").await;
            return (DuelNonce(network.time.now().0 / 1000), making);
        }
    }
    panic!("no prompt has drawn two miners");
}

fn push(operations: &mut Vec<Operation>, operation: Operation) {
    if !operation.name.is_empty() {
        operations.push(operation);
    }
}
