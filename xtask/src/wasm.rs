//! The WASM stages: the crates of every host compile for it, and the vectors are built for the interpreter.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Finished};
use crate::report::Outcome;
use crate::workspace::Workspace;

/// The target of the edge hosts.
const TARGET: &str = "wasm32-unknown-unknown";
/// The crates that every host runs.
const PACKAGES: [&str; 5] = ["sn17-core", "sn17-splat", "sn17-wire", "sn17-app", "sn17-http"];
/// Bound on fetching the target.
const FETCH_LIMIT: Duration = Duration::from_secs(300);
/// Bound on one build.
const BUILD_LIMIT: Duration = Duration::from_secs(1800);

/// Makes sure that the target is installed; the error says why it cannot be had.
pub(crate) fn install_target() -> anyhow::Result<Result<(), String>> {
    let probe = process::run(
        Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]),
        FETCH_LIMIT,
    )?;
    if PathBuf::from(probe.stdout.trim()).is_dir() {
        return Ok(Ok(()));
    }
    let added = process::run(Command::new("rustup").args(["target", "add", TARGET]), FETCH_LIMIT);
    Ok(match added {
        Ok(Finished { is_success: true, .. }) => Ok(()),
        Ok(finished) => Err(format!("rustup cannot add {TARGET}: {}", finished.last_words())),
        Err(error) => Err(format!("{TARGET} is not installed: {error:#}")),
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
