//! A client's task from acceptance to its end.

use sn17_core::Hotkey;
use sn17_core::index::open_entry;
use sn17_core::state::{Item, Key, Standing, TaskResult, TaskState};
use sn17_core::task::best_first;

use crate::world::{World, failed, hotkey, scored};

/// The default rules without waiting, so that few miners can do many tasks.
fn world() -> World {
    World::with(|policy| {
        policy.miners.cooldown_secs = 0;
        policy.miners.throttle_secs = 0;
    })
}

#[track_caller]
fn check_success(world: &World, task: sn17_core::TaskId, expected: Hotkey) {
    let TaskState::Success { ended, best } = world.task(task).state else {
        panic!("expected success, got {:?}", world.task(task).state);
    };
    assert_eq!(best, expected);
    assert!(ended <= world.now, "it ends when it is noted");
}

#[track_caller]
fn check_failure(world: &World, task: sn17_core::TaskId, expected: &str) {
    let TaskState::Failure { reason, .. } = world.task(task).state else {
        panic!("expected failure, got {:?}", world.task(task).state);
    };
    assert_eq!(reason, expected);
}

#[test]
fn as_2_four_weak_miners_and_one_strong_one_get_a_task() {
    let mut world = world();
    let task = world.add_task("a red barn");
    let weak: Vec<Hotkey> = (0..6).map(|_| world.weak_miner()).collect();
    let strong: Vec<Hotkey> = (0..3).map(|_| world.strong_miner()).collect();
    let got: Vec<bool> = weak.iter().map(|miner| world.take(miner) == task).collect();
    assert_eq!(got, [true, true, true, true, false, false]);
    let got: Vec<bool> = strong.iter().map(|miner| world.take(miner) == task).collect();
    assert_eq!(got, [true, false, false]);
    let holders = world.task(task).holders;
    assert_eq!(holders.iter().filter(|holder| holder.strong).count(), 1);
    assert_eq!(holders.len(), 5);
}

#[test]
fn as_2_a_queue_that_lags_behind_gives_no_weak_miner_the_extra_place() {
    let mut world = world();
    let task = world.add_task("a red barn");
    for _ in 0..4 {
        let miner = world.weak_miner();
        assert_eq!(world.take(&miner), task);
    }
    let full = world.task(task);
    assert!(!full.is_assignable(&hotkey(99), false, world.now));
    assert!(full.is_assignable(&hotkey(99), true, world.now));
}

#[test]
fn as_2_a_strong_miner_among_the_four_leaves_no_extra_place() {
    let mut world = world();
    let task = world.add_task("a red barn");
    let first = world.strong_miner();
    assert_eq!(world.take(&first), task);
    for expected in [true, true, true, false] {
        let strong = world.strong_miner();
        assert_eq!(world.take(&strong) == task, expected);
    }
    let stored = Item::Task(world.task(task));
    assert_eq!(open_entry(task, &stored), None, "it stands in no queue any more");
}

#[test]
fn as_2_no_hotkey_gets_a_task_twice() {
    let mut world = world();
    let task = world.add_task("a red barn");
    let alice = world.weak_miner();
    assert_eq!(world.take(&alice), task);
    world.skip(&alice, task);
    assert_ne!(world.take(&alice), task);
    let held = world.session(&alice).assignment.unwrap().task;
    world.skip(&alice, held);
    world.flag(alice, true);
    assert_ne!(world.take(&alice), task, "nor does it when it has become strong");
}

#[test]
fn as_2_parallel_pulls_of_many_miners_share_out_the_copies() {
    let mut world = world();
    let task = world.add_task("a red barn");
    let miners: Vec<Hotkey> = (0..10).map(|number| world.miner(number == 9)).collect();
    let (now, policy) = (world.now, world.policy);
    let pulls = miners
        .iter()
        .map(|miner| {
            let request = world.pull_of(miner);
            let decide = move |view: &_| sn17_core::pull::decide(view, &request, now, &policy);
            (sn17_core::pull::load(*miner), decide)
        })
        .collect();
    world.race(pulls);
    let holders: Vec<Hotkey> = world.task(task).holders.iter().map(|holder| holder.hotkey).collect();
    let expected: Vec<Hotkey> = [0, 1, 2, 3, 9].map(|index: usize| miners[index]).to_vec();
    assert_eq!(holders, expected);
}

