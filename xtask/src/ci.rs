//! `cargo xtask ci`: the tests, the licence and advisory check, and the commands of the README.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::report::{Outcome, Report};
use crate::stages::{self, house};
use crate::workspace::Workspace;
use crate::{hand_over, process};

/// Before the commands of the README: the first one that fails ends them, and what they left running ends with them.
const README_PRELUDE: &str = "set -euxo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n";
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
    house(&mut report, "README", || {
        let commands = shell_blocks(&text);
        anyhow::ensure!(!commands.is_empty(), "no block of the README is fenced as ```sh");
        let mut command = Command::new("bash");
        command.arg("-c").arg(format!("{README_PRELUDE}{commands}")).current_dir(&workspace.root);
        hand_over::give_fixtures(workspace, &mut command);
        Ok(process::run(&mut command, COMMAND_LIMIT)?.into())
    });
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

/// The blocks fenced as shell in one piece, but for xtask's own commands: a reader runs them from top to bottom in one
/// shell, and so does this.
fn shell_blocks(readme: &str) -> String {
    let mut commands = String::new();
    let mut lines = readme.lines();
    while lines.by_ref().any(|line| line == "```sh") {
        let block = lines.by_ref().take_while(|line| *line != "```");
        for line in block.filter(|line| !line.starts_with("cargo xtask")) {
            commands.push_str(line);
            commands.push('\n');
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_blocks_are_run_in_order_and_nothing_else() {
        let readme = "# Title\n```sh\ncargo run --release -- demo\ncargo xtask test\n```\ntext\n```json\n{}\n```\n\
                      ```sh\ncat > x <<EOF\n  a\nEOF\n```\n";
        assert_eq!(shell_blocks(readme), "cargo run --release -- demo\ncat > x <<EOF\n  a\nEOF\n");
        assert_eq!(shell_blocks("no blocks\n```text\nls\n```\n"), "");
    }
}
