//! Duels from the draw to the ratings.

use sn17_core::duel::{Ruled, Ruling, pair, published_prompt};
use sn17_core::glicko::{GlickoRules, Outcome};
use sn17_core::ledger::{Contest, Effect};
use sn17_core::matchmaking::Draw;
use sn17_core::state::{DuelState, Entry, Key, TaskKind};

use crate::arena::arena;
use crate::world::{World, failed, invalid, payload, scored};

#[test]
fn du_2_the_pair_of_a_duel_is_the_one_its_nonce_and_prompt_draw() {
    let mut world = arena();
    world.fighters(5);
    for _ in 0..10 {
        world.advance(10);
        let nonce = world.duel_made();
        let duel = world.duel(nonce);
        let drawn = pair(nonce, &published_prompt(&duel.prompt), duel.slots);
        assert_eq!(drawn, (duel.left.uid, duel.right.uid));
        assert_ne!(duel.left.uid, duel.right.uid);
        assert_eq!(duel.slots, 5, "as many as the metagraph uses");
    }
}

#[test]
fn two_duels_of_one_second_have_nonces_of_their_own() {
    let mut world = arena();
    world.fighters(2);
    world.advance(60);
    let first = world.duel_made();
    let second = world.duel_made();
    assert_eq!(first.0, world.now.secs());
    assert_eq!(second.0, first.0 + 1);
}

#[test]
fn as_many_duels_are_made_as_the_policy_allows_in_a_minute() {
    let mut world = arena();
    world.policy.duels.pending_max = 64;
    world.fighters(8);
    world.advance(3600);
    for miner in world.roster.neurons.clone() {
        let task = world.take(&miner.hotkey);
        world.skip(&miner.hotkey, task);
    }
    let made = std::iter::from_fn(|| world.make_duel()).take(100).count();
    assert_eq!(made, 7, "a minute's worth and the one that is due now, however long nobody asked");
    world.advance(9);
    assert_eq!(world.make_duel(), None);
    world.advance(1);
    assert!(world.make_duel().is_some());
}

#[test]
fn no_duel_is_made_without_a_judge_and_while_too_much_waits_for_it() {
    let mut world = arena();
    world.fighters(2);
    world.advance(60);
    let busy = world.draw(world.policy.judge.backlog_max);
    assert_eq!(world.make_duel_of(&busy), None);
    assert!(world.make_duel_of(&Draw { backlog: busy.backlog - 1, ..busy }).is_some());
    world.advance(60);
    world.policy.judge.enabled = false;
    assert_eq!(world.make_duel(), None);
}

#[test]
fn miners_get_time_to_show_themselves_and_idle_ones_are_left_alone() {
    let mut world = arena();
    world.policy.duels.start_delay_secs = 1800;
    let miners = world.fighters(2);
    world.advance(1799);
    assert_eq!(world.make_duel(), None);
    world.advance(1);
    assert_eq!(world.make_duel(), None, "both have been idle for longer than 1,200 s");
    for miner in &miners {
        world.take(miner);
    }
    assert!(world.make_duel().is_some());
}

#[test]
fn at_most_so_many_duels_wait_for_one_miner() {
    let mut world = arena();
    world.policy.duels.pending_max = 2;
    let miners = world.fighters(2);
    world.advance(60);
    assert!(world.make_duel().is_some() && world.make_duel().is_some());
    assert_eq!(world.make_duel(), None);
    assert_eq!(world.session(&miners[0]).duels.len(), 2);
}

#[test]
fn tk_2_a_duel_comes_after_clients_tasks_and_before_synthetic_ones() {
    let mut world = arena();
    let miners = world.fighters(2);
    let nonce = world.duel_made();
    let organic = world.add_task("a red barn");
    assert_eq!(world.join(&miners[0]), organic);
    world.skip(&miners[0], organic);
    let task = world.join(&miners[0]);
    assert_eq!(task, world.duel(nonce).task);
    let held = world.session(&miners[0]).assignment.unwrap();
    assert_eq!(held.kind, TaskKind::Duel(nonce));
    assert_eq!(held.prompt, world.duel(nonce).prompt);
    assert_eq!(world.take(&miners[0]), task, "AS-1: it comes again");
    assert!(world.session(&miners[0]).duels.is_empty(), "and waits no longer");
    world.skip(&miners[0], task);
    let next = world.join(&miners[0]);
    assert_eq!(world.session(&miners[0]).assignment.unwrap().kind, TaskKind::Synthetic);
    assert_ne!(next, task);
}

