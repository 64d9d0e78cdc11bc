//! How miners come, go and change.

use sn17_core::UnixMs;
use sn17_core::miner::{self, departed, strong_uids};
use sn17_core::pull::PullReply;
use sn17_core::state::{Block, Item, Key, Neuron, Roster, TaskState};
use sn17_core::submit::SubmitReply;

use crate::world::{World, hotkey, scored};

fn neuron(uid: u16, key: u16, incentive: f64) -> Neuron {
    Neuron { uid, hotkey: hotkey(key), coldkey: None, stake: 10.0, incentive }
}

#[test]
fn a_newcomer_starts_with_the_originals_figures() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let figures = world.figures(&alice);
    let expected = [1.0, 1500.0, 0.0];
    let got = [figures.average_score, figures.rating, figures.reward];
    assert_eq!(got.map(f64::to_bits), expected.map(f64::to_bits));
    assert_eq!((figures.accepted, figures.cooldown_until), (0, 0));
}

#[test]
fn registering_again_changes_nothing_but_what_is_new() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.deliver(&alice, task, 0.8);
    let (session, record) = (world.session(&alice), world.record(&alice));
    let decisions = world.decisions;
    world.flag(alice, false);
    assert_eq!(world.decisions, decisions, "nothing is written");
    let richer = Neuron { stake: 99.0, ..neuron(session.uid, u16::from(alice.0[0]), 0.0) };
    world.register(&richer, false);
    let updated = world.session(&alice);
    assert_eq!(updated.stake.to_bits(), 99.0_f64.to_bits());
    assert_eq!(updated.cooldown_until, session.cooldown_until);
    assert_eq!(world.record(&alice), record);
}

#[test]
fn strong_miners_have_the_highest_incentive_and_the_higher_uid_among_equals() {
    let neurons =
        [neuron(0, 0, 0.5), neuron(1, 1, 0.1), neuron(2, 2, 0.3), neuron(3, 3, 0.3), neuron(4, 4, 0.3)];
    assert!(strong_uids(&neurons, 0).is_empty());
    assert_eq!(strong_uids(&neurons, 2), [0, 4]);
    assert_eq!(strong_uids(&neurons, 3), [0, 3, 4]);
    assert_eq!(strong_uids(&neurons, 100), [0, 1, 2, 3, 4]);
}

#[test]
fn departed_are_those_who_left_or_moved() {
    let old = given(vec![neuron(0, 10, 0.0), neuron(1, 11, 0.0), neuron(2, 12, 0.0)]);
    let new = given(vec![neuron(0, 10, 0.5), neuron(1, 13, 0.0), neuron(2, 14, 0.0), neuron(3, 12, 0.0)]);
    assert_eq!(departed(&old, &new), [hotkey(11), hotkey(12)]);
    assert!(departed(&Roster::default(), &new).is_empty());
}

#[test]
fn a_hotkey_replaced_at_a_uid_leaves_nothing_to_its_successor() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.add_task("a red barn");
    assert_eq!(world.take(&alice), task);
    let uid = world.session(&alice).uid;
    world.deregister(alice);
    let successor = neuron(uid, 77, 0.0);
    world.register(&successor, false);
    let session = world.session(&successor.hotkey);
    assert_eq!((session.assignment, session.cooldown_until), (None, 0));
    assert_eq!((session.violations, session.uid), (0, uid));
    assert_eq!(world.figures(&successor.hotkey).accepted, 0);
    assert!(!world.has(&Key::Session(alice)) && !world.has(&Key::Record(alice)));
    assert_eq!(world.take(&successor.hotkey), task, "another hotkey may have the task");
}

#[test]
fn a_hotkey_that_moves_to_another_uid_starts_afresh() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.deliver(&alice, task, 0.1);
    assert_eq!(world.cooldown_left(&alice), 900);
    world.deregister(alice);
    let moved = neuron(50, u16::from(alice.0[0]), 0.0);
    world.register(&moved, true);
    let session = world.session(&alice);
    assert_eq!((session.uid, session.strong, session.cooldown_until), (50, true, 0));
}

