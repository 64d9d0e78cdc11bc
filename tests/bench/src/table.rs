//! The figures as aligned text.

use std::fmt::Write;

use crate::contest::Measured;

/// One line a measurement, with its note below.
pub(crate) fn render(measured: &[Measured]) -> String {
    let heading = ["name", "value", "unit", "baseline", "ratio", "spread", "runs"].map(str::to_owned);
    let row = |one: &Measured| {
        [
            one.name.to_owned(),
            figure(one.value),
            one.unit.to_owned(),
            figure(one.baseline),
            figure(one.ratio),
            format!("{:.0} %", one.spread * 100.0),
            one.runs.to_string(),
        ]
    };
    let rows: Vec<[String; 7]> = measured.iter().map(row).collect();
    let mut widths = [0; 7];
    for cells in rows.iter().chain([&heading]) {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    line(&mut text, &heading, widths);
    for (cells, one) in rows.iter().zip(measured) {
        line(&mut text, cells, widths);
        let _ = writeln!(text, "  {}", one.note);
    }
    text
}

/// Names and units to the left, numbers to the right. Writing to a string cannot fail.
fn line(text: &mut String, cells: &[String; 7], widths: [usize; 7]) {
    for (position, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let _ = match position {
            0 | 2 => write!(text, "{cell:<width$}  "),
            _ => write!(text, "{cell:>width$}  "),
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
