//! `sn17 spz`: looks into splat files and turns one format into another.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use sn17_splat::{
    Container, Format, Info, Limits, Normals, SplatError, Splats, SpzDialect, encode_spz, inspect, read,
    write_ply,
};

/// Bytes of a file that are enough for its header, whatever its format.
const HEADER_BYTES: u64 = 256 << 10;
/// Largest compressed file that the command opens: it is the user's own, so the network's limit does not apply.
const COMPRESSED_BYTES_MAX: u64 = 1 << 30;

/// Arguments of `sn17 spz`.
#[derive(Debug, clap::Args)]
pub(crate) struct SpzArgs {
    #[command(subcommand)]
    command: SpzCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SpzCommand {
    /// Say what a PLY or SPZ file is, from its header alone.
    Info {
        /// The file.
        file: PathBuf,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Compress a splat for a submission (`compression: 2`).
    Compress {
        /// A PLY or SPZ file.
        input: PathBuf,
        /// The SPZ file to write.
        output: PathBuf,
        /// Compression level, 1 to 22.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=22))]
        level: i32,
    },
    /// Turn a splat into a PLY file.
    Decompress {
        /// An SPZ or PLY file.
        input: PathBuf,
        /// The PLY file to write.
        output: PathBuf,
    },
    /// Turn a splat into another format.
    Convert {
        /// A PLY or SPZ file.
        input: PathBuf,
        /// The file to write.
        output: PathBuf,
        /// The format to write.
        #[arg(long)]
        to: Target,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Target {
    /// What miners submit: SPZ version 2 in zstd.
    Network,
    /// What stock viewers read: Niantic's SPZ version 3 in gzip.
    V3,
    /// Binary PLY.
    Ply,
}

/// Runs `sn17 spz`.
///
/// # Errors
///
/// A file cannot be read, is no splat, or cannot be written; the message says what to do next.
pub(crate) fn run(args: &SpzArgs) -> anyhow::Result<()> {
    match &args.command {
        SpzCommand::Info { file, json } => info(file, *json),
        SpzCommand::Compress { input, output, level } => {
            write_spz(&load(input)?, SpzDialect::Network, *level, output)
        }
        SpzCommand::Decompress { input, output } => write_as(&load(input)?, Target::Ply, output),
        SpzCommand::Convert { input, output, to } => write_as(&load(input)?, *to, output),
    }
}

fn info(path: &Path, json: bool) -> anyhow::Result<()> {
    let mut start = Vec::new();
    let file = open(path)?;
    let file_bytes = file.metadata().with_context(|| format!("cannot stat {}", path.display()))?.len();
    file.take(HEADER_BYTES)
        .read_to_end(&mut start)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let info = inspect(&start).map_err(|error| explain(error, path))?;
    let text = if json { info_json(&info, file_bytes) } else { info_text(&info, file_bytes) };
    writeln!(io::stdout().lock(), "{text}").context("cannot write to standard output")
}

fn info_json(info: &Info, file_bytes: u64) -> String {
    serde_json::json!({
        "format": name(info.format),
        "version": info.version,
        "splats": info.splats,
        "sh_degree": info.sh_degree,
        "fractional_bits": info.fractional_bits,
        "flags": info.flags,
        "antialiased": info.antialiased,
        "file_bytes": file_bytes,
        "packed_bytes": info.packed_bytes,
        "decoded_bytes": info.decoded_bytes,
    })
    .to_string()
}

fn info_text(info: &Info, file_bytes: u64) -> String {
    let mut lines = vec![format!("format      {}", describe(info.format))];
    if info.format != Format::Ply {
        lines.push(format!("version     {}, {} fractional bits", info.version, info.fractional_bits));
    }
    lines.push(format!("splats      {}", info.splats));
    lines.push(format!("harmonics   degree {}", info.sh_degree));
    lines.push(format!("antialiased {}", if info.antialiased { "yes" } else { "no" }));
    lines.push(format!(
        "bytes       {file_bytes} in the file, {} packed, {} decoded",
        info.packed_bytes, info.decoded_bytes
    ));
    lines.join("\n")
}

/// The format's name in JSON, the one that `convert --to` takes where it can be written.
fn name(format: Format) -> &'static str {
    match format {
        Format::Ply => "ply",
        Format::Spz(Container::Network) => "network",
        Format::Spz(Container::Gzip) => "gzip",
        Format::Spz(Container::Streams) => "ngsp",
    }
}

fn describe(format: Format) -> &'static str {
    match format {
        Format::Ply => "binary PLY",
        Format::Spz(Container::Network) => "SPZ as the network submits it (zstd, compression 2)",
        Format::Spz(Container::Gzip) => "SPZ by Niantic (gzip)",
        Format::Spz(Container::Streams) => "SPZ version 4 by Niantic (one zstd frame per array)",
    }
}

fn load(path: &Path) -> anyhow::Result<Splats> {
    let limits = Limits { compressed_bytes_max: COMPRESSED_BYTES_MAX, ..Limits::default() };
    read(BufReader::with_capacity(128 << 10, open(path)?), &limits).map_err(|error| explain(error, path))
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("cannot open {}; check the path", path.display()))
}

fn write_as(splats: &Splats, target: Target, path: &Path) -> anyhow::Result<()> {
    match target {
        Target::Network => write_spz(splats, SpzDialect::Network, SpzDialect::Network.default_level(), path),
        Target::V3 => write_spz(splats, SpzDialect::NianticV3, SpzDialect::NianticV3.default_level(), path),
        Target::Ply => {
            let file = create(path)?;
            write_ply(splats, Normals::Omit, &file)
                .with_context(|| format!("cannot write {}", path.display()))?;
            report(splats, path, file.metadata().map(|metadata| metadata.len()).unwrap_or_default())
        }
    }
}

fn write_spz(splats: &Splats, dialect: SpzDialect, level: i32, path: &Path) -> anyhow::Result<()> {
    let bytes = encode_spz(splats, dialect, level).context(match dialect {
        SpzDialect::Network => {
            "cannot encode for the network; `--to v3` or `--to ply` may still hold this splat"
        }
        SpzDialect::NianticV3 => "cannot encode as SPZ version 3; `--to ply` may still hold this splat",
    })?;
    create(path)?.write_all(&bytes).with_context(|| format!("cannot write {}", path.display()))?;
    report(splats, path, bytes.len() as u64)
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| {
        format!("cannot create {}; check that its folder exists and is writable", path.display())
    })
}

fn report(splats: &Splats, path: &Path, bytes: u64) -> anyhow::Result<()> {
    writeln!(io::stdout().lock(), "{}: {} splats, {bytes} bytes", path.display(), splats.len())
        .context("cannot write to standard output")
}

/// Adds to a decoder's refusal what its reader can do about it.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever else is wrong with a file, it is of no use")]
fn explain(error: SplatError, path: &Path) -> anyhow::Error {
    let advice = match &error {
        SplatError::UnknownFormat { .. } => "give a .ply or .spz file",
        SplatError::Truncated { .. } => "fetch or export it again, its end is missing",
        SplatError::Inflate(_) | SplatError::Shortfall { .. } | SplatError::Surplus => {
            "fetch or export it again, it is damaged"
        }
        SplatError::Ply(_) => "export it as a binary little-endian PLY of a Gaussian splat",
        SplatError::NonFinite { .. } => "remove the broken splat in an editor and export it again",
        _ => "it cannot be used as it is",
    };
    let context = format!("cannot read {}: {advice}", path.display());
    anyhow::Error::new(error).context(context)
}
