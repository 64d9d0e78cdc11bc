//! Four hours of a miner that never wastes a second.

use crate::world::World;

/// Results accepted in the first four hours of a miner that works as long as the throttle rewards.
fn results_in_four_hours(cooldown_secs: u64) -> usize {
    let mut world = World::with(|policy| policy.miners.cooldown_secs = cooldown_secs);
    let alice = world.strong_miner();
    let end = world.now.plus_secs(4 * 3600);
    loop {
        let task = world.take(&alice);
        world.advance(world.policy.miners.throttle_secs);
        if world.now > end {
            break;
        }
        world.deliver(&alice, task, 0.8);
        world.rest(&alice);
    }
    world.now = end;
    world.figures(&alice).accepted
}

#[test]
fn rw_1_a_perfect_miner_reaches_48_results_in_the_window() {
    let results = results_in_four_hours(300);
    assert!((47..=49).contains(&results), "{results}");
}

#[test]
fn rw_1_with_a_cooldown_of_two_minutes_it_reaches_120() {
    let results = results_in_four_hours(120);
    assert!((119..=121).contains(&results), "{results}");
}
