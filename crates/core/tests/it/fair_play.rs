//! Games that are not worth playing.

use sn17_core::Hotkey;
use sn17_core::glicko::Outcome;
use sn17_core::policy::FairPlayRules;
use sn17_core::state::DuelNonce;

use crate::arena::arena;
use crate::world::{World, hotkey};

/// Duels of two miners that the first one always wins; its rating after each.
fn always_won(world: &mut World, winner: Hotkey, duels: usize) -> Vec<f64> {
    let mut ratings = Vec::new();
    while ratings.len() < duels {
        world.advance(10);
        let nonce: DuelNonce = world.fought();
        let outcome = if world.sides(nonce)[0] == winner { Outcome::Left } else { Outcome::Right };
        world.decide(nonce, outcome);
        ratings.push(world.rating(&winner));
    }
    ratings
}

#[test]
fn one_opponent_moves_a_rating_only_so_far() {
    let mut world = arena();
    let miners = world.fighters(2);
    let ratings = always_won(&mut world, miners[0], 6);
    assert!(ratings[0] > 1600.0, "the first win counts in full");
    assert!((ratings[5] - 1700.0).abs() < 1e-9, "{ratings:?}");
    assert!((world.rating(&miners[1]) - 1300.0).abs() < 1e-9, "the loser falls no farther, either");
    world.advance(world.policy.fair_play.movement_secs);
    for miner in &miners {
        let task = world.take(miner);
        world.skip(miner, task);
    }
    let later = always_won(&mut world, miners[0], 1);
    assert!(later[0] > 1700.0, "the next day it counts again");
}

#[test]
fn the_original_knows_no_such_bound() {
    let mut world = arena();
    world.policy.fair_play = FairPlayRules::upstream();
    let miners = world.fighters(2);
    let ratings = always_won(&mut world, miners[0], 6);
    assert!(ratings[5] > 1800.0, "{ratings:?}");
}

#[test]
fn miners_of_one_owner_do_not_meet_unless_the_policy_says_so() {
    let mut world = arena();
    world.fighters(2);
    for neuron in &mut world.roster.neurons {
        neuron.coldkey = Some(hotkey(200));
    }
    world.publish_roster();
    world.advance(60);
    assert_eq!(world.make_duel(), None);
    world.policy.fair_play.same_owner_duels = true;
    assert!(world.make_duel().is_some());
}

#[test]
fn all_miners_of_an_owner_together_move_a_rating_only_so_far() {
    let mut world = arena();
    world.policy.fair_play.owner_points_max = 50.0;
    let miners = world.fighters(3);
    for stooge in [1, 2] {
        world.roster.neurons[stooge].coldkey = Some(hotkey(200));
    }
    world.publish_roster();
    let mut fought = 0;
    while fought < 4 {
        world.advance(10);
        let nonce = world.fought();
        let sides = world.sides(nonce);
        assert!(sides.contains(&miners[0]), "the owner's two do not meet");
        world.decide(nonce, if sides[0] == miners[0] { Outcome::Left } else { Outcome::Right });
        fought += 1;
    }
    assert!((world.rating(&miners[0]) - 1550.0).abs() < 1e-9);
}

#[test]
fn sb_2_passing_costs_the_plain_cooldown_until_it_is_a_habit() {
    let mut world = World::new();
    let alice = world.strong_miner();
    let allowed = world.policy.fair_play.passes_allowed;
    let pass = |world: &mut World| {
        let task = world.take(&alice);
        world.skip(&alice, task);
        let cooldown = world.cooldown_left(&alice);
        world.rest(&alice);
        cooldown
    };
    // A miner that passes each task works one off in every fourth cooldown.
    let cooldowns: Vec<u64> = (0..40).map(|_| pass(&mut world)).collect();
    let first_dear = cooldowns.iter().position(|cooldown| *cooldown > 300).expect("farming is held down");
    assert!(first_dear >= usize::try_from(allowed).unwrap(), "after {first_dear}");
    assert_eq!(cooldowns[first_dear], 900);
    let dear = cooldowns.iter().filter(|cooldown| **cooldown > 300).count();
    assert!(dear >= 5, "it stays dear: {cooldowns:?}");
    world.advance(world.policy.fair_play.pass_secs * u64::from(allowed));
    assert_eq!(pass(&mut world), 300, "a miner that rests is forgiven");
}

#[test]
fn sb_2_the_original_lets_miners_pass_for_ever() {
    let mut world = World::with(|policy| policy.fair_play = FairPlayRules::upstream());
    let alice = world.strong_miner();
    for _ in 0..40 {
        let task = world.take(&alice);
        world.skip(&alice, task);
        assert_eq!(world.cooldown_left(&alice), 300);
        world.rest(&alice);
    }
}
