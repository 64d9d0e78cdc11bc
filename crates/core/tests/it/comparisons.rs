//! Clients' results before the judge.

use sn17_core::Hotkey;
use sn17_core::TaskId;
use sn17_core::glicko::Outcome;
use sn17_core::ledger::{Contest, LoadSpec};
use sn17_core::state::{Standing, TaskState};
use sn17_core::task::{self, Comparison};

use crate::arena::arena;
use crate::world::World;

/// Five results, the least score first, all of one task.
fn five_results(world: &mut World) -> (TaskId, Vec<Hotkey>) {
    let miners: Vec<Hotkey> = (0..5).map(|number| world.miner(number == 4)).collect();
    let task = world.add_task("a red barn");
    for miner in &miners {
        assert_eq!(world.take(miner), task);
    }
    for (miner, score) in miners.iter().zip([0.61, 0.62, 0.63, 0.64]) {
        world.deliver(miner, task, score);
    }
    (task, miners)
}

impl World {
    fn compare(&mut self, id: TaskId, comparison: Comparison) -> [Hotkey; 2] {
        let pair = self.task(id).contest().expect("two results wait").map(|result| result.hotkey);
        self.compare_pair(id, pair, comparison);
        pair
    }

    pub(crate) fn compare_pair(&mut self, id: TaskId, pair: [Hotkey; 2], comparison: Comparison) {
        let (now, policy) = (self.now, self.policy);
        self.transact(LoadSpec::default(), |view| task::compared(view, id, pair, comparison, now, &policy));
    }

    fn standing(&self, id: TaskId, hotkey: &Hotkey) -> Standing {
        let task = self.task(id);
        task.results.iter().find(|result| result.hotkey == *hotkey).expect("a result").standing
    }
}

/// As the original judges four results: 4 against 3, the winner against 2, that winner against 1.
#[test]
fn the_best_two_meet_and_the_winner_stays() {
    let mut world = arena();
    let (task, miners) = five_results(&mut world);
    assert_eq!(world.judging, [Contest::Task(task)], "one request at a time");
    assert_eq!(world.compare(task, Comparison::Judged(Outcome::Left)), [miners[3], miners[2]]);
    assert_eq!(world.compare(task, Comparison::Judged(Outcome::Right)), [miners[3], miners[1]]);
    assert_eq!(world.compare(task, Comparison::Judged(Outcome::Draw)), [miners[1], miners[0]]);
    assert_eq!(world.judging, [Contest::Task(task); 3], "each answer brought the next request");
    assert!(world.task(task).contest().is_none() && !world.task(task).judging);
    let standings: Vec<Standing> = miners[..4].iter().map(|miner| world.standing(task, miner)).collect();
    assert_eq!(standings, [Standing::Drew, Standing::Drew, Standing::Lost, Standing::Lost]);
    assert_eq!(world.task(task).best().map(|best| best.hotkey), Some(miners[1]));
}

#[test]
fn a_result_that_comes_later_meets_the_winner() {
    let mut world = arena();
    let (task, miners) = five_results(&mut world);
    for _ in 0..3 {
        world.compare(task, Comparison::Judged(Outcome::Left));
    }
    assert_eq!(world.task(task).state, TaskState::Open, "a miner is still at work");
    world.judging.clear();
    world.deliver(&miners[4], task, 0.99);
    assert_eq!(world.judging, [Contest::Task(task)]);
    assert_eq!(world.task(task).state, TaskState::Open, "the judge has not spoken");
    let pair = world.compare(task, Comparison::Judged(Outcome::Left));
    assert_eq!(pair, [miners[3], miners[4]], "who has won goes before who is not judged");
    let ended = TaskState::Success { ended: world.now, best: miners[3] };
    assert_eq!(world.task(task).state, ended, "all work is done");
}

#[test]
fn an_answer_that_comes_twice_or_too_late_changes_nothing() {
    let mut world = arena();
    let (task, _) = five_results(&mut world);
    let pair = world.compare(task, Comparison::Judged(Outcome::Left));
    let rows = world.rows.clone();
    world.compare_pair(task, pair, Comparison::Judged(Outcome::Right));
    assert_eq!(world.rows, rows, "the loser is out already");
    world.advance(world.policy.tasks.first_result_secs);
    let rows = world.rows.clone();
    let rest = world.task(task).contest().expect("three had not met").map(|result| result.hotkey);
    world.compare_pair(task, rest, Comparison::Judged(Outcome::Right));
    assert_eq!(world.rows, rows, "the task has ended with its best result");
}

#[test]
fn tk_1_a_silent_judge_delays_no_client() {
    let mut world = arena();
    let (task, miners) = five_results(&mut world);
    world.judging.clear();
    world.advance(world.policy.tasks.first_result_secs);
    let TaskState::Success { best, .. } = world.task(task).state else { panic!("not ended") };
    assert_eq!(best, miners[3], "the highest score among equal ratings");
}

#[test]
fn of_two_copies_the_earlier_keeps_the_credit() {
    let mut world = arena();
    let (task, miners) = five_results(&mut world);
    assert_eq!(world.compare(task, Comparison::Same), [miners[3], miners[2]]);
    assert_eq!(world.standing(task, &miners[2]), Standing::NotJudged, "it was there first");
    assert_eq!(world.standing(task, &miners[3]), Standing::Duplicate);
    let pair = world.compare(task, Comparison::Judged(Outcome::Left));
    assert_eq!(pair, [miners[2], miners[1]]);
    assert_eq!(world.task(task).best().map(|best| best.hotkey), Some(miners[2]));
}

#[test]
fn without_a_judge_results_are_ranked_by_rating_and_score() {
    let mut world = World::new();
    let (task, miners) = five_results(&mut world);
    assert!(world.judging.is_empty());
    world.deliver(&miners[4], task, 0.62);
    let TaskState::Success { best, .. } = world.task(task).state else { panic!("not ended") };
    assert_eq!(best, miners[3]);
}
