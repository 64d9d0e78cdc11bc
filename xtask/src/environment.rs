//! Environments of Python packages, made once and kept between runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;

use crate::process;
use crate::workspace::Workspace;

/// Bound on one step of the making.
const INSTALL_LIMIT: Duration = Duration::from_secs(900);
/// The file that tells a complete environment from one whose making was cut off; it holds the recipe.
const MARKER: &str = ".ready";

/// An environment and how it is made.
#[derive(Debug)]
pub(crate) struct Environment {
    /// Its folder is called `venv-NAME`.
    pub(crate) name: &'static str,
    /// Arguments of pip, one call a line.
    pub(crate) recipe: &'static [&'static [&'static str]],
    /// The module that must import in the end.
    pub(crate) module: &'static str,
}

impl Environment {
    /// The folder of its programs, `python` among them; it is made if need be. The inner error says why it cannot.
    pub(crate) fn programs(&self, workspace: &Workspace) -> anyhow::Result<Result<PathBuf, String>> {
        let folder = workspace.keep().join(format!("venv-{}", self.name));
        let programs = folder.join("bin");
        let python = programs.join("python");
        let marker = folder.join(MARKER);
        let recipe = format!("{:?}\n", self.recipe);
        if fs::read_to_string(&marker).is_ok_and(|made_by| made_by == recipe) {
            return Ok(Ok(programs));
        }
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        let made =
            match process::run(Command::new("python3").args(["-m", "venv"]).arg(&folder), INSTALL_LIMIT) {
                Ok(made) => made,
                Err(error) => return Ok(Err(format!("Python 3 is needed: {error:#}"))),
            };
        if !made.is_success {
            return Ok(Err(format!("python3 -m venv: {}", made.output().trim())));
        }
        for arguments in self.recipe {
            if let Err(reason) = pip(&python, arguments)? {
                return Ok(Err(reason));
            }
        }
        let import = format!("import {}", self.module);
        let imported = process::run(Command::new(&python).args(["-c", &import]), INSTALL_LIMIT)?;
        if !imported.is_success {
            return Ok(Err(format!("{} does not import: {}", self.module, imported.last_words())));
        }
        fs::write(&marker, recipe).with_context(|| format!("cannot write {}", marker.display()))?;
        Ok(Ok(programs))
    }
}

fn pip(python: &Path, arguments: &[&str]) -> anyhow::Result<Result<(), String>> {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input"]).args(arguments);
    let finished = process::run(&mut command, INSTALL_LIMIT)?;
    if finished.is_success {
        return Ok(Ok(()));
    }
    Ok(Err(format!("pip {}: {}", arguments.join(" "), finished.last_words())))
}