#[test]
fn tk_1_the_first_result_starts_thirty_seconds_and_the_best_one_wins() {
    let mut world = world();
    let task = world.add_task("a red barn");
    let miners = [world.weak_miner(), world.weak_miner(), world.weak_miner()];
    for miner in miners {
        assert_eq!(world.take(&miner), task);
    }
    world.deliver(&miners[0], task, 0.7);
    world.advance(10);
    world.deliver(&miners[1], task, 0.9);
    world.advance_ms(19_999);
    assert_eq!(world.task(task).state, TaskState::Open);
    assert!(world.task(task).readable_results(world.now).is_empty(), "nothing is shown early");
    world.advance_ms(1);
    check_success(&world, task, miners[1]);
    let ended = world.task(task);
    let order: Vec<Hotkey> = ended.readable_results(world.now).iter().map(|result| result.hotkey).collect();
    assert_eq!(order, [miners[1], miners[0]], "best first");
    world.deliver(&miners[2], task, 1.0);
    assert_eq!(world.task(task), ended, "an ended task does not change");
    assert_eq!(world.figures(&miners[2]).accepted, 1, "but a late verdict still pays");
}

#[test]
fn tk_1_a_late_first_result_is_final_at_the_deadline() {
    let mut world = world();
    let task = world.add_task("a red barn");
    let alice = world.weak_miner();
    assert_eq!(world.take(&alice), task);
    world.advance(590);
    world.deliver(&alice, task, 0.7);
    world.advance_ms(9_999);
    assert_eq!(world.task(task).state, TaskState::Open);
    world.advance_ms(1);
    check_success(&world, task, alice);
}

#[test]
fn tk_1_nobody_takes_it() {
    let mut world = world();
    let task = world.add_task("a red barn");
    world.advance_ms(599_999);
    assert_eq!(world.task(task).state, TaskState::Open);
    world.advance_ms(1);
    check_failure(&world, task, "no miner took the task in time");
}

#[test]
fn tk_1_nobody_delivers() {
    let mut world = world();
    let task = world.add_task("a red barn");
    for _ in 0..2 {
        let miner = world.weak_miner();
        assert_eq!(world.take(&miner), task);
    }
    world.advance(600);
    check_failure(&world, task, "2 miners submitted results but no one is good");
}

#[test]
fn tk_1_a_task_whose_timers_are_lost_ends_when_its_due_entry_is_attended_to() {
    let mut world = world();
    let (with_result, without) = (world.add_task("one"), world.add_task("two"));
    let alice = world.weak_miner();
    assert_eq!(world.take(&alice), with_result);
    world.deliver(&alice, with_result, 0.7);
    world.timers.clear();
    world.advance(30);
    let unswept = world.task(with_result);
    assert_eq!(unswept.state, TaskState::Open);
    assert!(matches!(unswept.state_at(world.now), TaskState::Success { .. }));
    assert_eq!(unswept.readable_results(world.now).len(), 1, "readers see the end at once");
    world.sweep();
    check_success(&world, with_result, alice);
    world.advance(570);
    world.sweep();
    check_failure(&world, without, "no miner took the task in time");
}

#[test]
fn tk_1_a_result_past_the_due_instant_does_not_count_even_before_the_timer_fires() {
    let mut world = world();
    let task = world.add_task("a red barn");
    let (alice, bob) = (world.weak_miner(), world.weak_miner());
    for miner in [alice, bob] {
        assert_eq!(world.take(&miner), task);
    }
    world.deliver(&alice, task, 0.7);
    world.timers.clear();
    world.advance(30);
    world.deliver(&bob, task, 0.9);
    world.finalise(task);
    check_success(&world, task, alice);
    assert_eq!(world.figures(&bob).accepted, 1);
}

#[test]
fn tk_1_an_early_or_repeated_timer_changes_nothing() {
    let mut world = world();
    let task = world.add_task("a red barn");
    world.advance(10);
    world.finalise(task);
    assert_eq!(world.task(task).state, TaskState::Open);
    world.advance(590);
    let ended = world.task(task);
    world.advance(60);
    world.finalise(task);
    assert_eq!(world.task(task), ended);
}

#[test]
fn tk_1_accepting_a_task_again_changes_nothing() {
    let mut world = world();
    let created = world.now;
    let task = world.add_task("a red barn");
    let before = world.task(task);
    let again = sn17_core::task::NewTask {
        id: task,
        prompt: before.prompt.clone(),
        owner: before.owner,
        origin: before.origin,
    };
    world.advance(5);
    world.add_task_at(&again, world.now);
    assert_eq!(world.task(task), before);
    assert_eq!(before.deadline, created.plus_secs(600));
    assert_eq!(world.timers.len(), 1);
}

#[test]
fn tk_1_all_work_done_ends_the_task_at_once() {
    let mut world = world();
    let task = world.add_task("a red barn");
    let strong = world.strong_miner();
    let weak = [world.weak_miner(), world.weak_miner(), world.weak_miner()];
    for miner in [strong, weak[0], weak[1], weak[2]] {
        assert_eq!(world.take(&miner), task);
    }
    world.deliver(&strong, task, 0.7);
    world.deliver(&weak[0], task, 0.2);
    world.skip(&weak[1], task);
    assert_eq!(world.task(task).state, TaskState::Open);
    world.submit(&weak[2], task);
    assert!(world.settle(&weak[2], task, &failed()));
    check_success(&world, task, strong);
    assert!(matches!(world.task(task).state, TaskState::Success { ended, .. } if ended == world.now));
}

