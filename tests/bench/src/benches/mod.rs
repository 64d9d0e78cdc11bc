//! The measurements, one file each.

mod add_task;
mod edge;
mod get_result;
mod get_status;
mod many_tasks;
mod pull;
mod render_cpu;
mod render_wgpu;
mod spz_decode;
mod submit;

use crate::contest::Benchmark;

/// Every measurement, in the order in which they are made.
pub(crate) const BENCHMARKS: [Benchmark; 10] = [
    spz_decode::BENCHMARK,
    render_cpu::BENCHMARK,
    render_wgpu::BENCHMARK,
    pull::BENCHMARK,
    get_status::BENCHMARK,
    add_task::BENCHMARK,
    get_result::BENCHMARK,
    submit::BENCHMARK,
    many_tasks::BENCHMARK,
    edge::BENCHMARK,
];
