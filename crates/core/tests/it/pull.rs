//! Who gets what, and when.

use sn17_core::policy::{FairPlayRules, MinerRules, Policy};
use sn17_core::pull::{self, Pull, PullReply};
use sn17_core::state::{Key, KeyHash, Origin, Prompt, TaskKind};
use sn17_core::task::NewTask;
use sn17_core::{Hotkey, TaskId, UnixMs};

use crate::world::{World, hotkey};

/// The rules of the original's own tests: throttle 20 s, cooldown 60 s, 30 s for each early pull beyond ten.
fn short_rules() -> MinerRules {
    MinerRules {
        cooldown_secs: 60,
        throttle_secs: 20,
        penalty_secs: 120,
        violations_allowed: 10,
        violation_penalty_secs: 30,
        violation_interval_ms: 0,
        ..MinerRules::default()
    }
}

fn no_cooldown() -> MinerRules {
    MinerRules { cooldown_secs: 0, throttle_secs: 0, ..MinerRules::default() }
}

/// Miners may come again at once, and pass as often as they like.
fn tireless(policy: &mut Policy) {
    policy.miners = no_cooldown();
    policy.fair_play = FairPlayRules::upstream();
}

#[test]
fn a_newcomer_gets_a_task_at_once_and_holds_it() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let request = world.pull_of(&alice);
    let reply = world.pull_as(&request);
    let (id, prompt) = (request.synthetic_id, request.synthetic);
    assert_eq!(reply, PullReply::Task { id, prompt: prompt.clone() });
    let session = world.session(&alice);
    let held = session.assignment.expect("a task is held");
    assert_eq!((held.task, held.prompt), (id, prompt));
    assert_eq!((held.kind, held.assigned_at), (TaskKind::Synthetic, world.now));
    assert_eq!((session.last_pull, session.cooldown_until), (world.now, 0));
    assert!(!world.has(&Key::Task(id)), "a synthetic task needs no item");
}

#[test]
fn an_unregistered_puller_is_sent_away_for_an_hour() {
    let mut world = World::new();
    let cooldown_until = world.now.secs() + 3600;
    assert_eq!(world.pull(&hotkey(9)), PullReply::Unregistered { cooldown_until });
    assert_eq!(world.live().count(), 0, "nothing is kept about strangers");
}

#[test]
fn as_1_ten_repulls_return_the_same_task_and_do_not_move_its_time() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let first = world.take(&alice);
    let session = world.session(&alice);
    for _ in 0..10 {
        world.advance(7);
        assert_eq!(world.take(&alice), first);
        assert_eq!(world.session(&alice), session);
    }
    world.deliver(&alice, first, 0.8);
    world.rest(&alice);
    assert_ne!(world.take(&alice), first);
}

#[test]
fn as_1_a_repull_keeps_the_task_even_when_older_ones_are_waiting() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let synthetic = world.take(&alice);
    world.add_task("a red barn");
    assert_eq!(world.take(&alice), synthetic);
}

#[test]
fn as_1_parallel_pulls_get_one_task() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let organic = world.add_task("a red barn");
    let (now, policy) = (world.now, world.policy);
    let request = world.pull_of(&alice);
    let pulls = (0..10).map(|_| {
        let request = request.clone();
        let decide = move |view: &_| pull::decide(view, &request, now, &policy);
        (pull::load(alice), decide)
    });
    for reply in world.race(pulls.collect()) {
        assert!(matches!(reply, PullReply::Task { id, .. } if id == organic), "{reply:?}");
    }
    assert_eq!(world.task(organic).holders.len(), 1);
}

#[test]
fn a_lost_prompt_is_replaced_by_another_task() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let lost = world.add_task("a picture that is gone");
    assert_eq!(world.take(&alice), lost);
    let request = Pull { lost: Some(lost), ..world.pull_of(&alice) };
    let (id, prompt) = (request.synthetic_id, request.synthetic.clone());
    let replaced = PullReply::Task { id, prompt };
    assert_eq!(world.pull_as(&request), replaced);
    let again = Pull { lost: Some(lost), ..world.pull_of(&alice) };
    assert_eq!(world.pull_as(&again), replaced, "what replaced it stays");
}

