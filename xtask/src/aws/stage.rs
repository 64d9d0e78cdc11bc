//! The stage of the tests that runs against the deployed network.

use std::time::{Duration, Instant};

use super::Local;
use super::deployment::{Outputs, State};
use crate::report::{Outcome, Report, Test, Verdict};
use crate::rust_tests::{DEPLOYED, Program};
use crate::stages::house;
use crate::workspace::Workspace;
use crate::{libtest, process, python};

/// The suite's name in the report.
const SUITE: &str = "aws";
/// What the engines stand for.
const HOST: &str = "ministack";
/// Bound on one test program.
const RUN_LIMIT: Duration = Duration::from_secs(1800);
/// Tests at once: they wait more than they compute.
const TEST_THREADS: &str = "16";

/// Deploys the network, runs what there is to run against it, and ends it.
pub(crate) fn run(workspace: &Workspace, programs: &[Program], report: &mut Report) -> anyhow::Result<()> {
    let local = Local::new(workspace)?;
    let start = Instant::now();
    let outputs = match local.up(workspace) {
        Ok(Ok(outputs)) => outputs,
        Ok(Err(reason)) => {
            report.house("aws", Outcome::Skipped(reason), start.elapsed());
            return Ok(());
        }
        Err(error) => {
            report.house("aws", Outcome::Failed(format!("{error:#}")), start.elapsed());
            return Ok(());
        }
    };
    report.suite("aws deployment", parts(&outputs), start.elapsed());
    let tested = test(workspace, &local, &outputs, programs, report);
    house(report, "aws down", || local.down().map(|_| Outcome::Passed));
    tested
}

fn test(
    workspace: &Workspace,
    local: &Local,
    outputs: &Outputs,
    programs: &[Program],
    report: &mut Report,
) -> anyhow::Result<()> {
    for program in programs {
        let start = Instant::now();
        let mut command = program.command(workspace);
        command.env("RUST_TEST_THREADS", TEST_THREADS).env("SN17_AWS_ENDPOINT", &outputs.endpoint);
        let host = match program.suite.as_str() {
            "aws/it" => HOST,
            "tests/it" => {
                command.arg(DEPLOYED).env("SN17_AWS_OUTPUTS", local.outputs_file());
                "lambda"
            }
            _ => continue,
        };
        let finished = process::run(&mut command, RUN_LIMIT)?;
        let tests = libtest::read(&program.suite, host, &finished);
        report.suite(&format!("{}, {host}", program.suite), tests, start.elapsed());
    }
    python::run_deployed(workspace, &local.outputs_file(), report)
}

/// The deployment as tests: one that stands for every part that was created, and one for each other part.
fn parts(outputs: &Outputs) -> Vec<Test> {
    let test = |name: &str, result, reason| Test {
        suite: SUITE.into(),
        host: HOST.into(),
        name: name.into(),
        result,
        reason,
    };
    let mut tests = vec![test("template.yaml", Verdict::Passed, None)];
    for part in outputs.not_created() {
        let result = match part.state {
            State::Created => Verdict::Passed,
            State::LeftOut => Verdict::Skipped,
            State::Failed => Verdict::Failed,
        };
        tests.push(test(&part.logical_id, result, part.reason.clone()));
    }
    tests
}
