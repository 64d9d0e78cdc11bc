//! What every worker program does around its loops: arguments, settings, the words to stop.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use sn17_app::{App, PromptBook};
use sn17_aws::clients::Clients;
use sn17_aws::native;
use sn17_aws::settings::{Role, Settings};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::fleet::{DRAIN_SECS_DEFAULT, Fleet, Hand};
use crate::heartbeat::{self, Heartbeat};

/// How a worker lives and ends; what it works on is said by the environment ([`sn17_aws::settings`]).
#[derive(Args, Clone, Debug)]
pub struct ProgramArgs {
    /// Seconds that work in hand gets after SIGTERM; what is left of it is then given back to the queue.
    #[arg(long, default_value_t = DRAIN_SECS_DEFAULT, env = "SN17_DRAIN_SECS", value_name = "SECS")]
    drain_secs: u64,
    /// File that is touched while the worker lives, for `healthy`.
    #[arg(long, env = "SN17_HEARTBEAT", value_name = "FILE")]
    heartbeat: Option<PathBuf>,
}

/// What every worker program can be asked besides working.
#[derive(Debug, Subcommand)]
pub enum Healthy {
    /// Tell by the exit code whether the worker on this machine lives.
    Healthy {
        /// The file that the worker touches.
        #[arg(long, env = "SN17_HEARTBEAT", value_name = "FILE")]
        heartbeat: PathBuf,
    },
}

impl Healthy {
    /// Looks whether the worker lives.
    ///
    /// # Errors
    /// Says why it counts as dead.
    pub fn run(&self) -> anyhow::Result<()> {
        let Self::Healthy { heartbeat } = self;
        heartbeat::check(heartbeat, SystemTime::now()).map_err(Into::into)
    }
}

/// How a program ends, with its error in the log.
pub fn report(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Works with the hands that `hire` finds until SIGTERM or Ctrl-C, and then ends as [`Fleet::run`] says; a second signal
/// gives everything back at once.
pub(crate) fn run<H>(args: &ProgramArgs, role: Role, hire: impl FnOnce(Arc<App>) -> H) -> anyhow::Result<()>
where
    H: Future<Output = anyhow::Result<Vec<Hand>>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start the async runtime")?.block_on(async {
        let mut told = words_to_stop()?;
        let fleet = tokio::select! {
            fleet = fleet(args, role, hire) => fleet?,
            _ = told.recv() => return Ok(()),
        };
        fleet.run(told).await?;
        tracing::info!("stopped: nothing is in hand");
        Ok(())
    })
}

async fn fleet<H>(args: &ProgramArgs, role: Role, hire: impl FnOnce(Arc<App>) -> H) -> anyhow::Result<Fleet>
where
    H: Future<Output = anyhow::Result<Vec<Hand>>>,
{
    let settings = Settings::from_env(role)?;
    let network = settings.network()?;
    let host = native::host();
    let ports = native::ports(&settings, &Clients::load().await, &host)?;
    // A worker hashes no API keys, so no key shall be good here.
    let secret = native::random_key_secret();
    let app = App::new(ports, host, network.policy, network.validator, secret, PromptBook::default());
    let app = Arc::new(app);
    let hands = hire(Arc::clone(&app)).await?;
    let loops = hands.len();
    let heartbeat = args.heartbeat.clone().map(|file| Arc::new(Heartbeat::new(file, loops)));
    tracing::info!(loops, table = settings.table, "working");
    Ok(Fleet { app, hands, heartbeat, drain: Duration::from_secs(args.drain_secs) })
}

/// A word for each SIGTERM and each Ctrl-C.
fn words_to_stop() -> anyhow::Result<mpsc::Receiver<()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for signals")?;
    let (tell, told) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            // A word that finds no room says nothing that the one before it has not.
            let _ = tell.try_send(());
        }
    });
    Ok(told)
}
