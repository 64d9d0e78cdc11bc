//! Tests over ONNX Runtime; they skip with one visible line when the library can neither be found nor fetched.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "test helpers end at the first surprise and say when they skip"
)]

mod contracts;
mod export;
mod scenes;
mod sensitivity;
mod tokenizer;

use std::path::Path;

use sn17_core::scoring::{MetricRules, Metrics, PromptKind, score};
use sn17_score::{PromptRef, RawMetrics, Scorer, ScorerOptions, runtime, synthetic};

/// Whether ONNX Runtime is there; if not, says so on one line.
fn has_runtime(test: &str) -> bool {
    match runtime::environment() {
        Ok(_) => true,
        Err(error) => {
            eprintln!("skipped: {test}: {error}");
            false
        }
    }
}

/// A scorer over freshly written synthetic models.
fn synthetic_scorer() -> Scorer {
    let folder = tempfile::tempdir().unwrap();
    synthetic::write(folder.path()).unwrap();
    Scorer::load(folder.path(), &ScorerOptions::default()).unwrap()
}

/// The raw figures, the four metrics and the score of some views.
fn judge(scorer: &mut Scorer, views: &[Vec<u8>], prompt: PromptRef<'_>) -> (RawMetrics, Metrics, f64) {
    let views: Vec<&[u8]> = views.iter().map(Vec::as_slice).collect();
    let raw = scorer.metrics(&views, prompt).unwrap();
    let kind = match prompt {
        PromptRef::Text(_) => PromptKind::Text,
        PromptRef::Image { .. } => PromptKind::Image,
    };
    let rules = MetricRules::default();
    let metrics = Metrics::from_views(&raw.to_views(), kind, &rules);
    let score = score(&metrics, &rules);
    (raw, metrics, score)
}

/// A file of the fixtures folder; none, with one visible line, when `SN17_FIXTURES` is not set.
fn fixture(name: &str) -> Option<std::path::PathBuf> {
    let Some(folder) = std::env::var_os("SN17_FIXTURES") else {
        eprintln!("skipped: SN17_FIXTURES is not set");
        return None;
    };
    Some(Path::new(&folder).join(name))
}
