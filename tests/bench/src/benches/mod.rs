//! The measurements, one file each.

mod render_cpu;
mod spz_decode;

use crate::contest::Benchmark;

/// Every measurement, in the order in which they are made.
pub(crate) const BENCHMARKS: [Benchmark; 2] = [spz_decode::BENCHMARK, render_cpu::BENCHMARK];
