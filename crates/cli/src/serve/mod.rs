//! `sn17 serve`: the whole network in one process and one scoring process beside it.

pub(crate) mod chain;
pub(crate) mod data;
mod listen;
mod loops;
pub(crate) mod metagraph;
pub(crate) mod prompt_images;
mod simulate;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use sn17_app::ports::{Ledger, Queue};
use sn17_app::{App, Judge, Ports, PromptBook, Scorer};
use sn17_core::Hotkey;
use sn17_core::policy::Policy;
use sn17_http::{AdminKey, Blocking, HttpOptions, RateLimits, RosterSource, Routes};
use sn17_llm::JudgeArgs;
use sn17_store::{Embedded, FolderBlobs, FolderOptions, Options};
use sn17_wire::ss58;
use sn17_worker::{ChildArgs, ChildProgram, RendererChoice, ScoringProcess, models};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::host::{self, Clock};
use crate::outbound::Outbound;
use chain::ChainArgs;
use data::{DataFolder, Running};
use metagraph::Metagraph;

/// Where miners and clients of the original network look for it.
const DEFAULT_LISTEN: &str = "127.0.0.1:4443";
/// Pairs before the judge at the same time, each of which is up to four answers of some seconds.
const PAIRS_AT_ONCE: usize = 4;

#[derive(Args, Clone, Debug)]
pub(crate) struct ServeArgs {
    /// Address for plain HTTP and TLS, on one port.
    #[arg(long, default_value = DEFAULT_LISTEN, env = "SN17_LISTEN")]
    pub(crate) listen: SocketAddr,
    /// Folder for everything that is kept.
    #[arg(long, default_value = "data", env = "SN17_DATA")]
    pub(crate) data: PathBuf,
    /// The validator hotkey that miners address and sign for (ss58). Without it, one is made for the data folder.
    #[arg(long, env = "SN17_VALIDATOR_HOTKEY")]
    pub(crate) validator_hotkey: Option<String>,
    /// The registered miners, a JSON file that is read again whenever it changes [default: DATA/metagraph.json].
    #[arg(long, env = "SN17_METAGRAPH")]
    pub(crate) metagraph: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) chain: ChainArgs,
    /// The numbers of the game, a JSON file; whatever it leaves out keeps its default.
    #[arg(long, env = "SN17_POLICY")]
    pub(crate) policy: Option<PathBuf>,
    /// Folder of the model files; without it, synthetic ones are made.
    #[arg(long, env = "SN17_MODELS")]
    pub(crate) models: Option<PathBuf>,
    /// Pictures for synthetic image tasks, a folder of PNG, JPEG and WebP files.
    #[arg(long, env = "SN17_PROMPT_IMAGES", value_name = "DIR")]
    pub(crate) prompt_images: Option<PathBuf>,
    /// Pictures for synthetic image tasks, a text file with one https URL a line; they are fetched at the start, and from
    /// the public internet only.
    #[arg(long, env = "SN17_PROMPT_IMAGE_URLS", value_name = "FILE")]
    pub(crate) prompt_image_urls: Option<PathBuf>,
    /// Prompts for synthetic tasks, a text file with one a line; without it, a list of our own.
    #[arg(long, env = "SN17_PROMPTS")]
    pub(crate) prompts: Option<PathBuf>,
    /// TLS certificate chain (PEM); without it, one is made for localhost.
    #[arg(long, requires = "tls_key", env = "SN17_TLS_CERTIFICATE")]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// TLS private key (PEM).
    #[arg(long, requires = "tls_certificate", env = "SN17_TLS_KEY")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Requests allowed by address.
    #[arg(long, value_enum, default_value_t, env = "SN17_RATE_LIMITS")]
    pub(crate) rate_limits: RateLimitsChoice,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
    /// Take submissions but do not score them here.
    #[arg(long, conflicts_with = "simulate")]
    pub(crate) no_worker: bool,
    /// For those who develop clients and miners: scripted verdicts, controlled under /simulate. Loopback only.
    #[arg(long)]
    pub(crate) simulate: bool,
    /// Which routes are served; the command says.
    #[arg(skip)]
    pub(crate) routes: Routes,
}

/// Which limits by address are in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RateLimitsChoice {
    /// The original gateway's.
    #[default]
    Original,
    /// None, for measurements and behind a proxy that has its own.
    None,
}

impl RateLimitsChoice {
    fn limits(self) -> RateLimits {
        match self {
            Self::Original => RateLimits::default(),
            Self::None => RateLimits::NONE,
        }
    }
}

