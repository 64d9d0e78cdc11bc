//! What handing in a result costs and counts.

use sn17_core::UnixMs;
use sn17_core::cooldown::cooldown_until;
use sn17_core::policy::MinerRules;
use sn17_core::pull::PullReply;
use sn17_core::state::{Key, SubmissionState, TaskKind};
use sn17_core::submit::{self, Submit, SubmitReply};

use crate::world::{START, World, hotkey, payload, scored};

/// The rules of the original's own tests.
fn short_rules() -> MinerRules {
    MinerRules { cooldown_secs: 60, throttle_secs: 20, penalty_secs: 120, ..MinerRules::default() }
}

fn nanoseconds(at: UnixMs) -> i64 {
    i64::try_from(at.0 * 1_000_000).expect("before the year 2262")
}

#[test]
fn cd_2_work_shortens_the_cooldown_by_up_to_the_throttle() {
    for (work_secs, left) in [(5, 55), (15, 45), (20, 40), (30, 40)] {
        let mut world = World::with(|policy| policy.miners = short_rules());
        let (good, bad, unsigned) = (world.weak_miner(), world.weak_miner(), world.weak_miner());
        let tasks = [good, bad, unsigned].map(|miner| world.take(&miner));
        world.advance(work_secs);
        world.deliver(&good, tasks[0], 0.8);
        world.deliver(&bad, tasks[1], 0.23);
        world.submit_badly_signed(&unsigned, tasks[2]);
        assert_eq!(world.cooldown_left(&good), left, "after {work_secs} s");
        assert_eq!(world.cooldown_left(&bad), left + 120, "after {work_secs} s");
        assert_eq!(world.cooldown_left(&unsigned), left + 120, "after {work_secs} s");
    }
}

#[test]
fn cd_2_a_repull_gains_no_cooldown() {
    let mut world = World::with(|policy| policy.miners = short_rules());
    let alice = world.weak_miner();
    world.take(&alice);
    world.advance(15);
    let task = world.take(&alice);
    world.submit(&alice, task);
    assert_eq!(world.cooldown_left(&alice), 45);
}

/// The same figures serve other hosts: assigned, received (milliseconds), cooldown, throttle, penalty, until.
#[test]
fn cd_2_cooldowns_are_these_to_the_second() {
    for (assigned, received, cooldown_secs, throttle_secs, penalty, until) in [
        (1_760_000_000_000, 1_760_000_000_000, 300, 30, 0, 1_760_000_300),
        (1_760_000_000_000, 1_760_000_005_000, 60, 20, 0, 1_760_000_060),
        (1_760_000_000_000, 1_760_000_015_000, 60, 20, 0, 1_760_000_060),
        (1_760_000_000_000, 1_760_000_020_000, 60, 20, 0, 1_760_000_060),
        (1_760_000_000_000, 1_760_000_030_000, 60, 20, 0, 1_760_000_070),
        (1_760_000_000_000, 1_760_000_030_000, 60, 20, 120, 1_760_000_190),
        (1_760_000_000_000, 1_760_000_010_000, 300, 30, 600, 1_760_000_900),
        (1_760_000_000_000, 1_760_000_100_000, 300, 30, 600, 1_760_000_970),
        (1_760_000_000_999, 1_760_000_030_998, 300, 30, 0, 1_760_000_300),
        (1_760_000_000_999, 1_760_000_031_000, 300, 30, 0, 1_760_000_301),
        (1_760_000_000_500, 1_760_000_000_400, 300, 30, 0, 1_760_000_300),
        (1_760_000_000_000, 1_760_000_001_500, 0, 0, 0, 1_760_000_001),
        (0, 1, 18_446_744_073_709_551_615, 0, 1, 18_446_744_073_709_551),
    ] {
        let rules = MinerRules { cooldown_secs, throttle_secs, ..MinerRules::default() };
        assert_eq!(
            cooldown_until(UnixMs(assigned), UnixMs(received), &rules, penalty),
            until,
            "{assigned} {received} {cooldown_secs} {throttle_secs} {penalty}"
        );
    }
}

#[test]
fn a_strangers_result_is_not_kept() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    let request = world.result(&hotkey(9), task);
    assert_eq!(world.submit_as(&request), SubmitReply::Unregistered);
    assert!(!world.has(&Key::Submission(task, hotkey(9))));
}

#[test]
fn without_a_task_nothing_can_be_handed_in() {
    let mut world = World::new();
    let (alice, bob) = (world.weak_miner(), world.weak_miner());
    let of_bob = world.take(&bob);
    let before = world.session(&alice);
    let request = world.result(&alice, of_bob);
    assert_eq!(world.submit_as(&request), SubmitReply::NoTask);
    assert_eq!(world.session(&alice), before);
}

