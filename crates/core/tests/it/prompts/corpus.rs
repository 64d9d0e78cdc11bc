use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use sn17_core::prompts::{Batch, Origin, Outcome, PromptRules, Refused, Seen, Style, grammar};

/// Synthetic lines as language models write them, each with the filter that must refuse it.
const CORPUS: &str = include_str!("../../data/raw-lines.tsv");

fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    CORPUS.lines().map(|line| line.split_once('\t').expect("a label and a tab"))
}

fn label(outcome: Outcome) -> String {
    match outcome {
        Outcome::Kept => "keep".to_owned(),
        Outcome::RepeatedInBatch | Outcome::RepeatedEarlier => "repeated".to_owned(),
        Outcome::Refused(refused) => json!(refused).as_str().expect("a name").to_owned(),
    }
}

/// The share refused by each filter is the share of lines spoilt for it, line by line.
#[test]
fn every_line_meets_the_filter_it_was_spoilt_for() {
    let rules = PromptRules::default();
    let (mut batch, mut seen) = (Batch::default(), Seen::new(100_000));
    let mut shares = BTreeMap::new();
    let mut wrong = Vec::new();
    for (expected, line) in lines() {
        let origin = Origin { category: "corpus", model: "synthetic" };
        let outcome = label(batch.offer(line, Style::Phrase, origin, &rules, &mut seen));
        if outcome != expected {
            wrong.push((expected, outcome.clone(), line));
        }
        *shares.entry(outcome).or_insert(0) += 1;
    }
    assert!(wrong.is_empty(), "{} lines, first {:?}", wrong.len(), &wrong[..wrong.len().min(9)]);
    let (prompts, statistics) = batch.finish();
    assert_eq!(statistics.lines, 10_000);
    for (outcome, count) in &shares {
        println!("{outcome:12} {:6.2} %", f64::from(*count) / 100.0);
    }
    println!("{:.2} words on average, {} first words", statistics.words_mean(), statistics.leading.len());
    assert!(Refused::ALL.iter().all(|refused| statistics.refused_share(*refused) > 0.0));

    // What is left is the prompt itself, without anything that was put around it.
    let grammar: BTreeSet<String> = (0..grammar::COUNT).map(grammar::nth).collect();
    assert!(prompts.iter().all(|prompt| grammar.contains(prompt)));
}

#[test]
fn the_order_of_batches_does_not_matter_to_the_filters() {
    let rules = PromptRules::default();
    let count = |lines: Vec<&str>| {
        let (mut batch, mut seen) = (Batch::default(), Seen::new(100_000));
        for line in lines {
            batch.offer(line, Style::Phrase, Origin { category: "", model: "" }, &rules, &mut seen);
        }
        let (mut prompts, statistics) = batch.finish();
        prompts.sort_unstable();
        (prompts, statistics)
    };
    let forwards = count(lines().map(|(_, line)| line).collect());
    let backwards = count(lines().map(|(_, line)| line).collect::<Vec<_>>().into_iter().rev().collect());
    assert!(forwards == backwards, "{:?}", forwards.1.refused);
}
