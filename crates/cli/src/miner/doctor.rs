//! `sn17 miner doctor`: everything a miner depends on, checked without taking a task.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use sn17_app::ScoringPrompt;
use sn17_core::policy::Policy;
use sn17_core::scoring::{Metrics, PromptKind, score};
use sn17_render::CpuRenderer;
use sn17_score::{Scorer, ScorerOptions};
use sn17_wire::ss58;
use sn17_wire::synapse::AnswerError;
use sn17_worker::{Measured, measure, models};

use super::link::{Link, LinkError};
use super::{Identity, address, links};

/// Validators refuse requests from clocks that are further off than this.
const SKEW_SECS_MAX: u64 = 4;
/// A task that nobody has: asking about it changes nothing.
const NO_TASK: &str = "00000000-0000-0000-0000-000000000000";

#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    identity: Identity,
    /// A splat to score here, as the network would.
    #[arg(long, requires = "prompt")]
    splat: Option<PathBuf>,
    /// The prompt it was made for.
    #[arg(long, requires = "splat")]
    prompt: Option<String>,
    /// Folder of the model files; without it, synthetic ones.
    #[arg(long)]
    models: Option<PathBuf>,
}

pub(super) async fn run(args: &DoctorArgs) -> anyhow::Result<()> {
    let mut troubles = 0;
    let mut line = |what: &str, finding: Result<String, String>| {
        let (mark, words) = match finding {
            Ok(words) => ("ok  ", words),
            Err(words) => {
                troubles += 1;
                ("BAD ", words)
            }
        };
        println!("{mark} {what:<14} {words}");
    };
    let links = links(&args.identity)?;
    if let Some(link) = links.first() {
        line("hotkey", Ok(address(&link.keypair)));
    }
    for link in &links {
        println!(
            "     validator      {} at {}:{}",
            ss58::encode(&link.axon.hotkey),
            link.axon.ip,
            link.axon.port
        );
        line("clock", clock(link).await);
        let (signature, registration) = standing(link).await;
        line("signature", signature);
        line("registration", registration);
    }
    if let (Some(file), Some(prompt)) = (&args.splat, &args.prompt) {
        line("splat", local_score(file, prompt, args.models.as_ref()).map_err(|error| format!("{error:#}")));
    }
    anyhow::ensure!(troubles == 0, "{troubles} of these must be put right before mining");
    Ok(())
}

async fn clock(link: &Link) -> Result<String, String> {
    match link.clock_skew_secs().await {
        Ok(Some(skew)) if skew.unsigned_abs() <= SKEW_SECS_MAX => Ok(format!("{skew} s apart")),
        Ok(Some(skew)) => Err(format!("{skew} s apart: set this machine's clock (NTP)")),
        Ok(None) => Err("the validator does not tell its time".to_owned()),
        Err(error) => Err(format!("the validator cannot be reached: {error}")),
    }
}

/// Asks about a task that nobody has, which tells how the validator sees us.
async fn standing(link: &Link) -> (Result<String, String>, Result<String, String>) {
    let accepted = || Ok("accepted".to_owned());
    match link.submit(NO_TASK, "", &[]).await {
        Ok(_) => (accepted(), Ok("registered, a task is assigned".to_owned())),
        Err(LinkError::Answer(AnswerError::Refused { status: 403, message }))
            if message.contains("no task") =>
        {
            (accepted(), Ok("registered, no task is assigned".to_owned()))
        }
        Err(LinkError::Answer(AnswerError::Refused { status: 403, message })) => {
            (accepted(), Err(format!("{message} (register the hotkey on the subnet)")))
        }
        Err(LinkError::Answer(AnswerError::Refused { status: 401, message })) => {
            (Err(message), Err("unknown, as the signature is refused".to_owned()))
        }
        Err(error) => (Err(error.to_string()), Err("unknown".to_owned())),
    }
}

fn local_score(file: &PathBuf, prompt: &str, models: Option<&PathBuf>) -> anyhow::Result<String> {
    let folder = models::given_or_synthetic(models.map(PathBuf::as_path))?;
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let policy = Policy::default();
    let mut scorer = Scorer::load(&folder, &ScorerOptions::default())?;
    let prompt = ScoringPrompt::Text(prompt.to_owned());
    match measure(&bytes, &prompt, &mut CpuRenderer, &mut scorer, policy.submissions.splats_max)? {
        Measured::Invalid(reason) => anyhow::bail!("{reason}"),
        Measured::Views { raw, .. } => {
            let metrics = Metrics::from_views(&raw.to_views(), PromptKind::Text, &policy.metrics);
            let score = score(&metrics, &policy.metrics);
            let label = if raw.synthetic { " (SYNTHETIC weights, it means nothing)" } else { "" };
            let words = format!("score {score:.3}, {} is asked for{label}", policy.submissions.threshold);
            anyhow::ensure!(score >= policy.submissions.threshold, "{words}");
            Ok(words)
        }
    }
}
