//! The edges on this machine: built as they are shipped, and run in the real runtimes over the deployment that
//! `cargo xtask aws up` makes.

mod spin;
mod stage;
mod worker;

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};

use crate::aws::{Background, Local, Outputs};
use crate::report::Report;
use crate::rust_tests::{self, Host};
use crate::workspace::Workspace;

pub(crate) use spin::runtime as wasmtime;
pub(crate) use stage::{build as build_stage, check as check_stage, test as test_stage};

/// Packages that compile for an edge alone.
pub(crate) const FOREIGN_PACKAGES: [&str; 1] = [worker::PACKAGE];

/// How many lines are shown of a log.
const LOG_LINES: usize = 20;

/// An edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Edge {
    /// Cloudflare's runtime.
    Worker,
    /// Spin's world, in Wasmtime.
    Spin,
}

/// What to do with the edges; with all of them where none is named.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Builds them as they are shipped and prints their sizes beside the budgets.
    Build { edges: Vec<Edge> },
    /// Starts them over the running deployment; writes target/aws/worker.json and target/aws/spin.json.
    Up { edges: Vec<Edge> },
    /// Ends them.
    Down { edges: Vec<Edge> },
    /// Tells whether they run, and where.
    Status { edges: Vec<Edge> },
    /// Starts them over the running deployment, runs the black-box suite and the Python miners against them, and ends
    /// them.
    Test { edges: Vec<Edge> },
}

/// What is shipped of an edge, in bytes.
#[derive(Clone, Copy, Debug)]
struct Size {
    bytes: u64,
    gzipped_bytes: u64,
    /// Budget for the gzipped ones.
    gzipped_bytes_max: u64,
}

/// An edge that was built.
#[derive(Debug)]
pub(crate) struct Build {
    edge: Edge,
    runtime: Runtime,
}

/// What its runtime is started with.
#[derive(Debug)]
enum Runtime {
    Worker(worker::Built),
    Spin(spin::Built),
}

/// Does it; whether everything is as it should be.
pub(crate) fn run(workspace: &Workspace, action: &Action) -> anyhow::Result<bool> {
    match action {
        Action::Build { edges } => {
            let mut is_well = true;
            for edge in chosen(edges) {
                is_well &= match edge.build(workspace)? {
                    Ok(build) => {
                        println!("{}", build.size().row(edge));
                        build.size().is_within()
                    }
                    Err(reason) => said(edge, &reason),
                };
            }
            Ok(is_well)
        }
        Action::Up { edges } => {
            let (local, outputs) = deployment(workspace)?;
            let mut is_well = true;
            for edge in chosen(edges) {
                is_well &= match edge.build(workspace)? {
                    Ok(build) => {
                        let outputs = build.up(workspace, &local, &outputs)?;
                        println!("{}", edge.advice(&local, &outputs));
                        true
                    }
                    Err(reason) => said(edge, &reason),
                };
            }
            Ok(is_well)
        }
        Action::Down { edges } => {
            let local = Local::new(workspace)?;
            for edge in chosen(edges) {
                let was_running = edge.down(&local)?;
                println!("{:<6} {}", edge.name(), if was_running { "ended" } else { "was not running" });
            }
            Ok(true)
        }
        Action::Status { edges } => {
            let local = Local::new(workspace)?;
            let mut all_run = true;
            for edge in chosen(edges) {
                let background = edge.background(&local);
                let Some(pid) = background.running()? else {
                    all_run = said(edge, "not running: `cargo xtask edge up` starts it");
                    continue;
                };
                let outputs = Outputs::read(&edge.outputs_file(&local))?;
                println!("{:<6} process {pid}, log {}", edge.name(), background.log().display());
                println!("{}", edge.advice(&local, &outputs));
            }
            Ok(all_run)
        }
        Action::Test { edges } => {
            let (local, outputs) = deployment(workspace)?;
            let mut report = Report::default();
            let programs = rust_tests::build(workspace, &mut report)?;
            let builds = stage::build(workspace, edges, &mut report);
            stage::test(workspace, &local, &outputs, &builds, &programs, &mut report)?;
            report.close(workspace)
        }
    }
}

/// What a package is compiled for, if it is an edge's.
pub(crate) fn target_of(package: &str) -> Option<&'static str> {
    Edge::value_variants().iter().find(|edge| edge.package() == package).map(|edge| edge.target())
}

