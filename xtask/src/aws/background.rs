//! Programs that go on running when this one has ended, known by a file with their process id.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::process;

/// A program that is asked to end has so long before it is made to.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// Bound on asking the system about a process.
const ASK_LIMIT: Duration = Duration::from_secs(10);
/// How often it is asked.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A program in the background.
#[derive(Debug)]
pub(crate) struct Background {
    /// Holds the process id.
    file: PathBuf,
    /// What the process's command line holds: a process id may belong to somebody else by now.
    sign: &'static str,
}

impl Background {
    /// The program that `NAME.pid` in `folder` knows.
    pub(crate) fn new(folder: &Path, name: &str, sign: &'static str) -> Self {
        Self { file: folder.join(format!("{name}.pid")), sign }
    }

    /// Starts it in a process group of its own, with both outputs in a file beside the one of its process id.
    pub(crate) fn start(&self, command: &mut Command) -> anyhow::Result<()> {
        let log = self.log();
        let output = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let errors = output.try_clone().context("cannot share a file")?;
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run `{name}`"))?;
        let written = fs::write(&self.file, child.id().to_string());
        written.with_context(|| format!("cannot write {}", self.file.display()))
    }

    /// Its process id, if it runs.
    pub(crate) fn running(&self) -> anyhow::Result<Option<u32>> {
        let Ok(text) = fs::read_to_string(&self.file) else { return Ok(None) };
        let Ok(pid) = text.trim().parse() else { return Ok(None) };
        Ok(self.is_running(pid)?.then_some(pid))
    }

    /// Where it writes to.
    pub(crate) fn log(&self) -> PathBuf {
        self.file.with_extension("log")
    }

    /// Ends it and whatever it has started; whether it ran.
    pub(crate) fn stop(&self) -> anyhow::Result<bool> {
        let Some(pid) = self.running()? else {
            let _ = fs::remove_file(&self.file);
            return Ok(false);
        };
        for signal in ["-TERM", "-KILL"] {
            // An error means that it has just ended by itself.
            process::run(Command::new("kill").args([signal, "--", &format!("-{pid}")]), ASK_LIMIT)?;
            let asked = Instant::now();
            while asked.elapsed() < ENDS_WITHIN {
                if !self.is_running(pid)? {
                    fs::remove_file(&self.file).context("cannot forget a process id")?;
                    return Ok(true);
                }
                thread::sleep(POLL_INTERVAL);
            }
        }
        anyhow::bail!("process {pid} does not end")
    }

    fn is_running(&self, pid: u32) -> anyhow::Result<bool> {
        let mut command = Command::new("ps");
        let asked = process::run(command.args(["-o", "stat=,args=", "-p", &pid.to_string()]), ASK_LIMIT)?;
        let line = asked.stdout.trim();
        Ok(!line.starts_with('Z') && line.contains(self.sign))
    }
}
