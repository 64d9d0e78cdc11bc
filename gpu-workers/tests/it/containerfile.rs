//! No test builds the image; what the container file names must exist all the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use sn17_score::runtime;

const CONTAINERFILE: &str = include_str!("../../Containerfile");

/// Its instructions, comments left out and continued lines joined.
fn instructions() -> Vec<String> {
    let code: Vec<&str> =
        CONTAINERFILE.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    code.join("\n").replace("\\\n", " ").lines().map(str::to_owned).collect()
}

/// The one instruction that begins so.
fn instruction(start: &str) -> String {
    let found: Vec<String> = instructions().into_iter().filter(|line| line.starts_with(start)).collect();
    assert_eq!(found.len(), 1, "{start}: {found:?}");
    found[0].clone()
}

/// The word after `name`.
fn word_after<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(name).unwrap_or_else(|| panic!("no `{name}` in `{text}`"));
    rest.split_whitespace().next().unwrap()
}

#[test]
fn it_builds_this_program_with_the_workspaces_rust() {
    let build = instruction("RUN cargo build");
    assert_eq!(word_after(&build, "--package "), env!("CARGO_PKG_NAME"));
    let bin = word_after(&build, "--bin ").to_owned();
    assert_eq!(Path::new(env!("CARGO_BIN_EXE_scorer")).file_stem().unwrap(), bin.as_str());
    assert_eq!(instruction("ENTRYPOINT"), format!("ENTRYPOINT [\"{bin}\"]"));
    let copy = instruction("COPY --from=builder");
    assert!(copy.ends_with(&format!("/source/target/release/{bin} /usr/local/bin/{bin}")), "{copy}");
    let rust = instruction("FROM rust:");
    assert_eq!(word_after(&rust, "rust:").split('-').next(), Some(env!("CARGO_PKG_RUST_VERSION")));
}

#[test]
fn stages_are_declared_before_they_are_used() {
    let mut declared = BTreeSet::new();
    for line in instructions() {
        for variant in ["cpu", "gpu"] {
            let line = line.replace("${VARIANT}", variant);
            if let Some(image) = line.strip_prefix("FROM ").and_then(|rest| rest.split_whitespace().next()) {
                assert!(image.contains(':') || declared.contains(image), "{line}");
            }
            if let Some(stage) = line.strip_prefix("COPY --from=") {
                assert!(declared.contains(stage.split_whitespace().next().unwrap()), "{line}");
            }
        }
        if let Some((_, stage)) = line.split_once(" AS ") {
            declared.insert(stage.to_owned());
        }
    }
    assert!(declared.contains("scorer"), "{declared:?}");
}

#[test]
fn onnx_runtime_is_the_version_that_the_program_fetches_elsewhere() {
    let pinned = |line: &str| line.contains(&format!(" onnxruntime=={}", runtime::VERSION));
    assert_eq!(instructions().iter().filter(|line| pinned(line)).count(), 1);
    let library = instruction("COPY --from=library").split_whitespace().last().unwrap().to_owned();
    let environment = instruction("ENV");
    assert_eq!(
        word_after(&environment, &format!("{}=", runtime::PATH_VARIABLE)),
        format!("{library}/libonnxruntime.so")
    );
}

#[test]
fn the_worker_is_nobody_and_is_told_to_stop_as_it_listens() {
    assert_eq!(instruction("STOPSIGNAL"), "STOPSIGNAL SIGTERM");
    let user = instruction("USER");
    let (user, group) = word_after(&user, "USER ").split_once(':').unwrap();
    assert!(user.parse::<u32>().unwrap() > 0 && group.parse::<u32>().unwrap() > 0);
    let cache = word_after(&instruction("ENV"), "XDG_CACHE_HOME=").to_owned();
    let made = format!("install --directory --owner={user} --group={group} {cache}");
    assert!(instructions().iter().any(|line| line.contains(&made)), "{made}");
}

#[test]
fn the_health_check_looks_at_the_file_that_the_worker_touches() {
    let check = instruction("HEALTHCHECK");
    let (_, command) = check.split_once("CMD [").unwrap();
    let words: Vec<&str> =
        command.trim_end_matches(']').split(',').map(|word| word.trim().trim_matches('"')).collect();
    assert_eq!(words[..3], ["scorer", "healthy", "--heartbeat"]);
    assert_eq!(word_after(&instruction("ENV"), "SN17_HEARTBEAT="), words[3]);
    let interval_secs = word_after(&check, "--interval=").trim_end_matches('s').parse().unwrap();
    assert!(Duration::from_secs(interval_secs) <= sn17_gpu_workers::heartbeat::SILENCE_MAX);
}
