//! Finding the binary under test, and running its commands.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The `sn17` to test: the one that the environment variable `SN17_BIN` names, else the one built beside this test, else one
/// that cargo builds now.
pub(crate) fn path() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(given) = std::env::var_os("SN17_BIN") {
            return given.into();
        }
        let test = std::env::current_exe().unwrap();
        let beside = test.ancestors().nth(2).unwrap().join(format!("sn17{}", std::env::consts::EXE_SUFFIX));
        if !beside.is_file() {
            let folder = beside.ancestors().nth(2).unwrap();
            let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            build.args(["build", "--package", "sn17-cli", "--target-dir"]).arg(folder);
            if !cfg!(debug_assertions) {
                build.arg("--release");
            }
            assert!(build.status().unwrap().success(), "the binary cannot be built; SN17_BIN may name one");
        }
        beside
    })
}

/// A command of the binary, quiet about anything but errors.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(path());
    command.args(arguments).env("RUST_LOG", "error");
    command
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// What a command prints when it succeeds.
pub(crate) fn stdout(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "sn17 {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command says when it fails.
pub(crate) fn failure(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(1), "sn17 {arguments:?} should fail with 1");
    String::from_utf8(output.stderr).unwrap()
}

/// Whether splats can be scored here; if not, says so on a line of its own.
pub(crate) fn can_score() -> bool {
    static REASON: OnceLock<Option<String>> = OnceLock::new();
    let reason = REASON.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_str().unwrap();
        stdout(&["models", "synthetic", folder]);
        let verified = run(&["models", "verify", folder]);
        let words = String::from_utf8_lossy(&verified.stderr).trim().to_owned();
        (!verified.status.success()).then_some(words)
    });
    if let Some(reason) = reason {
        assert!(reason.contains("ONNX Runtime"), "{reason}");
        eprintln!("skipped: {}", reason.replace('\n', " "));
    }
    reason.is_none()
}
