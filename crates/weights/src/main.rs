//! `sn17-weights`: what a hotkey tells the chain, by a program that holds that key and nothing else.
//!
//! Everything is a dry run unless `--send` stands there: the chain's state is read from one node and checked against
//! itself, what would be sent is printed, and the runtime is asked whether it would take it.

#![expect(clippy::print_stdout, reason = "it answers on standard output")]

mod inputs;
mod leaderboard;
mod set;
mod timelock;

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use sn17_chain::extrinsic::Call;
use sn17_chain::sending::{Mode, Sender};
use sn17_chain::{Axon, Endpoint, Metagraph, Settings, SpecVersions};
use sn17_core::UnixMs;
use sn17_wire::ss58;

use set::SetArgs;

/// What every SDK writes for an axon's protocol.
const AXON_PROTOCOL: u8 = 4;

#[derive(Debug, Parser)]
#[command(
    name = "sn17-weights",
    version,
    about = "Set weights or publish an axon on the chain, dry run first"
)]
struct Arguments {
    #[command(flatten)]
    chain: Chain,
    /// An unencrypted hotkey file of a bittensor wallet.
    #[arg(long, value_name = "FILE", env = "SN17_HOTKEY_FILE")]
    hotkey: PathBuf,
    /// Send what the runtime finds valid; without it everything is only shown.
    #[arg(long)]
    send: bool,
    #[command(subcommand)]
    action: Action,
}

/// Which chain, through which node.
#[derive(Args, Debug)]
struct Chain {
    /// A node's JSON-RPC: https://…, or http:// on the loopback.
    #[arg(long, value_name = "URL", env = "SN17_CHAIN_ENDPOINT")]
    endpoint: Endpoint,
    /// The subnet.
    #[arg(long, default_value_t = 17)]
    netuid: u16,
    /// Runtimes whose layouts are taken for known: like 425-499, 425 or any.
    #[arg(long, default_value_t = SpecVersions::KNOWN)]
    spec_versions: SpecVersions,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Set weights, or commit to them where the subnet asks for that.
    Set(SetArgs),
    /// Publish where the hotkey serves.
    ServeAxon {
        /// The public address.
        #[arg(long)]
        ip: IpAddr,
        /// The port.
        #[arg(long)]
        port: u16,
        /// The version of the software that serves there.
        #[arg(long, default_value_t = 0)]
        software: u32,
    },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(arguments))
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mode = if arguments.send { Mode::Send } else { Mode::DryRun };
    let keypair = inputs::hotkey(&arguments.hotkey)?;
    let Chain { endpoint, netuid, spec_versions } = arguments.chain;
    let settings = Settings { netuid, spec_versions, ..Settings::new(vec![endpoint.clone()]) };
    let sender = Sender::new(endpoint, settings.answer_within)?;
    let snapshot = Metagraph::new(settings)?.fetch(now()?, None).await?;
    println!("{} at block {} ({})", ss58::encode(&keypair.hotkey()), snapshot.block, snapshot.block_hash);

    let call = match arguments.action {
        Action::Set(set) => {
            let Some(call) = set.call(&snapshot, &keypair.hotkey(), now()?, mode).await? else {
                return Ok(());
            };
            call
        }
        Action::ServeAxon { ip, port, software } => {
            println!("serve_axon: netuid {netuid}, {ip} port {port}, version {software}");
            Call::serve_axon(netuid, &Axon { ip, port, protocol: AXON_PROTOCOL }, software)
        }
    };
    let mut randomness = [0; 32];
    getrandom::fill(&mut randomness).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    let outcome = sender.perform(&call, &snapshot, &keypair, randomness, mode).await?;
    println!("nonce {}, runtime says: {}", outcome.binding.nonce, outcome.verdict);
    match outcome.sent {
        Some(hash) => println!("sent as {hash}"),
        None => println!("dry run, nothing was sent"),
    }
    Ok(())
}

fn now() -> anyhow::Result<UnixMs> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    Ok(UnixMs(u64::try_from(since_epoch.as_millis())?))
}