#[test]
fn cd_1_no_task_before_the_second_of_the_cooldown_and_one_in_it() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let first = world.take(&alice);
    world.advance(30);
    world.submit(&alice, first);
    assert_eq!(world.cooldown_left(&alice), 270);
    world.advance_ms(269_999);
    assert_eq!(world.turned_away(&alice), (1, 1));
    world.advance_ms(1);
    assert_ne!(world.take(&alice), first);
}

#[test]
fn cd_1_each_violation_beyond_the_threshold_costs_and_is_over_exactly_at_its_end() {
    let mut world = World::with(|policy| policy.miners = short_rules());
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.deliver(&alice, task, 0.8);
    for violations in 1..=10 {
        assert_eq!(world.turned_away(&alice), (60, violations));
    }
    assert_eq!(world.turned_away(&alice), (90, 11));
    assert_eq!(world.turned_away(&alice), (120, 12));
    world.advance_ms(119_999);
    assert_eq!(world.turned_away(&alice), (31, 13));
    world.advance_ms(30_000);
    assert_eq!(world.turned_away(&alice), (31, 14));
    world.advance_ms(30_001);
    let task = world.take(&alice);
    world.deliver(&alice, task, 0.8);
    assert_eq!(world.session(&alice).violations, 13, "a submission works off one violation");
}

#[test]
fn cd_1_at_most_one_violation_a_second_counts() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.submit(&alice, task);
    for _ in 0..5 {
        assert_eq!(world.turned_away(&alice).1, 1);
        world.advance_ms(199);
    }
    world.advance_ms(4);
    assert_eq!(world.turned_away(&alice).1, 1, "999 ms after the first");
    world.advance_ms(1);
    assert_eq!(world.turned_away(&alice).1, 2, "a second after the first");
}

#[test]
fn cd_1_a_violation_worked_off_does_not_open_the_second_again() {
    let rules = MinerRules { cooldown_secs: 1, throttle_secs: 0, ..MinerRules::default() };
    let mut world = World::with(|policy| policy.miners = rules);
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.submit(&alice, task);
    world.advance_ms(900);
    assert_eq!(world.turned_away(&alice).1, 1);
    world.advance_ms(100);
    let task = world.take(&alice);
    world.submit(&alice, task);
    assert_eq!(world.turned_away(&alice).1, 0, "100 ms after the last one counted");
    world.advance_ms(1000);
    world.take(&alice);
}

#[test]
fn cd_1_a_hundred_violations_are_forgiven_by_default() {
    let mut world = World::with(|policy| policy.miners.violation_interval_ms = 0);
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.submit(&alice, task);
    for violations in 1..=100 {
        assert_eq!(world.turned_away(&alice), (300, violations));
    }
    assert_eq!(world.turned_away(&alice), (310, 101));
}

#[test]
fn tk_2_organic_tasks_come_before_synthetic_ones_and_oldest_first() {
    let mut world = World::with(|policy| {
        tireless(policy);
        policy.tasks.copies = 1;
    });
    let alice = world.strong_miner();
    let mut added = Vec::new();
    for words in ["one", "two", "three"] {
        added.push(world.add_task(words));
        world.advance(1);
    }
    for organic in added {
        let prompt = world.task(organic).prompt;
        assert_eq!(world.pull(&alice), PullReply::Task { id: organic, prompt });
        let held = world.session(&alice).assignment.expect("a task is held");
        assert_eq!(held.kind, TaskKind::Organic);
        world.skip(&alice, organic);
    }
    let synthetic = world.take(&alice);
    assert!(!world.has(&Key::Task(synthetic)));
}

#[test]
fn tk_2_a_strong_miner_gets_the_oldest_of_both_queues() {
    let mut world = World::with(|policy| {
        tireless(policy);
        policy.tasks.copies = 1;
    });
    let (weak, strong) = (world.weak_miner(), world.strong_miner());
    let strong_only = world.add_task("old, one weak miner is on it");
    world.advance(1);
    assert_eq!(world.take(&weak), strong_only);
    let open_to_all = world.add_task("young");
    assert_eq!(world.take(&strong), strong_only);
    world.skip(&strong, strong_only);
    assert_eq!(world.take(&strong), open_to_all);
}

