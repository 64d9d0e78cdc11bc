//! `sn17 miner`: the miner's side of the protocol, for miners and for everything that needs one.

mod doctor;
mod generate;
pub(crate) mod link;
pub(crate) mod wallet;
pub(crate) mod work;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use sn17_wire::synapse::Axon;
use sn17_wire::{sr25519, ss58};

pub(crate) use generate::Generator;

use crate::serve::runtime;
use link::Link;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct MinerArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Check everything a miner depends on, without pulling a task.
    Doctor(doctor::DoctorArgs),
    /// Make a hotkey file in the form that bittensor wallets use.
    NewKey {
        /// Where to write it.
        file: PathBuf,
    },
}

/// Who mines, and for whom.
#[derive(Args, Clone, Debug)]
pub(crate) struct Identity {
    /// Hotkey file of a bittensor wallet (~/.bittensor/wallets/NAME/hotkeys/NAME).
    #[arg(long)]
    hotkey: Option<PathBuf>,
    /// A validator as HOTKEY@HOST:PORT; may be given several times.
    #[arg(long = "validator", value_name = "HOTKEY@HOST:PORT")]
    validators: Vec<String>,
}

#[derive(Args, Debug)]
struct RunArgs {
    #[command(flatten)]
    identity: Identity,
    /// Generator endpoint; prompts are posted to URL/generate/ as the base miners serve it.
    #[arg(long, value_name = "URL", group = "source")]
    generator: Option<String>,
    /// Hand in splats from this folder: the file whose name shares most words with the prompt.
    #[arg(long, value_name = "DIR", group = "source")]
    splats: Option<PathBuf>,
    /// Hand in splats composed from simple shapes, for trying things out.
    #[arg(long, group = "source")]
    procedural: bool,
    /// Stop after so many submissions.
    #[arg(long)]
    submissions: Option<usize>,
}

pub(crate) fn run(args: &MinerArgs) -> anyhow::Result<()> {
    match &args.action {
        Some(Action::NewKey { file }) => {
            let address = wallet::create(file)?;
            println!("{address}");
            Ok(())
        }
        Some(Action::Doctor(doctor)) => runtime()?.block_on(doctor::run(doctor)),
        None => runtime()?.block_on(mine(&args.run)),
    }
}

async fn mine(args: &RunArgs) -> anyhow::Result<()> {
    let generator = match (&args.generator, &args.splats, args.procedural) {
        (Some(url), _, _) => Generator::endpoint(url)?,
        (None, Some(folder), _) => Generator::folder(folder)?,
        (None, None, true) => Generator::Procedural(sn17_splat::procedural::Quality::Intact),
        (None, None, false) => {
            anyhow::bail!("say where splats come from: --generator URL, --splats DIR or --procedural")
        }
    };
    let generator = Arc::new(generator);
    let mut miners = tokio::task::JoinSet::new();
    for link in links(&args.identity)? {
        let options = work::Options { submissions_max: args.submissions, report: Arc::new(work::log) };
        miners.spawn(work::mine(link, Arc::clone(&generator), options));
    }
    while let Some(ended) = miners.join_next().await {
        ended.context("a miner ended badly")?;
    }
    Ok(())
}

/// One link to each validator.
fn links(identity: &Identity) -> anyhow::Result<Vec<Link>> {
    let file = identity
        .hotkey
        .as_ref()
        .context("give your hotkey with --hotkey FILE (sn17 miner new-key makes one)")?;
    let keypair = Arc::new(wallet::load(file)?);
    anyhow::ensure!(!identity.validators.is_empty(), "name a validator with --validator HOTKEY@HOST:PORT");
    let link = |text: &String| Link::new(parse_axon(text)?, Arc::clone(&keypair));
    identity.validators.iter().map(link).collect()
}

fn parse_axon(text: &str) -> anyhow::Result<Axon> {
    let parts = text.split_once('@').and_then(|(hotkey, rest)| Some((hotkey, rest.rsplit_once(':')?)));
    let (hotkey, (host, port)) = parts.with_context(|| format!("{text} is not HOTKEY@HOST:PORT"))?;
    Ok(Axon {
        ip: host.to_owned(),
        port: port.parse().with_context(|| format!("{port} is not a port"))?,
        hotkey: ss58::decode(hotkey).with_context(|| format!("{hotkey} is not an ss58 address"))?,
    })
}

/// The miner's address.
pub(crate) fn address(keypair: &sr25519::Keypair) -> String {
    ss58::encode(&keypair.hotkey())
}
