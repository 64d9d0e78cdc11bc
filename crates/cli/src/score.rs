//! `sn17 score`: the four metrics and the score of a splat file.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use sn17_app::ScoringPrompt;
use sn17_core::scoring::{MetricRules, Metrics, PromptKind, score};
use sn17_render::CpuRenderer;
use sn17_score::{Scorer, ScorerOptions};
use sn17_worker::{Measured, measure, models};

/// Most splats that are scored, as the network's default policy has it.
const SPLATS_MAX: usize = 2_000_000;

/// Scores a splat file as the network does.
#[derive(Args, Debug)]
pub(crate) struct ScoreArgs {
    /// Splats to score: PLY, or SPZ in any dialect.
    file: PathBuf,
    /// The text that the splats were made from.
    #[arg(long, value_name = "TEXT", required_unless_present = "image", conflicts_with = "image")]
    prompt: Option<String>,
    /// The picture that the splats were made from: PNG, JPEG or WebP.
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Folder of the models; without it, synthetic ones.
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Measures the file and prints the result.
///
/// # Errors
/// Fails if a file cannot be read, if it is no splat that can be scored, or if the models fail.
pub(crate) fn run(args: &ScoreArgs) -> anyhow::Result<()> {
    let read =
        |path: &PathBuf| std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()));
    let splat = read(&args.file)?;
    let (prompt, kind) = match (&args.prompt, &args.image) {
        (Some(text), _) => (ScoringPrompt::Text(text.clone()), PromptKind::Text),
        (None, Some(path)) => (ScoringPrompt::Image(read(path)?.into()), PromptKind::Image),
        (None, None) => anyhow::bail!("give --prompt or --image"),
    };
    let folder = models::given_or_synthetic(args.models.as_deref())?;
    let mut scorer = Scorer::load(&folder, &ScorerOptions::default())?;
    let raw = match measure(&splat, &prompt, &mut CpuRenderer, &mut scorer, SPLATS_MAX)? {
        Measured::Views { raw, .. } => raw,
        Measured::Invalid(reason) => anyhow::bail!("`{}` cannot be scored: {reason}", args.file.display()),
    };
    let rules = MetricRules::default();
    let metrics = Metrics::from_views(&raw.to_views(), kind, &rules);
    let score = score(&metrics, &rules);
    let Metrics { alignment, iqa, lpips, ssim } = metrics;
    if args.json {
        let result = serde_json::json!({
            "score": score,
            "alignment": alignment,
            "iqa": iqa,
            "lpips": lpips,
            "ssim": ssim,
            "synthetic": raw.synthetic,
            "model_version": raw.model_version,
        });
        println!("{result}");
        return Ok(());
    }
    println!("alignment  {alignment:.4}");
    println!("iqa        {iqa:.4}");
    println!("lpips      {lpips:.4}");
    println!("ssim       {ssim:.4}");
    let label = if raw.synthetic { "  (synthetic weights)" } else { "" };
    println!("score      {score:.4}{label}");
    Ok(())
}
