//! Commands that are programs of their own, because they need the crates of the product.
//!
//! xtask itself depends on none of them: it must build and report when they do not.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::vulkan;
use crate::workspace::Workspace;

/// Runs the measurements of `tests/bench` in a release build.
pub(crate) fn bench(workspace: &Workspace, full: bool, names: &[String]) -> anyhow::Result<bool> {
    let mut command = workspace.cargo(&["run", "--release", "--quiet", "--package", "sn17-bench", "--"]);
    command.arg("--report").arg(workspace.keep().join("report/bench.json")).args(names);
    if full {
        command.arg("--full");
    }
    give_fixtures(workspace, &mut command);
    match vulkan::variables(workspace)? {
        Ok(variables) => {
            command.envs(variables);
        }
        Err(reason) => eprintln!("{reason}"),
    }
    succeed(&mut command)
}

/// Plays the seasons of `tests/season` in a release build.
pub(crate) fn season(workspace: &Workspace, full: bool) -> anyhow::Result<bool> {
    let mut command = workspace.cargo(&["run", "--release", "--quiet", "--package", "sn17-season", "--"]);
    command.arg("--report").arg(workspace.keep().join("report"));
    if full {
        command.arg("--full");
    }
    succeed(&mut command)
}

/// Runs a generator of `tests/golden`.
pub(crate) fn golden(workspace: &Workspace, what: &str, folder: &Path) -> anyhow::Result<bool> {
    let folder = absolute(folder)?;
    let mut command = workspace.cargo(&["run", "--quiet", "--package", "sn17-golden", "--", what]);
    succeed(command.arg(folder))
}

/// Tells a program where the sample files are, if there are any.
pub(crate) fn give_fixtures(workspace: &Workspace, command: &mut Command) {
    if let Some(folder) = workspace.fixtures() {
        command.env("SN17_FIXTURES", folder);
    }
}

/// Relative to where the user is, not to the root folder that cargo is run in.
fn absolute(folder: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(folder).with_context(|| format!("cannot find {}", folder.display()))
}

fn succeed(command: &mut Command) -> anyhow::Result<bool> {
    let status = command.status().context("cannot run cargo")?;
    Ok(status.success())
}
