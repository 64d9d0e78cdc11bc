//! The stages of the tests that are about the edges.

use std::time::{Duration, Instant};

use super::{Build, Edge};
use crate::aws::{Local, Outputs};
use crate::report::{Outcome, Report};
use crate::rust_tests::Program;
use crate::stages::house;
use crate::workspace::Workspace;
use crate::{process, python, rust_tests, wasm};

/// Bound on one command of cargo.
const CARGO_LIMIT: Duration = Duration::from_secs(3600);

/// Checks the edges' packages on their own targets.
pub(crate) fn check(workspace: &Workspace, report: &mut Report) {
    for edge in super::chosen(&[]) {
        let name = edge.name();
        let start = Instant::now();
        let problem = match edge.obstacle(workspace) {
            Ok(None) => None,
            Ok(Some(reason)) => Some(Outcome::Skipped(reason)),
            Err(error) => Some(Outcome::Failed(format!("{error:#}"))),
        };
        if let Some(problem) = problem {
            report.house(&format!("edge {name}"), problem, start.elapsed());
            continue;
        }
        let cargo = |command: &str| {
            workspace.cargo(&[command, "--quiet", "--package", edge.package(), "--target", edge.target()])
        };
        house(report, &format!("clippy, {name}"), || {
            let mut clippy = cargo("clippy");
            // The crates below are checked on this machine's target: lints about sizes differ by it.
            Ok(process::run(clippy.args(["--no-deps", "--", "-D", "warnings"]), CARGO_LIMIT)?.into())
        });
        house(report, &format!("documentation, {name}"), || {
            let mut doc = cargo("doc");
            doc.args(["--no-deps", "--document-private-items"]).env("RUSTDOCFLAGS", "-D warnings");
            Ok(process::run(&mut doc, CARGO_LIMIT)?.into())
        });
    }
}

/// Builds edges as they are shipped and holds their sizes against the budgets; those that could be built.
pub(crate) fn build(workspace: &Workspace, edges: &[Edge], report: &mut Report) -> Vec<Build> {
    let mut builds = Vec::new();
    for edge in super::chosen(edges) {
        let start = Instant::now();
        let outcome = match edge.build(workspace) {
            Ok(Ok(build)) => {
                let size = build.size();
                builds.push(build);
                println!("{}", size.row(edge));
                if size.is_within() { Outcome::Passed } else { Outcome::Failed(size.row(edge)) }
            }
            Ok(Err(reason)) => Outcome::Skipped(reason),
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        report.house(&format!("edge {}, build and size", edge.name()), outcome, start.elapsed());
    }
    builds
}

/// Runs each edge over the deployment, one after the other, and what there is to run against it.
pub(crate) fn test(
    workspace: &Workspace,
    local: &Local,
    outputs: &Outputs,
    builds: &[Build],
    programs: &[Program],
    report: &mut Report,
) -> anyhow::Result<()> {
    for build in builds {
        let edge = build.edge;
        let name = edge.name();
        let mut is_up = false;
        house(report, &format!("edge {name}, start"), || {
            build.up(workspace, local, outputs)?;
            is_up = true;
            Ok(Outcome::Passed)
        });
        if !is_up {
            continue;
        }
        let outputs_file = edge.outputs_file(local);
        let tested = rust_tests::run_deployed(workspace, edge.host(), &outputs_file, programs, report)
            .and_then(|()| python::run_redirected(workspace, name, &outputs_file, report));
        house(report, &format!("edge {name}, end"), || {
            let was_running = edge.down(local)?;
            let ended = || Outcome::Failed(format!("it ended by itself: {}", edge.last_words(local)));
            Ok(if was_running { Outcome::Passed } else { ended() })
        });
        tested?;
    }
    Ok(())
}

impl Edge {
    /// Why its package cannot be compiled here, if so.
    fn obstacle(self, workspace: &Workspace) -> anyhow::Result<Option<String>> {
        if !workspace.has(self.package()) {
            return Ok(Some(format!("the package {} is not there", self.package())));
        }
        Ok(wasm::install_target(self.target())?.err())
    }
}
