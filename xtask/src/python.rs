//! Unmodified miners of the Python SDK against our server.

use std::env::consts::EXE_SUFFIX;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::environment::Environment;
use crate::hand_over::give_fixtures;
use crate::libtest;
use crate::process;
use crate::report::{Outcome, Report};
use crate::workspace::Workspace;

/// The program that runs the miners.
const SCRIPT: &str = "tests/python/run.py";
/// Bound on building the server.
const BUILD_LIMIT: Duration = Duration::from_secs(900);
/// Bound on one run of the miners.
const RUN_LIMIT: Duration = Duration::from_secs(900);

/// One version of the SDK and where it is installed.
struct Sdk {
    version: &'static str,
    environment: Environment,
}

/// The versions whose dendrite talks to an axon: 9.9.0 is the original's, 10.5.0 the last one that has it.
///
/// A fresh install of 9.x today takes a substrate interface that brings `cyscale`, whose module hides that of
/// `scalecodec`: hence the pin, and the repair of both should another package bring it in.
const SDKS: [Sdk; 2] = [
    Sdk {
        version: "9.9.0",
        environment: Environment {
            name: "bittensor-9.9.0",
            recipe: &[
                &["install", "bittensor==9.9.0", "async-substrate-interface==1.5.2"],
                &["uninstall", "--yes", "cyscale"],
                &["install", "--force-reinstall", "--no-deps", "scalecodec==1.2.12"],
            ],
            module: "bittensor",
        },
    },
    Sdk {
        version: "10.5.0",
        environment: Environment {
            name: "bittensor-10.5.0",
            recipe: &[&["install", "bittensor==10.5.0"]],
            module: "bittensor",
        },
    },
];

/// Runs `tests/python/run.py` under every version of the SDK.
///
/// The script finds the server program in `SN17_BIN` and prints a line `test NAME ... ok`, `... FAILED` or
/// `... ignored, REASON` for each of its tests.
pub(crate) fn run(workspace: &Workspace, report: &mut Report) -> anyhow::Result<()> {
    let script = workspace.root.join(SCRIPT);
    if !script.is_file() {
        let reason = format!("{} is not there", workspace.relative(&script).display());
        report.house("python miners", Outcome::Skipped(reason), Duration::ZERO);
        return Ok(());
    }
    let start = Instant::now();
    // The tests of the workspace need the same binary; it is built already when they were.
    let mut build = workspace.cargo(&["test", "--quiet", "--no-run"]);
    let build = process::run(build.args(workspace.native()), BUILD_LIMIT)?;
    if !build.is_success {
        report.house("python miners", Outcome::Failed(build.output()), start.elapsed());
        return Ok(());
    }
    let binary = workspace.target.join("debug").join(format!("sn17{EXE_SUFFIX}"));
    for sdk in &SDKS {
        let start = Instant::now();
        let host = format!("bittensor {}", sdk.version);
        let programs = match sdk.environment.programs(workspace)? {
            Ok(programs) => programs,
            Err(reason) => {
                report.house(&format!("python miners, {host}"), Outcome::Skipped(reason), start.elapsed());
                continue;
            }
        };
        let mut command = Command::new(programs.join("python"));
        command.arg(&script).current_dir(&workspace.root).env("SN17_BIN", &binary);
        give_fixtures(workspace, &mut command);
        let finished = process::run(&mut command, RUN_LIMIT)?;
        let tests = libtest::read("python miners", &host, &finished);
        report.suite(&format!("python miners, {host}"), tests, start.elapsed());
    }
    Ok(())
}

/// Runs the same miners of the SDK's last version against the functions that `outputs` describes.
pub(crate) fn run_deployed(workspace: &Workspace, outputs: &Path, report: &mut Report) -> anyhow::Result<()> {
    run_last(workspace, "lambda", outputs, None, report)
}

/// Runs them against the redirector in front of the edge that `outputs` describes.
pub(crate) fn run_redirected(
    workspace: &Workspace,
    edge: &str,
    outputs: &Path,
    report: &mut Report,
) -> anyhow::Result<()> {
    let redirector = workspace.target.join("debug").join(format!("sn17{EXE_SUFFIX}"));
    run_last(workspace, &format!("{edge} behind redirector"), outputs, Some(&redirector), report)
}

/// Runs the miners of the SDK's last version against a deployment, behind a redirector if one is given.
fn run_last(
    workspace: &Workspace,
    host: &str,
    outputs: &Path,
    redirector: Option<&Path>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let [.., sdk] = &SDKS;
    let start = Instant::now();
    let host = format!("{host}, bittensor {}", sdk.version);
    let label = format!("python miners, {host}");
    let programs = match sdk.environment.programs(workspace)? {
        Ok(programs) => programs,
        Err(reason) => {
            report.house(&label, Outcome::Skipped(reason), start.elapsed());
            return Ok(());
        }
    };
    let worker = workspace.target.join("debug/examples").join(format!("scripted_worker{EXE_SUFFIX}"));
    let mut command = Command::new(programs.join("python"));
    command.arg(workspace.root.join(SCRIPT)).current_dir(&workspace.root);
    command.env("SN17_AWS_OUTPUTS", outputs).env("SN17_SCRIPTED_WORKER", worker);
    if let Some(redirector) = redirector {
        command.env("SN17_REDIRECTOR", redirector);
    }
    give_fixtures(workspace, &mut command);
    let finished = process::run(&mut command, RUN_LIMIT)?;
    report.suite(&label, libtest::read("python miners", &host, &finished), start.elapsed());
    Ok(())
}
