//! The stage of the tests that runs against the deployed network.

use std::time::{Duration, Instant};

use super::Local;
use super::deployment::{Outputs, State};
use crate::edge::{self, Build};
use crate::report::{Outcome, Report, Test, Verdict};
use crate::rust_tests::{DEPLOYED_THREADS, Host, Program};
use crate::stages::house;
use crate::workspace::Workspace;
use crate::{libtest, process, python, rust_tests};

/// The suite's name in the report.
const SUITE: &str = "aws";
/// What the engines stand for.
const HOST: &str = "ministack";
/// The tests of the adapters, which run against the engines alone.
const ADAPTERS: &str = "aws/it";
/// Bound on one test program.
const RUN_LIMIT: Duration = Duration::from_secs(1800);

/// Deploys the network, runs what there is to run against it, and ends it.
pub(crate) fn run(
    workspace: &Workspace,
    programs: &[Program],
    edges: &[Build],
    report: &mut Report,
) -> anyhow::Result<()> {
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
    let tested = test(workspace, &local, &outputs, programs, report)
        .and_then(|()| edge::test_stage(workspace, &local, &outputs, edges, programs, report));
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
    for program in programs.iter().filter(|program| program.suite == ADAPTERS) {
        let start = Instant::now();
        let mut command = program.command(workspace);
        command.env("RUST_TEST_THREADS", DEPLOYED_THREADS).env("SN17_AWS_ENDPOINT", &outputs.endpoint);
        let finished = process::run(&mut command, RUN_LIMIT)?;
        let tests = libtest::read(&program.suite, HOST, &finished);
        report.suite(&format!("{}, {HOST}", program.suite), tests, start.elapsed());
    }
    rust_tests::run_deployed(workspace, Host::Lambda, &local.outputs_file(), programs, report)?;
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
