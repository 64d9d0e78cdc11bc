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

/// The instructions of one stage.
fn stage(name: &str) -> Vec<String> {
    let of_others = |line: &String| !line.ends_with(&format!(" AS {name}"));
    let behind = instructions().into_iter().skip_while(of_others).skip(1);
    let stage: Vec<String> = behind.take_while(|line| !line.starts_with("FROM ")).collect();
    assert!(!stage.is_empty(), "there is no stage {name}");
    stage
}

/// The one instruction of a stage that begins so.
fn instruction(stage_name: &str, start: &str) -> String {
    let found: Vec<String> = stage(stage_name).into_iter().filter(|line| line.starts_with(start)).collect();
    assert_eq!(found.len(), 1, "{stage_name}: {start}: {found:?}");
    found[0].clone()
}

/// The word after `name`.
fn word_after<'a>(text: &'a str, name: &str) -> &'a str {
    let (_, rest) = text.split_once(name).unwrap_or_else(|| panic!("no `{name}` in `{text}`"));
    rest.split_whitespace().next().unwrap()
}

/// Each program's stage is called as the program is.
const PROGRAMS: [(&str, &str); 2] =
    [("scorer", env!("CARGO_BIN_EXE_scorer")), ("duelist", env!("CARGO_BIN_EXE_duelist"))];

#[test]
fn it_builds_these_programs_with_the_workspaces_rust() {
    let build = instruction("builder", "RUN cargo build");
    assert_eq!(word_after(&build, "--package "), env!("CARGO_PKG_NAME"));
    for (bin, program) in PROGRAMS {
        assert!(build.contains(&format!("--bin {bin}")), "{build}");
        assert_eq!(Path::new(program).file_stem().unwrap(), bin);
        assert_eq!(instruction(bin, "ENTRYPOINT"), format!("ENTRYPOINT [\"{bin}\"]"));
        let copy = instruction(bin, "COPY --from=builder");
        assert!(copy.ends_with(&format!("/source/target/release/{bin} /usr/local/bin/{bin}")), "{copy}");
    }
    let rust = instructions().into_iter().find(|line| line.starts_with("FROM rust:")).unwrap();
    assert_eq!(word_after(&rust, "rust:").split('-').next(), Some(env!("CARGO_PKG_RUST_VERSION")));
}

/// A build that names no target makes the last stage.
#[test]
fn the_scorer_is_what_a_build_makes_unless_told_otherwise() {
    let last = instructions().into_iter().rfind(|line| line.starts_with("FROM ")).unwrap();
    assert_eq!(last, "FROM base-${VARIANT} AS scorer");
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
    assert!(PROGRAMS.iter().all(|(bin, _)| declared.contains(*bin)), "{declared:?}");
}

#[test]
fn onnx_runtime_is_the_version_that_the_program_fetches_elsewhere() {
    let pinned = |line: &str| line.contains(&format!(" onnxruntime=={}", runtime::VERSION));
    assert_eq!(instructions().iter().filter(|line| pinned(line)).count(), 1);
    let library = instruction("scorer", "COPY --from=library").split_whitespace().last().unwrap().to_owned();
    let environment = instruction("scorer", "ENV");
    assert_eq!(
        word_after(&environment, &format!("{}=", runtime::PATH_VARIABLE)),
        format!("{library}/libonnxruntime.so")
    );
}

#[test]
fn the_workers_are_nobody_and_are_told_to_stop_as_they_listen() {
    for (bin, _) in PROGRAMS {
        assert_eq!(instruction(bin, "STOPSIGNAL"), "STOPSIGNAL SIGTERM");
        let user = instruction(bin, "USER");
        let (user, group) = word_after(&user, "USER ").split_once(':').unwrap();
        assert!(user.parse::<u32>().unwrap() > 0 && group.parse::<u32>().unwrap() > 0);
    }
    let user = instruction("scorer", "USER");
    let (user, group) = word_after(&user, "USER ").split_once(':').unwrap();
    let cache = word_after(&instruction("scorer", "ENV"), "XDG_CACHE_HOME=").to_owned();
    let made = format!("install --directory --owner={user} --group={group} {cache}");
    assert!(stage("scorer").iter().any(|line| line.contains(&made)), "{made}");
}

#[test]
fn the_health_checks_look_at_the_file_that_the_worker_touches() {
    for (bin, _) in PROGRAMS {
        let check = instruction(bin, "HEALTHCHECK");
        let (_, command) = check.split_once("CMD [").unwrap();
        let words: Vec<&str> =
            command.trim_end_matches(']').split(',').map(|word| word.trim().trim_matches('"')).collect();
        assert_eq!(words[..3], [bin, "healthy", "--heartbeat"]);
        assert_eq!(word_after(&instruction(bin, "ENV"), "SN17_HEARTBEAT="), words[3]);
        let interval_secs = word_after(&check, "--interval=").trim_end_matches('s').parse().unwrap();
        assert!(Duration::from_secs(interval_secs) <= sn17_gpu_workers::heartbeat::SILENCE_MAX);
    }
}
