//! A client's results, compared two at a time.

use super::*;

/// A client's task with two results that wait to be compared.
async fn with_two_results() -> World {
    let world = World::new(|_| {}).await;
    world.submission(LEFT, "barn", Some("grey"), 1).await;
    world.submission(RIGHT, "good barn", Some("good grey"), 2).await;
    let now = world.clock.now();
    let result = |hotkey, score| sn17_core::state::TaskResult {
        hotkey,
        uid: 1,
        rating: 1500.0,
        score,
        standing: Standing::NotJudged,
        contends: true,
        submit_time: 1,
        blob: "x".to_owned(),
        bytes: 1,
        synthetic: true,
    };
    let task = Task {
        prompt: Prompt::Text("a red barn".to_owned()),
        results: vec![result(LEFT, 0.9), result(RIGHT, 0.7)],
        judging: true,
        state: TaskState::Open,
        first_result_due: Some(now.plus_secs(30)),
        ..samples::task(now, 4)
    };
    world.commit(vec![Write::create(Key::Task(TASK), Item::Task(task), None)]).await;
    world
}

#[tokio::test]
async fn a_clients_results_are_compared_two_at_a_time() {
    let world = with_two_results().await;
    assert_eq!(world.deliver_about(Contest::Task(TASK), 1, &Reader::new(by_good)).await, Judged::Done);
    let stored = samples::read(&*world.app.ports().ledger, world.clock.now(), Key::Task(TASK)).await.unwrap();
    let Item::Task(task) = stored.item else { panic!("something else") };
    let standings = task.results.iter().map(|result| (result.standing, result.contends));
    assert_eq!(standings.collect::<Vec<_>>(), [(Standing::Lost, false), (Standing::Won, true)]);
    assert!(!task.judging);
}

#[tokio::test]
async fn nobody_is_asked_about_a_task_that_has_ended() {
    let world = with_two_results().await;
    world.clock.advance(30);
    let judge = Reader::new(by_good);
    assert_eq!(world.deliver_about(Contest::Task(TASK), 1, &judge).await, Judged::Done);
    assert!(judge.asked().is_empty());
}
