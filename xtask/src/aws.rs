//! The network on AWS on this machine: engines in place of AWS, and the shipped template deployed to them.

mod background;
mod deployment;
mod engine;
mod front;
mod functions;
mod runtime_api;
mod stage;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Subcommand;

use crate::edge;
use crate::report::Report;
use crate::rust_tests;
use crate::workspace::Workspace;
use engine::Engine;

pub(crate) use background::Background;
pub(crate) use deployment::Outputs;
pub(crate) use engine::{await_answer, free_address};
pub(crate) use stage::run as stage;

/// What to do with the deployment.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Starts the engines and deploys template.yaml to them; writes target/aws/outputs.json.
    Up,
    /// Runs the stage of the tests that needs a deployment, with one of its own.
    Test,
    /// Ends the engines, and with them everything that was deployed.
    Down,
    /// Tells whether they run, and where.
    Status,
    /// Builds the functions as they are shipped, and measures their archives and their starts.
    Functions,
    /// Passes requests on to the engines under the name of the deployment.
    #[command(hide = true)]
    Front {
        /// Where clients and miners connect.
        #[arg(long)]
        listen: SocketAddr,
        /// Where the engines listen.
        #[arg(long)]
        engine: SocketAddr,
        /// The name of the deployment.
        #[arg(long)]
        host: String,
    },
}

/// Does it; whether everything is as it should be.
pub(crate) fn run(workspace: &Workspace, action: &Action) -> anyhow::Result<bool> {
    let local = Local::new(workspace)?;
    match action {
        Action::Up => match local.up(workspace)? {
            Ok(outputs) => {
                println!("{}", outputs.table());
                println!("{}", local.advice(&outputs));
                Ok(outputs.failed().is_empty())
            }
            Err(reason) => anyhow::bail!(reason),
        },
        Action::Test => {
            let mut report = Report::default();
            let programs = rust_tests::build(workspace, &mut report)?;
            let edges = edge::build_stage(workspace, &[], &mut report);
            stage(workspace, &programs, &edges, &mut report)?;
            report.close(workspace)
        }
        Action::Down => {
            let was_running = local.down()?;
            println!("{}", if was_running { "ended" } else { "nothing was running" });
            Ok(true)
        }
        Action::Status => local.status(),
        Action::Functions => functions::measure(workspace),
        Action::Front { listen, engine, host } => front::run(*listen, *engine, host).map(|()| true),
    }
}

/// What runs here and where its files are.
#[derive(Debug)]
pub(crate) struct Local {
    folder: PathBuf,
    engine: Background,
    front: Background,
}

impl Local {
    pub(crate) fn new(workspace: &Workspace) -> anyhow::Result<Self> {
        let folder = workspace.keep().join("aws");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let engine = Background::new(&folder, "engine", "lambda_bytes.py");
        let front = Background::new(&folder, "front", "aws front");
        Ok(Self { folder, engine, front })
    }

    /// Deploys the network anew; the inner error says why that cannot be tried here.
    pub(crate) fn up(&self, workspace: &Workspace) -> anyhow::Result<Result<Outputs, String>> {
        self.down()?;
        let engine = match Engine::prepare(workspace, &self.folder)? {
            Ok(engine) => engine,
            Err(reason) => return Ok(Err(reason)),
        };
        let outputs = engine.start(&self.engine).and_then(|()| {
            let outputs = deployment::deploy(workspace, &engine, &self.folder)?;
            self.front.start(&mut outputs.front(&engine)?)?;
            await_answer(outputs.address()?, "/healthz", &self.front)?;
            outputs.write(&self.outputs_file())?;
            Ok(outputs)
        });
        if outputs.is_err() {
            self.down()?;
        }
        outputs.map(Ok)
    }

    /// Ends what runs, also what a run that was cut off has left; whether anything ran.
    pub(crate) fn down(&self) -> anyhow::Result<bool> {
        let had_front = self.front.stop()?;
        let had_engine = self.engine.stop()?;
        let _ = fs::remove_file(self.outputs_file());
        Ok(had_front || had_engine)
    }

    /// The deployment that runs, if one does.
    pub(crate) fn running(&self) -> anyhow::Result<Option<Outputs>> {
        if self.engine.running()?.is_none() || self.front.running()?.is_none() {
            return Ok(None);
        }
        Outputs::read(&self.outputs_file()).map(Some)
    }

    fn status(&self) -> anyhow::Result<bool> {
        let (engine, front) = (self.engine.running()?, self.front.running()?);
        let (Some(engine), Some(front)) = (engine, front) else {
            println!("not running: `cargo xtask aws up` starts it");
            return Ok(false);
        };
        let outputs = Outputs::read(&self.outputs_file())?;
        println!("engine  process {engine}, {}, log {}", outputs.endpoint, self.engine.log().display());
        println!("network process {front}, {}", outputs.url);
        println!("{}", self.advice(&outputs));
        Ok(true)
    }

    /// The folder of what runs here.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the outputs lie.
    pub(crate) fn outputs_file(&self) -> PathBuf {
        self.folder.join("outputs.json")
    }

    fn advice(&self, outputs: &Outputs) -> String {
        format!(
            "the network is at {}; tests against it: SN17_AWS_OUTPUTS={} cargo test -p sn17-tests ::lambda::",
            outputs.url,
            self.outputs_file().display()
        )
    }
}
