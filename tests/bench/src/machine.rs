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

/// Seconds of CPU time that several processes have taken together.
pub(crate) fn cpu_secs_of(pids: &[u32]) -> anyhow::Result<f64> {
    pids.iter().map(|pid| cpu_secs(*pid)).sum()
}

/// The processes of this name (proc(5): `comm`).
pub(crate) fn processes(name: &str) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").context("cannot read /proc")? {
        let entry = entry.context("cannot read /proc")?;
        let Some(pid) = entry.file_name().to_str().and_then(|text| text.parse().ok()) else { continue };
        // Whatever has ended meanwhile is none of them.
        if fs::read_to_string(entry.path().join("comm")).is_ok_and(|comm| comm.trim() == name) {
            found.push(pid);
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
