//! What a verdict changes, and what it leaves alone.

use sn17_core::state::SubmissionState;

use crate::world::{World, failed, invalid, scored};

const HOUR: u64 = 3600;

#[test]
fn an_accepted_result_enters_the_window_and_the_average() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.advance(10);
    world.deliver(&alice, task, 0.8);
    let figures = world.figures(&alice);
    assert_eq!(figures.accepted, 1);
    assert!((figures.average_score - 0.99).abs() < 1e-12);
    assert_eq!(figures.reward.to_bits(), 1500.0_f64.to_bits());
    assert_eq!(figures.cooldown_until, world.now.secs() + 290);
}

#[test]
fn the_average_counts_a_score_of_one_at_most() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.deliver(&alice, task, 1.2);
    assert!((world.figures(&alice).average_score - 1.0).abs() < 1e-12);
}

#[test]
fn a_score_at_the_threshold_is_accepted() {
    let mut world = World::new();
    let (alice, bob) = (world.weak_miner(), world.weak_miner());
    let tasks = [alice, bob].map(|miner| world.take(&miner));
    world.deliver(&alice, tasks[0], 0.6);
    world.deliver(&bob, tasks[1], 0.6_f64.next_down());
    assert_eq!(world.figures(&alice).accepted, 1);
    assert_eq!(world.figures(&bob).accepted, 0);
}

#[test]
fn sb_4_below_the_threshold_costs_the_penalty_and_carries_the_real_score() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.advance(10);
    world.deliver(&alice, task, 0.23);
    let SubmissionState::Rejected { reason, verdict } = world.verdict(&alice, task) else {
        panic!("expected a rejection");
    };
    assert!(reason.contains("0.230") && reason.contains("0.6"), "{reason}");
    assert_eq!(verdict.map(|verdict| verdict.score.to_bits()), Some(0.23_f64.to_bits()));
    let figures = world.figures(&alice);
    assert_eq!((figures.accepted, figures.average_score.to_bits()), (0, 1.0_f64.to_bits()));
    assert_eq!(world.cooldown_left(&alice), 890);
}

#[test]
fn sb_4_what_is_not_a_splat_costs_the_penalty_and_says_why() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.submit(&alice, task);
    assert!(world.settle(&alice, task, &invalid()));
    let reason = "not a splat".to_owned();
    let verdict = None;
    assert_eq!(world.verdict(&alice, task), SubmissionState::Rejected { reason, verdict });
    assert_eq!(world.cooldown_left(&alice), 900);
}

#[test]
fn sb_4_a_failure_of_ours_costs_the_plain_cooldown_only() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.advance(10);
    world.submit(&alice, task);
    let (session, record) = (world.session(&alice), world.record(&alice));
    world.advance(20);
    assert!(world.settle(&alice, task, &failed()));
    assert_eq!((world.session(&alice), world.record(&alice)), (session, record));
    assert_eq!(world.cooldown_left(&alice), 270);
    let verdict = world.verdict(&alice, task);
    assert!(
        matches!(verdict, SubmissionState::Failed { reason } if reason == "the model is out of memory"),
        "{reason}",
        reason = "the reason is kept"
    );
}

#[test]
fn sb_1_redriven_scoring_cannot_pay_or_punish_twice() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.deliver(&alice, task, 0.8);
    let (session, record) = (world.session(&alice), world.record(&alice));
    for finding in [scored(0.8), scored(0.1), invalid(), failed()] {
        assert!(!world.settle(&alice, task, &finding));
    }
    assert_eq!((world.session(&alice), world.record(&alice)), (session, record));
}

#[test]
fn a_verdict_on_what_was_never_handed_in_changes_nothing() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    let before = world.session(&alice);
    assert!(!world.settle(&alice, task, &scored(0.8)));
    assert_eq!(world.session(&alice), before);
}

#[test]
fn sb_3_a_late_penalty_is_reckoned_from_the_receipt_and_leaves_a_newer_assignment() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let first = world.take(&alice);
    world.advance(50);
    let received = world.now;
    world.submit(&alice, first);
    world.rest(&alice);
    let second = world.take(&alice);
    let held = world.session(&alice).assignment;
    world.advance(5);
    world.score(&alice, first, 0.1);
    let session = world.session(&alice);
    assert_eq!(session.assignment, held);
    assert_eq!(session.cooldown_until, received.secs() + 270 + 600);
    assert_eq!(world.take(&alice), second, "it keeps its task on cooldown");
    assert_eq!(world.session(&alice).violations, 0);
    world.deliver(&alice, second, 0.8);
    assert_eq!(
        world.session(&alice).cooldown_until,
        received.secs() + 870,
        "a running penalty is not shortened"
    );
}

