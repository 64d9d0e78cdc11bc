//! `check-deps`: entry points -> adapters -> app -> (wire, splat) -> core, and nothing points back up.

mod named;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::Context;
use toml::{Table, Value};

use crate::edge;
use crate::workspace::{Package, Workspace};

pub(crate) use named::not_yet;

/// What a package may name as a dependency, of our own packages.
enum Reach {
    /// These and no others.
    Only(&'static [&'static str]),
    /// Any of them: entry points and developer tools.
    Anything,
}

/// What is asked of one package.
struct Rule {
    package: &'static str,
    reach: Reach,
    /// What it must not pull in, not even indirectly; a trailing `*` stands for any ending.
    banned: &'static [&'static str],
}

/// Runtimes, sockets and SDKs, which a crate that runs on every host cannot have.
const RUNTIMES: &[&str] = &["tokio", "mio", "hyper", "axum", "reqwest", "aws-*"];
/// The same for the rules and codecs, and whatever would bring in time, randomness or a format.
const IMPURE: &[&str] = &[
    "tokio",
    "mio",
    "hyper",
    "axum",
    "reqwest",
    "aws-*",
    "http",
    "serde_json",
    "rand",
    "getrandom",
    "uuid",
    "chrono",
    "time",
];
/// What an entry point on AWS's services needs.
const ON_AWS: &[&str] = &["sn17-app", "sn17-aws", "sn17-core", "sn17-http", "sn17-wire"];
/// What no edge can run, looked for on its own target.
const AT_AN_EDGE: &[&str] = &[
    "mio",
    "socket2",
    "reqwest",
    "ring",
    "aws-lc-*",
    "aws-config",
    "aws-sdk-secretsmanager",
    "rayon",
    "fjall",
    "ort",
    "wgpu",
];
const ANYTHING: &[&str] = &[];
/// It stands in for a package of crates.io, so its version is that one's.
const STAND_IN: &str = "crc-fast";

const RULES: &[Rule] = &[
    Rule { package: "sn17-core", reach: Reach::Only(&[]), banned: IMPURE },
    Rule { package: "sn17-splat", reach: Reach::Only(&[]), banned: IMPURE },
    Rule { package: "sn17-wire", reach: Reach::Only(&["sn17-core"]), banned: RUNTIMES },
    Rule {
        package: "sn17-app",
        reach: Reach::Only(&["sn17-core", "sn17-splat", "sn17-wire"]),
        banned: RUNTIMES,
    },
    Rule {
        package: "sn17-http",
        reach: Reach::Only(&["sn17-app", "sn17-core", "sn17-splat", "sn17-wire"]),
        // No socket and no other way out: `mio` stands for tokio's `net`.
        banned: &["mio", "socket2", "reqwest", "aws-*", "ort", "wgpu"],
    },
    Rule {
        package: "sn17-store",
        reach: Reach::Only(&["sn17-app", "sn17-core"]),
        banned: &["axum", "aws-*"],
    },
    // One adapter for every host: a runtime comes with the SDK's native configuration only, never from here.
    Rule {
        package: "sn17-aws",
        reach: Reach::Only(&["sn17-app", "sn17-core", "sn17-wire"]),
        banned: &["axum", "aws-lc-rs", "openssl"],
    },
    Rule { package: "sn17-render", reach: Reach::Only(&["sn17-core", "sn17-splat"]), banned: &["tokio"] },
    Rule {
        package: "sn17-score",
        reach: Reach::Only(&["sn17-core", "sn17-render", "sn17-splat"]),
        banned: &["axum", "aws-*"],
    },
    Rule {
        package: "sn17-worker",
        reach: Reach::Only(&["sn17-app", "sn17-core", "sn17-render", "sn17-score", "sn17-splat"]),
        banned: &["axum", "aws-*"],
    },
    Rule {
        package: "sn17-chain",
        reach: Reach::Only(&["sn17-core", "sn17-wire"]),
        banned: &["axum", "aws-*", "openssl"],
    },
    Rule {
        package: "sn17-llm",
        reach: Reach::Only(&["sn17-app", "sn17-core"]),
        banned: &["axum", "aws-*", "openssl"],
    },
    // It holds a key, so there is little else in it.
    Rule {
        package: "sn17-weights",
        reach: Reach::Only(&["sn17-chain", "sn17-core", "sn17-wire"]),
        banned: &["axum", "aws-*", "openssl"],
    },
    // The heavy trees of the other hosts stay out of the default binary.
    Rule { package: "sn17-cli", reach: Reach::Anything, banned: &["aws-*", "worker", "wasmtime"] },
    Rule {
        package: "sn17-functions",
        reach: Reach::Anything,
        banned: &["fjall", "ort", "wgpu", "aws-lc-rs"],
    },
    // What runs in an isolate or a component: no sockets, no threads, no C code, and not the other edge.
    Rule { package: "sn17-edge-worker", reach: Reach::Only(ON_AWS), banned: AT_AN_EDGE },
    Rule { package: "sn17-edge-spin", reach: Reach::Only(ON_AWS), banned: AT_AN_EDGE },
    // In place of a published package, so below everything.
    Rule { package: STAND_IN, reach: Reach::Only(&[]), banned: RUNTIMES },
    Rule { package: "sn17-gpu-workers", reach: Reach::Anything, banned: &["fjall", "sn17-http", "worker"] },
    Rule { package: "sn17-tests", reach: Reach::Anything, banned: ANYTHING },
    Rule { package: "sn17-bench", reach: Reach::Anything, banned: ANYTHING },
    Rule { package: "sn17-golden", reach: Reach::Anything, banned: ANYTHING },
    // It answers out of storage keys that it does not make itself.
    Rule { package: "sn17-chain-node", reach: Reach::Only(&["sn17-chain", "sn17-wire"]), banned: ANYTHING },
    // A server of another's API, which knows nothing of ours.
    Rule { package: "sn17-judge-server", reach: Reach::Only(&[]), banned: ANYTHING },
    // Simulations run on every host that the rules run on.
    Rule { package: "sn17-model", reach: Reach::Only(&["sn17-core"]), banned: IMPURE },
    Rule { package: "sn17-scaling", reach: Reach::Anything, banned: ANYTHING },
    Rule { package: "sn17-season", reach: Reach::Anything, banned: ANYTHING },
    Rule { package: "sn17-wasm-vectors", reach: Reach::Anything, banned: ANYTHING },
    // It builds everything else, so it cannot wait for it.
    Rule { package: "xtask", reach: Reach::Only(&[]), banned: ANYTHING },
];

