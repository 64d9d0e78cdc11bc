use std::collections::BTreeSet;

use sn17_core::UnixMs;
use sn17_core::prompts::collector::{Collector, CollectorRules, Receipt, Refresh};
use sn17_core::prompts::{PromptRules, grammar};

const RULES: CollectorRules = CollectorRules {
    batch_prompts_max: 10,
    batch_prompts_min: 4,
    submission_prompts_max: 6,
    archive_prompts_max: 8,
    refresh_secs: 3600,
    retry_secs: 60,
    stake_min: 1.0,
};

fn submit(collector: &mut Collector, numbers: std::ops::Range<usize>) -> Receipt {
    let prompts: Vec<_> = numbers.map(grammar::nth).collect();
    collector.submit(&prompts, &RULES, &PromptRules::default())
}

fn set(numbers: std::ops::Range<usize>) -> BTreeSet<String> {
    numbers.map(grammar::nth).collect()
}

#[test]
fn the_numbers_are_the_originals() {
    let rules = CollectorRules::default();
    assert_eq!(
        (rules.batch_prompts_max, rules.batch_prompts_min, rules.refresh_secs),
        (100_000, 1_000, 3600)
    );
    assert!(!rules.takes(999) && rules.takes(1_000));
}

#[test]
fn a_submission_is_filtered_bounded_and_told_what_became_of_it() {
    let mut collector = Collector::new(&RULES);
    let mut prompts: Vec<_> = (0..3).map(grammar::nth).collect();
    prompts.push(grammar::nth(0).to_uppercase());
    prompts.push("castle in a forest".to_owned());
    prompts.push("rusty robot with arms\u{0}".to_owned());
    prompts.extend((3..9).map(grammar::nth));
    let receipt = collector.submit(&prompts, &RULES, &PromptRules::default());
    assert_eq!(receipt, Receipt { taken: 4, refused: 1, repeated: 1, ignored: 6 });
    assert_eq!(submit(&mut collector, 0..3), Receipt { repeated: 3, ..Receipt::default() });
    assert_eq!((collector.fresh_len(), collector.archive_len()), (4, 0));
}

#[test]
fn a_batch_is_all_that_is_fresh_filled_up_from_the_archive() {
    let mut collector = Collector::new(&RULES);
    assert!(collector.batch(1, &RULES).is_empty());
    for start in [0, 6, 12] {
        submit(&mut collector, start..start + 6);
    }
    // 18 are fresh: without the oldest six, the rest still fills a batch.
    assert_eq!((collector.fresh_len(), collector.archive_len()), (12, 6));
    let fresh = set(6..18);
    let batch = collector.batch(1, &RULES);
    assert_eq!(batch.len(), 10);
    assert!(batch.iter().all(|prompt| fresh.contains(*prompt)));

    let roomy = CollectorRules { batch_prompts_max: 15, ..RULES };
    let batch: BTreeSet<_> = collector.batch(2, &roomy).into_iter().map(str::to_owned).collect();
    assert_eq!(batch.len(), 15);
    assert!(batch.is_superset(&fresh));
    assert!(batch.difference(&fresh).all(|prompt| set(0..6).contains(prompt)));
}

#[test]
fn a_batch_follows_from_its_random_number() {
    let mut collector = Collector::new(&RULES);
    submit(&mut collector, 0..6);
    assert_eq!(collector.batch(7, &RULES), collector.batch(7, &RULES));
    let orders: BTreeSet<_> = (0..40).map(|random| collector.batch(random, &RULES)).collect();
    assert!(orders.len() > 30, "720 orders, and only {} of 40 differ", orders.len());
}

#[test]
fn the_archive_forgets_its_oldest() {
    let mut collector = Collector::new(&RULES);
    for start in (0..60).step_by(6) {
        submit(&mut collector, start..start + 6);
        assert!(collector.fresh_len() < RULES.batch_prompts_max + RULES.submission_prompts_max);
    }
    assert_eq!((collector.fresh_len(), collector.archive_len()), (12, 8));
    let everything = CollectorRules { batch_prompts_max: 100, ..RULES };
    let batch: BTreeSet<_> = collector.batch(1, &everything).into_iter().map(str::to_owned).collect();
    assert_eq!(batch, set(40..60));
}

#[test]
fn a_collector_is_read_as_it_was_written() {
    let mut collector = Collector::new(&RULES);
    submit(&mut collector, 0..6);
    let json = serde_json::to_string(&collector).unwrap();
    let mut read: Collector = serde_json::from_str(&json).unwrap();
    assert_eq!(read, collector);
    assert_eq!(submit(&mut read, 0..6).repeated, 6);
}

#[test]
fn batches_are_asked_for_hourly_and_after_failures_by_the_minute() {
    let at = UnixMs::from_secs;
    let mut refresh = Refresh::default();
    assert!(refresh.is_due(at(0), &RULES));
    assert!(refresh.note(at(100), 4, &RULES));
    assert!(!refresh.is_due(at(3_699), &RULES) && refresh.is_due(at(3_700), &RULES));
    assert!(!refresh.note(at(3_700), 3, &RULES), "fewer than the least");
    assert!(!refresh.is_due(at(3_759), &RULES) && refresh.is_due(at(3_760), &RULES));
    assert!(refresh.note(at(3_760), 10, &RULES));
    assert!(!refresh.is_due(at(7_359), &RULES) && refresh.is_due(at(7_360), &RULES));
    assert_eq!(serde_json::from_str::<Refresh>("{}").unwrap(), Refresh::default());
}
