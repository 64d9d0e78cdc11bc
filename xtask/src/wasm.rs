//! The WASM stages: the crates of every host compile for it, and the vectors and the recorded day are built for the
//! interpreter.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Finished};
use crate::report::Outcome;
use crate::workspace::Workspace;

/// The target that has nothing but what its host gives: what compiles for it compiles for every host.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// The target of programs that have a console and nothing else.
const CONSOLE_TARGET: &str = "wasm32-wasip1";
/// The crates that every host runs, and the one that everything on AWS's services runs.
const PACKAGES: [&str; 6] = ["sn17-core", "sn17-splat", "sn17-wire", "sn17-app", "sn17-http", "sn17-aws"];
/// Bound on fetching the target.
const FETCH_LIMIT: Duration = Duration::from_secs(300);
/// Bound on one build.
const BUILD_LIMIT: Duration = Duration::from_secs(1800);

/// Makes sure that a target is installed; the inner error says why it cannot be had.
pub(crate) fn install_target(target: &str) -> anyhow::Result<Result<(), String>> {
    let probe = process::run(
        Command::new("rustc").args(["--print", "target-libdir", "--target", target]),
        FETCH_LIMIT,
    )?;
    if PathBuf::from(probe.stdout.trim()).is_dir() {
        return Ok(Ok(()));
    }
    let added = process::run(Command::new("rustup").args(["target", "add", target]), FETCH_LIMIT);
    Ok(match added {
        Ok(Finished { is_success: true, .. }) => Ok(()),
        Ok(finished) => Err(format!("rustup cannot add {target}: {}", finished.last_words())),
        Err(error) => Err(format!("{target} is not installed: {error:#}")),
    })
}

/// Checks the crates that must compile for every host.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<Outcome> {
    let mut command = workspace.cargo(&["check", "--quiet", "--target", TARGET]);
    for package in PACKAGES {
        command.args(["--package", package]);
    }
    Ok(process::run(&mut command, BUILD_LIMIT)?.into())
}

/// Builds the vectors for the interpreter; the folder that then holds them.
pub(crate) fn build_vectors(workspace: &Workspace) -> anyhow::Result<(Outcome, PathBuf)> {
    let arguments = ["build", "--quiet", "--package", "sn17-wasm-vectors", "--bins", "--target", TARGET];
    let finished = process::run(&mut workspace.cargo(&arguments), BUILD_LIMIT)?;
    let folder = workspace.target.join(TARGET).join("debug");
    Ok((finished.into(), folder))
}

/// Builds the program that replays a recorded day, and says where it lies.
pub(crate) fn build_day(workspace: &Workspace) -> anyhow::Result<(Outcome, PathBuf)> {
    let program = workspace.target.join(CONSOLE_TARGET).join("debug").join("day.wasm");
    if let Err(reason) = install_target(CONSOLE_TARGET)? {
        return Ok((Outcome::Skipped(reason), program));
    }
    let mut build = workspace.cargo(&["build", "--quiet", "--package", "sn17-wasm-vectors"]);
    build.args(["--bin", "day", "--target", CONSOLE_TARGET]);
    Ok((process::run(&mut build, BUILD_LIMIT)?.into(), program))
}
