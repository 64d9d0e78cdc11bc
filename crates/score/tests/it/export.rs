//! Models from `PyTorch`: what surrounds the Python program with a stand-in for it, and with `SN17_FULL=1` the program.

use std::fs;
use std::path::{Path, PathBuf};

use sn17_score::export::{ExportError, ExportOptions, Weights, export};
use sn17_score::manifest::{FILE_NAME, Manifest};
use sn17_score::{Scorer, ScorerOptions, synthetic, verify};

use crate::has_runtime;

/// A program that takes the place of Python: it makes what `script` says in the folder `$2`, from synthetic graphs in
/// `$graphs`.
#[cfg(unix)]
fn stand_in(folder: &Path, script: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let graphs = folder.join("graphs");
    synthetic::write(&graphs).unwrap();
    let program = folder.join("python");
    let text = format!("#!/bin/sh\ngraphs='{}'\n{script}\n", graphs.display());
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// What a program says that has worked.
#[cfg(unix)]
const WORKS: &str = r#"
echo '{"progress": "tracing"}'
echo 'a library says something'
cp "$graphs"/*.onnx "$2"/
printf '' | gzip > "$2/merges.gz"
models=
for role in clip_image clip_text image_image iqa lpips; do
    models="$models${models:+,}\"$role\": {\"file\": \"$role.onnx\", \"preprocessing\": null}"
done
echo "{\"origin\": \"$3\", \"vocabulary\": \"merges.gz\", \"models\": {$models}}" > "$2/export.json"
"#;

fn options(python: PathBuf, weights: Weights) -> ExportOptions {
    ExportOptions { weights, half: false, python: Some(python) }
}

#[cfg(unix)]
#[test]
fn a_manifest_says_what_the_program_made() {
    let folder = tempfile::tempdir().unwrap();
    let python = stand_in(folder.path(), WORKS);
    let models = folder.path().join("models");
    let mut steps = Vec::new();
    let random = options(python.clone(), Weights::Random);
    let made = export(&models, &random, &mut |step| steps.push(step.to_owned())).unwrap();
    assert_eq!(steps, ["tracing"]);
    assert!(made.synthetic && made.version.starts_with("random-"), "{}", made.version);
    assert_eq!(Manifest::read(&models).unwrap(), made);
    let mut names: Vec<_> = fs::read_dir(&models)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = ["clip_image.onnx", "clip_text.onnx", "export.json", "image_image.onnx", "iqa.onnx"];
    assert_eq!(names[..5], expected);
    assert_eq!(names[5..], ["lpips.onnx", "merges.gz", FILE_NAME]);

    let again = export(&models, &random, &mut |_| {}).unwrap_err();
    assert!(matches!(again, ExportError::Occupied(_)), "{again}");
    let downloads = Weights::Folder(folder.path().to_owned());
    let real = export(&folder.path().join("real"), &options(python, downloads), &mut |_| {}).unwrap();
    assert!(!real.synthetic && real.version.starts_with("404-"), "{}", real.version);
}

#[cfg(unix)]
#[test]
fn a_program_that_fails_leaves_no_models_and_is_quoted() {
    let folder = tempfile::tempdir().unwrap();
    for (script, expected) in [
        (
            "echo '{\"error\": \"cannot reach the hub; use --random\"}'; exit 1",
            "cannot reach the hub; use --random",
        ),
        ("echo 'no module named torch' >&2; exit 1", "ended with an error: no module named torch"),
        ("exit 0", "export.json"),
    ] {
        let python = stand_in(folder.path(), script);
        let models = folder.path().join("models");
        let error = export(&models, &options(python, Weights::Hub), &mut |_| {}).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(fs::read_dir(&models).unwrap().count(), 0, "{expected}");
    }
    let nowhere = options(PathBuf::from("/nonexistent/python3"), Weights::Hub);
    let error = export(&folder.path().join("models"), &nowhere, &mut |_| {}).unwrap_err().to_string();
    assert!(error.starts_with("cannot run `/nonexistent/python3`"), "{error}");
}

#[test]
fn every_fault_of_a_folder_is_found() {
    if !has_runtime("every_fault_of_a_folder_is_found") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    synthetic::write(folder.path()).unwrap();
    let (_, files) = verify(folder.path()).unwrap();
    let names: Vec<_> = files.iter().map(|file| file.name).collect();
    assert_eq!(names, ["clip_image", "clip_text", "image_image", "iqa", "lpips", "tokenizer"]);
    assert!(files.iter().all(|file| file.fault.is_none()));
    assert!(files[..5].iter().all(|file| file.bytes > 0));

    fs::write(folder.path().join("iqa.onnx"), "damaged").unwrap();
    fs::remove_file(folder.path().join("lpips.onnx")).unwrap();
    let (_, files) = verify(folder.path()).unwrap();
    let faulty: Vec<_> = files.iter().filter(|file| file.fault.is_some()).map(|file| file.name).collect();
    assert_eq!(faulty, ["iqa", "lpips"]);
}

/// The exact architectures with made-up weights, `PyTorch` against ONNX Runtime, and then in a scorer. Takes minutes and
/// gigabytes. `SN17_EXPORT_PYTHON` names a Python that has the packages already.
#[test]
fn networks_of_the_exact_architectures_become_graphs() {
    if std::env::var_os("SN17_FULL").is_none() {
        eprintln!("skipped: exporting real networks takes minutes and gigabytes; SN17_FULL=1 does it");
        return;
    }
    if !has_runtime("networks_of_the_exact_architectures_become_graphs") {
        return;
    }
    let python = std::env::var_os("SN17_EXPORT_PYTHON").map(PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    for half in [false, true] {
        let models = folder.path().join(if half { "half" } else { "full" });
        let options = ExportOptions { weights: Weights::Random, half, python: python.clone() };
        export(&models, &options, &mut |step| eprintln!("{step}")).unwrap();
        let scorer = Scorer::load(&models, &ScorerOptions::default()).unwrap();
        assert!(scorer.is_synthetic());
    }
}
