//! Reading of what libtest prints.
//!
//! A test that cannot be tried here prints one line `skipped: REASON` and returns. Run with `--show-output`,
//! libtest shows the output of passed tests too, so that such a test is told from one that passed.

use std::collections::BTreeMap;

use crate::process::Finished;
use crate::report::{Test, Verdict};

/// The name of the test that stands for a whole program.
const PROGRAM: &str = "(program)";
/// Modules that say what the tests in them run on: each test's own one, if it is one of these.
const HOSTS: [&str; 4] = ["embedded", "lambda", "worker", "spin"];
/// How many lines of its output are shown of a program that ended badly.
const TAIL_LINES: usize = 20;

/// Reads what one test program left, or any program that prints in the same form.
///
/// A program that ends badly without a failed test, or whose own count differs, counts as one failed test.
pub(crate) fn read(suite: &str, host: &str, finished: &Finished) -> Vec<Test> {
    let stdout = &finished.stdout;
    let shown = shown_output(stdout);
    let mut tests = Vec::new();
    for line in stdout.lines() {
        let Some((name, result, reason)) = test_line(line) else {
            continue;
        };
        let output = shown.get(name);
        let skip_reason =
            output.and_then(|lines| lines.iter().find_map(|line| line.strip_prefix("skipped: ")));
        let (result, reason) = match (result, skip_reason) {
            (Verdict::Passed, Some(skip_reason)) => (Verdict::Skipped, Some(skip_reason.to_owned())),
            (Verdict::Failed, _) => (result, output.map(|lines| lines.join("\n"))),
            (Verdict::Passed | Verdict::Skipped, _) => (result, reason),
        };
        let host = name.rsplit("::").nth(1).filter(|module| HOSTS.contains(module)).unwrap_or(host);
        tests.push(Test { suite: suite.into(), host: host.into(), name: name.into(), result, reason });
    }
    let has_failed = tests.iter().any(|test| test.result == Verdict::Failed);
    let fault = if !finished.is_success && !has_failed {
        Some(format!("the program ended badly ({})", finished.ending))
    } else if summary(stdout).is_some_and(|total| total != tests.len()) {
        Some("the program counts other tests than it names".to_owned())
    } else {
        None
    };
    if let Some(fault) = fault {
        let output = finished.output();
        let lines: Vec<&str> = output.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        let reason = Some(format!("{fault}\n{}", tail.join("\n")));
        tests.push(Test {
            suite: suite.into(),
            host: host.into(),
            name: PROGRAM.into(),
            result: Verdict::Failed,
            reason,
        });
    }
    tests
}

/// The name, verdict and reason of a line such as `test name ... ok`.
fn test_line(line: &str) -> Option<(&str, Verdict, Option<String>)> {
    let (name, verdict) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let name = name.strip_suffix(" - should panic").unwrap_or(name);
    match verdict {
        "ok" => Some((name, Verdict::Passed, None)),
        "FAILED" => Some((name, Verdict::Failed, None)),
        _ => {
            let reason = verdict.strip_prefix("ignored")?.trim_start_matches(", ");
            let reason = if reason.is_empty() { "ignored" } else { reason };
            Some((name, Verdict::Skipped, Some(reason.to_owned())))
        }
    }
}

/// The captured output by test, from the sections `---- name stdout ----`.
fn shown_output(stdout: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut shown: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut current = None;
    for line in stdout.lines() {
        let heading = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"));
        match (heading, current) {
            (Some(name), _) => current = Some(name),
            (None, Some(_))
                if line == "successes:" || line == "failures:" || line.starts_with("test result: ") =>
            {
                current = None;
            }
            (None, Some(name)) => shown.entry(name).or_default().push(line),
            (None, None) => {}
        }
    }
    shown
}

/// How many tests the program says it ran or ignored; none without its closing lines.
fn summary(stdout: &str) -> Option<usize> {
    let counts = |line: &str| -> Option<usize> {
        let (_verdict, figures) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let figure =
            |part: &str| part.trim().split_once(' ').and_then(|(number, _)| number.parse::<usize>().ok());
        figures.split(';').take(3).map(figure).sum()
    };
    let totals: Vec<usize> = stdout.lines().filter_map(counts).collect();
    (!totals.is_empty()).then(|| totals.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
running 5 tests
test a::holds ... ok
test a::does_not ... FAILED
test a::panics - should panic ... ok
test slow ... ignored, takes a minute
test needs_files ... ok

successes:

---- needs_files stdout ----
skipped: SN17_FIXTURES is not set


successes:
    a::holds

failures:

---- a::does_not stdout ----
assertion failed: 1 == 2

failures:
    a::does_not

test result: FAILED. 3 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    fn finished(stdout: &str, is_success: bool) -> Finished {
        Finished { is_success, ending: "signal: 6".into(), stdout: stdout.into(), stderr: String::new() }
    }

    fn verdicts(tests: &[Test]) -> Vec<(&str, Verdict, Option<&str>)> {
        tests.iter().map(|test| (test.name.as_str(), test.result, test.reason.as_deref())).collect()
    }

    #[test]
    fn tells_passed_failed_ignored_and_skipped() {
        assert_eq!(
            verdicts(&read("suite", "native", &finished(OUTPUT, false))),
            [
                ("a::holds", Verdict::Passed, None),
                ("a::does_not", Verdict::Failed, Some("assertion failed: 1 == 2\n")),
                ("a::panics", Verdict::Passed, None),
                ("slow", Verdict::Skipped, Some("takes a minute")),
                ("needs_files", Verdict::Skipped, Some("SN17_FIXTURES is not set")),
            ]
        );
    }

    #[test]
    fn a_program_that_dies_has_failed() {
        let tests = read("suite", "native", &finished("running 2 tests\ntest one ... ok\n", false));
        assert_eq!(tests.len(), 2);
        assert_eq!(tests[1].result, Verdict::Failed);
    }

    #[test]
    fn a_program_that_loses_a_line_has_failed() {
        let stdout =
            "test one ... ok\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let tests = read("suite", "native", &finished(stdout, true));
        assert_eq!(tests[1].result, Verdict::Failed);
    }

    #[test]
    fn a_name_may_say_what_its_test_runs_on() {
        let stdout = "test mining::lambda::a ... ok\ntest mining::embedded::a ... ok\ntest b ... ok\n";
        let tests = read("suite", "native", &finished(stdout, true));
        let hosts: Vec<&str> = tests.iter().map(|test| test.host.as_str()).collect();
        assert_eq!(hosts, ["lambda", "embedded", "native"]);
    }

    #[test]
    fn nothing_to_run_is_fine() {
        let stdout =
            "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(read("suite", "native", &finished(stdout, true)), []);
    }
}