#[test]
fn a_miner_that_leaves_gives_up_its_part_and_may_not_submit() {
    let mut world = World::with(|policy| policy.tasks.copies = 1);
    let alice = world.strong_miner();
    let task = world.add_task("a red barn");
    assert_eq!(world.take(&alice), task);
    world.deregister(alice);
    assert!(matches!(world.task(task).state, TaskState::Failure { .. }));
    assert!(matches!(world.pull(&alice), PullReply::Unregistered { .. }));
    let request = world.result(&alice, task);
    assert_eq!(world.submit_as(&request), SubmitReply::Unregistered);
    world.deregister(alice);
}

#[test]
fn a_result_pending_when_its_miner_leaves_still_serves_the_client() {
    let mut world = World::new();
    let alice = world.strong_miner();
    let task = world.add_task("a red barn");
    assert_eq!(world.take(&alice), task);
    world.submit(&alice, task);
    world.deregister(alice);
    assert!(world.settle(&alice, task, &scored(0.8)));
    world.advance(30);
    assert!(matches!(world.task(task).state, TaskState::Success { best, .. } if best == alice));
    assert!(!world.has(&Key::Record(alice)), "nobody is credited");
}

#[test]
fn a_rejection_pending_when_its_miner_leaves_settles_quietly() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.submit(&alice, task);
    world.deregister(alice);
    assert!(world.settle(&alice, task, &scored(0.1)));
    assert!(!world.has(&Key::Session(alice)));
}

#[test]
fn as_2_becoming_strong_opens_tasks_behind_the_cursor() {
    let mut world = World::with(|policy| {
        policy.miners.cooldown_secs = 0;
        policy.miners.throttle_secs = 0;
        policy.tasks.copies = 1;
    });
    let (alice, bob) = (world.weak_miner(), world.weak_miner());
    let strong_only = world.add_task("one weak miner is on it");
    assert_eq!(world.take(&bob), strong_only);
    world.advance(1);
    world.policy.tasks.copies = 2;
    let own = world.add_task("for Alice");
    assert_eq!(world.take(&alice), own);
    world.skip(&alice, own);
    world.advance(11);
    // This pull moves the cursor past what she has had.
    let next = world.add_task("next");
    assert_eq!(world.take(&alice), next);
    world.skip(&alice, next);
    assert_eq!(world.session(&alice).cursor.map(|cursor| cursor.task), Some(own));
    world.flag(alice, true);
    assert_eq!(world.take(&alice), strong_only);
    world.flag(alice, false);
    assert_eq!(world.take(&alice), strong_only, "what is held stays held");
}

#[test]
fn the_roster_is_noted_once() {
    let mut world = World::new();
    let roster = given(vec![neuron(0, 10, 0.5)]);
    for changes in [1, 0] {
        let before = world.decisions;
        let noted = roster.clone();
        world
            .transact(sn17_core::ledger::LoadSpec::default(), |view| miner::note_roster(view, noted.clone()));
        assert_eq!(world.decisions - before, changes);
    }
    let changed = given(vec![neuron(0, 11, 0.5)]);
    world.transact(sn17_core::ledger::LoadSpec::default(), |view| miner::note_roster(view, changed.clone()));
    assert_eq!(world.row(&Key::Roster).map(|stored| stored.rev), Some(2));
}

#[test]
fn a_block_that_is_noted_is_not_gone_back_behind() {
    let mut world = World::new();
    let mut note = |uid: u16, block: Option<u64>| {
        let block = block.map(|number| Block { made_at: UnixMs(number * 12_000), number });
        let roster = Roster { neurons: vec![neuron(uid, 10, 0.5)], block };
        world.transact(sn17_core::ledger::LoadSpec::default(), |view| {
            miner::note_roster(view, roster.clone())
        });
        let Some(Item::Roster(noted)) = world.row(&Key::Roster).map(|stored| stored.item.clone()) else {
            panic!("nothing is noted")
        };
        (noted.neurons[0].uid, noted.block.map(|block| block.number))
    };
    assert_eq!(note(1, Some(100)), (1, Some(100)));
    assert_eq!(note(2, Some(99)), (1, Some(100)), "older");
    assert_eq!(note(3, Some(100)), (3, Some(100)), "the same again");
    assert_eq!(note(3, Some(101)), (3, Some(101)), "a block without changes counts too");
    assert_eq!(note(4, None), (4, None), "an operator's word stands");
    assert_eq!(note(5, Some(7)), (5, Some(7)), "and the chain may be another one after it");
}

fn given(neurons: Vec<Neuron>) -> Roster {
    Roster { neurons, block: None }
}