#[test]
fn sb_3_a_late_penalty_does_not_shorten_a_longer_cooldown() {
    let mut world = World::with(|policy| policy.submissions.resend_secs = 10_000);
    let alice = world.weak_miner();
    let first = world.take(&alice);
    world.submit(&alice, first);
    world.rest(&alice);
    let second = world.take(&alice);
    world.submit_badly_signed(&alice, second);
    let until = world.session(&alice).cooldown_until;
    world.score(&alice, first, 0.1);
    assert_eq!(world.session(&alice).cooldown_until, until);
}

#[test]
fn sb_3_a_late_acceptance_counts_from_the_receipt_and_leaves_the_session() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let first = world.take(&alice);
    world.advance(3);
    let received = world.now;
    world.submit(&alice, first);
    world.rest(&alice);
    world.take(&alice);
    let session = world.session(&alice);
    world.score(&alice, first, 0.8);
    assert_eq!(world.session(&alice), session);
    assert_eq!(world.record(&alice).accepted.accepted_secs(), [received.secs()]);
}

#[test]
fn rw_1_a_result_counts_for_four_hours_to_the_second() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.deliver(&alice, task, 0.8);
    world.advance(4 * HOUR - 1);
    assert_eq!(world.figures(&alice).accepted, 1);
    world.advance(1);
    let figures = world.figures(&alice);
    assert_eq!((figures.accepted, figures.reward.to_bits()), (0, 0.0_f64.to_bits()));
}

#[test]
fn rw_1_ten_hourly_results_earn_four_ratings_at_most() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let mut average = 1.0;
    for hour in 1..=10_u32 {
        let task = world.take(&alice);
        world.deliver(&alice, task, 0.7);
        average = average * 0.95 + 0.05 * 0.7;
        let figures = world.figures(&alice);
        let expected = f64::from(hour.min(4)) * 1500.0;
        assert_eq!(figures.reward.to_bits(), expected.to_bits(), "hour {hour}");
        assert!((figures.average_score - average).abs() < 1e-12, "hour {hour}");
        world.advance(HOUR);
    }
}

#[test]
fn an_overdue_verdict_is_asked_for_again_and_then_given_up() {
    let mut world = World::with(|policy| policy.submissions.resend_secs = 120);
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.submit(&alice, task);
    world.scoring.clear();
    let cooldown_until = world.session(&alice).cooldown_until;
    world.advance_ms(119_999);
    world.sweep();
    assert!(world.scoring.is_empty(), "not yet overdue");
    world.advance_ms(1);
    for asked in 1..=3 {
        world.sweep();
        world.sweep();
        assert_eq!(world.scoring.len(), asked, "once each two minutes");
        world.advance(120);
    }
    world.sweep();
    assert_eq!(world.scoring.len(), 3);
    assert!(matches!(world.verdict(&alice, task), SubmissionState::Failed { .. }));
    assert_eq!(world.session(&alice).cooldown_until, cooldown_until);
    assert!(!world.settle(&alice, task, &scored(0.8)), "too late");
    assert_eq!(world.figures(&alice).accepted, 0);
}

#[test]
fn sb_1_a_verdict_between_two_requests_for_it_counts_once() {
    let mut world = World::with(|policy| policy.submissions.resend_secs = 120);
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.submit(&alice, task);
    world.advance(120);
    world.sweep();
    assert_eq!(world.scoring.len(), 2);
    assert!(world.settle(&alice, task, &scored(0.8)));
    assert!(!world.settle(&alice, task, &scored(0.8)));
    assert_eq!(world.figures(&alice).accepted, 1);
}

#[test]
fn sb_1_parallel_verdicts_count_once() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.submit(&alice, task);
    let (now, policy) = (world.now, world.policy);
    let decisions = (0..5).map(|_| {
        let decide = move |view: &_| sn17_core::settle::decide(view, task, alice, &scored(0.8), now, &policy);
        (sn17_core::settle::load(task, alice), decide)
    });
    let settled = world.race(decisions.collect());
    assert_eq!(settled, [true, false, false, false, false]);
    assert_eq!(world.figures(&alice).accepted, 1);
}
