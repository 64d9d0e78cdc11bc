//! A network of its own: the binary's `serve` over a folder that goes with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary;
use crate::server::Setup;

/// A network is ready within this; the first one on a machine may have to fetch ONNX Runtime.
const READY_WITHIN: Duration = Duration::from_secs(300);
/// Nothing is asked for more often than this.
const POLL_EVERY: Duration = Duration::from_millis(5);
/// A network that was told to stop has stopped within this.
const STOPPED_WITHIN: Duration = Duration::from_secs(60);

/// `serve`, running or killed.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    setup: Setup,
    folder: TempDir,
}

impl Process {
    /// Starts the process on a free port, with these miners registered.
    pub(crate) fn start(setup: Setup, neurons: &[Value]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        write_metagraph(&data, neurons);
        std::fs::write(folder.path().join("policy.json"), setup.policy.to_string()).unwrap();
        let child = spawn(folder.path(), &setup, "127.0.0.1:0");
        Self { child, setup, folder }
    }

    /// Starts the process again over the same folder.
    pub(crate) fn start_again(&mut self, listen: &str) {
        self.child = spawn(self.folder.path(), &self.setup, listen);
    }

    /// Waits until the process serves, and tells where.
    pub(crate) async fn ready(&mut self, http: &reqwest::Client) -> String {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("serve ended with {status}:\n{}", self.log());
            }
            if let Some(url) = self.running_url()
                && http.get(format!("{url}/readyz")).send().await.is_ok_and(|answer| answer.status() == 200)
            {
                return url;
            }
            assert!(started.elapsed() < READY_WITHIN, "serve is not ready:\n{}", self.log());
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    /// Asks the process to stop (SIGTERM) and tells whether it ended well.
    pub(crate) async fn stop(&mut self) -> bool {
        ends_when_told(&mut self.child).await
    }

    /// Kills the process outright (SIGKILL).
    pub(crate) fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How many miners were registered at the start.
    pub(crate) fn miners(&self) -> u16 {
        self.setup.miners
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where this very process says it listens; the note of an earlier one is passed over.
    fn running_url(&self) -> Option<String> {
        let text = std::fs::read(self.data().join("running.json")).ok()?;
        let running: Value = serde_json::from_slice(&text).ok()?;
        (running["pid"] == self.child.id()).then(|| running["url"].as_str().unwrap().to_owned())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the network's log:\n{}", self.log());
        }
    }
}

/// Asks a process to stop (SIGTERM) and tells whether it ended well.
pub(crate) async fn ends_when_told(child: &mut Child) -> bool {
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        assert!(started.elapsed() < STOPPED_WITHIN, "it does not stop");
        tokio::time::sleep(POLL_EVERY).await;
    }
}

fn spawn(folder: &Path, setup: &Setup, listen: &str) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    let mut command = std::process::Command::new(binary::path());
    command
        .args(["serve", "--listen", listen, "--data"])
        .arg(folder.join("data"))
        .arg("--policy")
        .arg(folder.join("policy.json"))
        .args(&setup.arguments)
        .env("RUST_LOG", "info,fjall=warn,lsm_tree=warn,ort=warn")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command.spawn().unwrap()
}

/// Makes these the registered miners.
pub(crate) fn write_metagraph(data: &Path, neurons: &[Value]) {
    let draft = data.join("metagraph.draft");
    std::fs::write(&draft, json!({ "neurons": neurons }).to_string()).unwrap();
    std::fs::rename(&draft, data.join("metagraph.json")).unwrap();
}
