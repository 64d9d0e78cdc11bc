//! Running of programs whose output is wanted.

use std::io::{self, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

/// How often a running program is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What a finished program left.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Whether it ended by itself and with status 0.
    pub(crate) is_success: bool,
    /// How it ended, in words.
    pub(crate) ending: String,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
}

impl Finished {
    /// Both outputs, for messages.
    pub(crate) fn output(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// The last line of its standard error.
    pub(crate) fn last_words(&self) -> &str {
        self.stderr.trim().lines().last().unwrap_or("no reason given")
    }
}

/// Runs a program without input and collects its output; ends it when it takes longer than `limit`.
pub(crate) fn run(command: &mut Command, limit: Duration) -> anyhow::Result<Finished> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run `{name}`"))?;
    let stdout = child.stdout.take().context("the child has no output")?;
    let stderr = child.stderr.take().context("the child has no output")?;
    let stdout = thread::spawn(move || read_all(stdout));
    let stderr = thread::spawn(move || read_all(stderr));
    let status = wait(&mut child, limit).with_context(|| format!("cannot wait for `{name}`"))?;
    let ending = match status {
        Some(status) => status.to_string(),
        None => format!("ended after {} s", limit.as_secs()),
    };
    Ok(Finished {
        is_success: status.is_some_and(|status| status.success()),
        ending,
        stdout: stdout.join().unwrap_or_default(),
        stderr: stderr.join().unwrap_or_default(),
    })
}

/// The status, or none when the program had to be killed.
fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL_INTERVAL);
    }
}

fn read_all(mut source: impl Read) -> String {
    let mut bytes = Vec::new();
    // What arrived before a broken pipe is still worth showing.
    let _ = source.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
