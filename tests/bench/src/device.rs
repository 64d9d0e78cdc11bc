//! What machine the figures come from.

use std::fs;
use std::thread;

/// The processor's name and the number of threads it offers us.
pub(crate) fn describe() -> String {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    // Linux tells the model there; elsewhere the architecture must do.
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find_map(|line| line.strip_prefix("model name")).map(|rest| {
        let name = rest.trim_start_matches([' ', '\t', ':']);
        name.trim().to_owned()
    });
    format!("{}, {threads} threads", model.unwrap_or_else(|| std::env::consts::ARCH.to_owned()))
}
