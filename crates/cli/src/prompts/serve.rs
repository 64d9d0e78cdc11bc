//! `sn17 prompts serve`: a collector alone, with the same store and the same listening as a whole network.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use sn17_http::Routes;
use sn17_llm::JudgeArgs;
use sn17_wire::ss58;

use crate::serve::chain::ChainArgs;
use crate::serve::{Network, RateLimitsChoice, ServeArgs, policy};

#[derive(Args, Debug)]
pub(super) struct CollectorArgs {
    /// Address for plain HTTP and TLS, on one port.
    #[arg(long, default_value = "127.0.0.1:4444", env = "SN17_LISTEN")]
    listen: SocketAddr,
    /// Folder for everything that is kept.
    #[arg(long, default_value = "prompts", env = "SN17_DATA")]
    data: PathBuf,
    /// The hotkey whose collector this is (ss58): it may fetch, registered or not. Without it, one is made for the data
    /// folder.
    #[arg(long, env = "SN17_VALIDATOR_HOTKEY")]
    validator_hotkey: Option<String>,
    /// Who is registered with how much stake, a JSON file that is read again whenever it changes [default: DATA/metagraph.json].
    #[arg(long, env = "SN17_METAGRAPH")]
    metagraph: Option<PathBuf>,
    #[command(flatten)]
    chain: ChainArgs,
    /// The numbers of collector and filters, a JSON file; whatever it leaves out keeps its default.
    #[arg(long, env = "SN17_POLICY")]
    policy: Option<PathBuf>,
    /// TLS certificate chain (PEM); without it, one is made for localhost.
    #[arg(long, requires = "tls_key", env = "SN17_TLS_CERTIFICATE")]
    tls_certificate: Option<PathBuf>,
    /// TLS private key (PEM).
    #[arg(long, requires = "tls_certificate", env = "SN17_TLS_KEY")]
    tls_key: Option<PathBuf>,
    /// Requests allowed by address.
    #[arg(long, value_enum, default_value_t, env = "SN17_RATE_LIMITS")]
    rate_limits: RateLimitsChoice,
}

pub(super) async fn run(args: CollectorArgs) -> anyhow::Result<()> {
    let args = args.into_network();
    let network = Network::start(&args, policy(&args)?).await?;
    let (address, data) = (network.address, args.data.display());
    println!("collector    http://{address}   also https; data in {data}");
    println!("validator    {}", ss58::encode(&network.app.validator()));
    println!("hand in      sn17 keys add --owner prompts --data {data}");
    println!("             sn17 prompts generate --bundled --submit http://{address} --key KEY");
    println!("fetch        sn17 prompts collect --url http://{address} --hotkey FILE");
    network.run_until_told().await
}

impl CollectorArgs {
    /// A network that has the collector's routes and nothing to score.
    fn into_network(self) -> ServeArgs {
        let Self {
            listen,
            data,
            validator_hotkey,
            metagraph,
            chain,
            policy,
            tls_certificate,
            tls_key,
            rate_limits,
        } = self;
        ServeArgs {
            listen,
            data,
            validator_hotkey,
            metagraph,
            chain,
            policy,
            models: None,
            prompt_images: None,
            prompt_image_urls: None,
            prompts: None,
            tls_certificate,
            tls_key,
            rate_limits,
            judge: JudgeArgs::default(),
            no_worker: true,
            simulate: false,
            routes: Routes::Collector,
        }
    }
}
