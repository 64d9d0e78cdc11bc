//! Decoding of one large splat file, in CPU time.

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ProcessTime;
use sn17_splat::{Limits, SpzDialect, decode, encode_spz};

use crate::contest::{Benchmark, Contest, Figure, Size};
use crate::inputs;

/// The network's dialect to arrays of floats, compared with zstd alone on the same frame: nothing can be faster.
///
/// The C++ codec of the original took 19 to 23 ms of CPU time for the sample on a machine of two shared cores.
pub(crate) const BENCHMARK: Benchmark = Benchmark { figures: &[DECODE], prepare };

const DECODE: Figure = Figure { name: "spz.decode.268k", unit: "ms CPU", budget: None };

/// The sample's number of splats, and so that of its stand-in.
const SPLATS: usize = 267_776;
/// What the frame holds: a header of 16 bytes and 19 bytes a splat without harmonics.
const PAYLOAD_BYTES: usize = 16 + 19 * SPLATS;
const SAMPLE: &str = "robocop with hammer in one hand.spz";

fn prepare(_: Size) -> anyhow::Result<Contest> {
    let (bytes, source) = match inputs::sample(SAMPLE)? {
        Some(bytes) => (bytes, "the sample file"),
        None => (encode_spz(&inputs::made(SPLATS), SpzDialect::Network, 1)?, "made splats"),
    };
    let splats = decode(&bytes, &Limits::default())?;
    anyhow::ensure!(splats.len() == SPLATS, "the file has {} splats, not {SPLATS}", splats.len());
    let note = format!("{source}, {} bytes; baseline: zstd alone on the same frame", bytes.len());
    let frame = bytes.clone();
    Ok(Contest {
        variant: Box::new(move || {
            let start = ProcessTime::now();
            black_box(decode(black_box(&bytes), &Limits::default())?);
            Ok(vec![millis(start.elapsed())])
        }),
        baseline: Box::new(move || {
            let start = ProcessTime::now();
            black_box(zstd::bulk::decompress(black_box(&frame), PAYLOAD_BYTES)?);
            Ok(vec![millis(start.elapsed())])
        }),
        note,
        is_judged: true,
    })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
