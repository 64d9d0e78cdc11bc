//! `sn17 admin metagraph`: the registered miners of a network that takes them from its operator.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use sn17_wire::metagraph::Metagraph;

use super::OperatorKey;
use super::server::Server;

#[derive(Args, Debug)]
pub(super) struct MetagraphArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the registered miners, in the form that `put` takes.
    Get {
        #[command(flatten)]
        network: Network,
    },
    /// Make the miners of a file the registered ones; whoever is not in it loses session and rating.
    Put {
        /// `{"neurons": [{"uid": 1, "hotkey": "5…", "stake": 0, "incentive": 0.1}]}`
        file: PathBuf,
        #[command(flatten)]
        network: Network,
    },
}

/// Where the network is.
#[derive(Args, Debug)]
struct Network {
    /// The network's clients' URL.
    #[arg(long, value_name = "URL")]
    url: String,
    #[command(flatten)]
    key: OperatorKey,
}

pub(super) async fn run(args: MetagraphArgs) -> anyhow::Result<()> {
    match args.action {
        Action::Get { network } => {
            let roster = network.server()?.roster().await?;
            eprintln!("validator {}", roster.validator);
            println!("{}", serde_json::to_string_pretty(&Metagraph { neurons: roster.neurons })?);
        }
        Action::Put { file, network } => {
            let text = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let neurons = Metagraph::read(&text);
            let neurons = neurons.with_context(|| format!("{} is not a metagraph", file.display()))?;
            let miners = network.server()?.register(&Metagraph::of(&neurons)).await?;
            println!("registered {miners}");
        }
    }
    Ok(())
}

impl Network {
    fn server(self) -> anyhow::Result<Server> {
        Server::remote(&self.url, self.key.admin_key)
    }
}
