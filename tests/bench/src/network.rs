//! The real `sn17 serve` in a process of its own, over a folder that goes when nobody needs it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use sn17_core::Hotkey;
use sn17_wire::sr25519::Keypair;
use sn17_wire::ss58;
use tempfile::TempDir;

use crate::connection::Transport;
use crate::load::Target;

/// Where a network keeps its certificate, below its scratch folder.
pub(crate) const TLS_FOLDER: &str = "data/tls";
/// A network is ready within this, even over a million tasks on a loaded machine.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// Nothing is asked for more often than this.
const POLL_EVERY: Duration = Duration::from_millis(2);

/// A folder for one measurement.
#[derive(Debug)]
pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn data(&self) -> PathBuf {
        self.path().join("data")
    }
}

/// Who gives verdicts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Verdicts {
    /// Nobody, for measurements that need none: no layer but those of every network.
    None,
    /// The simulation, at once.
    Scripted,
}

/// A running network with one registered miner.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) scratch: Scratch,
    /// A key without limits.
    pub(crate) api_key: String,
    pub(crate) validator: Hotkey,
    verdicts: Verdicts,
    address: SocketAddr,
    child: Child,
}

impl Network {
    /// Starts a network whose rules are the default ones but for those named.
    pub(crate) fn start(verdicts: Verdicts, policy: &Value) -> anyhow::Result<Self> {
        let scratch = Scratch(tempfile::tempdir()?);
        std::fs::create_dir(scratch.data())?;
        let neuron = json!({ "uid": 1, "hotkey": ss58::encode(&miner().hotkey()), "incentive": 0.5 });
        std::fs::write(scratch.data().join("metagraph.json"), json!({ "neurons": [neuron] }).to_string())?;
        std::fs::write(scratch.path().join("policy.json"), policy.to_string())?;
        let mut child = spawn(&scratch, verdicts)?;
        let address = ready(&mut child, &scratch)?;
        let validator = std::fs::read_to_string(scratch.data().join("validator-hotkey"))?;
        let validator = ss58::decode(validator.trim())?;
        let api_key = new_key(&scratch)?;
        Ok(Self { scratch, api_key, validator, verdicts, address, child })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn target(&self) -> Target {
        Target { address: self.address, pid: self.pid() }
    }

    /// Kills the process outright and starts it again; the time from its start to its being ready.
    pub(crate) fn restart(&mut self) -> anyhow::Result<Duration> {
        self.child.kill()?;
        self.child.wait()?;
        let start = Instant::now();
        self.child = spawn(&self.scratch, self.verdicts)?;
        self.address = ready(&mut self.child, &self.scratch)?;
        Ok(start.elapsed())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The key of the registered miner.
pub(crate) fn miner() -> Keypair {
    Keypair::from_mini_secret(&[7; 32])
}

fn spawn(scratch: &Scratch, verdicts: Verdicts) -> anyhow::Result<Child> {
    let scoring = match verdicts {
        Verdicts::None => "--no-worker",
        Verdicts::Scripted => "--simulate",
    };
    let log = std::fs::OpenOptions::new().create(true).append(true).open(scratch.path().join("log"))?;
    let mut command = Command::new(binary()?);
    command
        .args(["serve", scoring, "--rate-limits", "none", "--listen", "127.0.0.1:0", "--data"])
        .arg(scratch.data())
        .arg("--policy")
        .arg(scratch.path().join("policy.json"))
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command.spawn().context("cannot start `sn17 serve`")
}

/// Waits until this very process is ready, and tells where.
fn ready(child: &mut Child, scratch: &Scratch) -> anyhow::Result<SocketAddr> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let start = Instant::now();
    let log = || std::fs::read_to_string(scratch.path().join("log")).unwrap_or_default();
    while start.elapsed() < READY_WITHIN {
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("serve ended with {status}:\n{}", log());
        }
        if let Some(address) = listening(scratch, child.id())
            && runtime.block_on(is_ready(address))
        {
            return Ok(address);
        }
        std::thread::sleep(POLL_EVERY);
    }
    anyhow::bail!("serve is not ready:\n{}", log())
}

/// Where the process `pid` says it listens; the note of an earlier one is passed over.
fn listening(scratch: &Scratch, pid: u32) -> Option<SocketAddr> {
    let text = std::fs::read(scratch.data().join("running.json")).ok()?;
    let running: Value = serde_json::from_slice(&text).ok()?;
    let url = running["url"].as_str().filter(|_| running["pid"] == pid)?;
    url.strip_prefix("http://")?.parse().ok()
}

async fn is_ready(address: SocketAddr) -> bool {
    let asked = async {
        let mut connection = Transport::Plain.connect(address).await?;
        connection.exchange(&crate::connection::request("GET", "/readyz", &[], b"")).await.map(drop)
    };
    asked.await.is_ok()
}

fn new_key(scratch: &Scratch) -> anyhow::Result<String> {
    let output = Command::new(binary()?)
        .args(["keys", "add", "--owner", "bench", "--data"])
        .arg(scratch.data())
        .output()?;
    anyhow::ensure!(output.status.success(), "no key: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The release build of `sn17`: what the environment variable `SN17_BIN` names, else built now beside this program.
fn binary() -> anyhow::Result<&'static Path> {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    if let Some(binary) = BINARY.get() {
        return Ok(binary);
    }
    let path = match std::env::var_os("SN17_BIN") {
        Some(given) => given.into(),
        None => build()?,
    };
    Ok(BINARY.get_or_init(|| path))
}

fn build() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let release = program.parent().context("this program lies in a folder")?;
    let target = release.parent().context("which lies in cargo's")?;
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--quiet", "--package", "sn17-cli", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .context("cannot run cargo")?;
    anyhow::ensure!(status.success(), "`sn17` cannot be built; SN17_BIN may name one");
    Ok(release.join(format!("sn17{}", std::env::consts::EXE_SUFFIX)))
}
