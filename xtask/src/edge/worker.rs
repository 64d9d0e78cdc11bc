//! The Worker: its tools, its bundle, and its start in Cloudflare's runtime.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use super::Size;
use crate::aws::{Background, Outputs, await_answer, free_address};
use crate::workspace::Workspace;
use crate::{process, wasm};

/// The package.
pub(super) const PACKAGE: &str = "sn17-edge-worker";
/// What it is compiled for.
pub(super) const TARGET: &str = "wasm32-unknown-unknown";
/// What the runtime's command line holds.
pub(super) const SIGN: &str = "wrangler";

/// Most bytes of the bundle, gzipped: the design's budget. Cloudflare takes 10 MB, 3 MB without a paid plan.
const GZIPPED_BYTES_MAX: u64 = 2_000_000;
/// The tools that come from crates.io: package, version, program. `worker-build` wants the very version of wasm-bindgen
/// that the Worker is compiled with.
const CARGO_TOOLS: [(&str, &str, &str); 2] =
    [("worker-build", "0.8.7", "worker-build"), ("wasm-bindgen-cli", "0.2.130", "wasm-bindgen")];
/// Says which tools come from npm, each with its exact version; wrangler does so in turn for the runtime and esbuild. There
/// is no lock file: one that is made where a registry lacks other systems' packages is refused everywhere.
const NPM_FILE: &str = "package.json";
/// The file that tells complete tools from those whose making was cut off; it holds what they were made from.
const MARKER: &str = ".ready";
/// Bound on installing one tool.
const INSTALL_LIMIT: Duration = Duration::from_secs(1800);
/// Bound on building the bundle.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);

/// The Worker, ready to be started.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) size: Size,
    tools: Tools,
}

/// Builds the bundle as it is shipped; the inner error says why that cannot be tried here.
pub(super) fn build(workspace: &Workspace) -> anyhow::Result<Result<Built, String>> {
    if let Err(reason) = wasm::install_target(TARGET)? {
        return Ok(Err(reason));
    }
    let tools = match Tools::prepare(workspace)? {
        Ok(tools) => tools,
        Err(reason) => return Ok(Err(reason)),
    };
    // A deployment that stops before the upload: it runs the build of wrangler.toml and measures what would be sent.
    let mut command = tools.wrangler(workspace);
    command.args(["deploy", "--dry-run", "--env", "production", "--outdir"]).arg(tools.folder.join("upload"));
    let finished = process::run(&mut command, BUILD_LIMIT)?;
    anyhow::ensure!(finished.is_success, "wrangler: {}", finished.output().trim());
    let size = size(&finished.stdout)
        .with_context(|| format!("wrangler tells no size:\n{}", finished.stdout.trim()))?;
    Ok(Ok(Built { size, tools }))
}

/// Starts it over a deployment and waits until it answers: its URL without a slash at the end.
pub(super) fn start(
    workspace: &Workspace,
    built: &Built,
    outputs: &Outputs,
    background: &Background,
) -> anyhow::Result<String> {
    let address = free_address()?;
    // What runs is not to change when the next bundle is built.
    let bundle = built.tools.folder.join("bundle");
    copy(&folder(workspace).join("build"), &bundle)?;
    let config = built.tools.folder.join("local.json");
    fs::write(&config, local_config(workspace, &bundle, outputs)?.to_string())
        .with_context(|| format!("cannot write {}", config.display()))?;
    let mut command = built.tools.wrangler(workspace);
    command.args(["dev", "--local", "--test-scheduled", "--config"]).arg(config);
    command.args(["--ip", &address.ip().to_string(), "--port", &address.port().to_string()]);
    command.args(["--inspector-port", "0", "--show-interactive-dev-session=false", "--log-level", "log"]);
    background.start(&mut command)?;
    await_answer(address, "/healthz", background)?;
    Ok(format!("http://{address}"))
}

/// The settings of wrangler.toml's top level for the bundle that is there, with the deployment's names and keys.
fn local_config(workspace: &Workspace, bundle: &Path, outputs: &Outputs) -> anyhow::Result<Value> {
    let text =
        fs::read_to_string(folder(workspace).join("wrangler.toml")).context("cannot read wrangler.toml")?;
    let shipped: toml::Table = text.parse().context("cannot understand wrangler.toml")?;
    Ok(json!({
        "name": shipped.get("name"),
        "main": bundle.join("index.js"),
        "compatibility_date": shipped.get("compatibility_date"),
        "compatibility_flags": shipped.get("compatibility_flags").map_or_else(|| json!([]), |flags| json!(flags)),
        "send_metrics": false,
        "vars": Value::from_iter(outputs.edge_variables()),
    }))
}

/// Copies a folder's files, those of folders in it too.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry.context("cannot read a folder")?.path();
        let target = to.join(path.file_name().context("an entry has a name")?);
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target).with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

/// The line `Total Upload: 2614.14 KiB / gzip: 1380.10 KiB`.
fn size(said: &str) -> Option<Size> {
    let (_, figures) = said.split_once("Total Upload: ")?;
    let (bytes, figures) = figures.split_once(" KiB / gzip: ")?;
    let (gzipped, _) = figures.split_once(" KiB")?;
    Some(Size {
        bytes: kibibytes(bytes)?,
        gzipped_bytes: kibibytes(gzipped)?,
        gzipped_bytes_max: GZIPPED_BYTES_MAX,
    })
}

