//! What was checked and how it went: the lines on the screen and target/report/tests.json.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::process::Finished;
use crate::workspace::Workspace;

/// How one test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// It holds.
    Passed,
    /// It does not hold, or could not be tried because of a fault of ours.
    Failed,
    /// It was not tried, for the reason given.
    Skipped,
}

/// One test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Test {
    /// The group it belongs to: a package and target, or `house`.
    pub(crate) suite: String,
    /// What it ran on: `native`, or a client or runtime.
    pub(crate) host: String,
    /// The test's own name.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) result: Verdict,
    /// Why it was skipped, or what went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// Collects tests as they end.
#[derive(Debug, Default)]
pub(crate) struct Report {
    tests: Vec<Test>,
}

impl Report {
    /// Notes the tests of one suite and prints a line about them, with the text of those that did not pass.
    pub(crate) fn suite(&mut self, label: &str, tests: Vec<Test>, took: Duration) {
        let (passed, failed, skipped) = count(&tests);
        let figures = format!("{passed} passed, {failed} failed, {skipped} skipped");
        println!("{label:<44} {figures:<36} {:>7.1} s", took.as_secs_f64());
        for test in &tests {
            match test.result {
                Verdict::Passed => {}
                Verdict::Failed => println!("  failed: {}{}", test.name, indented(test.reason.as_deref())),
                Verdict::Skipped => {
                    println!("  skipped: {}: {}", test.name, test.reason.as_deref().unwrap_or(""));
                }
            }
        }
        self.tests.extend(tests);
    }

    /// Notes one check of the house itself; `outcome` holds what is wrong, if anything.
    pub(crate) fn house(&mut self, name: &str, outcome: Outcome, took: Duration) {
        let (result, reason) = match outcome {
            Outcome::Passed => (Verdict::Passed, None),
            Outcome::Failed(reason) => (Verdict::Failed, Some(reason)),
            Outcome::Skipped(reason) => (Verdict::Skipped, Some(reason)),
        };
        let test = Test { suite: "house".into(), host: "native".into(), name: name.into(), result, reason };
        self.suite(name, vec![test], took);
    }

    /// Writes the report, prints the closing line, and tells whether nothing failed.
    pub(crate) fn close(self, workspace: &Workspace) -> anyhow::Result<bool> {
        let folder = workspace.keep().join("report");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let path = folder.join("tests.json");
        let text = serde_json::to_string_pretty(&self.tests)?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        let (passed, failed, skipped) = count(&self.tests);
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        Ok(failed == 0)
    }
}

/// How a check of the house ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold, and this is what is wrong.
    Failed(String),
    /// It was not tried, for this reason.
    Skipped(String),
}

impl From<Finished> for Outcome {
    fn from(finished: Finished) -> Self {
        if finished.is_success {
            return Self::Passed;
        }
        Self::Failed(format!("{}\n{}", finished.output().trim_end(), finished.ending))
    }
}

fn count(tests: &[Test]) -> (usize, usize, usize) {
    let of = |verdict| tests.iter().filter(|test| test.result == verdict).count();
    (of(Verdict::Passed), of(Verdict::Failed), of(Verdict::Skipped))
}

fn indented(text: Option<&str>) -> String {
    let lines = text.unwrap_or("").lines().map(|line| format!("\n    {line}"));
    lines.collect()
}
