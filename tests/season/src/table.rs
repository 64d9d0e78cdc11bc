//! A comparison as aligned text.

use std::fmt::Write;

use crate::comparison::{Comparison, Row, Spread};

const HEADING: [&str; 8] =
    ["policy", "judge", "duels", "calls", "tau by rating", "at equal calls", "tau by reward", "floor"];
/// Columns of words, which stand to the left.
const WORDS: usize = 2;

/// One line for each policy and judge; taus are mean [lowest, highest] over the seeds.
pub fn table(comparison: &Comparison) -> String {
    let mut lines = vec![HEADING.map(str::to_owned)];
    lines.extend(comparison.rows.iter().map(cells));
    let mut widths = [0; HEADING.len()];
    for cells in &lines {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for cells in &lines {
        let mut line = String::new();
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            // Writing to a string cannot fail.
            let _ = match column {
                0..WORDS => write!(line, "{cell:<width$}  "),
                _ => write!(line, "{cell:>width$}  "),
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn cells(row: &Row) -> [String; HEADING.len()] {
    [
        row.policy.to_owned(),
        row.judge.name().to_owned(),
        format!("{:.0}", row.duels),
        format!("{:.0}", row.judge_calls),
        spread(row.by_rating),
        spread(row.by_rating_at_equal_calls),
        spread(row.by_reward),
        row.floor.map_or_else(|| "-".to_owned(), |floor| format!("{floor:.2}")),
    ]
}

fn spread(Spread { mean, min, max }: Spread) -> String {
    format!("{mean:.3} [{min:.3}, {max:.3}]")
}
