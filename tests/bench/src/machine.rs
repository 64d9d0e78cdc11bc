//! The machine that figures come from, and what its kernel tells about processes (Linux).

use std::fs;
use std::thread;

use anyhow::Context;

/// A clock tick, in which the kernel counts CPU time: `USER_HZ` of Linux is 100 on every architecture that we build for.
pub(crate) const TICK_SECS: f64 = 0.01;

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

/// The load averages over 1, 5 and 15 minutes; empty where the system does not tell.
pub(crate) fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// Seconds of CPU time that a process has taken so far, with all its threads (proc(5): `utime` + `stime`).
pub(crate) fn cpu_secs(pid: u32) -> anyhow::Result<f64> {
    let file = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    // The second field is a name in parentheses and may hold anything; utime and stime are the 14th and 15th.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |position: usize| fields.get(position - 3).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = ticks(14).zip(ticks(15)).with_context(|| format!("{file} has another shape"))?;
    Ok((user + system) * TICK_SECS)
}

/// A process as the kernel knows it.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Who started it.
    pub(crate) parent: u32,
    /// Its command line, its words one after the other.
    pub(crate) words: String,
}

/// The processes of this name (proc(5): `comm`).
pub(crate) fn processes(name: &str) -> anyhow::Result<Vec<Process>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let folder = entry.context("cannot read /proc")?.path();
        // Whatever is no process, or has ended meanwhile, is none of them.
        let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
        let status = read("status");
        let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        if value("Name:") != Some(name) {
            continue;
        }
        let number = |key| value(key).and_then(|text| text.parse().ok());
        if let (Some(pid), Some(parent)) = (number("Pid:"), number("PPid:")) {
            found.push(Process { pid, parent, words: read("cmdline").replace('\0', " ") });
        }
    }
    Ok(found)
}

/// The largest resident set that a process has had, in MB of 10^6 bytes.
pub(crate) fn resident_peak_mb(pid: u32) -> anyhow::Result<f64> {
    let file = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib =
        line.and_then(|rest| rest.split_whitespace().next()).and_then(|figure| figure.parse::<f64>().ok());
    Ok(kib.with_context(|| format!("{file} has another shape"))? * 1024.0 / 1e6)
}
