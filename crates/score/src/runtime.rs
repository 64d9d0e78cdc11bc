//! Finds ONNX Runtime's shared library, or fetches it through Python's package index.
//!
//! The order is: the file that `ORT_DYLIB_PATH` names; the user's cache folder; the wheel of [`VERSION`], fetched by
//! pip and unpacked by Python's own `zipfile` into that folder. The library inside a wheel does not depend on the
//! version of Python, so any Python 3 with pip will do.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

/// The version of ONNX Runtime that is fetched when none is at hand.
pub const VERSION: &str = "1.32.0";

/// The environment variable that names the library file and wins over the cache.
pub const PATH_VARIABLE: &str = "ORT_DYLIB_PATH";

/// The Python version whose wheel is fetched, whichever Python fetches it.
const WHEEL_PYTHON: &str = "3.12";

/// Why ONNX Runtime cannot be used; each message says what to install or set.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// `ORT_DYLIB_PATH` names something that is not a file.
    #[error("ORT_DYLIB_PATH names `{}`, which is not a file; set it to the ONNX Runtime library or unset it", .0.display())]
    PathVariable(PathBuf),
    /// Neither `XDG_CACHE_HOME` nor `HOME` says where caches live.
    #[error(
        "ONNX Runtime has no place to be cached; set XDG_CACHE_HOME or HOME, or ORT_DYLIB_PATH to the library"
    )]
    NoCacheFolder,
    /// The library is not at hand and could not be fetched.
    #[error(
        "ONNX Runtime is not at hand and cannot be fetched: {0}; install Python 3 with pip, or set ORT_DYLIB_PATH to a \
         libonnxruntime of version 1.{min} or newer",
        min = ort::MINOR_VERSION
    )]
    Fetch(String),
    /// The fetched library could not be placed in the cache.
    #[error("cannot write the ONNX Runtime cache `{}`", path.display())]
    Cache {
        /// The folder or file in question.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The library is older than this program needs.
    #[error(
        "`{}` is ONNX Runtime {found}, older than 1.{min}; set ORT_DYLIB_PATH to a newer one or unset it",
        path.display(),
        min = ort::MINOR_VERSION
    )]
    TooOld {
        /// The library file.
        path: PathBuf,
        /// The version that it names.
        found: String,
    },
    /// The file is no loadable ONNX Runtime library.
    #[error("cannot load ONNX Runtime from `{}`: {message}", path.display())]
    Load {
        /// The library file.
        path: PathBuf,
        /// What the loader said.
        message: String,
    },
}

/// The one environment of this process; ONNX Runtime allows no second one.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// The process-wide ONNX Runtime environment, made on the first call, which may fetch the library.
///
/// # Errors
/// Says what to install or set when the library is missing, too old or broken. A later call tries again.
pub fn environment() -> Result<Environment, RuntimeError> {
    let mut slot = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = slot.as_ref() {
        return Ok(environment.clone());
    }
    let path = ensure_library()?;
    let builder = ort::init_from(&path).map_err(|error| match error {
        ort::LoadDynamicError::BadVersion { version_str, path } => {
            RuntimeError::TooOld { path, found: version_str }
        }
        error @ (ort::LoadDynamicError::Dlopen { .. }
        | ort::LoadDynamicError::MissingApi { .. }
        | ort::LoadDynamicError::InvalidVersionString) => {
            RuntimeError::Load { path: path.clone(), message: error.to_string() }
        }
    })?;
    let environment = builder
        .with_name("sn17")
        .with_telemetry(false)
        .build()
        .map_err(|error| RuntimeError::Load { path: path.clone(), message: error.to_string() })?;
    environment.set_log_level(LogLevel::Error);
    tracing::debug!(runtime.path = %path.display(), "loaded ONNX Runtime");
    *slot = Some(environment.clone());
    Ok(environment)
}

/// The library's path, fetched into the cache first when neither `ORT_DYLIB_PATH` nor the cache has it.
///
/// # Errors
/// As [`environment`], without trying to load the file.
pub fn ensure_library() -> Result<PathBuf, RuntimeError> {
    if let Some(path) = find_library()? {
        return Ok(path);
    }
    let folder = library_folder()?;
    tracing::info!(runtime.version = VERSION, folder = %folder.display(), "fetching ONNX Runtime with pip");
    fetch(Path::new("python3"), &folder)
}

/// The library's path if `ORT_DYLIB_PATH` or the cache has it; fetches nothing.
///
/// # Errors
/// [`RuntimeError::PathVariable`] when the variable is set to something that is not a file.
pub fn find_library() -> Result<Option<PathBuf>, RuntimeError> {
    if let Some(path) = env::var_os(PATH_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from) {
        return if path.is_file() { Ok(Some(path)) } else { Err(RuntimeError::PathVariable(path)) };
    }
    Ok(library_in(&library_folder()?))
}