/// A number of KiB with two digits after its point, in bytes.
fn kibibytes(text: &str) -> Option<u64> {
    let (whole, hundredths) = text.split_once('.')?;
    let hundredths = whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(hundredths.parse().ok()?)?;
    Some(hundredths.checked_mul(1024)?.div_ceil(100))
}

/// The package's folder.
fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root.join("edge/worker")
}

/// What builds the bundle and runs it.
#[derive(Debug)]
struct Tools {
    folder: PathBuf,
}

impl Tools {
    /// Installs them if need be; the inner error says why they cannot be had.
    fn prepare(workspace: &Workspace) -> anyhow::Result<Result<Self, String>> {
        let tools = Self { folder: workspace.keep().join("edge-worker") };
        let npm = fs::read_to_string(folder(workspace).join(NPM_FILE)).context("cannot read package.json")?;
        let recipe = format!("{CARGO_TOOLS:?}\n{npm}");
        let marker = tools.folder.join(MARKER);
        if fs::read_to_string(&marker).is_ok_and(|made_from| made_from == recipe) {
            return Ok(Ok(tools));
        }
        fs::create_dir_all(&tools.folder).context("cannot make a folder")?;
        if let Err(reason) = tools.install_from_npm(workspace)? {
            return Ok(Err(reason));
        }
        // The tools share most of what they are made of.
        let build = tools.folder.join("build");
        for (package, version, program) in CARGO_TOOLS {
            if let Err(reason) = tools.install_from_cargo(workspace, &build, package, version, program)? {
                return Ok(Err(reason));
            }
        }
        fs::remove_dir_all(&build).context("cannot remove what cargo has built")?;
        fs::write(&marker, recipe).with_context(|| format!("cannot write {}", marker.display()))?;
        Ok(Ok(tools))
    }

    fn install_from_npm(&self, workspace: &Workspace) -> anyhow::Result<Result<(), String>> {
        fs::copy(folder(workspace).join(NPM_FILE), self.folder.join(NPM_FILE))
            .context("cannot copy package.json")?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-package-lock", "--no-audit", "--no-fund"]).current_dir(&self.folder);
        let installed = match process::run(&mut npm, INSTALL_LIMIT) {
            Ok(installed) => installed,
            Err(error) => return Ok(Err(format!("npm is needed: {error:#}"))),
        };
        if !installed.is_success {
            return Ok(Err(format!("npm install: {}", installed.last_words())));
        }
        let version =
            process::run(Command::new(self.programs().join("node")).arg("--version"), INSTALL_LIMIT);
        Ok(match version {
            Ok(version) if version.is_success => Ok(()),
            Ok(version) => Err(format!("node: {}", version.last_words())),
            Err(error) => Err(format!("npm has installed no node: {error:#}")),
        })
    }

    /// Unoptimised: they run once, and are ready sooner.
    fn install_from_cargo(
        &self,
        workspace: &Workspace,
        build: &Path,
        package: &str,
        version: &str,
        program: &str,
    ) -> anyhow::Result<Result<(), String>> {
        let mut cargo = workspace.cargo(&["install", "--quiet", "--debug", "--force", "--bin", program]);
        cargo
            .arg(format!("{package}@{version}"))
            .arg("--root")
            .arg(&self.folder)
            .arg("--target-dir")
            .arg(build);
        cargo.env("CARGO_PROFILE_DEV_DEBUG", "false").env("CARGO_INCREMENTAL", "0");
        let installed = process::run(&mut cargo, INSTALL_LIMIT)?;
        if !installed.is_success {
            return Ok(Err(format!("cargo install {package}: {}", installed.last_words())));
        }
        Ok(Ok(()))
    }

    /// The programs from npm.
    fn programs(&self) -> PathBuf {
        self.folder.join("node_modules/.bin")
    }

    /// wrangler in the Worker's folder, which sends nothing home and finds the tools of the build.
    fn wrangler(&self, workspace: &Workspace) -> Command {
        let (programs, installed) = (self.programs(), self.folder.join("bin"));
        let mut command = Command::new(programs.join("wrangler"));
        command
            .current_dir(folder(workspace))
            .env("PATH", path(&[&programs, &installed]))
            .env("WASM_BINDGEN_BIN", installed.join("wasm-bindgen"))
            .env("WASM_OPT_BIN", programs.join("wasm-opt"))
            .env("ESBUILD_BIN", programs.join("esbuild"))
            .env("CARGO_TARGET_DIR", &workspace.target)
            .env("WRANGLER_SEND_METRICS", "false")
            .env("WRANGLER_SEND_ERROR_REPORTS", "false")
            .env("WRANGLER_LOG_PATH", self.folder.join("logs"))
            .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
            .env("CI", "1")
            .env("NO_COLOR", "1");
        command
    }
}

/// The search path with these folders first.
fn path(first: &[&Path]) -> std::ffi::OsString {
    let others = std::env::var_os("PATH").unwrap_or_default();
    let folders = first.iter().map(PathBuf::from).chain(std::env::split_paths(&others));
    std::env::join_paths(folders).unwrap_or(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_what_wrangler_tells() {
        let said =
            "No bindings found.\nTotal Upload: 2614.14 KiB / gzip: 1380.10 KiB\n--dry-run: exiting now.\n";
        let size = size(said).unwrap();
        assert_eq!((size.bytes, size.gzipped_bytes), (2_676_880, 1_413_223));
        assert!(super::size("Total Upload: many").is_none());
    }
}
