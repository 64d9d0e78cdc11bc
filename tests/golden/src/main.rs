//! Generators of sample data: `cargo xtask fixtures DIR` and `cargo xtask models --synthetic DIR`; and of the prompts
//! that tests read: `cargo run -p sn17-golden -- prompts crates/core/tests/data`.
//!
//! The same command always writes the same bytes.

#![expect(clippy::print_stdout, reason = "a command line talks to its user")]

mod prompts;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Parser, Subcommand};
use sn17_score::synthetic;
use sn17_splat::procedural::{Quality, object};
use sn17_splat::{SpzDialect, encode_ply, encode_spz};

#[derive(Debug, Parser)]
#[command(about = "Generators of sample data")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Writes objects in the network's SPZ, one of them as PLY and as Niantic's SPZ too.
    Splats {
        /// The folder to write to.
        folder: PathBuf,
    },
    /// Writes the list of prompts and the corpus of raw lines that the tests of the filters read.
    Prompts {
        /// The folder to write to.
        folder: PathBuf,
    },
    /// Writes small ONNX models with the real contract and their manifest.
    Models {
        /// The folder to write to.
        folder: PathBuf,
    },
}

/// Prompts whose objects have a shape of their own, and one that has none.
const PROMPTS: [&str; 5] = ["red robot", "wooden chair", "green tree", "silver sword", "strange ornament"];

fn main() -> anyhow::Result<()> {
    match Arguments::parse().what {
        What::Splats { folder } => write_splats(&folder),
        What::Prompts { folder } => {
            write(&folder, "prompts.txt", prompts::list().as_bytes())?;
            write(&folder, "raw-lines.tsv", prompts::corpus().as_bytes())
        }
        What::Models { folder } => {
            synthetic::write(&folder)?;
            println!("{}: models with synthetic weights", folder.display());
            Ok(())
        }
    }
}

fn write_splats(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let network = |splats: &_| encode_spz(splats, SpzDialect::Network, SpzDialect::Network.default_level());
    for prompt in PROMPTS {
        let splats = object(prompt, Quality::Intact, 0);
        write(folder, &format!("{prompt}.spz"), &network(&splats)?)?;
    }
    let robot = PROMPTS[0];
    let intact = object(robot, Quality::Intact, 0);
    let niantic = SpzDialect::NianticV3;
    write(folder, &format!("{robot}.ply"), &encode_ply(&intact)?)?;
    write(folder, &format!("{robot}.v3.spz"), &encode_spz(&intact, niantic, niantic.default_level())?)?;
    for (label, quality) in [("noisy", Quality::Noisy), ("blank", Quality::Blank)] {
        write(folder, &format!("{robot} {label}.spz"), &network(&object(robot, quality, 0))?)?;
    }
    Ok(())
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = folder.join(name);
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}: {} bytes", path.display(), bytes.len());
    Ok(())
}
