//! The functions as they are shipped: the size of each one's archive, and the time until it asks for work.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;

use super::runtime_api::RuntimeApi;
use crate::environment::Environment;
use crate::workspace::Workspace;

/// cargo-lambda with the linker that it takes for other processors.
const CARGO_LAMBDA: Environment =
    Environment { name: "cargo-lambda", recipe: &[&["install", "cargo-lambda==1.9.2"]], module: "ziglang" };
/// The functions.
const FUNCTIONS: [&str; 5] = ["gateway", "miner", "dispatch", "sweeper", "chain"];
/// The profile that they are shipped with.
const PROFILE: &str = "function";
/// The processor that they are shipped for, as the template's default says.
const SHIPPED_TARGET: &str = "aarch64-unknown-linux-gnu";
/// Budget for an archive, in bytes.
const ZIP_BYTES_MAX: u64 = 6_000_000;
/// Starts of each function, after one that fills the caches.
const STARTS: usize = 20;
/// A function asks for work within this, or something is wrong.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Builds the shipped archives and native twins of the functions, and measures both; false when an archive is too large.
///
/// Archives are for arm64. Starts are measured on this machine's processor, with everything that a function asks for at
/// its start answered at once, over plain HTTP on loopback.
pub(super) fn measure(workspace: &Workspace) -> anyhow::Result<bool> {
    let programs = match CARGO_LAMBDA.programs(workspace)? {
        Ok(programs) => programs,
        Err(reason) => anyhow::bail!("cargo-lambda cannot be installed: {reason}"),
    };
    let zips = build_shipped(workspace, &programs)?;
    build_native(workspace)?;
    let folder = workspace.target.join(PROFILE);
    println!(
        "{:<10} {:>9} {:>12} {:>16}   (budget: zip 6.00 MB, init 30 ms)",
        "function", "zip", "init median", "init range"
    );
    let mut rows = Vec::new();
    let mut is_within = true;
    for (name, zip_bytes) in zips {
        let mut starts = starts(&folder.join(name))?;
        starts.sort_unstable();
        let ms = |duration: &Duration| duration.as_secs_f64() * 1000.0;
        let (least, median, most) =
            (ms(&starts[0]), ms(&starts[starts.len() / 2]), ms(&starts[starts.len() - 1]));
        let range = format!("{least:.1}-{most:.1} ms");
        #[expect(clippy::cast_precision_loss, reason = "megabytes for people")]
        let megabytes = zip_bytes as f64 / 1e6;
        println!("{name:<10} {megabytes:>6.2} MB {median:>9.1} ms {range:>16}");
        is_within &= zip_bytes <= ZIP_BYTES_MAX;
        rows.push(json!({ "name": name, "zip_bytes": zip_bytes, "init_ms": median, "init_ms_range": [least, most] }));
    }
    let report = workspace.target.join("report/functions.json");
    fs::create_dir_all(report.parent().context("a report lies in a folder")?)?;
    fs::write(&report, serde_json::to_vec_pretty(&rows)?)?;
    println!("written to {}", report.display());
    Ok(is_within)
}

/// The archives as `cargo lambda build` makes them: name and size in bytes.
fn build_shipped(workspace: &Workspace, programs: &Path) -> anyhow::Result<BTreeMap<&'static str, u64>> {
    let target = Command::new("rustup").args(["target", "add", SHIPPED_TARGET]).status();
    anyhow::ensure!(target.is_ok_and(|status| status.success()), "rustup cannot add {SHIPPED_TARGET}");
    // Zig, which links for the other processor, is found by its interpreter, which must come first.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([programs.to_owned()].into_iter().chain(std::env::split_paths(&path)))?;
    let mut build =
        workspace.cargo(&["lambda", "build", "--arm64", "--output-format", "zip", "--profile", PROFILE]);
    let status = build.args(["--package", "sn17-functions"]).env("PATH", path).status();
    anyhow::ensure!(status.context("cannot run cargo lambda")?.success(), "cargo lambda build failed");
    FUNCTIONS
        .into_iter()
        .map(|name| {
            let zip = workspace.target.join("lambda").join(name).join("bootstrap.zip");
            let bytes = fs::metadata(&zip).with_context(|| format!("cannot see {}", zip.display()))?.len();
            Ok((name, bytes))
        })
        .collect()
}

fn build_native(workspace: &Workspace) -> anyhow::Result<()> {
    let mut build =
        workspace.cargo(&["build", "--profile", PROFILE, "--package", "sn17-functions", "--bins"]);
    anyhow::ensure!(build.status().context("cannot run cargo")?.success(), "the functions do not build");
    Ok(())
}

/// The times from the start of the process to its first request for work.
fn starts(program: &PathBuf) -> anyhow::Result<Vec<Duration>> {
    let mut starts = Vec::with_capacity(STARTS + 1);
    for _ in 0..=STARTS {
        let api = RuntimeApi::start()?;
        let address = api.address().to_string();
        let mut command = Command::new(program);
        command.env_clear().envs(environment(&address)).stdin(Stdio::null()).stdout(Stdio::null());
        let started = Instant::now();
        let mut function = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        let asked = api.asked_for_work(START_LIMIT);
        function.kill()?;
        function.wait()?;
        let asked = asked.with_context(|| format!("{} does not ask for work", program.display()))?;
        starts.push(asked.duration_since(started));
    }
    // The first one reads the program from the disk.
    starts.remove(0);
    Ok(starts)
}

fn environment(address: &str) -> Vec<(&'static str, String)> {
    let endpoint = format!("http://{address}");
    let queue = format!("{endpoint}/000000000000/queue");
    let mut variables: Vec<(&'static str, String)> = [
        ("AWS_LAMBDA_FUNCTION_NAME", "measured"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_REGION", super::engine::REGION),
        ("AWS_ACCESS_KEY_ID", super::engine::KEY),
        ("AWS_SECRET_ACCESS_KEY", super::engine::KEY),
        ("SN17_TABLE", "table"),
        ("SN17_BUCKET", "bucket"),
        // Alice, the well-known development key of Substrate.
        ("SN17_VALIDATOR_HOTKEY", "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"),
        ("SN17_API_KEY_SECRET_ID", "api-key"),
        ("SN17_ADMIN_KEY_SECRET_ID", "admin-key"),
        // A node is asked when there is work, not at the start.
        ("SN17_SUBTENSOR", "https://node.invalid"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into();
    variables.push(("AWS_LAMBDA_RUNTIME_API", address.to_owned()));
    variables.push(("AWS_ENDPOINT_URL", endpoint));
    for name in [
        "SN17_SCORING_QUEUE_URL",
        "SN17_SCORING_DEAD_LETTERS_URL",
        "SN17_TIMERS_QUEUE_URL",
        "SN17_JUDGING_QUEUE_URL",
    ] {
        variables.push((name, queue.clone()));
    }
    variables
}
