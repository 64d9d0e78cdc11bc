//! `sn17 prompts collect`: a batch of prompts for a validator.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use sn17_core::policy::Policy;
use sn17_core::prompts::clean_sentence;

use super::collector::Collector;
use crate::miner::wallet;
use crate::serve::data::write_whole;

#[derive(Args, Debug)]
pub(super) struct CollectArgs {
    /// Base URL of the collector, such as that of a network.
    #[arg(long, value_name = "URL", env = "SN17_COLLECTOR")]
    url: String,
    /// Hotkey file of the validator that asks (~/.bittensor/wallets/NAME/hotkeys/NAME).
    #[arg(long, value_name = "FILE")]
    hotkey: PathBuf,
    /// File for the prompts, one a line; what it held is replaced. Without it, they are printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(args: &CollectArgs) -> anyhow::Result<()> {
    let keypair = wallet::load(&args.hotkey)?;
    let prompts = Collector::new(&args.url).fetch(&keypair).await?;
    let rules = Policy::default();
    let received = prompts.len();
    // Whoever collects may be told anything: a line that is no prompt must not come between the others.
    let prompts: Vec<String> =
        prompts.into_iter().filter_map(|text| clean_sentence(&text, &rules.prompts).ok()).collect();
    anyhow::ensure!(!prompts.is_empty(), "none of the {received} prompts that came can be used");
    eprintln!("{} of {received} prompts can be used", prompts.len());
    if !rules.collector.takes(prompts.len()) {
        eprintln!(
            "validators keep the batch they have when one has fewer than {}",
            rules.collector.batch_prompts_min
        );
    }
    let mut lines = prompts.join("\n");
    lines.push('\n');
    match &args.out {
        Some(file) => write_whole(file, lines.as_bytes()),
        None => std::io::stdout().write_all(lines.as_bytes()).context("cannot write to standard output"),
    }
}
