//! Unmodified miners of the Python SDK against our server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::hand_over::give_fixtures;
use crate::libtest;
use crate::process;
use crate::report::{Outcome, Report};
use crate::workspace::Workspace;

/// Bound on installing one SDK.
const INSTALL_LIMIT: Duration = Duration::from_secs(900);
/// Bound on one run of the miners.
const RUN_LIMIT: Duration = Duration::from_secs(900);
/// The file that tells a complete environment from one whose making was cut off; it holds the recipe.
const MARKER: &str = ".ready";

/// One version of the SDK and how it is installed.
struct Sdk {
    version: &'static str,
    /// Arguments of pip, one call a line.
    recipe: &'static [&'static [&'static str]],
}

/// The versions whose dendrite talks to an axon: 9.9.0 is the original's, 10.5.0 the last one that has it.
///
/// A fresh install of 9.x today takes a substrate interface that brings `cyscale`, whose module hides that of
/// `scalecodec`: hence the pin, and the repair of both should another package bring it in.
const SDKS: [Sdk; 2] = [
    Sdk {
        version: "9.9.0",
        recipe: &[
            &["install", "bittensor==9.9.0", "async-substrate-interface==1.5.2"],
            &["uninstall", "--yes", "cyscale"],
            &["install", "--force-reinstall", "--no-deps", "scalecodec==1.2.12"],
        ],
    },
    Sdk { version: "10.5.0", recipe: &[&["install", "bittensor==10.5.0"]] },
];

/// Runs `tests/python/run.py` under every version of the SDK.
///
/// The script finds the server program in `SN17_BIN` and prints a line `test NAME ... ok`, `... FAILED` or
/// `... ignored, REASON` for each of its tests.
pub(crate) fn run(workspace: &Workspace, report: &mut Report) -> anyhow::Result<()> {
    let script = workspace.root.join("tests/python/run.py");
    if !script.is_file() {
        let reason = format!("{} is not there", workspace.relative(&script).display());
        report.house("python miners", Outcome::Skipped(reason), Duration::ZERO);
        return Ok(());
    }
    let start = Instant::now();
    // The tests of the workspace need the same binary; it is built already when they were.
    let build =
        process::run(&mut workspace.cargo(&["test", "--quiet", "--workspace", "--no-run"]), INSTALL_LIMIT)?;
    if !build.is_success {
        report.house("python miners", Outcome::Failed(build.output()), start.elapsed());
        return Ok(());
    }
    let binary = workspace.target.join("debug").join(format!("sn17{}", std::env::consts::EXE_SUFFIX));
    for sdk in &SDKS {
        let start = Instant::now();
        let host = format!("bittensor {}", sdk.version);
        let python = match environment(workspace, sdk)? {
            Ok(python) => python,
            Err(reason) => {
                report.house(&format!("python miners, {host}"), Outcome::Skipped(reason), start.elapsed());
                continue;
            }
        };
        let mut command = Command::new(python);
        command.arg(&script).current_dir(&workspace.root).env("SN17_BIN", &binary);
        give_fixtures(workspace, &mut command);
        let finished = process::run(&mut command, RUN_LIMIT)?;
        let tests = libtest::read("python miners", &host, &finished);
        report.suite(&format!("python miners, {host}"), tests, start.elapsed());
    }
    Ok(())
}

/// The interpreter of an environment with the SDK, which is made if need be; the inner error says why it cannot.
fn environment(workspace: &Workspace, sdk: &Sdk) -> anyhow::Result<Result<PathBuf, String>> {
    let folder = workspace.keep().join(format!("venv-bittensor-{}", sdk.version));
    let python = folder.join("bin/python");
    let marker = folder.join(MARKER);
    let recipe = format!("{:?}\n", sdk.recipe);
    if fs::read_to_string(&marker).is_ok_and(|made_by| made_by == recipe) {
        return Ok(Ok(python));
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let made = match process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder), INSTALL_LIMIT) {
        Ok(made) => made,
        Err(error) => return Ok(Err(format!("Python 3 is needed: {error:#}"))),
    };
    if !made.is_success {
        return Ok(Err(format!("python3 -m venv: {}", made.output().trim())));
    }
    for arguments in sdk.recipe {
        if let Err(reason) = pip(&python, arguments)? {
            return Ok(Err(reason));
        }
    }
    let import = process::run(Command::new(&python).args(["-c", "import bittensor"]), INSTALL_LIMIT)?;
    if !import.is_success {
        return Ok(Err(format!("bittensor {} does not import: {}", sdk.version, import.last_words())));
    }
    fs::write(&marker, recipe).with_context(|| format!("cannot write {}", marker.display()))?;
    Ok(Ok(python))
}

fn pip(python: &Path, arguments: &[&str]) -> anyhow::Result<Result<(), String>> {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]).args(arguments);
    let finished = process::run(&mut command, INSTALL_LIMIT)?;
    if finished.is_success {
        return Ok(Ok(()));
    }
    Ok(Err(format!("pip {}: {}", arguments.join(" "), finished.last_words())))
}
