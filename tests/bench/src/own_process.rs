//! This program once more, in a process of its own that serves something.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;

/// A running one, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct OwnProcess {
    pub(crate) address: SocketAddr,
    child: Child,
}

impl OwnProcess {
    /// Starts this program as `prepare` says, and waits for the line in which it tells where it serves.
    pub(crate) fn start(prepare: impl FnOnce(&mut Command)) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
        prepare(&mut command);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start this program again")?;
        let stdout = child.stdout.take().context("the process has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("the process says `{line}`"))?;
        Ok(Self { address, child })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for OwnProcess {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
