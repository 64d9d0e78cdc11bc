//! `cargo xtask test`: every check, the cheap ones first; a failed one does not stop those after it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::report::{Outcome, Report};
use crate::workspace::Workspace;
use crate::{aws, dependencies, edge, language_model, process, python, rust_tests, vulkan, wasm};

/// Bound on one command of cargo.
const CARGO_LIMIT: Duration = Duration::from_secs(3600);

/// Runs all stages and writes the report; whether nothing failed.
pub(crate) fn test(workspace: &Workspace) -> anyhow::Result<bool> {
    let mut report = Report::default();
    run(workspace, &mut report)?;
    report.close(workspace)
}

/// Runs all stages.
pub(crate) fn run(workspace: &Workspace, report: &mut Report) -> anyhow::Result<()> {
    house(report, "fmt", || cargo(workspace, &["fmt", "--all", "--check"]));
    house(report, "check-deps", || {
        let faults = dependencies::check(workspace)?;
        Ok(if faults.is_empty() { Outcome::Passed } else { Outcome::Failed(faults.join("\n")) })
    });
    for dependency in dependencies::not_yet() {
        let reason = format!("not yet: no package depends on {dependency}");
        report.house(&format!("check-deps, {dependency}"), Outcome::Skipped(reason), Duration::ZERO);
    }
    house(report, "clippy", || {
        let mut command = workspace.cargo(&["clippy", "--quiet", "--all-targets"]);
        command.args(workspace.native()).args(["--", "-D", "warnings"]);
        Ok(process::run(&mut command, CARGO_LIMIT)?.into())
    });
    edge::check_stage(workspace, report);
    let mut variables = wasm_stages(workspace, report);
    house(report, "vulkan", || {
        Ok(match vulkan::variables(workspace)? {
            Ok(found) => {
                variables.extend(found);
                Outcome::Passed
            }
            Err(reason) => Outcome::Skipped(reason),
        })
    });
    let programs = rust_tests::build(workspace, report)?;
    rust_tests::run(workspace, &programs, &variables, report)?;
    language_model::run(workspace, &programs, report)?;
    rust_tests::run_doctests(workspace, report)?;
    house(report, "season", || {
        // As the tests were built, where its packages are optimised too; a report of the full size stays as it is.
        cargo(workspace, &["run", "--quiet", "--package", "sn17-season"])
    });
    house(report, "documentation", || {
        let mut command = workspace.cargo(&["doc", "--quiet", "--no-deps", "--document-private-items"]);
        command.args(workspace.native()).env("RUSTDOCFLAGS", "-D warnings");
        Ok(process::run(&mut command, CARGO_LIMIT)?.into())
    });
    python::run(workspace, report)?;
    let edges = edge::build_stage(workspace, &[], report);
    aws::stage(workspace, &programs, &edges, report)
}

/// Times one check of the house; one that cannot even be run has failed.
pub(crate) fn house(report: &mut Report, name: &str, check: impl FnOnce() -> anyhow::Result<Outcome>) {
    let start = Instant::now();
    let outcome = check().unwrap_or_else(|error| Outcome::Failed(format!("{error:#}")));
    report.house(name, outcome, start.elapsed());
}

/// What could be built for the WASM runtimes, by the variable that tells the tests of it.
fn wasm_stages(workspace: &Workspace, report: &mut Report) -> Vec<(&'static str, PathBuf)> {
    let start = Instant::now();
    let problem = match wasm::install_target(wasm::TARGET) {
        Ok(Ok(())) => None,
        Ok(Err(reason)) => Some(Outcome::Skipped(reason)),
        Err(error) => Some(Outcome::Failed(format!("{error:#}"))),
    };
    if let Some(problem) = problem {
        report.house("wasm", problem, start.elapsed());
        return Vec::new();
    }
    house(report, "wasm check", || wasm::check(workspace));
    let mut built = Vec::new();
    house(report, "wasm vectors", || {
        let (outcome, folder) = wasm::build_vectors(workspace)?;
        built.extend(matches!(outcome, Outcome::Passed).then_some(("SN17_WASM_VECTORS", folder)));
        Ok(outcome)
    });
    house(report, "wasm day", || {
        let (outcome, program) = wasm::build_day(workspace)?;
        built.extend(matches!(outcome, Outcome::Passed).then_some(("SN17_WASM_DAY", program)));
        Ok(outcome)
    });
    house(report, "wasmtime", || {
        Ok(match edge::wasmtime(workspace)? {
            Ok(program) => {
                built.push(("SN17_WASMTIME", program));
                Outcome::Passed
            }
            Err(reason) => Outcome::Skipped(reason),
        })
    });
    built
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> anyhow::Result<Outcome> {
    Ok(process::run(&mut workspace.cargo(arguments), CARGO_LIMIT)?.into())
}
