//! `sn17 demo`: the whole network at work in one process, from a prompt to a scored splat.

mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use sn17_core::policy::{MinerRules, Policy, TaskRules};
use sn17_http::Routes;
use sn17_llm::JudgeArgs;
use sn17_render::{BBOX_DEFAULT, FRONT_VIEW, Frame, RenderBudget};
use sn17_splat::procedural::{self, Quality};
use sn17_splat::{Limits, Splats};
use sn17_wire::metagraph::{Metagraph, NeuronEntry};
use sn17_wire::sr25519::Keypair;
use sn17_wire::synapse::Axon;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::host;
use crate::miner::link::Link;
use crate::miner::work::{self, Event};
use crate::miner::{Generator, address};
use crate::serve::chain::ChainArgs;
use crate::serve::data::DataFolder;
use crate::serve::{Network, RateLimitsChoice, Scoring, ServeArgs, runtime};
use report::{Happening, Report};

/// What the text task asks for.
const TEXT_PROMPT: &str = "a red wooden robot";
/// What the picture of the image task shows.
const PICTURE_OF: &str = "hamburger";
/// A task of the demo ends within this, or something is wrong.
const ENDS_WITHIN: Duration = Duration::from_secs(120);
const POLL_EVERY: Duration = Duration::from_millis(200);
/// The demo's two miners.
const MINERS: [&str; 2] = ["careful", "careless"];
/// Lies in a data folder that a demo has made, and so may remove.
const MARKER: &str = "made-by-sn17-demo";

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Folder for the results; its `data` folder is made anew.
    #[arg(long, default_value = "sn17-demo")]
    out: PathBuf,
    /// Folder of the model files; without it, synthetic ones are made.
    #[arg(long)]
    models: Option<PathBuf>,
    /// Splat files for the first miner to hand in, instead of composed ones.
    #[arg(long, value_name = "DIR")]
    splats: Option<PathBuf>,
    /// What the text task asks for.
    #[arg(long, default_value = TEXT_PROMPT)]
    prompt: String,
}

pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<()> {
    runtime()?.block_on(demonstrate(args))
}

/// The original's rules with shorter times, so that the demo ends within a minute. The threshold is unchanged.
fn policy() -> Policy {
    Policy {
        miners: MinerRules { cooldown_secs: 4, throttle_secs: 2, penalty_secs: 60, ..MinerRules::default() },
        tasks: TaskRules { copies: 2, first_result_secs: 5, ..TaskRules::default() },
        ..Policy::default()
    }
}

async fn demonstrate(args: &DemoArgs) -> anyhow::Result<()> {
    let started = Instant::now();
    let data = fresh_data(&args.out)?;
    let keypairs = MINERS.map(|_| Arc::new(Keypair::from_mini_secret(&host::random_secret())));
    write_metagraph(&data, &keypairs)?;
    let network = Network::start(&serve_args(args, &data), policy()).await?;
    println!("network    http://{}   scoring: {}", network.address, network.scoring);
    let client = Client::new(&network).await?;
    let (text_task, image_task) = ask(args, &client).await?;

    let (sender, mut happenings) = mpsc::unbounded_channel();
    let mut working = set_to_work(args, &network, &keypairs, &sender)?;
    let mut report = Report::new(started);
    for task in [&text_task, &image_task] {
        watch(task, &client, &mut happenings, &mut report).await?;
    }
    working.shutdown().await;
    while let Ok(happening) = happenings.try_recv() {
        report.note(happening);
    }

    let (text_file, image_file) = (args.out.join("text-result.spz"), args.out.join("image-result.spz"));
    client.fetch(&text_task, &text_file).await?;
    client.fetch(&image_task, &image_file).await?;
    let sheet = args.out.join("contact-sheet.png");
    draw_sheet(&text_file, &sheet)?;
    report.print(matches!(network.scoring, Scoring::Models { synthetic: true, .. }));
    println!("\nresults    {} and {}", text_file.display(), image_file.display());
    println!("picture    {}", sheet.display());
    network.stop().await;
    Ok(())
}

