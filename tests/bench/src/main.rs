//! Measurements against a baseline of the same run: `cargo xtask bench [NAME…]`.
//!
//! Machines differ and are shared, so what counts is the ratio to a baseline whose runs alternate with those of
//! the thing measured. A measurement is one file in `benches` and one line in its table.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod bare;
mod benches;
mod connection;
mod contest;
mod inputs;
mod load;
mod machine;
mod miner;
mod native_edge;
mod network;
mod own_process;
mod table;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use crate::benches::BENCHMARKS;
use crate::contest::{Measured, Size};

/// Fewest pairs of runs behind a figure.
const RUNS_MIN: u32 = 5;

#[derive(Debug, Parser)]
#[command(about = "Measurements against a baseline of the same run")]
struct Arguments {
    /// Where to write the figures as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Pairs of runs behind each figure.
    #[arg(long, default_value_t = RUNS_MIN, value_parser = clap::value_parser!(u32).range(i64::from(RUNS_MIN)..))]
    runs: u32,
    /// Measure what the budgets speak of where that takes minutes.
    #[arg(long)]
    full: bool,
    /// Serve the baseline's handlers over this folder instead; for the program itself.
    #[arg(long, value_name = "DIR", hide = true)]
    bare: Option<PathBuf>,
    /// Serve the routes of an edge instead, as the environment says; for the program itself.
    #[arg(long, hide = true)]
    native_edge: bool,
    /// The measurements to make, by their names or what these begin with (`render`); all of them without a name.
    names: Vec<String>,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    // An error means that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Some(folder) = &arguments.bare {
        bare::serve(folder)?;
        return Ok(ExitCode::SUCCESS);
    }
    if arguments.native_edge {
        native_edge::serve()?;
        return Ok(ExitCode::SUCCESS);
    }
    for name in &arguments.names {
        if !BENCHMARKS.iter().any(|benchmark| benchmark.names().any(|known| is_meant(known, name))) {
            let known: Vec<&str> = BENCHMARKS.iter().flat_map(contest::Benchmark::names).collect();
            anyhow::bail!("there is no measurement `{name}`, only {}", known.join(", "));
        }
    }
    let device = machine::describe();
    let size = if arguments.full { Size::Full } else { Size::Quick };
    let mut measured: Vec<Measured> = Vec::new();
    for benchmark in &BENCHMARKS {
        let is_wanted =
            benchmark.names().any(|known| arguments.names.iter().any(|name| is_meant(known, name)));
        if !arguments.names.is_empty() && !is_wanted {
            continue;
        }
        let name = benchmark.names().next().unwrap_or_default();
        eprintln!("{name} …");
        match contest::hold(benchmark, size, arguments.runs, &device) {
            Ok(figures) => measured.extend(figures),
            Err(error) if error.is::<contest::Missing>() => eprintln!("skipped: {error}"),
            Err(error) => return Err(error.context(format!("cannot measure {name}"))),
        }
    }
    print!("{}", table::render(&measured));
    if let Some(path) = arguments.report {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let text = serde_json::to_string_pretty(&measured)?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let is_missed = measured.iter().any(|one| one.is_met == Some(false));
    Ok(if is_missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Whether somebody who says `name` means the measurement `known`: its whole name, or the first parts of it.
fn is_meant(known: &str, name: &str) -> bool {
    known.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_first_parts_are_understood() {
        for (name, expected) in [
            ("render.cpu.hamburger16", true),
            ("render.cpu", true),
            ("render", true),
            ("rend", false),
            ("cpu", false),
            ("render.cpu.hamburger16.more", false),
        ] {
            assert_eq!(is_meant("render.cpu.hamburger16", name), expected, "{name}");
        }
    }
}
