//! How good a harvest of prompts is, as a table.

use std::fmt::Write as _;

use sn17_core::prompts::{Refused, Statistics, Tally};
use sn17_llm::generators::Calls;

/// The quality of the lines that came, and what became of the calls that brought them if there were any.
pub(super) fn table(statistics: &Statistics, calls: &Calls) -> String {
    let mut table = String::new();
    row(&mut table, "lines", statistics.lines, statistics);
    row(&mut table, "prompts", statistics.kept, statistics);
    for refused in Refused::ALL {
        let lines = statistics.refused.get(&refused).copied().unwrap_or(0);
        row(&mut table, &format!("refused: {refused}"), lines, statistics);
    }
    row(&mut table, "repeated among them", statistics.repeated_in_batch, statistics);
    row(&mut table, "repeated from earlier", statistics.repeated_earlier, statistics);
    say(&mut table, "words of a prompt", &format!("{:.1} on average", statistics.words_mean()));
    if let Some((word, prompts)) = statistics.leading.iter().max_by_key(|(_, prompts)| **prompts) {
        let share = percent(*prompts, statistics.kept);
        say(&mut table, "commonest first word", &format!("{word} ({share:.1} %)"));
    }
    let kept = || statistics.categories.values().map(|tally| tally.kept);
    if let (Some(least), Some(most)) = (kept().min(), kept().max()) {
        let categories = statistics.categories.len();
        say(&mut table, "categories", &format!("{categories}, of {least} to {most} prompts"));
    }
    for (model, Tally { lines, kept }) in &statistics.models {
        say(&mut table, "by", &format!("{model}: {kept} of {lines} lines"));
    }
    if calls.asked > 0 {
        let Calls { asked, answered, invalid, unavailable, refused, throttled, other_initials } = calls;
        let words = format!(
            "{asked}: {answered} answered, {invalid} malformed, {unavailable} unavailable, {refused} refused, {throttled} throttled"
        );
        say(&mut table, "calls", &words);
        if *other_initials > 0 {
            say(&mut table, "of other initials", &other_initials.to_string());
        }
    }
    table
}

fn row(table: &mut String, name: &str, lines: u64, statistics: &Statistics) {
    let share = percent(lines, statistics.lines);
    // Writing to a string cannot fail.
    let _ = writeln!(table, "{name:<52} {lines:>8} {share:>6.1} %");
}

fn say(table: &mut String, name: &str, words: &str) {
    let _ = writeln!(table, "{name:<22} {words}");
}

#[expect(clippy::cast_precision_loss, reason = "counts of lines are far below 2^52")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use sn17_core::prompts::{Batch, Origin, PromptRules, Seen, Style};

    use super::*;

    #[test]
    fn every_filter_has_its_line() {
        let (mut batch, mut seen) = (Batch::default(), Seen::new(100));
        seen.insert("rusty robot with long arms");
        for line in [
            "old fox with red scarf",
            "an old fox with red scarf",
            "rusty robot with long arms",
            "a fox",
            "lonely lighthouse over stormy sea",
        ] {
            let origin = Origin { category: "animals", model: "m" };
            batch.offer(line, Style::Phrase, origin, &PromptRules::default(), &mut seen);
        }
        let calls = Calls { asked: 2, answered: 1, unavailable: 1, ..Calls::default() };
        let table = table(batch.statistics(), &calls);
        let has = |name: &str, rest: &str| {
            let found = table.lines().any(|line| line.starts_with(name) && line.ends_with(rest));
            assert!(found, "{name} {rest}:\n{table}");
        };
        has("lines ", " 5  100.0 %");
        has("prompts ", " 1   20.0 %");
        has("refused: too few words ", " 1   20.0 %");
        has("refused: has a stop word ", " 1   20.0 %");
        has("refused: too little is left ", " 0    0.0 %");
        has("repeated among them ", " 1   20.0 %");
        has("repeated from earlier ", " 1   20.0 %");
        has("words of a prompt ", "5.0 on average");
        has("commonest first word ", "old (100.0 %)");
        has("categories ", "1, of 1 to 1 prompts");
        has("by ", "m: 1 of 5 lines");
        has("calls ", "2: 1 answered, 0 malformed, 1 unavailable, 0 refused, 0 throttled");
    }
}