/// The data folder, made anew. One that no demo has made stays: it may be that of a real network.
fn fresh_data(out: &Path) -> anyhow::Result<PathBuf> {
    let data = out.join("data");
    if data.exists() {
        anyhow::ensure!(
            data.join(MARKER).is_file(),
            "{} was not made by a demo and is not removed for one, choose another --out",
            data.display()
        );
        std::fs::remove_dir_all(&data).with_context(|| format!("cannot remove {}", data.display()))?;
    }
    DataFolder::open(&data)?;
    std::fs::write(data.join(MARKER), "The next `sn17 demo` removes this folder.\n")
        .with_context(|| format!("cannot write to {}", data.display()))?;
    Ok(data)
}

/// The client's two tasks: one in words, one by a picture.
async fn ask(args: &DemoArgs, client: &Client) -> anyhow::Result<(String, String)> {
    let picture = picture()?;
    let file = args.out.join("prompt.png");
    std::fs::write(&file, &picture).with_context(|| format!("cannot write {}", file.display()))?;
    let text_task = client.ask_in_words(&args.prompt).await?;
    let image_task = client.ask_by_picture(picture).await?;
    println!(
        "client     asks for \"{}\" ({text_task}) and for what {} shows ({image_task})",
        args.prompt,
        file.display()
    );
    Ok((text_task, image_task))
}

/// Starts both miners, which tell `sender` what happens to them.
fn set_to_work(
    args: &DemoArgs,
    network: &Network,
    keypairs: &[Arc<Keypair>],
    sender: &mpsc::UnboundedSender<Happening>,
) -> anyhow::Result<JoinSet<()>> {
    let generators = [first_generator(args)?, Generator::Procedural(Quality::Noisy)];
    let mut working = JoinSet::new();
    for ((name, keypair), generator) in MINERS.into_iter().zip(keypairs).zip(generators) {
        println!("miner      {name:<9} {}", address(keypair));
        let axon = Axon {
            ip: network.address.ip().to_string(),
            port: network.address.port(),
            hotkey: network.app.validator(),
        };
        let link = Link::new(axon, Arc::clone(keypair))?;
        let sender = sender.clone();
        let report = Arc::new(move |_: &Link, event: Event<'_>| {
            // The receiver is gone only when the demo is over.
            let _ = sender.send(Happening::new(name, &event));
        });
        working.spawn(work::mine(link, Arc::new(generator), work::Options { submissions_max: None, report }));
    }
    Ok(working)
}

/// Reports what happens until a task has ended.
async fn watch(
    task: &str,
    client: &Client,
    happenings: &mut mpsc::UnboundedReceiver<Happening>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let ended = tokio::time::timeout(ENDS_WITHIN, async {
        loop {
            tokio::select! {
                Some(happening) = happenings.recv() => report.note(happening),
                status = client.ended(task) => return status,
            }
        }
    });
    let status = ended.await.with_context(|| format!("task {task} did not end within {ENDS_WITHIN:?}"))??;
    report.task_ended(task, &status);
    Ok(())
}

fn serve_args(args: &DemoArgs, data: &Path) -> ServeArgs {
    ServeArgs {
        listen: ([127, 0, 0, 1], 0).into(),
        data: data.to_owned(),
        validator_hotkey: None,
        metagraph: None,
        chain: ChainArgs::none(),
        policy: None,
        models: args.models.clone(),
        prompts: None,
        prompt_images: None,
        prompt_image_urls: None,
        tls_certificate: None,
        tls_key: None,
        rate_limits: RateLimitsChoice::Original,
        judge: JudgeArgs::default(),
        no_worker: false,
        simulate: false,
        routes: Routes::All,
    }
}

fn write_metagraph(data: &Path, miners: &[Arc<Keypair>]) -> anyhow::Result<()> {
    let entry = |(uid, keypair): (u16, &Arc<Keypair>)| NeuronEntry {
        uid,
        hotkey: address(keypair),
        coldkey: None,
        stake: 0.0,
        incentive: 0.0,
    };
    let file = Metagraph { neurons: (1..).zip(miners).map(entry).collect() };
    std::fs::write(data.join("metagraph.json"), serde_json::to_string_pretty(&file)?)?;
    Ok(())
}

