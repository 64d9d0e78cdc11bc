//! `sn17 prompts generate`: prompts by language models, or from the bundled grammar.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use sn17_core::prompts::{Batch, Origin, PromptRules, Seen, Statistics, Style, grammar};
use sn17_llm::generators::{Calls, Generator, Harvest, Method, Settings};
use sn17_llm::{ApiKey, Chat, Endpoint};

use super::collector::Collector;
use super::figures;
use crate::host::{self, Clock};
use crate::serve::stop_signal;

/// The models that the original generator's documentation names.
const DEFAULT_MODELS: [&str; 3] =
    ["Qwen/Qwen2.5-7B-Instruct-1M", "microsoft/phi-4", "zai-org/glm-4-9b-chat-1m"];
/// Prompts are written down, and progress told, when there are so many new ones.
const PROMPTS_AT_ONCE: usize = 100;
/// Prompts are handed in when there are so many, as the original's generator does.
const SUBMITTED_AT_ONCE: usize = 1_000;
/// Earlier prompts that are told apart from new ones.
const SEEN_MAX: usize = 1_000_000;

#[derive(Args, Debug)]
pub(super) struct GenerateArgs {
    /// Base URL of an OpenAI-compatible API, up to /v1; may be given several times.
    #[arg(long = "endpoint", value_name = "URL", required_unless_present = "bundled")]
    endpoints: Vec<String>,
    /// A language model; may be given several times, and they take turns: one for each endpoint, or all at the one
    /// endpoint [default: the original's three].
    #[arg(long = "model", value_name = "MODEL", requires = "endpoints")]
    models: Vec<String>,
    /// The key of the endpoints.
    #[arg(long, env = "SN17_LLM_API_KEY", value_name = "KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Let endpoints be asked over plain http on another machine, such as one of the same private network.
    #[arg(long)]
    plain_http: bool,
    /// Seconds that one call may take.
    #[arg(long, value_name = "SECS", default_value_t = 60)]
    timeout_secs: u64,
    /// How prompts are asked for.
    #[arg(long, value_enum, default_value_t = MethodChoice::Lists)]
    method: MethodChoice,
    /// Categories that lists are asked for, a text file with one a line [default: the original's thirty].
    #[arg(long, value_name = "FILE", conflicts_with = "bundled")]
    categories: Option<PathBuf>,
    /// Take the prompts from the bundled grammar, which has 33,600 and asks nobody.
    #[arg(long, conflicts_with_all = ["endpoints", "models", "method"])]
    bundled: bool,
    /// Where in the grammar to begin: equal seeds give equal prompts.
    #[arg(long, value_name = "SEED", default_value_t = 0, requires = "bundled")]
    seed: u64,
    /// Stop when there are so many prompts; models write a few more than that.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    count: u64,
    /// Go on until told to stop (Ctrl-C).
    #[arg(long, conflicts_with_all = ["count", "bundled"])]
    forever: bool,
    /// Stop after so many seconds, with what there is by then.
    #[arg(long, value_name = "SECS", conflicts_with = "bundled")]
    within: Option<u64>,
    /// File to append the prompts to, one a line; none that it has is written again. Without it, and without a
    /// collector, they are printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// File for the figures of the prompts' quality, as JSON.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Base URL of a collector to hand the prompts to.
    #[arg(long, value_name = "URL", requires = "key")]
    submit: Option<String>,
    /// The collector's API key for generators, whose owner is `prompts` or begins with `prompts:`.
    #[arg(long, env = "SN17_PROMPTS_KEY", value_name = "KEY", hide_env_values = true)]
    key: Option<String>,
}

/// The generators by name, or by the original's numbers.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum MethodChoice {
    /// Numbered lists of phrases, category by category (method 1).
    #[value(alias = "1")]
    Lists,
    /// One natural sentence a call, by random initials (method 2).
    #[value(alias = "2")]
    Sentences,
}

/// Where prompts go, and which there were.
struct Sink {
    file: Option<File>,
    collector: Option<(Collector, String)>,
    to_submit: Vec<String>,
    written: usize,
    statistics: Statistics,
    calls: Calls,
}

pub(super) async fn run(args: GenerateArgs) -> anyhow::Result<()> {
    let seen = match &args.out {
        Some(file) => earlier(file)?,
        None => Seen::new(SEEN_MAX),
    };
    let mut sink = Sink::open(&args)?;
    if args.bundled {
        sink.take(bundled(args.seed, args.count, seen)?).await?;
    } else {
        let mut generator = generator(&args, seen)?;
        ask(&args, &mut generator, &mut sink).await?;
    }
    sink.finish(&args).await
}