/// What scores the submissions.
#[derive(Clone, Debug)]
pub(crate) enum Scoring {
    /// Models, in a process beside this one.
    Models { folder: PathBuf, version: String, synthetic: bool },
    /// Scripted verdicts.
    Script,
    /// Nothing in this network.
    Off,
}

impl fmt::Display for Scoring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Models { folder, version, synthetic } => {
                let warning = if *synthetic { " (SYNTHETIC weights, the scores mean nothing)" } else { "" };
                write!(formatter, "{version}{warning} in {}", folder.display())
            }
            Self::Script => formatter.write_str("scripted, see POST /simulate/verdict"),
            Self::Off => formatter.write_str("off (--no-worker)"),
        }
    }
}

/// A network that is up.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) app: Arc<App>,
    pub(crate) address: SocketAddr,
    pub(crate) scoring: Scoring,
    has_own_certificate: bool,
    folder: DataFolder,
    store: Embedded,
    /// Told to stop one after the other: requests that wait for their verdicts are answered while scoring goes on.
    parts: Vec<Part>,
    /// Tasks that may be cut off at any point.
    background: Vec<JoinHandle<()>>,
}

/// A task that finishes what it has in hand when it is told to stop.
#[derive(Debug)]
struct Part {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Part {
    fn start<F>(run: impl FnOnce(watch::Receiver<bool>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = watch::channel(false);
        Self { stop, task: tokio::spawn(run(stopped)) }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a part of the network ended badly");
        }
    }
}

pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let network = Network::start(args, policy(args)?).await?;
        print!("{}", network.summary(args).await?);
        network.run_until_told().await
    })
}

/// The runtime that every networked command uses, with the TLS library's crypto chosen once.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    // An error means that a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the async runtime")
}

pub(crate) fn policy(args: &ServeArgs) -> anyhow::Result<Policy> {
    let mut policy = match &args.policy {
        None => Policy::default(),
        Some(file) => {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{} is not a policy", file.display()))?
        }
    };
    policy.judge.enabled |= args.judge.judge_url.is_some();
    if args.no_worker {
        // Nobody scores here, so no verdict can come while a miner waits.
        policy.submissions.wait_secs = 0;
    }
    Ok(policy)
}

impl Network {
    /// Opens the data folder, starts scoring and listens.
    pub(crate) async fn start(args: &ServeArgs, policy: Policy) -> anyhow::Result<Self> {
        policy.validate()?;
        anyhow::ensure!(
            !args.simulate || args.listen.ip().is_loopback(),
            "--simulate invents verdicts, so it listens on loopback only: use --listen 127.0.0.1:{}",
            args.listen.port()
        );
        let folder = DataFolder::open(&args.data)?;
        let clock = Clock::default();
        let store_clock = {
            let clock = clock.clone();
            sn17_store::Clock::new(move || clock.now())
        };
        let options = Options {
            max_receives: policy.submissions.attempts_max,
            judging_max_receives: policy.judge.attempts_max,
            ..Options::default()
        };
        let (store, blobs, ports) = open_ports(&folder, store_clock.clone(), options, &policy)?;
        folder.forget_running();
        let app = Arc::new(app(args, policy, &folder, ports, &clock).await?);
        let registered = registered(args, &folder, &app).await?;

        let router = sn17_http::router(Arc::clone(&app), http_options(args, &folder)?);
        let (router, scorer, scoring) = if args.simulate {
            let script = Arc::new(simulate::Script::new(policy));
            let router = simulate::extend(router, Arc::clone(&app), Arc::clone(&script), clock, store_clock);
            (router, Some(script as Arc<dyn Scorer>), Scoring::Script)
        } else if args.no_worker {
            (router, None, Scoring::Off)
        } else {
            let (scorer, scoring) = scoring_process(args, policy.submissions.splats_max).await?;
            (router, Some(scorer), scoring)
        };

        let given = args.tls_certificate.as_deref().zip(args.tls_key.as_deref());
        let (tls, has_own_certificate) = listen::tls_config(given, &folder.tls())?;
        let (listener, address) = listen_at(args.listen, &folder).await?;
        let mut parts = vec![Part::start(|stop| listen::serve(listener, router, tls, stop))];
        if let Some(scorer) = scorer {
            parts.push(Part::start(|stop| sn17_worker::score(Arc::clone(&app), scorer, stop)));
        }
        let ledger = Arc::clone(&app.ports().ledger);
        if let Some(judge) = args.judge.judge(host::host(&Clock::default()), ledger)? {
            let judge: Arc<dyn Judge> = Arc::new(judge);
            for _ in 0..PAIRS_AT_ONCE {
                let (app, judge) = (Arc::clone(&app), Arc::clone(&judge));
                parts.push(Part::start(|stop| sn17_worker::judge(app, judge, stop)));
            }
        }
        let background = vec![
            tokio::spawn(loops::timers(Arc::clone(&app))),
            tokio::spawn(loops::competition(Arc::clone(&app))),
            tokio::spawn(loops::prompts(Arc::clone(&app))),
            tokio::spawn(loops::sweeps(Arc::clone(&app), store.clone(), blobs)),
            registered,
        ];
        Ok(Self { app, address, scoring, has_own_certificate, folder, store, parts, background })
    }

