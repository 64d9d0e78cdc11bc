//! The engines in place of AWS: ministack for everything, and the AWS command line to talk to it.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;

use super::background::Background;
use crate::environment::Environment;
use crate::process;
use crate::workspace::Workspace;

/// The engines' versions: what is known of them was found out with these.
const MINISTACK: Environment = Environment {
    name: "ministack",
    recipe: &[&["install", "ministack==1.5.33", "aws-sam-translator==1.115.0", "botocore==1.43.106"]],
    module: "ministack",
};
/// Apart from the engine, which needs a version of its library that the command line does not take.
const COMMAND_LINE: Environment =
    Environment { name: "awscli", recipe: &[&["install", "awscli==1.46.3"]], module: "awscli" };

/// Where everything is said to be.
pub(super) const REGION: &str = "us-east-1";
/// The engine takes any key; with one that is no account's number it takes its default account.
pub(super) const KEY: &str = "test";
/// The engine answers within this, on a machine that is busy.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often it is asked.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// Bound on one answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Bound on one command of the AWS command line, a deployment included.
const COMMAND_LIMIT: Duration = Duration::from_secs(600);

/// The engines, installed.
#[derive(Debug)]
pub(super) struct Engine {
    /// Where it listens.
    pub(super) address: SocketAddr,
    /// Runs ministack.
    python: PathBuf,
    /// Its start.
    script: PathBuf,
    /// The AWS command line.
    aws: PathBuf,
    /// Folder of temporary files, the functions' code among them.
    temporary: PathBuf,
}

impl Engine {
    /// Installs the engines if need be; the inner error says why they cannot be had.
    pub(super) fn prepare(workspace: &Workspace, folder: &Path) -> anyhow::Result<Result<Self, String>> {
        let ministack = match MINISTACK.programs(workspace)? {
            Ok(programs) => programs,
            Err(reason) => return Ok(Err(reason)),
        };
        let command_line = match COMMAND_LINE.programs(workspace)? {
            Ok(programs) => programs,
            Err(reason) => return Ok(Err(reason)),
        };
        Ok(Ok(Self {
            address: free_address()?,
            python: ministack.join("python"),
            script: workspace.root.join("xtask/engines/lambda_bytes.py"),
            aws: command_line.join("aws"),
            temporary: folder.join("temporary"),
        }))
    }

    /// Where the SDKs find it.
    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts ministack and waits until it answers.
    pub(super) fn start(&self, background: &Background) -> anyhow::Result<()> {
        if self.temporary.exists() {
            fs::remove_dir_all(&self.temporary).context("cannot remove what an earlier run has left")?;
        }
        fs::create_dir_all(&self.temporary).context("cannot make a folder")?;
        let mut command = Command::new(&self.python);
        // Functions inherit this environment, so it holds nothing of the caller's but what a program needs to run.
        command.env_clear().arg(&self.script);
        for name in ["PATH", "HOME", "LANG", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("BIND_HOST", self.address.ip().to_string())
            .env("GATEWAY_PORT", self.address.port().to_string())
            .env("MINISTACK_HOST", self.address.ip().to_string())
            .env("MINISTACK_REGION", REGION)
            .env("LOG_LEVEL", "WARNING")
            .env("TMPDIR", &self.temporary)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        background.start(self.name_to(&mut command))?;
        await_answer(self.address, "/_ministack/health", background)
    }

    /// Tells a program where the engine is and how to sign for it.
    pub(super) fn name_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AWS_ENDPOINT_URL", self.endpoint())
            .env("AWS_ACCESS_KEY_ID", KEY)
            .env("AWS_SECRET_ACCESS_KEY", KEY)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_REGION", REGION)
            .env("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// Runs the AWS command line in the root folder; what it prints.
    pub(super) fn aws<S: AsRef<OsStr>>(&self, folder: &Path, arguments: &[S]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.aws);
        command.args(arguments).current_dir(folder).env("NO_PROXY", "127.0.0.1");
        let finished = process::run(self.name_to(&mut command), COMMAND_LIMIT)?;
        anyhow::ensure!(finished.is_success, "{:?}: {}", command.get_args(), finished.output().trim());
        Ok(finished.stdout)
    }

    /// As [`Engine::aws`], for commands that print JSON.
    pub(super) fn aws_json(&self, folder: &Path, arguments: &[&str]) -> anyhow::Result<Value> {
        let text = self.aws(folder, &[arguments, &["--output", "json"]].concat())?;
        serde_json::from_str(&text).with_context(|| format!("{arguments:?} prints no JSON"))
    }
}

/// An address of this machine alone that nobody listens on.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen on this machine")?;
    listener.local_addr().context("cannot tell an address")
}

/// Waits until a GET is answered with 200 by a program that was started.
pub(crate) fn await_answer(address: SocketAddr, path: &str, program: &Background) -> anyhow::Result<()> {
    let started = Instant::now();
    while started.elapsed() < READY_WITHIN && program.running()?.is_some() {
        if status(address, path).is_some_and(|status| status == "200") {
            return Ok(());
        }
        thread::sleep(POLL_INTERVAL);
    }
    let said = fs::read_to_string(program.log()).unwrap_or_default();
    anyhow::bail!("http://{address}{path} does not answer:\n{}", said.trim_end())
}

/// The status of the answer to a GET, if there is one.
fn status(address: SocketAddr, path: &str) -> Option<String> {
    let mut connection = TcpStream::connect(address).ok()?;
    connection.set_read_timeout(Some(ANSWER_LIMIT)).ok()?;
    write!(connection, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).ok()?;
    let line = String::from_utf8_lossy(answer.split(|byte| *byte == b'\r').next()?).into_owned();
    line.split(' ').nth(1).map(str::to_owned)
}