fn first_generator(args: &DemoArgs) -> anyhow::Result<Generator> {
    match &args.splats {
        Some(folder) => Generator::folder(folder),
        None => Ok(Generator::Procedural(Quality::Intact)),
    }
}

/// The picture of the image task, PNG.
fn picture() -> anyhow::Result<Vec<u8>> {
    let views = views(&procedural::object(PICTURE_OF, Quality::Intact, 5))?;
    Ok(views.get(FRONT_VIEW).context("there is no front view")?.to_png()?)
}

fn views(splats: &Splats) -> anyhow::Result<Vec<Frame>> {
    let scene = sn17_render::normalise(splats, BBOX_DEFAULT)?;
    Ok(sn17_render::render_views(&scene, &sn17_render::judge_views(), &RenderBudget::default())?)
}

fn draw_sheet(splat: &Path, sheet: &Path) -> anyhow::Result<()> {
    let splats = sn17_splat::decode(&std::fs::read(splat)?, &Limits::default())?;
    std::fs::write(sheet, sn17_render::contact_sheet(&views(&splats)?).to_png()?)?;
    Ok(())
}

/// A client of the network, over HTTP like any other.
struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

#[derive(serde::Deserialize)]
struct Accepted {
    id: String,
}

/// What `get_status` answers.
#[derive(Clone, Debug, serde::Deserialize)]
struct Status {
    status: String,
    #[serde(default)]
    reason: String,
}

impl Client {
    async fn new(network: &Network) -> anyhow::Result<Self> {
        let key = network.app.add_key("demo", sn17_app::KeyLimits::default()).await?.text;
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { http, base: format!("http://{}", network.address), key })
    }

    async fn ask_in_words(&self, prompt: &str) -> anyhow::Result<String> {
        self.ask(
            self.http.post(format!("{}/add_task", self.base)).json(&serde_json::json!({ "prompt": prompt })),
        )
        .await
    }

    async fn ask_by_picture(&self, png: Vec<u8>) -> anyhow::Result<String> {
        let picture = reqwest::multipart::Part::bytes(png).file_name("prompt.png");
        let form = reqwest::multipart::Form::new().part("image", picture);
        self.ask(self.http.post(format!("{}/add_task", self.base)).multipart(form)).await
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> anyhow::Result<String> {
        let response = request.header("x-api-key", &self.key).send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        anyhow::ensure!(
            status.is_success(),
            "add_task answered {status}: {}",
            String::from_utf8_lossy(&body)
        );
        Ok(serde_json::from_slice::<Accepted>(&body)?.id)
    }

    async fn ended(&self, task: &str) -> anyhow::Result<Status> {
        loop {
            let request = self.http.get(format!("{}/get_status?id={task}", self.base));
            let status: Status = request.header("x-api-key", &self.key).send().await?.json().await?;
            if status.status != "NoResult" {
                return Ok(status);
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    async fn fetch(&self, task: &str, file: &Path) -> anyhow::Result<()> {
        let request = self.http.get(format!("{}/get_result?id={task}", self.base));
        let response = request.header("x-api-key", &self.key).send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        anyhow::ensure!(
            status.is_success(),
            "get_result answered {status}: {}",
            String::from_utf8_lossy(&body)
        );
        std::fs::write(file, body).with_context(|| format!("cannot write {}", file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_demo_made_is_removed() {
        let out = tempfile::tempdir().unwrap();
        let data = fresh_data(out.path()).unwrap();
        std::fs::write(data.join("left over"), "").unwrap();
        assert_eq!(fresh_data(out.path()).unwrap(), data);
        assert!(!data.join("left over").exists(), "a demo's folder is made anew");

        std::fs::remove_file(data.join(MARKER)).unwrap();
        std::fs::write(data.join("precious"), "").unwrap();
        assert!(fresh_data(out.path()).unwrap_err().to_string().contains("not made by a demo"));
        assert!(data.join("precious").exists());
    }
}
