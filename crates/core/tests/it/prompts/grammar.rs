use std::collections::{BTreeMap, BTreeSet};

use sn17_core::prompts::{PromptRules, clean, grammar, key};

/// The first prompts of the grammar, 200 of each category, as `cargo run -p sn17-golden -- prompts` writes them.
const LIST: &str = include_str!("../../data/prompts.txt");

#[test]
fn every_prompt_is_distinct_and_passes_the_filters() {
    let rules = PromptRules::default();
    let (mut keys, mut lengths) = (BTreeSet::new(), BTreeSet::new());
    for n in 0..grammar::COUNT {
        let prompt = grammar::nth(n);
        assert_eq!(clean(&prompt, &rules).as_ref(), Ok(&prompt), "{prompt}");
        assert!(keys.insert(key(&prompt)), "{prompt} comes twice");
        assert!(prompt.split(' ').count() <= 12, "{prompt}");
        lengths.insert(prompt.len());
    }
    assert_eq!((lengths.first(), lengths.last()), (Some(&grammar::CHARS_MIN), Some(&grammar::CHARS_MAX)));
    assert!(keys.len() >= 30_000);
}

#[test]
fn all_thirty_categories_come_in_turn() {
    let names: BTreeSet<_> = grammar::categories().collect();
    assert_eq!((grammar::categories().len(), names.len()), (30, 30));
    let mut counts = BTreeMap::new();
    for n in 0..grammar::COUNT {
        *counts.entry(grammar::category(n)).or_insert(0) += 1;
    }
    assert!(counts.values().all(|count| *count == grammar::COUNT / 30));
    assert_eq!(grammar::categories().nth(3), Some(grammar::category(33)));
}

#[test]
fn the_committed_list_is_the_grammars() {
    let lines: Vec<_> = LIST.lines().collect();
    assert_eq!(lines.len(), 6_000);
    for (n, line) in lines.iter().enumerate() {
        assert_eq!(*line, grammar::nth(n));
    }
    assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), lines.len());
}

#[test]
fn neighbours_of_a_category_have_little_in_common() {
    for category in 0..30 {
        let leading: BTreeSet<_> =
            (0..8).map(|n| grammar::nth(category + 30 * n).split(' ').next().map(str::to_owned)).collect();
        assert!(leading.len() >= 4, "{leading:?}");
    }
}

#[test]
fn any_number_draws_a_prompt() {
    assert_eq!(grammar::draw(5), grammar::nth(5));
    assert_eq!(grammar::nth(grammar::COUNT + 7), grammar::nth(7));
    assert!(!grammar::draw(u128::MAX).is_empty() && !grammar::nth(usize::MAX).is_empty());
}
