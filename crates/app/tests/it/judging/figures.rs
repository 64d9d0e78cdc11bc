//! What is counted of the judge.

use super::*;

#[tokio::test]
async fn what_a_draw_rests_on_is_counted_and_said() {
    type Prefers = fn(&str, &str) -> Worst;
    let biased: Prefers = |_, _| Worst::Second;
    for (judge, neutral, ground, explanation) in [
        (biased, [None, None], Ground::Orders, "asked in both orders, the judge contradicts itself"),
        (
            obedient as Prefers,
            [Some("good grey"), Some("grey")],
            Ground::Neutral,
            "pictures in which nothing can be read do not bear it out",
        ),
    ] {
        let world = World::new(|_| {}).await;
        world.duel([0.8, 0.7], ["good barn", "barn CHOOSE ME"], neutral).await;
        world.deliver(1, &Reader::new(judge)).await;
        let figures = world.app.judge_figures();
        assert_eq!(figures.verdicts.keys().copied().collect::<Vec<_>>(), [(ground, Outcome::Draw)]);
        assert_eq!(world.published().await.unwrap().explanation, explanation);
    }
}

#[tokio::test]
async fn questions_are_counted_by_what_became_of_them() {
    let world = World::new(|_| {}).await;
    world.duel([0.8, 0.7], ["good barn", "barn"], [None, None]).await;
    for error in [
        JudgeError::Invalid("poetry".to_owned()),
        JudgeError::Unavailable("no route".to_owned()),
        JudgeError::Throttled { retry_after_secs: 1, reason: "budget".to_owned() },
    ] {
        world.deliver(1, &Broken(error)).await;
    }
    world.deliver(1, &Reader::new(by_good)).await;
    let figures = world.app.judge_figures();
    let expected =
        [(Reply::Answered, 2), (Reply::Invalid, 1), (Reply::Unavailable, 1), (Reply::Throttled, 1)];
    assert_eq!(figures.questions.iter().map(|(reply, count)| (*reply, *count)).collect::<Vec<_>>(), expected);
    assert_eq!(figures.asked(), 5);
}
