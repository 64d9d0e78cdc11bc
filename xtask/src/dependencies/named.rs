//! The crates that the system must be built on, each a direct dependency of the packages whose business it is.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::Context;

use crate::workspace::{Package, Workspace};

/// A crate and who must use it.
struct Named {
    dependency: &'static str,
    /// Packages that declare it and name it in their sources. None means that it is still to come.
    packages: &'static [&'static str],
}

const NAMED: &[Named] = &[
    Named { dependency: "worker", packages: &["sn17-edge-worker"] },
    Named { dependency: "wasm-bindgen", packages: &["sn17-edge-worker"] },
    Named { dependency: "spin-sdk", packages: &["sn17-edge-spin"] },
    Named { dependency: "lambda_http", packages: &["sn17-functions"] },
    Named { dependency: "lambda_runtime", packages: &["sn17-functions"] },
    Named { dependency: "aws-sdk-dynamodb", packages: &["sn17-aws"] },
    Named { dependency: "aws-sdk-s3", packages: &["sn17-aws"] },
    Named { dependency: "ort", packages: &["sn17-score"] },
    Named { dependency: "wgpu", packages: &["sn17-render"] },
    Named {
        dependency: "serde",
        packages: &["sn17-aws", "sn17-cli", "sn17-http", "sn17-llm", "sn17-score", "sn17-worker"],
    },
    Named {
        dependency: "tracing",
        packages: &[
            "sn17-app",
            "sn17-aws",
            "sn17-cli",
            "sn17-edge-spin",
            "sn17-edge-worker",
            "sn17-functions",
            "sn17-gpu-workers",
            "sn17-http",
            "sn17-llm",
            "sn17-score",
            "sn17-worker",
        ],
    },
];

/// The crates that nothing uses yet.
pub(crate) fn not_yet() -> impl Iterator<Item = &'static str> {
    NAMED.iter().filter(|named| named.packages.is_empty()).map(|named| named.dependency)
}

/// Names whoever lacks a crate that it must use, or declares it without using it.
pub(super) fn check(workspace: &Workspace, faults: &mut Vec<String>) -> anyhow::Result<()> {
    for Named { dependency, packages } in NAMED {
        for name in *packages {
            let Some(package) = workspace.packages.iter().find(|package| package.name == *name) else {
                faults.push(format!("{name}: must depend on {dependency}, and is not there"));
                continue;
            };
            let is_declared = |declared: &crate::workspace::Dependency| {
                declared.name == *dependency && declared.kind.is_none()
            };
            if !package.dependencies.iter().any(is_declared) {
                faults.push(format!("{name}: must depend on {dependency} directly"));
            } else if !is_used(package, dependency)? {
                faults.push(format!("{name}: depends on {dependency} and does not use it"));
            }
        }
    }
    let is_used_after_all = |dependency: &&str| {
        workspace.packages.iter().any(|package| package.dependencies.iter().any(|it| it.name == *dependency))
    };
    for dependency in not_yet().filter(is_used_after_all) {
        faults.push(format!(
            "xtask/src/dependencies/named.rs: {dependency} is used, and its packages are not listed"
        ));
    }
    Ok(())
}

/// Whether the package's sources name the crate.
fn is_used(package: &Package, dependency: &str) -> anyhow::Result<bool> {
    let folder = package.manifest_path.parent().context("a manifest lies in a folder")?.join("src");
    let path = format!("{}::", dependency.replace('-', "_"));
    any_source(&folder, &|text| has_path(text, &path))
        .with_context(|| format!("cannot read {}", folder.display()))
}

/// Whether a text holds this path, and not only one that ends with it.
fn has_path(text: &str, path: &str) -> bool {
    let is_start = |(at, _): (usize, &str)| {
        !text[..at].ends_with(|character: char| character.is_alphanumeric() || matches!(character, '_' | ':'))
    };
    text.match_indices(path).any(is_start)
}

fn any_source(folder: &Path, is_it: &impl Fn(&str) -> bool) -> io::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            any_source(&path, is_it)?
        } else {
            path.extension().is_some_and(|extension| extension == "rs") && is_it(&fs::read_to_string(&path)?)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_told_from_one_that_ends_alike() {
        assert!(has_path("use worker::event;", "worker::"));
        assert!(has_path("#[worker::event(fetch)]", "worker::"));
        for other in ["use sn17_worker::score;", "use crate::worker::build;", "the worker: one", "worker"] {
            assert!(!has_path(other, "worker::"), "{other}");
        }
    }

    #[test]
    fn every_crate_is_listed_once() {
        let mut names: Vec<_> = NAMED.iter().map(|named| named.dependency).collect();
        names.sort_unstable();
        let listed = names.len();
        names.dedup();
        assert_eq!(names.len(), listed);
    }
}
