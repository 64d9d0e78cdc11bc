//! Finding the binary under test, and running its commands.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

/// No command takes longer; the first to score on a machine may have to fetch ONNX Runtime.
const ENDS_WITHIN: Duration = Duration::from_secs(170);

/// The `sn17` to test: the one that the environment variable `SN17_BIN` names, else the one beside this test, which cargo
/// builds first unless it is there and newer than every source.
pub(crate) fn path() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        std::env::var_os("SN17_BIN").map_or_else(|| built("sn17-cli", "sn17", &["crates"]), PathBuf::from)
    })
}

/// The worker of deployed functions, found or built in the same way; `SN17_SCORER_BIN` may name one.
pub(crate) fn scorer() -> PathBuf {
    let build = || built("sn17-gpu-workers", "scorer", &["crates", "gpu-workers"]);
    std::env::var_os("SN17_SCORER_BIN").map_or_else(build, PathBuf::from)
}

/// A program of a package, built from these folders of sources.
fn built(package: &str, program: &str, sources: &[&str]) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let beside = test.ancestors().nth(2).unwrap().join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let changed = sources.iter().map(|folder| newest(&root.join(folder))).max().unwrap();
    let built = beside.metadata().and_then(|metadata| metadata.modified());
    if built.is_ok_and(|built| built > changed) {
        return beside;
    }
    let folder = beside.ancestors().nth(2).unwrap();
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--quiet", "--package", package, "--target-dir"]).arg(folder);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success(), "{program} cannot be built; the environment may name one");
    beside
}

/// When the newest file in a folder was changed.
fn newest(folder: &Path) -> SystemTime {
    let changed = |entry: std::fs::DirEntry| {
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() { newest(&entry.path()) } else { metadata.modified().unwrap() }
    };
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| changed(entry.unwrap())).max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Runs a command to its end, which must come within [`ENDS_WITHIN`].
pub(crate) fn run(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let mut command = Command::new(path());
    command.args(arguments).env("RUST_LOG", "error").stdin(Stdio::null());
    command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap());
    let mut child = command.spawn().unwrap();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > ENDS_WITHIN {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("sn17 {arguments:?} does not end: {}", std::fs::read_to_string(&err).unwrap());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Output { status, stdout: std::fs::read(out).unwrap(), stderr: std::fs::read(err).unwrap() }
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
