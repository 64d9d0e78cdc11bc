//! Runs the loads, prints what was found and writes target/report/scaling.json.

#![expect(clippy::print_stdout, reason = "a command line talks to its user")]

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use sn17_scaling::{Size, Trials, table};

#[derive(Debug, Parser)]
#[command(about = "How far the network's keys carry on DynamoDB")]
struct Arguments {
    /// Look at each load for longer.
    #[arg(long)]
    full: bool,
    /// Where to write the figures as JSON.
    #[arg(long, value_name = "FILE", default_value = "target/report/scaling.json")]
    report: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let trials = Trials::run(if arguments.full { Size::Full } else { Size::Small });
    if let Some(folder) = arguments.report.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(&arguments.report, serde_json::to_string_pretty(&trials)?)
        .with_context(|| format!("cannot write {}", arguments.report.display()))?;
    print!("{}", table::document(&trials));
    Ok(())
}
