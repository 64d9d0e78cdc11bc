use proptest::prelude::*;
use sn17_core::prompts::{
    Batch, Origin, Outcome, PromptRules, Refused, Seen, Statistics, Style, Tally, grammar, key,
};

const ORIGIN: Origin<'_> = Origin { category: "robots", model: "small" };

fn offer(batch: &mut Batch, seen: &mut Seen, line: &str) -> Outcome {
    batch.offer(line, Style::Phrase, ORIGIN, &PromptRules::default(), seen)
}

#[test]
fn a_prompt_is_taken_once_across_batches() {
    let mut seen = Seen::new(10);
    let (mut first, mut second) = (Batch::default(), Batch::default());
    assert_eq!(offer(&mut first, &mut seen, "1. A rusty robot with long arms"), Outcome::Kept);
    assert_eq!(offer(&mut first, &mut seen, "Rusty   robot with THE long arms."), Outcome::RepeatedInBatch);
    assert_eq!(offer(&mut second, &mut seen, "rusty robot with long arms"), Outcome::RepeatedEarlier);
    assert_eq!(offer(&mut second, &mut seen, "rusty robot with long arms"), Outcome::RepeatedEarlier);
    assert_eq!(offer(&mut second, &mut seen, "rusty robot"), Outcome::Refused(Refused::FewWords));
    assert_eq!(first.prompts(), ["rusty robot with long arms"]);
    assert_eq!(second.finish().0, [""; 0]);
}

#[test]
fn equal_but_for_case_articles_marks_and_white_space() {
    let one = key("A well-worn robot, with the long arms.");
    assert_eq!(one, key("  well-worn\tROBOT with long arms"));
    assert_ne!(one, key("worn robot with long arms"));
    assert_ne!(key("ab c"), key("a bc"));
    assert_eq!(key(""), key("the a an ..."));
}

#[test]
fn only_the_most_recent_are_remembered() {
    let mut seen = Seen::new(2);
    assert!(seen.is_empty() && seen.insert("one") && seen.insert("two") && !seen.insert("one"));
    assert!(seen.insert("three"));
    assert_eq!(seen.len(), 2);
    assert!(!seen.contains("one") && seen.contains("two") && seen.contains("three"));
    let mut nothing = Seen::new(0);
    assert!(nothing.insert("one") && nothing.insert("one") && nothing.is_empty());
}

#[test]
fn a_set_is_read_as_it_was_written_but_never_beyond_its_bound() {
    let mut seen = Seen::new(3);
    for n in 0..5 {
        seen.insert(&grammar::nth(n));
    }
    let json = serde_json::to_string(&seen).unwrap();
    assert_eq!(serde_json::from_str::<Seen>(&json).unwrap(), seen);
    let lying = r#"{"keys_max":2,"keys":[1,2,2,3]}"#;
    assert_eq!(serde_json::from_str::<Seen>(lying).unwrap().len(), 2);
}

#[test]
fn figures_say_what_became_of_every_line() {
    let (mut batch, mut seen) = (Batch::default(), Seen::new(100));
    seen.insert("old stone owl with spread wings");
    let lines = [
        "rusty robot with long arms",
        "rusty robot with short thick arms",
        "shiny robot with long arms",
        "Rusty robot with long arms",
        "old stone owl with spread wings",
        "robot beside the river bank",
        "robot",
    ];
    for (index, line) in lines.iter().enumerate() {
        let origin = Origin { category: if index < 2 { "robots" } else { "statues" }, model: "small" };
        batch.offer(line, Style::Phrase, origin, &PromptRules::default(), &mut seen);
    }
    let (prompts, statistics) = batch.finish();
    assert_eq!(prompts.len(), 3);
    assert_eq!((statistics.lines, statistics.kept), (7, 3));
    assert_eq!((statistics.repeated_in_batch, statistics.repeated_earlier), (1, 1));
    assert_eq!(statistics.refused.get(&Refused::StopWord), Some(&1));
    assert!((statistics.refused_share(Refused::FewWords) - 1.0 / 7.0).abs() < 1e-12);
    assert!((statistics.words_mean() - 16.0 / 3.0).abs() < 1e-12);
    assert_eq!(statistics.leading.get("rusty"), Some(&2));
    assert_eq!(statistics.categories["statues"], Tally { lines: 5, kept: 1 });
    assert_eq!(statistics.models["small"], Tally { lines: 7, kept: 3 });
    let mut twice = statistics.clone();
    twice.add(&statistics);
    assert_eq!((twice.lines, twice.kept, twice.refused[&Refused::FewWords]), (14, 6, 2));
    assert!((twice.kept_share() - statistics.kept_share()).abs() < 1e-12);
    let json = serde_json::to_string(&twice).unwrap();
    assert_eq!(serde_json::from_str::<Statistics>(&json).unwrap(), twice);
}

#[test]
fn figures_of_nothing_are_zero() {
    let statistics = Statistics::default();
    assert!(statistics.kept_share().abs() < 1e-12 && statistics.words_mean().abs() < 1e-12);
}

/// Names come from a model's answers when it chooses the category: they must not fill the memory.
#[test]
fn categories_beyond_a_bound_are_counted_together() {
    let (mut batch, mut seen) = (Batch::default(), Seen::new(0));
    for n in 0..1_000 {
        let category = n.to_string();
        let origin = Origin { category: &category, model: "small" };
        batch.offer("too short", Style::Phrase, origin, &PromptRules::default(), &mut seen);
    }
    let categories = &batch.statistics().categories;
    assert_eq!((categories.len(), categories["other"].lines), (257, 744));
}

proptest! {
    #[test]
    fn the_figures_add_up(lines in prop::collection::vec("(a|robot|river|with|red|-| ){0,9}", 0..60)) {
        let (mut batch, mut seen) = (Batch::default(), Seen::new(8));
        for line in &lines {
            offer(&mut batch, &mut seen, line);
        }
        let (prompts, statistics) = batch.finish();
        let refused: u64 = statistics.refused.values().sum();
        prop_assert_eq!(statistics.lines, lines.len() as u64);
        prop_assert_eq!(statistics.kept, prompts.len() as u64);
        let repeated = statistics.repeated_in_batch + statistics.repeated_earlier;
        prop_assert_eq!(statistics.lines, statistics.kept + repeated + refused);
        prop_assert_eq!(statistics.words.values().sum::<u64>(), statistics.kept);
    }
}