#[test]
fn as_1_another_task_leaves_the_assignment_alone() {
    let mut world = World::new();
    let (alice, bob) = (world.weak_miner(), world.weak_miner());
    let (own, other) = (world.take(&alice), world.take(&bob));
    let before = world.session(&alice);
    let request = world.result(&alice, other);
    let reply = world.submit_as(&request);
    assert!(matches!(reply, SubmitReply::Ignored { .. }), "{reply:?}");
    assert_eq!(world.session(&alice), before);
    let figures = world.figures(&alice);
    assert_eq!(
        (figures.average_score.to_bits(), figures.rating.to_bits()),
        (1.0_f64.to_bits(), 1500.0_f64.to_bits())
    );
    assert_eq!(world.take(&alice), own);
}

#[test]
fn sb_2_a_pass_costs_the_plain_cooldown_and_earns_nothing() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.advance(10);
    world.skip(&alice, task);
    let figures = world.figures(&alice);
    assert_eq!(world.cooldown_left(&alice), 290);
    assert_eq!(figures.accepted, 0);
    assert_eq!(figures.average_score.to_bits(), 1.0_f64.to_bits());
    assert_eq!(world.verdict(&alice, task), SubmissionState::Empty);
    assert!(world.scoring.is_empty(), "there is nothing to score");
}

#[test]
fn sb_4_a_bad_signature_costs_the_penalty_and_says_why() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.submit_badly_signed(&alice, task);
    assert_eq!(world.cooldown_left(&alice), 900);
    let SubmissionState::Rejected { reason, verdict } = world.verdict(&alice, task) else {
        panic!("expected a rejection");
    };
    assert!(reason.contains("signature") && verdict.is_none(), "{reason}");
    assert_eq!(world.submission(&alice, task).blob, None, "its payload is dropped");
    assert!(world.scoring.is_empty(), "it is not scored");
}

#[test]
fn sb_4_a_payload_in_another_format_costs_the_penalty_and_says_why() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    let refusal = Some("compression is not 2".to_owned());
    let request = Submit { refusal, ..world.result(&alice, task) };
    world.taken(&request);
    let reason = "compression is not 2".to_owned();
    let verdict = None;
    assert_eq!(world.verdict(&alice, task), SubmissionState::Rejected { reason, verdict });
    assert_eq!(world.cooldown_left(&alice), 900);
}

#[test]
fn cd_1_only_good_signatures_work_off_violations() {
    let mut world = World::with(|policy| policy.miners.violation_interval_ms = 0);
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.skip(&alice, task);
    for _ in 0..3 {
        world.turned_away(&alice);
    }
    world.rest(&alice);
    let task = world.take(&alice);
    world.submit_badly_signed(&alice, task);
    assert_eq!(world.session(&alice).violations, 3);
    world.rest(&alice);
    let task = world.take(&alice);
    world.skip(&alice, task);
    assert_eq!(world.session(&alice).violations, 2);
}

#[test]
fn sb_1_ten_parallel_submissions_have_one_effect() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    let (now, policy) = (world.now, world.policy);
    let request = world.result(&alice, task);
    let decisions = (0..10).map(|_| {
        let request = request.clone();
        let decide = move |view: &_| submit::decide(view, &request, now, &policy);
        (submit::load(alice, task), decide)
    });
    let replies = world.race(decisions.collect());
    let took = |reply: &&SubmitReply| matches!(reply, SubmitReply::Taken { again: false, .. });
    let joined = |reply: &&SubmitReply| matches!(reply, SubmitReply::Taken { again: true, .. });
    assert_eq!(replies.iter().filter(took).count(), 1);
    assert_eq!(replies.iter().filter(joined).count(), 9);
    assert_eq!(world.scoring, [(task, alice)]);
    let settled = (0..10).filter(|_| world.settle(&alice, task, &scored(0.8)));
    assert_eq!(settled.count(), 1);
    assert_eq!(world.figures(&alice).accepted, 1);
}

#[test]
fn sb_1_the_same_payload_joins_the_wait_and_later_gets_the_recorded_verdict() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    let request = world.result(&alice, task);
    let first = world.taken(&request);
    let before = world.session(&alice);
    world.advance(1);
    let reply = world.submit_as(&request);
    let (rev, again) = (1, true);
    let submission = Box::new(first);
    assert_eq!(reply, SubmitReply::Taken { submission, rev, again });
    world.score(&alice, task, 0.8);
    world.advance(600);
    let SubmitReply::Taken { submission, rev: 2, again: true } = world.submit_as(&request) else {
        panic!("expected the recorded verdict");
    };
    assert!(matches!(submission.state, SubmissionState::Accepted(verdict) if verdict.score >= 0.8));
    assert_eq!(world.session(&alice), before, "the cooldown does not change");
}

