//! The networks' graphs made from `PyTorch`, by the Python program in `export/` that this one carries.
//!
//! The program builds each network with its own library, traces it with the preprocessing in front, and compares the
//! graph in ONNX Runtime with the network. Here is what surrounds it: the environment of pinned packages in the user's
//! cache, the manifest, and a folder that has either all files or no `models.json`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::manifest::{
    FILE_NAME, File, Manifest, ManifestError, Model, Models, Preprocessing, Role, Vocabulary, sha256_file,
};
use crate::runtime::{RuntimeError, run_step, user_cache};
use crate::synthetic::replace;

/// The program and the packages that it needs.
const PROGRAM: [(&str, &str); 4] = [
    ("export.py", include_str!("../export/export.py")),
    ("frames.py", include_str!("../export/frames.py")),
    ("networks.py", include_str!("../export/networks.py")),
    ("weights.py", include_str!("../export/weights.py")),
];
const REQUIREMENTS: &str = include_str!("../export/requirements.txt");
/// Tells a complete environment from one whose making was cut off.
const READY: &str = ".ready";

/// Where the weights come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weights {
    /// Downloaded from where their makers publish them.
    Hub,
    /// A folder of downloads.
    Folder(PathBuf),
    /// Made up, for the exact architectures; the manifest says `synthetic`.
    Random,
}

/// How models are exported.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// Where the weights come from.
    pub weights: Weights,
    /// Whether weights and arithmetic have half precision, for GPUs; inputs and outputs are the same.
    pub half: bool,
    /// A Python that has the packages; without one, an environment is made in the user's cache.
    pub python: Option<PathBuf>,
}

/// Why models are not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The folder has models.
    #[error("`{}` has models already; name another folder, or delete its {FILE_NAME} first", .0.display())]
    Occupied(PathBuf),
    /// There is no place for the Python environment.
    #[error(transparent)]
    Cache(#[from] RuntimeError),
    /// The Python environment cannot be made.
    #[error(
        "cannot make the Python environment: {0}; install Python 3.11 or newer with pip and venv, or give --python FILE that has the packages"
    )]
    Environment(String),
    /// The Python program ended with an error.
    #[error("{0}")]
    Program(String),
    /// A file cannot be read or written.
    #[error("cannot read or write `{}`", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What the program made is not what it should be.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

/// What the program says while it works.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Event {
    Progress(String),
    Error(String),
}

/// What the program made, as far as the manifest needs it.
#[derive(Deserialize)]
struct Report {
    vocabulary: String,
    models: BTreeMap<String, Exported>,
}

#[derive(Deserialize)]
struct Exported {
    file: String,
    preprocessing: Option<Preprocessing>,
}