#[test]
fn tk_2_a_young_task_only_for_the_strong_does_not_hide_an_older_one_behind_a_full_page() {
    let mut world = World::with(|policy| {
        tireless(policy);
        policy.tasks.copies = 1;
    });
    let (alice, bob) = (world.strong_miner(), world.weak_miner());
    let created = world.now.plus_secs(60);
    let younger = late_task(created, "younger, one weak miner is on it");
    world.add_task_at(&younger, created);
    assert_eq!(world.take(&bob), younger.id);
    world.policy.tasks.copies = 2;
    take_organic(&mut world, &alice, 8, 1);
    let older = world.add_task("older");
    assert_eq!(world.take(&alice), older);
    world.skip(&alice, older);
    assert_eq!(world.take(&alice), younger.id);
}

#[test]
fn tk_2_the_cursor_does_not_leap_over_tasks_behind_a_full_page() {
    let mut world = World::with(|policy| {
        tireless(policy);
        policy.tasks.copies = 1;
    });
    let alice = world.weak_miner();
    let created = world.now.plus_secs(60);
    let had_while_weak = late_task(created, "had while weak");
    world.add_task_at(&had_while_weak, created);
    assert_eq!(world.take(&alice), had_while_weak.id);
    world.skip(&alice, had_while_weak.id);
    world.flag(alice, true);
    world.policy.tasks.copies = 2;
    take_organic(&mut world, &alice, 16, 0);
    let behind: Vec<TaskId> = (0..2).map(|_| world.add_task("behind two full pages")).collect();
    world.advance(70);
    let synthetic = world.take(&alice);
    assert!(!behind.contains(&synthetic), "16 tasks are looked at in one pull");
    world.skip(&alice, synthetic);
    for task in behind {
        assert_eq!(world.take(&alice), task);
        world.skip(&alice, task);
    }
}

#[test]
fn as_2_many_tasks_had_before_do_not_hide_the_next_one() {
    let mut world = World::with(tireless);
    let alice = world.weak_miner();
    let had = take_organic(&mut world, &alice, 100, 1);
    let cursor = world.session(&alice).cursor.expect("a cursor past what was had");
    assert!(had.contains(&cursor.task));
    assert!(world.now.ms_since(cursor.created) >= 10_000, "young tasks stay ahead of the cursor");
}

#[test]
fn as_2_a_task_that_slips_in_among_the_last_seconds_is_still_found() {
    let mut world = World::with(tireless);
    let alice = world.weak_miner();
    take_organic(&mut world, &alice, 40, 1);
    let created = UnixMs(world.now.0 - 9_000);
    let late = late_task(created, "committed late by a slow host");
    world.add_task_at(&late, created);
    assert_eq!(world.take(&alice), late.id);
}

#[test]
fn tk_2_tasks_too_old_to_be_had_do_not_hide_a_fresh_one() {
    let mut world = World::with(tireless);
    let alice = world.weak_miner();
    for number in 0..1_000 {
        world.add_task(&format!("old {number}"));
    }
    world.advance(301);
    let fresh = world.add_task("fresh");
    assert_eq!(world.take(&alice), fresh);
}

#[test]
fn a_task_is_assignable_for_300_seconds() {
    let mut world = World::new();
    let (alice, bob) = (world.weak_miner(), world.weak_miner());
    let task = world.add_task("a red barn");
    world.advance(300);
    assert_eq!(world.take(&alice), task);
    world.advance_ms(1);
    assert_ne!(world.take(&bob), task);
}

/// A task committed apart from the others' order.
fn late_task(created: UnixMs, words: &str) -> NewTask {
    NewTask {
        id: TaskId::new(created, 99),
        prompt: Prompt::Text(words.to_owned()),
        owner: KeyHash([1; 32]),
        origin: Origin::Api,
    }
}

/// Adds tasks, so many seconds apart, and lets the miner have and pass each.
fn take_organic(world: &mut World, miner: &Hotkey, count: usize, apart_secs: u64) -> Vec<TaskId> {
    let mut taken = Vec::new();
    for number in 0..count {
        let added = world.add_task(&format!("task {number}"));
        assert_eq!(world.take(miner), added);
        world.skip(miner, added);
        world.advance(apart_secs);
        taken.push(added);
    }
    taken
}
