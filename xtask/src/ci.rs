//! `cargo xtask ci`: the tests, the licence and advisory check, and the commands of the README.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::report::{Outcome, Report};
use crate::stages::{self, house};
use crate::workspace::Workspace;
use crate::{hand_over, process};

/// The line of the README before a block whose commands are run here.
const README_MARK: &str = "<!-- run by `cargo xtask ci` -->";
/// Bound on one command.
const COMMAND_LIMIT: Duration = Duration::from_secs(3600);

/// Runs everything and writes the report; whether nothing failed.
pub(crate) fn ci(workspace: &Workspace) -> anyhow::Result<bool> {
    let mut report = Report::default();
    stages::run(workspace, &mut report)?;
    house(&mut report, "deny", || deny(workspace, &["bans", "licenses", "sources"]));
    house(&mut report, "advisories", || deny(workspace, &["advisories"]));
    let readme = workspace.root.join("README.md");
    let text = fs::read_to_string(&readme).with_context(|| format!("cannot read {}", readme.display()))?;
    let commands = marked_commands(&text);
    if commands.is_empty() {
        let reason = format!("no block is marked `{README_MARK}`");
        report.house("README", Outcome::Skipped(reason), Duration::ZERO);
    }
    for line in commands {
        house(&mut report, &format!("README: {line}"), || {
            let mut command = Command::new("bash");
            command.args(["-euo", "pipefail", "-c", line]).current_dir(&workspace.root);
            hand_over::give_fixtures(workspace, &mut command);
            Ok(process::run(&mut command, COMMAND_LIMIT)?.into())
        });
    }
    report.close(workspace)
}

/// cargo-deny takes minutes to build, so it is used where it is installed and not fetched otherwise.
fn deny(workspace: &Workspace, checks: &[&str]) -> anyhow::Result<Outcome> {
    if !process::run(&mut workspace.cargo(&["deny", "--version"]), COMMAND_LIMIT)?.is_success {
        return Ok(Outcome::Skipped("cargo-deny is not installed".into()));
    }
    let finished = process::run(workspace.cargo(&["deny", "check"]).args(checks), COMMAND_LIMIT)?;
    if finished.stderr.contains("failed to fetch advisory database") {
        return Ok(Outcome::Skipped("the advisory database cannot be reached".into()));
    }
    Ok(finished.into())
}

/// The lines of the fenced blocks right below [`README_MARK`], but for comments and for xtask's own commands.
fn marked_commands(readme: &str) -> Vec<&str> {
    let mut commands = Vec::new();
    let mut lines = readme.lines();
    while lines.by_ref().any(|line| line.trim() == README_MARK) {
        let block = lines.by_ref().skip_while(|line| !line.starts_with("```")).skip(1);
        let block = block.take_while(|line| !line.starts_with("```"));
        commands.extend(
            block.map(str::trim).filter(|line| {
                !line.is_empty() && !line.starts_with('#') && !line.starts_with("cargo xtask")
            }),
        );
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marked_blocks_are_run() {
        let readme = format!(
            "# Title\n```sh\nrm -r x\n```\n{README_MARK}\n```sh\n# demo\ncargo run --release -- demo\n\
             cargo xtask test\n```\ntext\n{README_MARK}\n```sh\nls\n```\n"
        );
        assert_eq!(marked_commands(&readme), ["cargo run --release -- demo", "ls"]);
    }
}
