//! A fleet whose hands judge.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sn17_app::ports::BlobKey;
use sn17_app::{App, Judge, JudgeError, Question};
use sn17_core::judging::{Answer, Worst};
use sn17_core::ledger::{Contest, Effect, QueueName, Write};
use sn17_core::policy::Policy;
use sn17_core::state::{DuelNonce, DuelState, Entry, Item, Key, Record};
use sn17_gpu_workers::{Fleet, Hand};
use sn17_store::conformance::{ManualClock, samples};
use sn17_store::{Embedded, Options};
use sn17_wire::ss58;
use tokio::sync::{Semaphore, mpsc, watch};

use crate::world::{FOREVER, in_time};

const NONCE: DuelNonce = DuelNonce(1_735_691_400);

/// A judge that says when it is asked, and answers when it may.
struct Gated {
    answer: Result<Worst, JudgeError>,
    asked: watch::Sender<bool>,
    may_answer: Arc<Semaphore>,
}

#[async_trait]
impl Judge for Gated {
    async fn ask(&self, _: &Question) -> Result<Answer, JudgeError> {
        self.asked.send_replace(true);
        self.may_answer.acquire().await.unwrap().forget();
        self.answer.clone().map(|worst| Answer { worst, issues: String::new() })
    }
}

struct World {
    clock: ManualClock,
    app: Arc<App>,
}

impl World {
    /// A network in which one duel waits for the judge.
    async fn new() -> Self {
        let clock = ManualClock::default();
        let store = Embedded::memory(clock.clock(), Options::default()).unwrap();
        let mut policy = Policy::default();
        policy.judge.enabled = true;
        policy.judge.both_orders = false;
        policy.judge.neutral = false;
        let app = samples::process(&store, &clock, policy);
        let world = Self { clock, app: Arc::new(app) };
        world.fight().await;
        world
    }

    async fn fight(&self) {
        let now = self.clock.now();
        let mut duel = samples::duel(now);
        let mut writes = Vec::new();
        for (number, side) in [&mut duel.left, &mut duel.right].into_iter().enumerate() {
            let sha256 = [u8::try_from(number).unwrap(); 32];
            side.entry = Entry::Delivered { score: 0.8, sha256, synthetic: true };
            let record = Item::Record(Record::fresh(self.app.policy()));
            writes.push(Write::create(Key::Record(side.hotkey), record, None));
            let key = format!("previews/{}/{}.grid.png", duel.task, ss58::encode(&side.hotkey));
            let blobs = &self.app.ports().blobs;
            let upload = blobs.begin(&BlobKey(key)).await.unwrap();
            blobs.part(&upload, Bytes::from_static(b"a picture")).await.unwrap();
            blobs.finish(&upload).await.unwrap();
        }
        duel.state = DuelState::Awaiting { resends: 0, resend_at: now.plus_secs(1800) };
        let write = Write::create(Key::Duel(NONCE), Item::Duel(duel), None);
        writes.push(write.causing(Effect::Judge(Contest::Duel(NONCE))));
        samples::commit(&*self.app.ports().ledger, now, writes).await.unwrap();
    }

    /// Lets a judge answer once: the fleet is told to stop while it thinks.
    async fn judge(&self, answer: Result<Worst, JudgeError>) {
        let (asked, mut hears) = watch::channel(false);
        let may_answer = Arc::new(Semaphore::new(0));
        let judge = Arc::new(Gated { answer, asked, may_answer: Arc::clone(&may_answer) });
        let hands = vec![Hand::Judge(judge)];
        let fleet = Fleet { app: Arc::clone(&self.app), hands, heartbeat: None, drain: FOREVER };
        // One word fits, so that there is room for another only when the first has been heard.
        let (tell, told) = mpsc::channel(1);
        let fleet = tokio::spawn(fleet.run(told));
        in_time(hears.wait_for(|asked| *asked)).await.unwrap();
        tell.send(()).await.unwrap();
        let _ = tell.reserve().await;
        may_answer.add_permits(1);
        in_time(fleet).await.unwrap().unwrap();
    }

    async fn state(&self) -> DuelState {
        self.app.duel(NONCE).await.unwrap().unwrap().state
    }

    /// How often the messages that another worker gets at this moment have been handed out.
    async fn receive(&self) -> Vec<u32> {
        let queue = &self.app.ports().queue;
        let deliveries = queue.receive(QueueName::Judging, 10, 60, 0).await.unwrap();
        deliveries.iter().map(|delivery| delivery.receive_count).collect()
    }
}

#[tokio::test]
async fn a_verdict_takes_effect_and_its_message_goes() {
    let world = World::new().await;
    world.judge(Ok(Worst::Second)).await;
    assert!(matches!(world.state().await, DuelState::Judged { .. }));
    assert_eq!(world.app.ports().queue.backlog(QueueName::Judging).await.unwrap(), 0);
}

#[tokio::test]
async fn a_judge_that_fails_is_asked_again_after_a_while() {
    let world = World::new().await;
    world.judge(Err(JudgeError::Unavailable("no route".to_owned()))).await;
    assert!(matches!(world.state().await, DuelState::Awaiting { .. }));
    assert!(world.receive().await.is_empty(), "not at once");
    world.clock.advance(4);
    assert_eq!(world.receive().await, [2]);
}

#[tokio::test]
async fn a_judge_whose_tokens_are_gone_is_looked_at_again_within_what_queues_can_hold_back() {
    let world = World::new().await;
    let throttled = JudgeError::Throttled { retry_after_secs: 86_400, reason: "tokens".to_owned() };
    world.judge(Err(throttled)).await;
    world.clock.advance(899);
    assert!(world.receive().await.is_empty(), "SQS holds it back for 900 s, and no longer");
    world.clock.advance(1);
    assert_eq!(world.receive().await, [1], "as if for the first time");
}

#[tokio::test]
async fn a_judge_that_wants_to_be_left_alone_uses_up_no_delivery() {
    let world = World::new().await;
    let throttled = JudgeError::Throttled { retry_after_secs: 77, reason: "budget".to_owned() };
    world.judge(Err(throttled)).await;
    world.clock.advance(76);
    assert!(world.receive().await.is_empty(), "left alone");
    world.clock.advance(1);
    assert_eq!(world.receive().await, [1], "as if for the first time");
}