/// Makes the five graphs and a manifest in a folder, which is made if need be. `progress` hears of each step.
///
/// # Errors
/// [`ExportError`]; the folder has no manifest then.
pub fn export(
    folder: &Path,
    options: &ExportOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<Manifest, ExportError> {
    if folder.join(FILE_NAME).exists() {
        return Err(ExportError::Occupied(folder.to_owned()));
    }
    let file_error = |path: &Path| {
        let path = path.to_owned();
        move |source| ExportError::File { path, source }
    };
    fs::create_dir_all(folder).map_err(file_error(folder))?;
    let python = match &options.python {
        Some(python) => python.clone(),
        None => environment(&user_cache()?, progress)?,
    };
    // On the disk that the models are for: they weigh gigabytes, and are moved with a rename.
    let scratch =
        tempfile::Builder::new().prefix(".export-").tempdir_in(folder).map_err(file_error(folder))?;
    for (name, text) in PROGRAM {
        let path = scratch.path().join(name);
        fs::write(&path, text).map_err(file_error(&path))?;
    }
    let out = scratch.path().join("out");
    fs::create_dir(&out).map_err(file_error(&out))?;
    run_program(&python, scratch.path(), &out, options, progress)?;

    let report = out.join("export.json");
    let text = fs::read(&report).map_err(file_error(&report))?;
    let report: Report = serde_json::from_slice(&text)
        .map_err(|source| ManifestError::Parse { path: report.clone(), source })?;
    let manifest = manifest_of(&report, &out, options)?;
    let names = Role::ALL.map(|role| manifest.models.get(role).file.name.clone());
    for name in names.iter().chain([&report.vocabulary]).map(String::as_str).chain(["export.json"]) {
        fs::rename(out.join(name), folder.join(name)).map_err(file_error(&folder.join(name)))?;
    }
    let mut json = serde_json::to_vec_pretty(&manifest).expect("a manifest has only string keys");
    json.push(b'\n');
    replace(folder, FILE_NAME, &json)
        .map_err(|error| ExportError::File { path: error.path, source: error.source })?;
    // The names of inputs and outputs are the contract's own; reading it again shows that it is one.
    Ok(Manifest::read(folder)?)
}

/// Runs the program until it ends, and tells what it says.
fn run_program(
    python: &Path,
    scratch: &Path,
    out: &Path,
    options: &ExportOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<(), ExportError> {
    let failed =
        |error: io::Error| ExportError::Program(format!("cannot run `{}`: {error}", python.display()));
    let mut command = Command::new(python);
    command.arg(scratch.join(PROGRAM[0].0)).arg(out);
    match &options.weights {
        Weights::Hub => command.arg("--hub"),
        Weights::Folder(folder) => command.arg("--weights").arg(
            fs::canonicalize(folder).map_err(|source| ExportError::File { path: folder.clone(), source })?,
        ),
        Weights::Random => command.arg("--random"),
    };
    if options.half {
        command.arg("--half");
    }
    // What libraries say goes to a file of its own: a pipe that nobody empties would stop the program.
    let log = scratch.join("log");
    let log_file = fs::File::create(&log).map_err(failed)?;
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log_file).spawn().map_err(failed)?;
    let output = child.stdout.take().expect("its output is piped");
    let mut said = None;
    for line in BufReader::new(output).lines() {
        match serde_json::from_str(&line.map_err(failed)?) {
            Ok(Event::Progress(text)) => progress(&text),
            Ok(Event::Error(text)) => said = Some(text),
            Err(_) => {}
        }
    }
    if child.wait().map_err(failed)?.success() && said.is_none() {
        return Ok(());
    }
    let last_words = || {
        let log = fs::read_to_string(&log).unwrap_or_default();
        let last = log.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no message");
        format!("`{}` ended with an error: {last}", python.display())
    };
    Err(ExportError::Program(said.unwrap_or_else(last_words)))
}

fn manifest_of(report: &Report, out: &Path, options: &ExportOptions) -> Result<Manifest, ExportError> {
    let mut all = Sha256::new();
    let mut file = |name: &str| -> Result<File, ExportError> {
        let sha256 = sha256_file(&out.join(name))?;
        all.update(&sha256);
        Ok(File { name: name.to_owned(), sha256 })
    };
    let mut model = |role: Role| -> Result<Model, ExportError> {
        let exported = report
            .models
            .get(role.name())
            .ok_or_else(|| ExportError::Program(format!("the program made no graph for {role}")))?;
        let (inputs, outputs) = role.contract();
        let preprocessing = exported.preprocessing.clone();
        Ok(Model { file: file(&exported.file)?, inputs, outputs, preprocessing })
    };
    let models = Models {
        clip_image: model(Role::ClipImage)?,
        clip_text: model(Role::ClipText)?,
        image_image: model(Role::ImageImage)?,
        iqa: model(Role::Iqa)?,
        lpips: model(Role::Lpips)?,
    };
    let tokenizer = Vocabulary::Merges(file(&report.vocabulary)?);
    let origin = if options.weights == Weights::Random { "random" } else { "404" };
    let precision = if options.half { "-half" } else { "" };
    let digest = hex::encode(all.finalize());
    let version = format!("{origin}{precision}-{}", &digest[..12]);
    Ok(Manifest { version, synthetic: options.weights == Weights::Random, tokenizer, models })
}

/// The Python of an environment with the pinned packages, made on the first call; two at once wait for each other.
fn environment(cache: &Path, progress: &mut dyn FnMut(&str)) -> Result<PathBuf, ExportError> {
    let file_error = |path: &Path| {
        let path = path.to_owned();
        move |source| ExportError::File { path, source }
    };
    let digest = hex::encode(Sha256::digest(REQUIREMENTS));
    let folder = cache.join(format!("export-{}", &digest[..12]));
    fs::create_dir_all(&folder).map_err(file_error(&folder))?;
    let lock = folder.join(".lock");
    let lock_file = fs::File::create(&lock).map_err(file_error(&lock))?;
    lock_file.lock().map_err(file_error(&lock))?;
    let venv = folder.join("venv");
    let python = if cfg!(windows) { venv.join("Scripts/python.exe") } else { venv.join("bin/python") };
    let ready = folder.join(READY);
    if ready.exists() {
        return Ok(python);
    }
    progress(&format!("making a Python environment in {}", venv.display()));
    run_step(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))
        .map_err(ExportError::Environment)?;
    progress("installing PyTorch and the networks' libraries; some gigabytes, once");
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, REQUIREMENTS).map_err(file_error(&requirements))?;
    let mut pip = Command::new(&python);
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
        "--requirement",
    ]);
    run_step(pip.arg(&requirements)).map_err(ExportError::Environment)?;
    fs::write(&ready, "").map_err(file_error(&ready))?;
    Ok(python)
}
