//! Questions whose answers are known.

use super::*;

/// Two duels about different prompts, one after the other; what became of the second, and the questions about it.
async fn second_of_two(judge: &Reader, change: impl FnOnce(&mut Policy)) -> (Judged, usize) {
    let world = World::new(change).await;
    world.duel([0.8, 0.7], ["good red", "red"], [None, None]).await;
    world.deliver(1, judge).await;
    let (nonce, task) = (DuelNonce(NONCE.0 + 1), TaskId(18));
    for (hotkey, grid) in [(LEFT, "good blue"), (RIGHT, "blue")] {
        world.put(&format!("previews/{task}/{}.grid.png", ss58::encode(&hotkey)), grid).await;
    }
    world.awaiting_about(nonce, task, "a blue barn", [delivered(0.8, 1), delivered(0.7, 2)]).await;
    let before = judge.asked().len();
    let judged = world.deliver_about(Contest::Duel(nonce), 1, judge).await;
    (judged, judge.asked().len() - before)
}

#[tokio::test]
async fn a_judge_is_asked_now_and_then_what_is_known() {
    let sane = Reader::new(|first, second| match (first.contains("red"), second.contains("red")) {
        (true, false) => Worst::First,
        (false, true) => Worst::Second,
        _ => by_good(first, second),
    });
    let (judged, asked) = second_of_two(&sane, |policy| policy.judge.canary_share = 1.0).await;
    assert_eq!((judged, asked), (Judged::Done, 3), "the known one, and both orders");
    let pair = sane.asked()[2].clone();
    assert!([&pair.0, &pair.1].iter().any(|shown| shown.contains("good red")), "{pair:?}");
    let (judged, asked) = second_of_two(&sane, |_| {}).await;
    assert_eq!((judged, asked), (Judged::Done, 2), "never, if the policy says so");
}

#[tokio::test]
async fn a_judge_that_fails_what_is_known_is_not_believed() {
    let insane = Reader::new(|_, _| Worst::Neither);
    let strict = |policy: &mut Policy| {
        policy.judge.canary_share = 1.0;
        policy.judge.canary_accuracy_min = 0.99;
    };
    assert_eq!(second_of_two(&insane, strict).await, (Judged::PutOff(60), 1));
}
