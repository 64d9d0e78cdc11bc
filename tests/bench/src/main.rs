//! Measurements against a baseline of the same run: `cargo xtask bench [NAME…]`.
//!
//! Machines differ and are shared, so what counts is the ratio to a baseline whose runs alternate with those of
//! the thing measured. A measurement is one file in `benches` and one line in its table.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod benches;
mod contest;
mod device;
mod inputs;
mod table;

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;

use crate::benches::BENCHMARKS;
use crate::contest::Measured;

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
    /// The measurements to make; all of them without a name.
    names: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    for name in &arguments.names {
        if !BENCHMARKS.iter().any(|benchmark| benchmark.name == name) {
            let known: Vec<&str> = BENCHMARKS.iter().map(|benchmark| benchmark.name).collect();
            anyhow::bail!("there is no measurement `{name}`, only {}", known.join(", "));
        }
    }
    let device = device::describe();
    let mut measured: Vec<Measured> = Vec::new();
    for benchmark in &BENCHMARKS {
        if !arguments.names.is_empty() && !arguments.names.iter().any(|name| name == benchmark.name) {
            continue;
        }
        eprintln!("{} …", benchmark.name);
        let figures = contest::hold(benchmark, arguments.runs, &device);
        measured.push(figures.with_context(|| format!("cannot measure {}", benchmark.name))?);
    }
    print!("{}", table::render(&measured));
    if let Some(path) = arguments.report {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let text = serde_json::to_string_pretty(&measured)?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