/// The prompts of the grammar from a place that the seed picks.
fn bundled(seed: u64, count: u64, mut seen: Seen) -> anyhow::Result<Harvest> {
    // Fibonacci hashing spreads seeds over the whole of the grammar.
    let spread = u128::from(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let first = usize::try_from((spread * grammar::COUNT as u128) >> 64)?;
    let (mut batch, rules) = (Batch::default(), PromptRules::default());
    for n in first..first + grammar::COUNT {
        if batch.prompts().len() as u64 == count {
            break;
        }
        let origin = Origin { category: grammar::category(n), model: "grammar" };
        batch.offer(&grammar::nth(n), Style::Phrase, origin, &rules, &mut seen);
    }
    let (prompts, statistics) = batch.finish();
    anyhow::ensure!(
        prompts.len() as u64 == count,
        "the grammar has {} prompts in all, of which {} are new: ask for no more with --count",
        grammar::COUNT,
        prompts.len()
    );
    Ok(Harvest { prompts, statistics, calls: Calls::default() })
}

/// Asks the models until there are prompts enough, time is up, or somebody says stop.
async fn ask(args: &GenerateArgs, generator: &mut Generator, sink: &mut Sink) -> anyhow::Result<()> {
    let time_is_up = async {
        match args.within {
            Some(secs) => tokio::time::sleep(Duration::from_secs(secs)).await,
            None => std::future::pending().await,
        }
    };
    let stop = stop_signal();
    tokio::pin!(time_is_up, stop);
    while args.forever || (sink.written as u64) < args.count {
        let is_over = tokio::select! {
            harvest = generator.next_batch() => {
                sink.take(harvest).await?;
                false
            }
            () = &mut time_is_up => true,
            told = &mut stop => { told?; true }
        };
        if is_over {
            sink.take(generator.take()).await?;
            break;
        }
    }
    anyhow::ensure!(
        sink.written > 0,
        "no model wrote a prompt; check --endpoint, --model and --api-key\n{}",
        figures::table(&sink.statistics, &sink.calls)
    );
    Ok(())
}

fn generator(args: &GenerateArgs, seen: Seen) -> anyhow::Result<Generator> {
    let host = host::host(&Clock::default());
    let chat = |(url, model): (&str, &str)| {
        let endpoint = Endpoint {
            plain_http: args.plain_http,
            api_key: args.api_key.clone().map(ApiKey::new),
            timeout: Duration::from_secs(args.timeout_secs),
            ..Endpoint::new(url, model)
        };
        Ok(Arc::new(Chat::new(endpoint, host.clone()).with_context(|| format!("--model {model}"))?))
    };
    let chats = pairs(&args.endpoints, &args.models)?.into_iter().map(chat);
    let chats = chats.collect::<anyhow::Result<Vec<_>>>()?;
    let batch_min = usize::try_from(args.count).map_or(PROMPTS_AT_ONCE, |count| count.min(PROMPTS_AT_ONCE));
    let mut settings = Settings { batch_min, ..Settings::default() };
    if let Some(file) = &args.categories {
        settings.categories = lines(file)?;
    }
    let method = match args.method {
        MethodChoice::Lists => Method::Lists,
        MethodChoice::Sentences => Method::Sentences,
    };
    Ok(Generator::new(method, chats, settings, seen, host)?)
}

/// Which model is asked where.
fn pairs<'a>(endpoints: &'a [String], models: &'a [String]) -> anyhow::Result<Vec<(&'a str, &'a str)>> {
    let models: Vec<&str> =
        if models.is_empty() { DEFAULT_MODELS.to_vec() } else { models.iter().map(String::as_str).collect() };
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    match (&endpoints[..], &models[..]) {
        ([endpoint], models) => Ok(models.iter().map(|model| (*endpoint, *model)).collect()),
        (endpoints, [model]) => Ok(endpoints.iter().map(|endpoint| (*endpoint, *model)).collect()),
        (endpoints, models) if endpoints.len() == models.len() => {
            Ok(endpoints.iter().copied().zip(models.iter().copied()).collect())
        }
        (endpoints, models) => anyhow::bail!(
            "there are {} endpoints for {} models: name one --model for each --endpoint, or one for all",
            endpoints.len(),
            models.len()
        ),
    }
}

/// The prompts that a file has already.
fn earlier(file: &Path) -> anyhow::Result<Seen> {
    let mut seen = Seen::new(SEEN_MAX);
    if file.exists() {
        for prompt in lines(file)? {
            seen.insert(&prompt);
        }
    }
    Ok(seen)
}

fn lines(file: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect())
}