/// All edges where none is named.
fn chosen(edges: &[Edge]) -> Vec<Edge> {
    if edges.is_empty() { Edge::value_variants().to_vec() } else { edges.to_vec() }
}

/// Says why an edge does not do; false, for the end.
fn said(edge: Edge, reason: &str) -> bool {
    println!("{:<6} {reason}", edge.name());
    false
}

/// The deployment that runs.
fn deployment(workspace: &Workspace) -> anyhow::Result<(Local, Outputs)> {
    let local = Local::new(workspace)?;
    let outputs = local.running()?.context("no deployment runs: `cargo xtask aws up` starts one")?;
    Ok((local, outputs))
}

impl Edge {
    const fn name(self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Spin => "spin",
        }
    }

    const fn package(self) -> &'static str {
        match self {
            Self::Worker => worker::PACKAGE,
            Self::Spin => spin::PACKAGE,
        }
    }

    /// What it is compiled for.
    const fn target(self) -> &'static str {
        match self {
            Self::Worker => worker::TARGET,
            Self::Spin => spin::TARGET,
        }
    }

    const fn host(self) -> Host {
        match self {
            Self::Worker => Host::Worker,
            Self::Spin => Host::Spin,
        }
    }

    /// Builds it as it is shipped; the inner error says why that cannot be tried here.
    fn build(self, workspace: &Workspace) -> anyhow::Result<Result<Build, String>> {
        let built = match self {
            Self::Worker => worker::build(workspace)?.map(Runtime::Worker),
            Self::Spin => spin::build(workspace)?.map(Runtime::Spin),
        };
        Ok(built.map(|runtime| Build { edge: self, runtime }))
    }

    /// Ends it; whether it ran.
    fn down(self, local: &Local) -> anyhow::Result<bool> {
        let _ = fs::remove_file(self.outputs_file(local));
        self.background(local).stop()
    }

    fn background(self, local: &Local) -> Background {
        let sign = match self {
            Self::Worker => worker::SIGN,
            Self::Spin => spin::SIGN,
        };
        Background::new(local.folder(), self.name(), sign)
    }

    /// What the tests read: the deployment's outputs with this edge in front.
    fn outputs_file(self, local: &Local) -> PathBuf {
        local.folder().join(format!("{}.json", self.name()))
    }

    /// The end of its log.
    fn last_words(self, local: &Local) -> String {
        let text = fs::read_to_string(self.background(local).log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    fn advice(self, local: &Local, outputs: &Outputs) -> String {
        format!(
            "{:<6} is at {}; tests against it: SN17_AWS_OUTPUTS={} cargo test -p sn17-tests {}",
            self.name(),
            outputs.url,
            self.outputs_file(local).display(),
            self.host().filter()
        )
    }
}

impl Build {
    const fn size(&self) -> Size {
        match &self.runtime {
            Runtime::Worker(built) => built.size,
            Runtime::Spin(built) => built.size,
        }
    }

    /// Starts it over a deployment, in place of one that runs already, and notes where it serves.
    fn up(&self, workspace: &Workspace, local: &Local, outputs: &Outputs) -> anyhow::Result<Outputs> {
        let edge = self.edge;
        edge.down(local)?;
        let background = edge.background(local);
        let url = match &self.runtime {
            Runtime::Worker(built) => worker::start(workspace, built, outputs, &background),
            Runtime::Spin(built) => spin::start(built, outputs, &background),
        };
        let served = url.and_then(|url| {
            let outputs = outputs.served_by(edge.name(), url);
            outputs.write(&edge.outputs_file(local)).map(|()| outputs)
        });
        if served.is_err() {
            edge.down(local)?;
        }
        served
    }
}

impl Size {
    const fn is_within(self) -> bool {
        self.gzipped_bytes <= self.gzipped_bytes_max
    }

    /// One line of the table.
    fn row(self, edge: Edge) -> String {
        #[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        format!(
            "{:<6} {:>6.2} MB, gzipped {:>5.2} MB of {:.2} MB{}",
            edge.name(),
            megabytes(self.bytes),
            megabytes(self.gzipped_bytes),
            megabytes(self.gzipped_bytes_max),
            if self.is_within() { "" } else { ": TOO LARGE" }
        )
    }
}
