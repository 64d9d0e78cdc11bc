//! The workspace as `cargo metadata` describes it.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde::Deserialize;

use crate::edge;

/// The workspace and its packages.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
    /// Our own packages.
    pub(crate) packages: Vec<Package>,
}

/// One of our own packages.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    /// The package's name.
    pub(crate) name: String,
    /// The path of its manifest.
    pub(crate) manifest_path: PathBuf,
    /// What it declares to depend on.
    pub(crate) dependencies: Vec<Dependency>,
}

/// A declared dependency.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    /// The package depended on.
    pub(crate) name: String,
    /// None for a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct Metadata {
            workspace_root: PathBuf,
            target_directory: PathBuf,
            packages: Vec<Package>,
        }
        let output = Command::new(cargo())
            .args(["metadata", "--format-version", "1", "--no-deps"])
            .output()
            .context("cannot run cargo metadata")?;
        if !output.status.success() {
            anyhow::bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let metadata: Metadata =
            serde_json::from_slice(&output.stdout).context("cannot read cargo's metadata")?;
        Ok(Self {
            root: metadata.workspace_root,
            target: metadata.target_directory,
            packages: metadata.packages,
        })
    }

    /// Whether there is a package of this name.
    pub(crate) fn has(&self, package: &str) -> bool {
        self.packages.iter().any(|candidate| candidate.name == package)
    }

    /// The folder of reports and of what is kept between runs, beside the root manifest wherever cargo builds.
    pub(crate) fn keep(&self) -> PathBuf {
        self.root.join("target")
    }

    /// A command of cargo in the root folder.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(cargo());
        command.current_dir(&self.root).args(arguments);
        command
    }

    /// Arguments of cargo for every package that compiles for this machine.
    pub(crate) fn native(&self) -> Vec<&'static str> {
        let foreign = edge::FOREIGN_PACKAGES.into_iter().filter(|package| self.has(package));
        ["--workspace"].into_iter().chain(foreign.flat_map(|package| ["--exclude", package])).collect()
    }

    /// The sample files that are no part of the repository: `SN17_FIXTURES`, else `../shared/fixtures` if that is
    /// a folder.
    pub(crate) fn fixtures(&self) -> Option<PathBuf> {
        if let Some(folder) = env::var_os("SN17_FIXTURES") {
            return Some(PathBuf::from(folder));
        }
        let folder = self.root.parent()?.join("shared/fixtures");
        folder.is_dir().then_some(folder)
    }

    /// `path` as seen from the root folder, for messages.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

/// The cargo that runs this program, else the one on the path.
fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