impl Sink {
    fn open(args: &GenerateArgs) -> anyhow::Result<Self> {
        let open = |file: &PathBuf| {
            let opened = File::options().append(true).create(true).open(file);
            opened.with_context(|| format!("cannot write {}", file.display()))
        };
        let collector = args.submit.as_deref().map(Collector::new).zip(args.key.clone());
        let file = args.out.as_ref().map(open).transpose()?;
        let (statistics, calls) = Default::default();
        Ok(Self { file, collector, to_submit: Vec::new(), written: 0, statistics, calls })
    }

    /// Writes prompts down, and hands them in if there are enough.
    async fn take(&mut self, harvest: Harvest) -> anyhow::Result<()> {
        let Harvest { prompts, statistics, calls } = harvest;
        self.statistics.add(&statistics);
        add(&mut self.calls, &calls);
        self.written += prompts.len();
        let text: String = prompts.iter().flat_map(|prompt| [prompt, "\n"]).collect();
        match &mut self.file {
            Some(file) => file.write_all(text.as_bytes()).context("cannot write the prompts")?,
            None if self.collector.is_none() => {
                std::io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")?;
            }
            None => {}
        }
        let kept = 100.0 * self.statistics.kept_share();
        eprintln!("{} prompts, {kept:.0} % of {} lines", self.written, self.statistics.lines);
        if self.collector.is_some() {
            self.to_submit.extend(prompts);
        }
        if self.to_submit.len() >= SUBMITTED_AT_ONCE {
            self.submit().await?;
        }
        Ok(())
    }

    async fn submit(&mut self) -> anyhow::Result<()> {
        let Some((collector, key)) = &self.collector else { return Ok(()) };
        let receipt = collector.submit(key, &self.to_submit).await?;
        eprintln!(
            "handed in {}: {} taken, {} known already, {} refused",
            self.to_submit.len(),
            receipt.taken,
            receipt.repeated,
            receipt.refused + receipt.ignored
        );
        self.to_submit.clear();
        Ok(())
    }

    /// Hands in the rest, and says how good it all was: on standard output, unless the prompts are there.
    async fn finish(mut self, args: &GenerateArgs) -> anyhow::Result<()> {
        if let Some(file) = &args.report {
            let report = serde_json::to_vec_pretty(&self.statistics)?;
            std::fs::write(file, report).with_context(|| format!("cannot write {}", file.display()))?;
        }
        let table = figures::table(&self.statistics, &self.calls);
        if self.file.is_some() || self.collector.is_some() {
            print!("{table}");
        } else {
            eprint!("{table}");
        }
        if self.to_submit.is_empty() { Ok(()) } else { self.submit().await }
    }
}

const fn add(sum: &mut Calls, calls: &Calls) {
    let Calls { asked, answered, invalid, unavailable, refused, throttled, other_initials } = *calls;
    sum.asked += asked;
    sum.answered += answered;
    sum.invalid += invalid;
    sum.unavailable += unavailable;
    sum.refused += refused;
    sum.throttled += throttled;
    sum.other_initials += other_initials;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paired(endpoints: &[&str], models: &[&str]) -> anyhow::Result<Vec<String>> {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let (endpoints, models) = (owned(endpoints), owned(models));
        Ok(pairs(&endpoints, &models)?.iter().map(|(url, model)| format!("{model}@{url}")).collect())
    }

    #[test]
    fn models_and_endpoints_go_together_one_by_one_or_all_with_one() {
        assert_eq!(paired(&["u"], &["a", "b"]).unwrap(), ["a@u", "b@u"]);
        assert_eq!(paired(&["u", "v"], &["a"]).unwrap(), ["a@u", "a@v"]);
        assert_eq!(paired(&["u", "v"], &["a", "b"]).unwrap(), ["a@u", "b@v"]);
        assert_eq!(paired(&["u"], &[]).unwrap().len(), 3);
        let error = paired(&["u", "v"], &["a", "b", "c"]).unwrap_err();
        assert!(error.to_string().contains("2 endpoints for 3 models"), "{error}");
    }

    #[test]
    fn seeds_pick_different_prompts_and_all_of_them_are_there() {
        let prompts = |seed, count| bundled(seed, count, Seen::new(SEEN_MAX)).map(|harvest| harvest.prompts);
        assert_eq!(prompts(0, 100).unwrap()[0], grammar::nth(0));
        assert_eq!(prompts(7, 100).unwrap(), prompts(7, 100).unwrap());
        assert_ne!(prompts(7, 1).unwrap(), prompts(8, 1).unwrap());
        let all = prompts(u64::MAX, grammar::COUNT as u64).unwrap();
        assert_eq!(all.len(), grammar::COUNT);
        let more = prompts(0, 1 + grammar::COUNT as u64).unwrap_err();
        assert!(more.to_string().contains("33600 prompts in all"), "{more}");
    }
}
