//! A models folder that is not as it should be is refused with the reason.

use std::fs;

use sn17_score::manifest::{Dimension, Dtype, FILE_NAME, Manifest};
use sn17_score::{PromptRef, Scorer, ScorerOptions, runtime, synthetic};

use crate::{has_runtime, synthetic_scorer};

/// Loads a synthetic folder after `spoil` has changed its manifest, and gives the error.
fn load_error(spoil: impl FnOnce(&mut Manifest)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = synthetic::write(folder.path()).unwrap();
    spoil(&mut manifest);
    fs::write(folder.path().join(FILE_NAME), serde_json::to_vec(&manifest).unwrap()).unwrap();
    Scorer::load(folder.path(), &ScorerOptions::default()).unwrap_err().to_string()
}

#[test]
fn a_folder_without_manifest_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = Manifest::read(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read `") && error.ends_with("models.json`"), "{error}");
}

#[test]
fn a_manifest_must_fit_the_roles() {
    let error = load_error(|manifest| manifest.models.clip_text.outputs[0].shape[1] = Dimension::Fixed(512));
    assert_eq!(
        error,
        "the manifest of `clip_text` has outputs `embeddings` f32 [b, 512], expected `embeddings` f32 [b, 768]"
    );
    let error = load_error(|manifest| manifest.models.iqa.inputs[0].dtype = Dtype::F32);
    assert_eq!(
        error,
        "the manifest of `iqa` has inputs `frames` f32 [n, 518, 518, 3], expected `frames` u8 [n, 518, 518, 3]"
    );
}

#[test]
fn a_graph_must_be_the_one_of_the_manifest() {
    if !has_runtime("a_graph_must_be_the_one_of_the_manifest") {
        return;
    }
    let error = load_error(|manifest| manifest.models.lpips.file.sha256 = "0".repeat(64));
    assert!(error.contains("lpips.onnx` has sha256 ") && error.contains("the manifest says 000"), "{error}");
    let error = load_error(|manifest| manifest.models.iqa.file = manifest.models.lpips.file.clone());
    assert!(
        error.starts_with("the graph of `iqa` has inputs `left` u8 [n, 518, 518, 3], `right`"),
        "{error}"
    );
    let error = load_error(|manifest| manifest.models.iqa.outputs[0].name = "score".to_owned());
    assert_eq!(error, "the graph of `iqa` has outputs `quality` f32 [n], expected `score` f32 [n]");
    let error = load_error(|manifest| manifest.models.iqa.file.name = "../iqa.onnx".to_owned());
    assert_eq!(error, "the file name `../iqa.onnx` in the manifest is not a plain name");
}

#[test]
fn a_file_that_is_no_graph_is_an_error_and_not_a_crash() {
    if !has_runtime("a_file_that_is_no_graph_is_an_error_and_not_a_crash") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut manifest = synthetic::write(folder.path()).unwrap();
    fs::write(folder.path().join("iqa.onnx"), b"abc").unwrap();
    // The SHA-256 of "abc" (FIPS 180-2).
    manifest.models.iqa.file.sha256 =
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
    fs::write(folder.path().join(FILE_NAME), serde_json::to_vec(&manifest).unwrap()).unwrap();
    let error = Scorer::load(folder.path(), &ScorerOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("cannot load model `iqa` from "), "{error}");
}

#[test]
fn views_and_pictures_of_another_size_are_refused_and_the_scorer_lives_on() {
    if !has_runtime("views_and_pictures_of_another_size_are_refused_and_the_scorer_lives_on") {
        return;
    }
    let mut scorer = synthetic_scorer();
    let view = vec![255; 518 * 518 * 3];
    let views = vec![&view[..]; 16];
    let mut refuse =
        |views: &[&[u8]], prompt: PromptRef<'_>| scorer.metrics(views, prompt).unwrap_err().to_string();
    assert_eq!(refuse(&views[1..], PromptRef::Text("x")), "15 views given, expected 16");
    let mut short = views.clone();
    short[3] = &view[1..];
    assert_eq!(refuse(&short, PromptRef::Text("x")), "view 3 has 804971 bytes, expected 804972");
    let empty = PromptRef::Image { rgba: &[], width: 0, height: 4 };
    assert!(refuse(&views, empty).contains("0x4 px with 0 bytes"));
    let overflowing = PromptRef::Image { rgba: &[], width: usize::MAX, height: 2 };
    assert!(refuse(&views, overflowing).contains("is not RGBA"));
    assert!(scorer.metrics(&views, PromptRef::Text("x")).is_ok());
}

#[test]
fn the_library_is_found_again() {
    if !has_runtime("the_library_is_found_again") {
        return;
    }
    assert!(runtime::find_library().unwrap().is_some());
}
