//! The figures as aligned text.

use std::fmt::Write;

use crate::contest::Measured;

/// What stands above the columns.
const HEADING: [&str; 9] =
    ["name", "value", "unit", "baseline", "ratio", "range", "spread", "runs", "budget"];
/// The columns of words; the others are numbers.
const WORDS: [usize; 3] = [0, 2, 8];

/// One line a figure, with the note of its measurement below the last of them.
pub(crate) fn render(measured: &[Measured]) -> String {
    let rows: Vec<[String; 9]> = measured.iter().map(row).collect();
    let heading = HEADING.map(str::to_owned);
    let mut widths = [0; 9];
    for cells in rows.iter().chain([&heading]) {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    line(&mut text, &heading, widths);
    for (position, (cells, one)) in rows.iter().zip(measured).enumerate() {
        line(&mut text, cells, widths);
        let next = measured.get(position + 1);
        if next.is_none_or(|next| next.note != one.note) {
            let _ = writeln!(text, "  {}; load {}", one.note, one.load);
        }
    }
    text
}

fn row(one: &Measured) -> [String; 9] {
    let [lowest, highest] = one.ratio_range;
    let verdict = match one.is_met {
        Some(true) => ": met",
        Some(false) => ": MISSED",
        None => "",
    };
    [
        one.name.to_owned(),
        figure(one.value),
        one.unit.to_owned(),
        figure(one.baseline),
        figure(one.ratio),
        format!("{}-{}", figure(lowest), figure(highest)),
        format!("{:.0} %", one.spread * 100.0),
        one.runs.to_string(),
        one.budget.as_ref().map(|budget| format!("{budget}{verdict}")).unwrap_or_default(),
    ]
}

/// Names and units to the left, numbers to the right. Writing to a string cannot fail.
fn line(text: &mut String, cells: &[String; 9], widths: [usize; 9]) {
    for (position, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let _ = if WORDS.contains(&position) {
            write!(text, "{cell:<width$}  ")
        } else {
            write!(text, "{cell:>width$}  ")
        };
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
}

/// Four significant digits, as far as that needs decimals.
fn figure(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}
