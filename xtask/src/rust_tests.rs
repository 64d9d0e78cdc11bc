//! The workspace's own tests: built by cargo, run and read one program at a time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::hand_over::give_fixtures;
use crate::language_model;
use crate::libtest;
use crate::process;
use crate::report::{Outcome, Report};
use crate::workspace::Workspace;

/// Bound on building every test program.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);
/// Bound on one test program.
const RUN_LIMIT: Duration = Duration::from_secs(1800);

/// The black-box suite, part of whose tests need a deployment.
const BLACK_BOX: &str = "tests/it";
/// Tests of a deployment at once: they wait more than they compute.
pub(crate) const DEPLOYED_THREADS: &str = "16";

/// What serves a deployed network. The tests that need it lie in modules of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// The functions.
    Lambda,
    /// The edge on Cloudflare's runtime.
    Worker,
    /// The edge in Spin's world.
    Spin,
}

/// A test program that cargo built.
#[derive(Debug)]
pub(crate) struct Program {
    /// Package and target.
    pub(crate) suite: String,
    /// The package's folder, in which cargo would run it.
    folder: PathBuf,
    executable: PathBuf,
}

/// Builds every unit and integration test of the workspace.
pub(crate) fn build(workspace: &Workspace, report: &mut Report) -> anyhow::Result<Vec<Program>> {
    let start = Instant::now();
    let mut command = workspace.cargo(&["test", "--no-run", "--no-fail-fast"]);
    command.args(workspace.native()).args(["--message-format", "json-render-diagnostics"]);
    let built = process::run(&mut command, BUILD_LIMIT)?;
    let outcome = if built.is_success { Outcome::Passed } else { Outcome::Failed(built.stderr) };
    report.house("build of the tests", outcome, start.elapsed());
    // What was built before another package failed is still worth running.
    Ok(built.stdout.lines().filter_map(program_of).collect())
}

/// Runs every unit and integration test, with `variables` in their environment.
pub(crate) fn run(
    workspace: &Workspace,
    programs: &[Program],
    variables: &[(&'static str, PathBuf)],
    report: &mut Report,
) -> anyhow::Result<()> {
    for program in programs {
        let start = Instant::now();
        let mut command = program.command(workspace);
        if program.suite == BLACK_BOX {
            for host in Host::ALL {
                command.args(["--skip", host.filter()]);
            }
        }
        if program.suite == language_model::SUITE {
            command.args(["--skip", language_model::FILTER]);
        }
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let finished = process::run(&mut command, RUN_LIMIT)?;
        let tests = libtest::read(&program.suite, "native", &finished);
        if !tests.is_empty() {
            report.suite(&program.suite, tests, start.elapsed());
        }
    }
    Ok(())
}

/// Runs the tests of one host of the deployment that `outputs` describes.
pub(crate) fn run_deployed(
    workspace: &Workspace,
    host: Host,
    outputs: &Path,
    programs: &[Program],
    report: &mut Report,
) -> anyhow::Result<()> {
    for program in programs.iter().filter(|program| program.suite == BLACK_BOX) {
        let start = Instant::now();
        let mut command = program.command(workspace);
        command
            .arg(host.filter())
            .env("SN17_AWS_OUTPUTS", outputs)
            .env("RUST_TEST_THREADS", DEPLOYED_THREADS);
        let finished = process::run(&mut command, RUN_LIMIT)?;
        let tests = libtest::read(&program.suite, host.name(), &finished);
        report.suite(&format!("{}, {}", program.suite, host.name()), tests, start.elapsed());
    }
    Ok(())
}

impl Host {
    const ALL: [Self; 3] = [Self::Lambda, Self::Worker, Self::Spin];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::Worker => "worker",
            Self::Spin => "spin",
        }
    }

    /// What the names of its tests hold, and no others.
    pub(crate) const fn filter(self) -> &'static str {
        match self {
            Self::Lambda => "::lambda::",
            Self::Worker => "::worker::",
            Self::Spin => "::spin::",
        }
    }
}

impl Program {
    /// A run of all its tests.
    pub(crate) fn command(&self, workspace: &Workspace) -> Command {
        let mut command = Command::new(&self.executable);
        self.prepare(workspace, &mut command);
        command
    }

    /// Gives a run of all its tests to a command that runs what its arguments say.
    pub(crate) fn append_to(&self, workspace: &Workspace, command: &mut Command) {
        self.prepare(workspace, command.arg(&self.executable));
    }

    fn prepare(&self, workspace: &Workspace, command: &mut Command) {
        command.arg("--show-output").current_dir(&self.folder).env("CARGO_MANIFEST_DIR", &self.folder);
        give_fixtures(workspace, command);
    }
}

/// Runs the examples in the documentation.
pub(crate) fn run_doctests(workspace: &Workspace, report: &mut Report) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut command = workspace.cargo(&["test", "--doc", "--no-fail-fast"]);
    let finished = process::run(command.args(workspace.native()), BUILD_LIMIT)?;
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