/// This program's folder among the user's caches; it need not exist.
///
/// # Errors
/// [`RuntimeError::NoCacheFolder`] when neither `XDG_CACHE_HOME` nor `HOME` is set.
pub fn user_cache() -> Result<PathBuf, RuntimeError> {
    cache_folder(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME"))
}

/// Where the library of [`VERSION`] is cached.
fn library_folder() -> Result<PathBuf, RuntimeError> {
    Ok(user_cache()?.join(format!("onnxruntime-{VERSION}")))
}

/// Per the XDG base directory specification, a relative or empty `XDG_CACHE_HOME` is ignored.
fn cache_folder(xdg_cache_home: Option<OsString>, home: Option<OsString>) -> Result<PathBuf, RuntimeError> {
    let caches = xdg_cache_home
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| home.filter(|home| !home.is_empty()).map(|home| PathBuf::from(home).join(".cache")))
        .ok_or(RuntimeError::NoCacheFolder)?;
    Ok(caches.join("sn17"))
}

/// Fetches the wheel with the given Python, unpacks it beside `folder` and moves the library in with one rename, so
/// that a reader sees all of it or nothing, and two fetchers at once do no harm.
fn fetch(python: &Path, folder: &Path) -> Result<PathBuf, RuntimeError> {
    let cache_error = |path: &Path, source| RuntimeError::Cache { path: path.to_owned(), source };
    fs::create_dir_all(folder).map_err(|error| cache_error(folder, error))?;
    let scratch = tempfile::Builder::new()
        .prefix(".fetch-")
        .tempdir_in(folder)
        .map_err(|error| cache_error(folder, error))?;

    let requirement = format!("onnxruntime=={VERSION}");
    let mut download = Command::new(python);
    download.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--no-deps",
    ]);
    download.args(["--only-binary=:all:", "--python-version", WHEEL_PYTHON, "--dest"]);
    run(download.arg(scratch.path()).arg(requirement))?;
    let wheel = files_in(scratch.path())
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| RuntimeError::Fetch("pip downloaded no wheel".to_owned()))?;
    let unpacked = scratch.path().join("wheel");
    run(Command::new(python).args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;

    let library = library_in(&unpacked.join("onnxruntime").join("capi"))
        .ok_or_else(|| RuntimeError::Fetch("the wheel holds no libonnxruntime".to_owned()))?;
    let name =
        library.file_name().ok_or_else(|| RuntimeError::Fetch("the library has no name".to_owned()))?;
    let target = folder.join(name);
    fs::rename(&library, &target).map_err(|error| cache_error(&target, error))?;
    Ok(target)
}

/// Runs a step of the fetch.
fn run(command: &mut Command) -> Result<(), RuntimeError> {
    run_step(command).map_err(RuntimeError::Fetch)
}

/// Runs a program; a failure becomes one line with the last thing that it said.
pub(crate) fn run_step(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("cannot run `{program}` ({error})"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last_line = said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no message");
    Err(format!("`{program}` failed ({last_line})"))
}

/// The ONNX Runtime library in a folder, under the name that the platform's wheel gives it.
fn library_in(folder: &Path) -> Option<PathBuf> {
    files_in(folder).into_iter().find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libonnxruntime.so")
            || (name.starts_with("libonnxruntime.") && name.ends_with(".dylib"))
            || name == "onnxruntime.dll"
    })
}

/// The entries of a folder in the order of their names; none when it cannot be read.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_folder_follows_the_xdg_specification() {
        let folder = |xdg: Option<&str>, home: Option<&str>| {
            cache_folder(xdg.map(OsString::from), home.map(OsString::from)).ok()
        };
        let path = |text| Some(PathBuf::from(text));
        assert_eq!(folder(Some("/caches"), Some("/home/a")), path("/caches/sn17"));
        assert_eq!(folder(Some("relative"), Some("/home/a")), path("/home/a/.cache/sn17"));
        assert_eq!(folder(None, Some("/home/a")), path("/home/a/.cache/sn17"));
        assert_eq!(folder(None, None), None);
    }

    #[test]
    fn a_missing_python_is_one_line_that_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let error = fetch(Path::new("/nonexistent/python3"), folder.path()).unwrap_err().to_string();
        assert!(error.contains("cannot run `/nonexistent/python3`"), "{error}");
        assert!(error.contains("install Python 3 with pip, or set ORT_DYLIB_PATH"), "{error}");
        assert_eq!(error.lines().count(), 1);
        assert!(files_in(folder.path()).is_empty(), "the scratch folder is gone");
    }

    #[test]
    fn a_failing_python_is_quoted_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let error = fetch(Path::new("false"), folder.path()).unwrap_err().to_string();
        assert!(error.contains("`false` failed (no message)"), "{error}");
    }

    #[test]
    fn the_library_is_known_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("libonnxruntime_providers_shared.so"), "").unwrap();
        assert_eq!(library_in(folder.path()), None);
        let library = folder.path().join("libonnxruntime.so.1.32.0");
        fs::write(&library, "").unwrap();
        assert_eq!(library_in(folder.path()), Some(library));
    }
}
