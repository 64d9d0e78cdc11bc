//! Compares policies over seasons of the competition, or searches for a better one.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use clap::Parser;
use sn17_season::{
    Accuracy, Budget, Comparison, Season, Setup, Size, at_budget, contenders, plot, rerate, search, table,
};

#[derive(Debug, Parser)]
#[command(about = "Seasons of the competition in virtual time")]
struct Arguments {
    /// Plays what is to be reported instead of what CI plays.
    #[arg(long)]
    full: bool,
    /// Writes season.json, season.svg, leaderboard.json and leaderboard.svg to this folder.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Searches for the numbers that rank best instead, over so many seeds of the full size.
    #[arg(long, value_name = "SEEDS")]
    search: Option<u64>,
    /// The share of miners whose quality changes once, in thousandths.
    #[arg(long, value_name = "SHARE", default_value_t = 0)]
    changing: u64,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let Some(seeds) = arguments.search {
        look_for_better(seeds, arguments.changing)?;
        return Ok(ExitCode::SUCCESS);
    }
    let start = Instant::now();
    let size = if arguments.full { Size::FULL } else { Size::CI };
    let size = Size { changing_per_mille: arguments.changing, ..size };
    let comparison = Comparison::play(size, |line| eprintln!("{line}"))?;
    print!("{}", table(&comparison));
    println!("{:?}, {:.1} s", comparison.tally, start.elapsed().as_secs_f64());
    if let Some(folder) = &arguments.report {
        write(folder, &comparison)?;
    }
    let faults = comparison.faults();
    for fault in &faults {
        eprintln!("error: {fault}");
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write(folder: &Path, comparison: &Comparison) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let files = [
        ("season.json", serde_json::to_string_pretty(comparison)?),
        ("season.svg", plot::curves(comparison)),
        ("leaderboard.json", serde_json::to_string_pretty(&comparison.leaderboard)?),
        ("leaderboard.svg", plot::leaderboard(&comparison.leaderboard)),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}

/// Prints the numbers that rank best at equal duels and at equal calls of the judge.
fn look_for_better(seeds: u64, changing_per_mille: u64) -> anyhow::Result<()> {
    let Size { miners, hours, step, .. } = Size::FULL;
    // Its first pairs meet, whatever their ratings: such a season can be rated again.
    let [_, textbook, ..] = contenders();
    let policy = textbook.policy;
    let mut seasons = Vec::new();
    for seed in 1..=seeds {
        for accuracy in [Accuracy::Flat, Accuracy::Graded] {
            let setup = Setup { seed, miners, hours, step, accuracy, changing_per_mille, policy };
            seasons.push(Season::play(setup)?);
            eprintln!("season {} of {}", seasons.len(), 2 * seeds);
        }
    }
    for budget in [Budget::Duels, Budget::Calls(Size::FULL.calls())] {
        println!("{budget:?}");
        let best = search(&seasons, policy, budget, |name, policy, tau| {
            println!("  {tau:.4} {name}: {}, {}", policy.judge.both_orders, policy.judge.neutral);
        });
        println!("{}", serde_json::to_string_pretty(&(best.judge, best.glicko))?);
        for contender in contenders().iter().map(|contender| contender.policy).chain([best]) {
            let taus = seasons.iter().map(|season| {
                let (curve, _) = rerate(season, &contender);
                at_budget(&curve, budget).map_or(0.0, |point| point.by_rating)
            });
            println!("  {:.3?}", taus.collect::<Vec<f64>>());
        }
    }
    Ok(())
}
