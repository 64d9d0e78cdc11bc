//! The workspace's own tests: built by cargo, run and read one program at a time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::hand_over::give_fixtures;
use crate::libtest;
use crate::process;
use crate::report::{Outcome, Report};
use crate::workspace::Workspace;

/// Bound on building every test program.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);
/// Bound on one test program.
const RUN_LIMIT: Duration = Duration::from_secs(1800);

/// A test program that cargo built.
#[derive(Debug)]
struct Program {
    suite: String,
    /// The package's folder, in which cargo would run it.
    folder: PathBuf,
    executable: PathBuf,
}

/// Builds and runs every unit and integration test of the workspace.
pub(crate) fn run(workspace: &Workspace, vectors: Option<&Path>, report: &mut Report) -> anyhow::Result<()> {
    let start = Instant::now();
    let arguments =
        ["test", "--workspace", "--no-run", "--no-fail-fast", "--message-format", "json-render-diagnostics"];
    let built = process::run(&mut workspace.cargo(&arguments), BUILD_LIMIT)?;
    let outcome = if built.is_success { Outcome::Passed } else { Outcome::Failed(built.stderr) };
    report.house("build of the tests", outcome, start.elapsed());
    // What was built before another package failed is still worth running.
    for program in built.stdout.lines().filter_map(program_of) {
        let start = Instant::now();
        let mut command = Command::new(&program.executable);
        command.arg("--show-output").current_dir(&program.folder).env("CARGO_MANIFEST_DIR", &program.folder);
        give_fixtures(workspace, &mut command);
        if let Some(vectors) = vectors {
            command.env("SN17_WASM_VECTORS", vectors);
        }
        let finished = process::run(&mut command, RUN_LIMIT)?;
        let tests = libtest::read(&program.suite, "native", &finished);
        if !tests.is_empty() {
            report.suite(&program.suite, tests, start.elapsed());
        }
    }
    Ok(())
}

/// Runs the examples in the documentation.
pub(crate) fn run_doctests(workspace: &Workspace, report: &mut Report) -> anyhow::Result<()> {
    let start = Instant::now();
    let arguments = ["test", "--workspace", "--doc", "--no-fail-fast"];
    let finished = process::run(&mut workspace.cargo(&arguments), BUILD_LIMIT)?;
    let tests = libtest::read("doctests", "native", &finished);
    report.suite("doctests", tests, start.elapsed());
    Ok(())
}

/// The test program in one line of cargo's messages, if it tells of one.
fn program_of(line: &str) -> Option<Program> {
    #[derive(Deserialize)]
    struct Message {
        manifest_path: PathBuf,
        target: Target,
        profile: Profile,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
        kind: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Profile {
        test: bool,
    }

    let message: Message = serde_json::from_str(line).ok()?;
    let executable = message.executable.filter(|_| message.profile.test)?;
    let folder = message.manifest_path.parent()?.to_path_buf();
    let package = folder.file_name()?.to_string_lossy().into_owned();
    let suite = match message.target.kind.first().map(String::as_str) {
        Some("lib") => package,
        _ => format!("{package}/{}", message.target.name),
    };
    Some(Program { suite, folder, executable })
}
