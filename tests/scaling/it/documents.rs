//! The documents say what was measured.

use std::fs;
use std::path::PathBuf;

use sn17_scaling::costs;
use sn17_scaling::{Size, Trials, table};

use crate::costs::measure;

/// Compares a document with what it should say, or writes it where `SN17_WRITE_DOCS` is set.
fn check(name: &str, expected: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("SN17_WRITE_DOCS").is_some() {
        fs::write(&path, expected).expect("the document can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(found.lines()).find(|(expected, found)| expected != found);
    assert_eq!(differs, None, "docs/{name} is out of date (its head says how to write it anew)");
    assert_eq!(expected.lines().count(), found.lines().count(), "docs/{name} is out of date");
}

#[tokio::test]
async fn the_costs_are_as_documented() {
    check("costs.md", &costs::document(&measure().await));
}

#[test]
fn the_scaling_is_as_documented() {
    let trials = Trials::run(Size::Small);
    check("scaling.md", &table::document(&trials));
    trials.assert_bounds();
}