#[test]
fn tk_1_four_weak_miners_done_still_wait_for_a_strong_one() {
    let mut world = world();
    let task = world.add_task("a red barn");
    for _ in 0..4 {
        let miner = world.weak_miner();
        assert_eq!(world.take(&miner), task);
        world.skip(&miner, task);
    }
    assert_eq!(world.task(task).state, TaskState::Open);
    let strong = world.strong_miner();
    assert_eq!(world.take(&strong), task);
    world.deliver(&strong, task, 0.8);
    check_success(&world, task, strong);
}

#[test]
fn tk_1_all_fail_with_the_originals_words() {
    let mut world = world();
    let task = world.add_task("a red barn");
    let miners: Vec<Hotkey> = (0..4).map(|number| world.miner(number == 0)).collect();
    for miner in &miners {
        assert_eq!(world.take(miner), task);
    }
    for miner in &miners {
        world.deliver(miner, task, 0.1);
    }
    check_failure(&world, task, "4 miners submitted results but no one is good");
}

#[test]
fn tk_1_two_succeed_and_two_fail() {
    let mut world = world();
    let task = world.add_task("a red barn");
    let miners: Vec<Hotkey> = (0..4).map(|_| world.strong_miner()).collect();
    for miner in &miners {
        assert_eq!(world.take(miner), task);
    }
    for (miner, score) in miners.iter().zip([0.1, 0.7, 0.9, 0.2]) {
        world.deliver(miner, task, score);
    }
    check_success(&world, task, miners[2]);
    assert_eq!(world.task(task).results.len(), 2);
}

#[test]
fn tk_1_a_verdict_pending_at_the_end_still_pays_the_miner() {
    let mut world = world();
    let task = world.add_task("a red barn");
    let alice = world.weak_miner();
    assert_eq!(world.take(&alice), task);
    world.advance(599);
    world.submit(&alice, task);
    world.advance(2);
    check_failure(&world, task, "1 miners submitted results but no one is good");
    let ended = world.task(task);
    assert!(world.settle(&alice, task, &scored(0.8)));
    assert_eq!(world.task(task), ended);
    assert_eq!(world.figures(&alice).accepted, 1);
}

#[test]
fn a_result_for_a_task_long_gone_still_pays_the_miner() {
    let mut world = world();
    let task = world.add_task("a red barn");
    let alice = world.weak_miner();
    assert_eq!(world.take(&alice), task);
    world.advance(600 + 24 * 3600);
    assert!(!world.has(&Key::Task(task)), "a day after its end it is gone");
    world.deliver(&alice, task, 0.8);
    assert_eq!(world.figures(&alice).accepted, 1);
}

#[test]
fn bl_1_a_result_stays_readable_for_a_day_after_the_end() {
    let mut world = world();
    let task = world.add_task("a red barn");
    let alice = world.weak_miner();
    assert_eq!(world.take(&alice), task);
    world.deliver(&alice, task, 0.8);
    world.advance(30);
    world.advance(24 * 3600 - 1);
    assert_eq!(world.task(task).readable_results(world.now).len(), 1);
    assert!(world.has(&Key::Submission(task, alice)));
}

#[test]
fn the_best_result_has_the_best_standing_rating_score_and_time_in_this_order() {
    let result = |number, standing, rating, score, submit_time| TaskResult {
        hotkey: hotkey(number),
        uid: number,
        rating,
        score,
        standing,
        contends: true,
        submit_time,
        blob: String::from("splat"),
        bytes: 1,
        synthetic: false,
    };
    let mut results = [
        result(9, Standing::Lost, 3000.0, 1.0, 1),
        result(8, Standing::NotJudged, 1400.0, 0.9, 1),
        result(7, Standing::NotJudged, 1500.0, 0.8, 1),
        result(6, Standing::NotJudged, 1500.0, 0.9, 2),
        result(5, Standing::NotJudged, 1500.0, 0.9, 1),
        result(4, Standing::Drew, 1000.0, 0.6, 9),
        result(3, Standing::Won, 900.0, 0.6, 9),
    ];
    results.sort_by(best_first);
    let order: Vec<u16> = results.iter().map(|result| result.uid).collect();
    assert_eq!(order, [3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn bl_1_a_task_ended_late_expires_by_when_it_was_due() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.add_task("a red barn");
    assert_eq!(world.take(&alice), task);
    world.submit(&alice, task);
    world.score(&alice, task, 0.8);
    let due = world.task(task).due();
    world.timers.clear();
    world.advance(3600);
    world.sweep();
    assert!(matches!(world.task(task).state, TaskState::Success { .. }));
    let expires = world.row(&Key::Task(task)).and_then(|stored| stored.expires);
    assert_eq!(expires, Some(due.plus_secs(world.policy.tasks.lifetime_secs)));
}
