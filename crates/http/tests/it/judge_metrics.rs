//! What `/metrics` shows of a judge.

use async_trait::async_trait;
use bytes::Bytes;
use sn17_app::ports::{BlobKey, Delivery, Receipt};
use sn17_app::{Judge, JudgeError, Judged, Question};
use sn17_core::judging::{Answer, Worst};
use sn17_core::ledger::{Contest, Effect};
use sn17_core::policy::Policy;
use sn17_core::state::{DuelNonce, DuelState, Entry, Item, Key, Record};
use sn17_store::conformance::samples;
use sn17_wire::ss58;

use crate::world::{World, options, world_with};

/// Says that the first one is worse, whatever it is shown.
struct Biased;

#[async_trait]
impl Judge for Biased {
    async fn ask(&self, _: &Question) -> Result<Answer, JudgeError> {
        Ok(Answer { worst: Worst::First, issues: String::new() })
    }

    fn tokens(&self) -> u64 {
        6_000
    }
}

/// Cannot be asked.
struct Silent;

#[async_trait]
impl Judge for Silent {
    async fn ask(&self, _: &Question) -> Result<Answer, JudgeError> {
        Err(JudgeError::Throttled { retry_after_secs: 60, reason: "no tokens".to_owned() })
    }
}

/// A duel of two newcomers that waits for the judge.
async fn fight(world: &World, nonce: DuelNonce) {
    let (ledger, now) = (&*world.app.ports().ledger, world.app.now());
    let mut duel = samples::duel(now);
    for (number, side) in [&mut duel.left, &mut duel.right].into_iter().enumerate() {
        let sha256 = [u8::try_from(number).unwrap(); 32];
        side.entry = Entry::Delivered { score: 0.8, sha256, synthetic: true };
        let record = Item::Record(Record::fresh(world.app.policy()));
        samples::create(ledger, now, Key::Record(side.hotkey), record).await;
        let key = format!("previews/{}/{}.grid.png", duel.task, ss58::encode(&side.hotkey));
        let blobs = &world.app.ports().blobs;
        let upload = blobs.begin(&BlobKey(key)).await.unwrap();
        blobs.part(&upload, Bytes::from_static(b"four views")).await.unwrap();
        blobs.finish(&upload).await.unwrap();
    }
    duel.state = DuelState::Awaiting { resends: 0, resend_at: now.plus_secs(1800) };
    samples::create(ledger, now, Key::Duel(nonce), Item::Duel(duel)).await;
}

#[tokio::test]
async fn questions_verdicts_canaries_and_tokens_are_counted() {
    let mut policy = Policy::default();
    policy.judge.canary_share = 0.0;
    let world = world_with(policy, options()).await;
    let nonce = DuelNonce(5);
    fight(&world, nonce).await;
    let effect = Effect::Judge(Contest::Duel(nonce));
    let delivery = Delivery { receipt: Receipt(String::new()), effect, receive_count: 1 };
    assert_eq!(world.app.judge(&delivery, &Silent).await.unwrap(), Judged::PutOff(60));
    assert_eq!(world.app.judge(&delivery, &Biased).await.unwrap(), Judged::Done);

    let metrics = world.get("/metrics").await;
    for line in [
        "sn17_judge_questions_total{result=\"answered\"} 2",
        "sn17_judge_questions_total{result=\"throttled\"} 1",
        "sn17_judge_question_duration_seconds_count 3",
        "sn17_judge_question_duration_seconds_bucket{le=\"0.25\"} 3",
        "sn17_judge_question_duration_seconds_bucket{le=\"+Inf\"} 3",
        "sn17_judge_verdicts_total{outcome=\"draw\",reason=\"orders\"} 1",
        "sn17_judge_canaries_total{result=\"right\"} 0",
        "sn17_judge_canaries_total{result=\"wrong\"} 0",
        "sn17_judge_canary_accuracy 1.0",
        "sn17_judge_tokens_total 6000",
        "sn17_judge_backlog 0",
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "{line} is not in {}", metrics.text());
    }
}
