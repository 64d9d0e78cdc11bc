//! The rules themselves.

use sn17_core::policy::Policy;

#[track_caller]
fn check_broken(change: impl FnOnce(&mut Policy), expected: &str) {
    let mut policy = Policy::default();
    change(&mut policy);
    let error = policy.validate().expect_err("the policy is broken");
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn the_defaults_hold() {
    assert_eq!(Policy::default().validate(), Ok(()));
}

#[test]
fn each_rule_is_checked() {
    check_broken(|policy| policy.miners.throttle_secs = 301, "throttle_secs");
    check_broken(|policy| policy.miners.text_share = 1.1, "text_share");
    check_broken(|policy| policy.miners.text_share = f64::NAN, "text_share");
    check_broken(|policy| policy.tasks.copies = 0, "copies");
    check_broken(|policy| policy.tasks.copies = 17, "copies");
    check_broken(|policy| policy.tasks.assignable_secs = 601, "assignable_secs");
    check_broken(|policy| policy.tasks.prompt_chars_min = 385, "prompt_chars_min");
    check_broken(|policy| policy.submissions.threshold = -0.1, "threshold");
    check_broken(|policy| policy.submissions.threshold = f64::NAN, "threshold");
    check_broken(|policy| policy.submissions.attempts_max = 0, "attempts_max");
    check_broken(|policy| policy.submissions.visibility_secs = 0, "visibility_secs");
    check_broken(|policy| policy.submissions.lifetime_secs = 86_999, "BL-1");
    check_broken(|policy| policy.tasks.lifetime_secs = u64::MAX, "BL-1");
    check_broken(|policy| policy.rewards.results_max = 0, "results_max");
    check_broken(|policy| policy.rewards.average_alpha = 1.1, "average_alpha");
    check_broken(|policy| policy.submissions.wait_margin_secs = u64::MAX, "longer than a year");
    check_broken(|policy| policy.nonces.age_secs = 31_536_001, "longer than a year");
}

#[test]
fn each_rule_of_the_competition_is_checked() {
    check_broken(|policy| policy.duels.per_minute = 0, "per_minute");
    check_broken(|policy| policy.duels.per_minute = 9, "open_max");
    check_broken(|policy| policy.duels.draws = 0, "draws");
    check_broken(|policy| policy.duels.slots = 65_537, "slots");
    check_broken(|policy| policy.duels.pending_max = 65, "pending_max");
    check_broken(|policy| policy.duels.history_max = 257, "history_max");
    check_broken(|policy| policy.duels.pull_secs = 3601, "pull_secs");
    check_broken(|policy| policy.duels.lifetime_secs = 31_536_001, "longer than a year");
    check_broken(|policy| policy.judge.attempts_max = 0, "attempts_max");
    check_broken(|policy| policy.judge.visibility_secs = 0, "visibility_secs");
    check_broken(|policy| policy.judge.score_lead_min = f64::NAN, "score_lead_min");
    check_broken(|policy| policy.judge.sides_ratio_min = 1.1, "sides_ratio_min");
    check_broken(|policy| policy.judge.canary_share = 1.1, "canary_share");
    check_broken(|policy| policy.judge.canary_accuracy_min = -0.1, "canary_accuracy_min");
    check_broken(|policy| policy.judge.canary_alpha = 1.1, "canary_alpha");
    check_broken(|policy| policy.fair_play.pair_points_max = -1.0, "pair_points_max");
    check_broken(|policy| policy.fair_play.owner_points_max = f64::NAN, "owner_points_max");
    check_broken(|policy| policy.fair_play.pass_secs = 0, "pass_secs");
    check_broken(|policy| policy.weights.curve_base = 0.0, "curve");
}

#[test]
fn each_rule_holds_at_its_edge() {
    let mut policy = Policy::default();
    policy.miners.throttle_secs = policy.miners.cooldown_secs;
    policy.miners.text_share = 1.0;
    policy.tasks.copies = 16;
    policy.tasks.assignable_secs = policy.tasks.deadline_secs;
    policy.submissions.threshold = 1.0;
    policy.submissions.attempts_max = 1;
    policy.submissions.visibility_secs = 1;
    policy.submissions.lifetime_secs = policy.tasks.lifetime_secs + policy.tasks.deadline_secs;
    policy.rewards.results_max = 1;
    policy.rewards.average_alpha = 0.0;
    policy.nonces.age_secs = 31_536_000;
    assert_eq!(policy.validate(), Ok(()));
}

#[test]
fn each_rule_of_the_competition_holds_at_its_edge() {
    let mut policy = Policy::default();
    policy.duels.per_minute = 8;
    policy.duels.draws = 1;
    policy.duels.slots = 65_536;
    policy.duels.pending_max = 64;
    policy.duels.history_max = 256;
    policy.duels.pull_secs = policy.duels.open_secs;
    policy.duels.lifetime_secs = 31_536_000;
    policy.judge.attempts_max = 1;
    policy.judge.visibility_secs = 1;
    policy.judge.score_lead_min = 0.0;
    (policy.judge.sides_ratio_min, policy.judge.canary_share) = (1.0, 1.0);
    (policy.judge.canary_accuracy_min, policy.judge.canary_alpha) = (1.0, 1.0);
    (policy.fair_play.pair_points_max, policy.fair_play.owner_points_max) = (0.0, 0.0);
    policy.fair_play.pass_secs = 1;
    assert_eq!(policy.validate(), Ok(()));
}

#[test]
fn each_rule_of_prompts_is_checked() {
    check_broken(|policy| policy.tasks.prompt_chars_min = 4, "tasks.prompt_chars_min or");
    check_broken(|policy| policy.tasks.prompt_chars_max = 239, "tasks.prompt_chars_max refuse");
    check_broken(|policy| policy.prompts.chars_left_min = 2, "tasks.prompt_chars_min or");
    check_broken(|policy| policy.prompts.chars_max = 385, "tasks.prompt_chars_max refuse");
    check_broken(|policy| policy.prompts.sentence_chars_max = 385, "tasks.prompt_chars_max refuse");
    check_broken(|policy| policy.prompts.chars_min = 101, "prompts.chars_min exceeds");
    let short = |policy: &mut Policy| {
        policy.tasks.prompt_chars_max = 73;
        (policy.prompts.chars_max, policy.prompts.sentence_chars_max) = (73, 73);
    };
    check_broken(short, "refuse prompts of the grammar");
    let long = |policy: &mut Policy| {
        policy.tasks.prompt_chars_max = 2_001;
        policy.prompts.sentence_chars_max = 2_001;
    };
    check_broken(long, "exceeds 2000");
    check_broken(|policy| policy.collector.batch_prompts_max = 0, "batch_prompts_max is zero");
    check_broken(|policy| policy.collector.batch_prompts_max = 999, "batch_prompts_min exceeds");
    check_broken(|policy| policy.collector.batch_prompts_min = 33_601, "33600");
    check_broken(|policy| policy.collector.submission_prompts_max = 0, "submission_prompts_max");
}

#[test]
fn each_rule_of_prompts_holds_at_its_edge() {
    let mut policy = Policy::default();
    (policy.tasks.prompt_chars_min, policy.prompts.chars_left_min) = (25, 25);
    policy.tasks.prompt_chars_max = 74;
    (policy.prompts.chars_min, policy.prompts.chars_max, policy.prompts.sentence_chars_max) = (74, 74, 74);
    policy.collector.batch_prompts_min = 33_600;
    policy.collector.batch_prompts_max = 33_600;
    policy.collector.submission_prompts_max = 1;
    assert_eq!(policy.validate(), Ok(()));
    (policy.tasks.prompt_chars_max, policy.prompts.sentence_chars_max) = (2_000, 2_000);
    assert_eq!(policy.validate(), Ok(()));
}

#[test]
fn a_policy_survives_json() {
    let mut policy = Policy::default();
    policy.miners.cooldown_secs = 120;
    policy.submissions.threshold = 0.65;
    policy.metrics.lpips_weight = 0.123;
    for policy in [policy, Policy::upstream()] {
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy);
    }
}

#[test]
fn the_original_is_a_policy() {
    let policy = Policy::upstream();
    assert_eq!(policy.validate(), Ok(()));
    assert!(policy.submissions.upstream_feedback && !policy.judge.both_orders);
}

#[test]
fn a_policy_names_only_what_it_changes() {
    let policy: Policy = serde_json::from_str(r#"{"miners":{"cooldown_secs":120}}"#).unwrap();
    let mut expected = Policy::default();
    expected.miners.cooldown_secs = 120;
    assert_eq!(policy, expected);
    let misspelt = r#"{"miners":{"cooldown_sec":120}}"#;
    assert!(serde_json::from_str::<Policy>(misspelt).is_err());
}