/// Keys of `[package]` that come from the workspace.
const INHERITED_KEYS: [&str; 5] = ["version", "edition", "rust-version", "license", "publish"];

/// What is wrong, one line each.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut faults = Vec::new();
    check_root(workspace, &mut faults)?;
    named::check(workspace, &mut faults)?;
    for package in &workspace.packages {
        check_manifest(workspace, package, &mut faults)?;
        let Some(rule) = RULES.iter().find(|rule| rule.package == package.name) else {
            faults.push(format!("{}: has no rule in xtask/src/dependencies.rs", package.name));
            continue;
        };
        check_reach(workspace, package, rule, &mut faults);
        check_banned(workspace, rule, &mut faults)?;
    }
    Ok(faults)
}

/// Tests may reach anywhere, so development dependencies are not looked at.
fn check_reach(workspace: &Workspace, package: &Package, rule: &Rule, faults: &mut Vec<String>) {
    let Reach::Only(allowed) = rule.reach else {
        return;
    };
    for dependency in &package.dependencies {
        let is_development = dependency.kind.as_deref() == Some("dev");
        let name = dependency.name.as_str();
        if !is_development && workspace.has(name) && !allowed.contains(&name) {
            faults.push(format!("{}: may not depend on {name}", package.name));
        }
    }
}

/// Asks `cargo tree`, which resolves features for this package alone; `cargo metadata` would unite them over the
/// workspace and blame a package for what another one turned on.
fn check_banned(workspace: &Workspace, rule: &Rule, faults: &mut Vec<String>) -> anyhow::Result<()> {
    if rule.banned.is_empty() {
        return Ok(());
    }
    let target = edge::target_of(rule.package).unwrap_or("all");
    let arguments = ["tree", "-p", rule.package, "--edges", "normal", "--target", target, "--prefix", "none"];
    let output = workspace.cargo(&arguments).output().context("cannot run cargo tree")?;
    if !output.status.success() {
        anyhow::bail!("cargo tree failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let pulled: BTreeSet<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for name in pulled {
        if rule.banned.iter().any(|pattern| matches(pattern, name)) {
            faults.push(format!(
                "{}: pulls in {name} (cargo tree -p {} -i {name})",
                rule.package, rule.package
            ));
        }
    }
    Ok(())
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// The shared versions name a registry version and nothing else, but for our own packages.
fn check_root(workspace: &Workspace, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let root = read_toml(&workspace.root.join("Cargo.toml"))?;
    let shared =
        root.get("workspace").and_then(|section| section.get("dependencies")).and_then(Value::as_table);
    for (name, value) in shared.into_iter().flatten() {
        let version = value.as_str().or_else(|| value.get("version").and_then(Value::as_str));
        let is_own = workspace.has(name) && value.get("path").is_some();
        let is_elsewhere = ["git", "path", "registry"].iter().any(|key| value.get(key).is_some());
        if !is_own && (is_elsewhere || version.is_none_or(|version| version.contains('*'))) {
            faults.push(format!("Cargo.toml: {name} must be a version of crates.io"));
        }
    }
    Ok(())
}

fn check_manifest(workspace: &Workspace, package: &Package, faults: &mut Vec<String>) -> anyhow::Result<()> {
    let manifest = read_toml(&package.manifest_path)?;
    let path = workspace.relative(&package.manifest_path).display();
    let is_inherited =
        |value: Option<&Value>| value.and_then(|value| value.get("workspace")) == Some(&true.into());
    if !is_inherited(manifest.get("lints")) {
        faults.push(format!("{path}: [lints] must be the workspace's"));
    }
    for key in INHERITED_KEYS.into_iter().filter(|&key| package.name != STAND_IN || key != "version") {
        if !is_inherited(manifest.get("package").and_then(|section| section.get(key))) {
            faults.push(format!("{path}: `{key}` must be the workspace's"));
        }
    }
    let folder = package.manifest_path.parent();
    let is_crate = folder.and_then(|folder| folder.parent()) == Some(workspace.root.join("crates").as_path());
    let folder_name = folder.and_then(|folder| folder.file_name()).and_then(|name| name.to_str());
    if is_crate && package.name.strip_prefix("sn17-") != folder_name {
        faults.push(format!("{path}: the package must be named after its folder"));
    }

    let mut sections = vec![&manifest];
    let targets = manifest.get("target").and_then(Value::as_table);
    sections.extend(targets.into_iter().flat_map(Table::values).filter_map(Value::as_table));
    for section in sections {
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in section.get(kind).and_then(Value::as_table).into_iter().flatten() {
                if !is_inherited(Some(value)) {
                    faults.push(format!("{path}: {name} must take its version from the workspace"));
                }
            }
        }
    }
    Ok(())
}

fn read_toml(path: &Path) -> anyhow::Result<Table> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("cannot parse {}", path.display()))
}