#[test]
fn a_duel_is_pulled_in_time_or_not_at_all() {
    let mut world = arena();
    let miners = world.fighters(2);
    let nonce = world.duel_made();
    world.advance(world.policy.duels.pull_secs);
    world.join(&miners[0]);
    assert_eq!(world.session(&miners[0]).assignment.unwrap().kind, TaskKind::Synthetic);
    world.advance(world.policy.duels.open_secs);
    world.sweep();
    assert_eq!(world.void_reason(nonce), "a side was missing");
}

#[test]
fn du_1_a_verdict_changes_both_ratings_once() {
    let mut world = arena();
    world.policy.glicko = GlickoRules::upstream();
    world.policy.fair_play.pair_points_max = f64::MAX;
    world.fighters(2);
    let nonce = world.fought();
    let [left, right] = world.sides(nonce);
    assert_eq!(world.decide(nonce, Outcome::Left), Ruled::Now);
    assert!((world.rating(&left) - 1_668.951_231_595_19).abs() < 1e-9);
    assert!((world.rating(&right) - 1_331.048_768_404_81).abs() < 1e-9);
    let rows = world.rows.clone();
    for outcome in [Outcome::Left, Outcome::Draw, Outcome::Right] {
        assert_eq!(world.decide(nonce, outcome), Ruled::Before);
    }
    assert_eq!(world.rule(nonce, &Ruling::Failed { reason: String::new() }), Ruled::Before);
    assert_eq!(world.rows, rows);
    let (won, lost) = (world.record(&left), world.record(&right));
    assert_eq!((won.duels, won.wins, won.draws), (1, 1, 0));
    assert_eq!((lost.duels, lost.wins, lost.draws), (1, 0, 0));
}

#[test]
fn du_1_a_judge_that_fails_changes_nothing() {
    let mut world = arena();
    let miners = world.fighters(2);
    let nonce = world.fought();
    let before: Vec<_> = miners.iter().map(|miner| world.record(miner)).collect();
    assert_eq!(world.rule(nonce, &Ruling::Failed { reason: "it is down".to_owned() }), Ruled::Now);
    assert_eq!(world.void_reason(nonce), "it is down");
    let after: Vec<_> = miners.iter().map(|miner| world.record(miner)).collect();
    assert_eq!(before, after);
}

#[test]
fn du_1_neither_rating_changes_when_a_side_has_left() {
    let mut world = arena();
    world.fighters(2);
    let nonce = world.fought();
    let [left, right] = world.sides(nonce);
    world.deregister(right);
    assert_eq!(world.decide(nonce, Outcome::Left), Ruled::Now);
    assert_eq!(world.void_reason(nonce), "a miner has left the subnet");
    assert_eq!(world.record(&left).duels, 0);
}

#[test]
fn a_miner_that_leaves_takes_its_history_along_and_ends_its_duel() {
    let mut world = arena();
    let miners = world.fighters(2);
    let nonce = world.fought();
    world.decide(nonce, Outcome::Draw);
    world.advance(60);
    let open = world.duel_made();
    world.join(&miners[0]);
    world.deregister(miners[0]);
    assert_eq!(world.void_reason(open), "a miner has left the subnet");
    for key in [Key::Session(miners[0]), Key::Record(miners[0]), Key::History(miners[0])] {
        assert!(!world.has(&key), "{key:?}");
    }
    assert_eq!(world.history(&miners[1]).points.len(), 1);
}

#[test]
fn both_sides_bring_the_judge_and_a_lost_request_is_repeated() {
    let mut world = arena();
    world.fighters(2);
    let nonce = world.fought();
    for _ in 0..world.policy.judge.resends_max {
        world.advance(world.policy.judge.resend_secs - 1);
        world.sweep();
        assert!(world.judging.is_empty());
        world.advance(1);
        world.sweep();
        assert_eq!(world.judging.drain(..).collect::<Vec<_>>(), [Contest::Duel(nonce)]);
    }
    world.advance(world.policy.judge.resend_secs);
    world.sweep();
    assert_eq!(world.void_reason(nonce), "it could not be judged");
}

#[test]
fn whoever_makes_nothing_loses_without_a_judge() {
    let table = [
        ([true, true], Outcome::Draw, "neither"),
        ([true, false], Outcome::Right, "left"),
        ([false, true], Outcome::Left, "right"),
    ];
    for (missing, outcome, why) in table {
        let mut world = arena();
        world.fighters(2);
        let nonce = world.duel_made();
        for (hotkey, is_missing) in world.sides(nonce).into_iter().zip(missing) {
            let task = world.join(&hotkey);
            if is_missing { world.skip(&hotkey, task) } else { world.deliver(&hotkey, task, 0.8) }
        }
        assert_eq!(world.judging, [Contest::Duel(nonce)]);
        let (plain, reason) = world.duel(nonce).plain_outcome().expect("no judge is needed");
        assert_eq!(plain, outcome);
        assert!(reason.contains(why), "{reason}");
    }
}