    /// What `serve` prints at its start.
    async fn summary(&self, args: &ServeArgs) -> anyhow::Result<String> {
        let Self { app, address, scoring, .. } = self;
        let miners = app.roster().await?.len();
        let certificate = if self.has_own_certificate { " (self-signed, curl -k)" } else { "" };
        let data = args.data.display();
        let file = || metagraph_file(args, &self.folder).display().to_string();
        let metagraph = args.chain.name().unwrap_or_else(file);
        let validator = ss58::encode(&app.validator());
        Ok(format!(
            "sn17 {version}\n\
             \x20 http       http://{address}\n\
             \x20 https      https://{address}{certificate}\n\
             \x20 validator  {validator}\n\
             \x20 data       {data}\n\
             \x20 miners     {miners} in {metagraph}\n\
             \x20 scoring    {scoring}\n\
             \x20 judge      {judge}\n\
             \x20 next       sn17 keys add --owner me --data {data}\n",
            version = env!("CARGO_PKG_VERSION"),
            judge = judge_line(&args.judge),
        ))
    }

    pub(crate) async fn run_until_told(self) -> anyhow::Result<()> {
        tokio::select! {
            told = stop_signal() => told?,
            reason = self.store.stopped() => anyhow::bail!("the store has stopped: {reason}"),
        }
        tracing::info!("stopping: open requests and the submission in hand may finish");
        tokio::select! {
            () = self.stop() => Ok(()),
            told = stop_signal() => told,
        }
    }

    /// Lets open requests and then the submission in hand finish, then stops.
    pub(crate) async fn stop(self) {
        self.folder.forget_running();
        for part in self.parts {
            part.stop().await;
        }
        for task in self.background {
            task.abort();
        }
    }
}

/// The use cases as `serve` has them.
async fn app(
    args: &ServeArgs,
    policy: Policy,
    folder: &DataFolder,
    ports: Ports,
    clock: &Clock,
) -> anyhow::Result<App> {
    let validator = validator(args, folder)?;
    let mut images = match &args.prompt_images {
        Some(folder) => prompt_images::load(folder, &policy.tasks, &*ports.blobs).await?,
        None => Vec::new(),
    };
    if let Some(list) = &args.prompt_image_urls {
        images.extend(prompt_images::prefetch(list, &policy.tasks, &*ports.blobs, &Outbound::new()?).await?);
    }
    let prompts = PromptBook::new(prompts(args)?, images);
    Ok(App::new(ports, host::host(clock), policy, validator, folder.key_secret()?, prompts))
}

/// The use cases over a data folder that no server has open.
pub(crate) fn app_over(folder: &DataFolder) -> anyhow::Result<App> {
    let clock = Clock::default();
    let (_, _, ports) =
        open_ports(folder, sn17_store::Clock::system(), Options::default(), &Policy::default())?;
    let validator = folder.own_validator()?;
    Ok(App::new(
        ports,
        host::host(&clock),
        Policy::default(),
        validator,
        folder.key_secret()?,
        PromptBook::default(),
    ))
}

fn open_ports(
    folder: &DataFolder,
    clock: sn17_store::Clock,
    options: Options,
    policy: &Policy,
) -> anyhow::Result<(Embedded, Arc<FolderBlobs>, Ports)> {
    let store = Embedded::open(&folder.ledger(), clock, options).with_context(|| {
        format!("cannot open the store in {} (does another process use it?)", folder.ledger().display())
    })?;
    let blobs = FolderBlobs::open(&folder.blobs(), blob_options(policy))
        .with_context(|| format!("cannot open {}", folder.blobs().display()))?;
    let blobs = Arc::new(blobs);
    let ports = Ports {
        ledger: Arc::new(store.clone()) as Arc<dyn Ledger>,
        blobs: Arc::clone(&blobs) as Arc<_>,
        queue: Arc::new(store.clone()) as Arc<dyn Queue>,
    };
    Ok((store, blobs, ports))
}