#[test]
fn sb_1_another_payload_for_a_closed_task_has_no_effect() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.submit(&alice, task);
    let (session, submission) = (world.session(&alice), world.submission(&alice, task));
    let other = Submit { payload: Some(payload(200)), ..world.result(&alice, task) };
    let none = Submit { payload: None, ..world.result(&alice, task) };
    let unsigned = Submit { signature_is_valid: false, ..other.clone() };
    for request in [other, none, unsigned] {
        assert_eq!(world.submit_as(&request), SubmitReply::Closed);
    }
    assert_eq!(world.session(&alice), session);
    assert_eq!(world.submission(&alice, task), submission);
}

#[test]
fn sb_1_refused_and_empty_results_are_repeated_as_they_were() {
    let mut world = World::new();
    let miners = [world.weak_miner(), world.weak_miner(), world.weak_miner()];
    let tasks = miners.map(|miner| world.take(&miner));
    let unsigned = Submit { signature_is_valid: false, ..world.result(&miners[0], tasks[0]) };
    let empty = Submit { payload: None, ..world.result(&miners[1], tasks[1]) };
    let unsigned_empty =
        Submit { signature_is_valid: false, payload: None, ..world.result(&miners[2], tasks[2]) };
    for request in [unsigned, empty, unsigned_empty] {
        let first = world.taken(&request);
        let before = world.session(&request.hotkey);
        let SubmitReply::Taken { submission, again: true, .. } = world.submit_as(&request) else {
            panic!("expected the recorded answer");
        };
        assert_eq!(*submission, first);
        assert_eq!(world.session(&request.hotkey), before);
    }
}

#[test]
fn sb_1_a_repeat_does_not_touch_the_next_assignment() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let first = world.take(&alice);
    let request = world.result(&alice, first);
    world.taken(&request);
    world.rest(&alice);
    let second = world.take(&alice);
    assert!(matches!(world.submit_as(&request), SubmitReply::Taken { again: true, .. }));
    assert_eq!(world.take(&alice), second);
}

#[test]
fn sb_5_a_submission_keeps_the_proof_of_consent() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.take(&alice);
    world.advance(12);
    let request = world.result(&alice, task);
    world.taken(&request);
    world.score(&alice, task, 0.8);
    world.advance(47 * 3600);
    let kept = world.submission(&alice, task);
    assert_eq!(kept.signature, request.signature);
    assert_eq!(kept.submit_time, request.submit_time);
    assert_eq!(kept.prompt_sha256, request.prompt_sha256);
    let sent = request.payload.unwrap();
    assert_eq!((kept.sha256, kept.bytes, kept.blob), (sent.sha256, sent.bytes, Some(sent.blob)));
    assert_eq!((kept.assigned_at, kept.submitted_at), (START, START.plus_secs(12)));
    assert_eq!((kept.kind, kept.threshold.to_bits()), (TaskKind::Synthetic, 0.6_f64.to_bits()));
    world.advance(3600);
    assert!(!world.has(&Key::Submission(task, alice)), "it expires");
}

#[test]
fn the_signed_time_must_lie_between_assignment_and_receipt() {
    let mut world = World::new();
    let alice = world.weak_miner();
    world.advance(100);
    let task = world.take(&alice);
    let assigned = world.now;
    world.advance(200);
    let before = world.session(&alice);
    let early = UnixMs(assigned.0 - 60_001);
    let late = world.now.plus_ms(60_001);
    for submit_time in [nanoseconds(early), nanoseconds(late), -1, i64::MIN, i64::MAX] {
        let request = Submit { submit_time, ..world.result(&alice, task) };
        let reply = world.submit_as(&request);
        assert!(matches!(reply, SubmitReply::Ignored { .. }), "{submit_time}");
        assert_eq!(world.session(&alice), before);
    }
    let just_early = nanoseconds(UnixMs(assigned.0 - 60_000));
    let request = Submit { submit_time: just_early, ..world.result(&alice, task) };
    world.taken(&request);
}

#[test]
fn a_pass_on_an_organic_task_ends_the_miners_part() {
    let mut world = World::new();
    let alice = world.weak_miner();
    let task = world.add_task("a red barn");
    assert_eq!(world.take(&alice), task);
    world.skip(&alice, task);
    assert!(world.task(task).holders[0].finished);
    world.rest(&alice);
    assert!(matches!(world.pull(&alice), PullReply::Task { id, .. } if id != task));
}

#[test]
fn a_wait_is_hopeless_only_behind_more_than_fits() {
    for (ahead, pace_ms, left_ms, hopeless) in [
        (1, 0, 0, false),
        (5, 2_000, 10_000, false),
        (6, 2_000, 10_000, true),
        (1, 1, 0, true),
        (u64::MAX, 9, 9, true),
    ] {
        assert_eq!(
            submit::is_wait_hopeless(ahead, pace_ms, left_ms),
            hopeless,
            "{ahead} ahead, {pace_ms} ms each"
        );
    }
}