#[test]
fn refused_results_are_missing_whenever_they_are_refused() {
    let mut world = arena();
    world.fighters(2);
    let nonce = world.duel_made();
    let [left, right] = world.sides(nonce);
    let task = world.join(&left);
    world.submit_badly_signed(&left, task);
    world.join(&right);
    world.submit(&right, task);
    assert!(world.settle(&right, task, &scored(0.59)));
    for side in world.duel(nonce).sides() {
        assert!(matches!(&side.entry, Entry::Missing { reason } if !reason.is_empty()), "{side:?}");
    }
    let mut world = arena();
    world.fighters(2);
    let nonce = world.duel_made();
    let [left, _] = world.sides(nonce);
    let task = world.join(&left);
    world.submit(&left, task);
    assert!(world.settle(&left, task, &invalid()));
    assert!(matches!(world.duel(nonce).left.entry, Entry::Missing { .. }));
}

#[test]
fn sb_4_a_failure_of_ours_ends_the_duel_without_a_loser() {
    let mut world = arena();
    world.fighters(2);
    let nonce = world.duel_made();
    let [left, right] = world.sides(nonce);
    let task = world.join(&left);
    world.deliver(&left, task, 0.9);
    world.join(&right);
    world.submit(&right, task);
    assert!(world.settle(&right, task, &failed()));
    assert!(world.void_reason(nonce).contains("out of memory"));
    assert_eq!(world.rating(&left).to_bits(), 1500.0_f64.to_bits());
}

#[test]
fn the_same_file_twice_is_a_draw() {
    let mut world = arena();
    world.fighters(2);
    let nonce = world.duel_made();
    for hotkey in world.sides(nonce) {
        let task = world.join(&hotkey);
        let mut request = world.result(&hotkey, task);
        request.payload = Some(payload(77));
        world.taken(&request);
        world.score(&hotkey, task, 0.8);
    }
    assert_eq!(world.duel(nonce).plain_outcome().map(|(outcome, _)| outcome), Some(Outcome::Draw));
}

#[test]
fn a_result_after_the_end_still_earns_its_place_in_the_window() {
    let mut world = arena();
    world.fighters(2);
    let nonce = world.duel_made();
    let [left, _] = world.sides(nonce);
    let task = world.join(&left);
    world.advance(world.policy.duels.open_secs);
    world.sweep();
    world.deliver(&left, task, 0.8);
    assert_eq!(world.void_reason(nonce), "a side was missing");
    assert_eq!(world.figures(&left).accepted, 1);
}

#[test]
fn a_history_remembers_the_last_duels() {
    let mut world = arena();
    world.policy.duels.history_max = 3;
    let miners = world.fighters(2);
    let mut nonces = Vec::new();
    for _ in 0..5 {
        world.advance(10);
        let nonce = world.fought();
        world.decide(nonce, Outcome::Draw);
        nonces.push(nonce);
    }
    for (miner, opponent) in [(miners[0], miners[1]), (miners[1], miners[0])] {
        let points = world.history(&miner).points;
        assert_eq!(points.iter().map(|point| point.nonce).collect::<Vec<_>>(), nonces[2..]);
        let last = points.last().unwrap();
        assert_eq!((last.opponent, last.score.to_bits()), (opponent, 0.5_f64.to_bits()));
        assert_eq!(last.rating.to_bits(), world.rating(&miner).to_bits());
        assert_eq!((world.record(&miner).duels, world.record(&miner).draws), (5, 5));
    }
}

#[test]
fn a_judged_duel_stays_readable_for_its_lifetime() {
    let mut world = arena();
    world.fighters(2);
    let nonce = world.fought();
    world.decide(nonce, Outcome::Left);
    world.advance(world.policy.duels.lifetime_secs - 1);
    assert!(matches!(world.duel(nonce).state, DuelState::Judged { .. }));
    world.advance(1);
    assert!(!world.has(&Key::Duel(nonce)));
}

#[test]
fn judging_is_work_for_the_judging_queue_at_once() {
    use sn17_core::ledger::QueueName;
    let mut world: World = arena();
    world.fighters(2);
    let nonce = world.fought();
    let effect = Effect::Judge(Contest::Duel(nonce));
    assert_eq!((effect.queue(), effect.not_before()), (QueueName::Judging, None));
}