/// BL-1: blobs outlive everything that names them, with an hour to spare.
fn blob_options(policy: &Policy) -> FolderOptions {
    const SPARE_SECS: u64 = 3600;
    let Policy { tasks, submissions, duels, .. } = policy;
    let tasks_secs = tasks.deadline_secs + tasks.lifetime_secs;
    let kept_secs = tasks_secs.max(submissions.lifetime_secs).max(policy.duel_secs_max()) + SPARE_SECS;
    let kept = ["submissions", "prompts", "previews"].map(|name| (name, kept_secs));
    let records = ("duels", duels.lifetime_secs + SPARE_SECS);
    let retention_secs = kept.into_iter().chain([records]).map(|(name, secs)| (name.to_owned(), secs));
    FolderOptions { retention_secs: retention_secs.collect(), ..FolderOptions::default() }
}

/// What compares the miners' results.
fn judge_line(args: &JudgeArgs) -> String {
    match &args.judge_url {
        Some(url) => format!("{} at {url}", args.judge_model),
        None => "none, so no duels (--judge-url)".to_owned(),
    }
}

/// Follows whoever says who is registered. The file must be a good one at the start; the chain may be asked later, and the
/// roster of the last run stays until it answers.
async fn registered(args: &ServeArgs, folder: &DataFolder, app: &Arc<App>) -> anyhow::Result<JoinHandle<()>> {
    if let Some(chain) = args.chain.chain()? {
        return Ok(tokio::spawn(chain.follow(Arc::clone(app))));
    }
    let mut metagraph = Metagraph::new(metagraph_file(args, folder));
    metagraph.apply(app).await?;
    Ok(tokio::spawn(metagraph.follow(Arc::clone(app))))
}

fn metagraph_file(args: &ServeArgs, folder: &DataFolder) -> PathBuf {
    args.metagraph.clone().unwrap_or_else(|| folder.metagraph())
}

fn http_options(args: &ServeArgs, folder: &DataFolder) -> anyhow::Result<HttpOptions> {
    let roster_from = if args.chain.is_named() { RosterSource::Chain } else { RosterSource::File };
    Ok(HttpOptions {
        routes: args.routes,
        admin_key: AdminKey::new(folder.admin_key()?),
        roster_from,
        limits: args.rate_limits.limits(),
        blocking: Blocking::new(|work| drop(tokio::task::spawn_blocking(work))),
        ..HttpOptions::default()
    })
}

/// Listens, and leaves a note of it for the other commands on this machine.
async fn listen_at(address: SocketAddr, folder: &DataFolder) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    let url = format!("http://{}", SocketAddr::new(loopback_for(address.ip()), address.port()));
    folder.note_running(&Running { url, pid: std::process::id() })?;
    Ok((listener, address))
}

async fn scoring_process(args: &ServeArgs, splats_max: usize) -> anyhow::Result<(Arc<dyn Scorer>, Scoring)> {
    let models = models::given_or_synthetic(args.models.as_deref())?;
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let program = ChildProgram { program, subcommand: "worker" };
    let child = ChildArgs { models: models.clone(), splats_max, renderer: RendererChoice::default() };
    let process = ScoringProcess::new(program, child);
    let ready = process.start().await.context("scoring cannot start (--no-worker serves without it)")?;
    let scoring =
        Scoring::Models { folder: models, version: ready.model_version, synthetic: ready.synthetic };
    Ok((Arc::new(process), scoring))
}

fn validator(args: &ServeArgs, folder: &DataFolder) -> anyhow::Result<Hotkey> {
    match &args.validator_hotkey {
        Some(text) => ss58::decode(text).with_context(|| format!("--validator-hotkey {text}")),
        None => folder.own_validator(),
    }
}

fn prompts(args: &ServeArgs) -> anyhow::Result<Vec<String>> {
    let Some(file) = &args.prompts else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

/// The address under which this machine reaches a listener on `ip`.
fn loopback_for(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => ip,
    }
}

/// Waits for Ctrl-C or, where there is one, SIGTERM.
#[cfg(unix)]
pub(crate) async fn stop_signal() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for signals")?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.context("cannot listen for signals"),
        _ = terminate.recv() => Ok(()),
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn stop_signal() -> anyhow::Result<()> {
    tokio::signal::ctrl_c().await.context("cannot listen for signals")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bl_1_blobs_outlive_every_task_that_the_policy_lets_live() {
        let mut policy = Policy::default();
        for lifetime_secs in [3600, 24 * 3600, 30 * 24 * 3600] {
            policy.tasks.lifetime_secs = lifetime_secs;
            let named_secs = policy.submissions.lifetime_secs.max(lifetime_secs + policy.tasks.deadline_secs);
            for (folder, kept_secs) in blob_options(&policy).retention_secs {
                assert!(kept_secs > named_secs, "{folder}");
            }
        }
    }
}
