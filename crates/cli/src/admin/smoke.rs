//! `sn17 admin smoke`: a running network checked from end to end, by one task from its prompt to its scored splat.
//!
//! It uses the network as its users do: clients' routes with a key of its own, miners' routes over plain HTTP, the link
//! into the blob store if there is one. On a network without miners it registers a throw-away one and plays it. What
//! it has changed it puts back, also when it fails.

mod step;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use clap::Args;
use reqwest::Url;
use reqwest::header::LOCATION;
use serde::Deserialize;
use sn17_app::KeyLimits;
use sn17_splat::Limits;
use sn17_splat::procedural::Quality;
use sn17_wire::metagraph::{Metagraph, NeuronEntry};
use sn17_wire::sr25519::Keypair;
use sn17_wire::ss58;
use sn17_wire::synapse::{Axon, ProtocolTask, SUCCESS};

use super::OperatorKey;
use super::server::{Roster, Server};
use crate::miner::link::{Link, Verdict};
use crate::miner::{Generator, address};
use step::{Step, print_head, take};

/// What the task asks for; composed shapes know it.
const PROMPT: &str = "a red wooden robot";
/// Whose key it is while the test runs.
const OWNER: &str = "smoke";
/// Tasks that the key may ask for in an hour, should it be left behind.
const KEY_HOURLY: u32 = 5;
/// The slot of the throw-away miner; nobody else has one.
const MINER_UID: u16 = 0;
/// What the throw-away miner's key is made of, besides the admin key: nobody else can play it, and one that an earlier
/// test left behind is known.
const MINER_KEY_CONTEXT: &[u8] = b"sn17 smoke miner ";
/// Any one answer comes within this; it may be a result of 32 MiB.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);
/// Between two tries, and between two looks at a task's status.
const PAUSE: Duration = Duration::from_secs(1);
/// Tries at a request that a store which is a moment behind, or a function that starts, may refuse at first.
const TRIES: u32 = 10;
/// Time for putting everything back.
const CLEAN_UP_WITHIN: Duration = Duration::from_secs(60);

#[derive(Args, Debug)]
pub(super) struct SmokeArgs {
    /// The network's clients' URL, such as `https://d111111abcdef8.cloudfront.net`.
    url: String,
    /// The miners' URL, always reached over plain HTTP [default: the same].
    #[arg(long, value_name = "URL")]
    miner_url: Option<String>,
    #[command(flatten)]
    key: OperatorKey,
    /// Hand in the best fit of this folder's splats instead of one of simple shapes, which real models may refuse.
    #[arg(long, value_name = "DIR")]
    splats: Option<PathBuf>,
    /// Seconds that the whole test may take; a worker may have to start first.
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    within: u64,
}

/// A test under way.
struct Smoke {
    server: Server,
    client: reqwest::Client,
    url: String,
    axon_address: (String, u16),
    generator: Generator,
    keypair: Arc<Keypair>,
    until: Instant,
    /// The key to be revoked.
    key: Option<String>,
    /// Whether the roster is to be emptied again.
    has_registered: bool,
}

#[derive(Deserialize)]
struct Added {
    id: String,
}

#[derive(Deserialize)]
struct Status {
    status: String,
    reason: Option<String>,
    miner_uid: Option<u16>,
    miner_rating: Option<f64>,
}

/// What the throw-away miner has handed in, and what was said of it.
struct HandedIn {
    spz: Vec<u8>,
    score: f64,
}

pub(super) async fn run(args: SmokeArgs) -> anyhow::Result<()> {
    let mut smoke = Smoke::new(args)?;
    print_head();
    let outcome = tokio::select! {
        outcome = smoke.check() => outcome,
        interrupted = tokio::signal::ctrl_c() => Err(match interrupted {
            Ok(()) => anyhow::anyhow!("interrupted"),
            Err(error) => anyhow::Error::new(error).context("cannot listen for signals"),
        }),
    };
    let put_back = smoke.clean_up().await;
    outcome.and(put_back)
}

impl Smoke {
    fn new(args: SmokeArgs) -> anyhow::Result<Self> {
        let url = args.url.trim_end_matches('/').to_owned();
        let axon_address = axon_address(args.miner_url.as_deref().unwrap_or(&url))?;
        let generator = match &args.splats {
            Some(folder) => Generator::folder(folder)?,
            None => Generator::Procedural(Quality::Intact),
        };
        // A redirect is followed by hand: the key must not go where it leads.
        let no_redirects = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().redirect(no_redirects).timeout(ANSWER_WITHIN).build()?;
        let seed = sn17_app::sha256(&[MINER_KEY_CONTEXT, args.key.admin_key.as_bytes()].concat());
        Ok(Self {
            server: Server::remote(&url, args.key.admin_key)?,
            client,
            url,
            axon_address,
            generator,
            keypair: Arc::new(Keypair::from_mini_secret(&seed)),
            until: Instant::now() + Duration::from_secs(args.within),
            key: None,
            has_registered: false,
        })
    }

    async fn check(&mut self) -> anyhow::Result<()> {
        let until = self.until;
        take(Step::Ready, until, self.ready()).await?;
        let roster = take(Step::Roster, until, self.roster()).await?;
        let key = take(Step::Key, until, self.add_key()).await?;
        self.key = Some(key.clone());
        let link = take(Step::Miner, until, self.choose_miner(&roster)).await?;
        let id = take(Step::Task, until, self.add_task(&key)).await?;
        let handed_in = match &link {
            None => None,
            Some(link) => {
                let task = take(Step::Pull, until, self.pull(link, &id)).await?;
                let spz = take(Step::Generate, until, self.generate(&task)).await?;
                let score = take(Step::Submit, until, submit(link, &task, &spz)).await?;
                Some(HandedIn { spz, score })
            }
        };
        take(Step::Status, until, self.ended(&key, &id)).await?;
        take(Step::Result, until, self.result(&key, &id, handed_in.as_ref())).await
    }

    async fn ready(&self) -> anyhow::Result<((), String)> {
        let response = self.client.get(format!("{}/readyz", self.url)).send().await?;
        let (status, words) = (response.status(), response.text().await?);
        anyhow::ensure!(status.is_success(), "{status}: {words}");
        Ok(((), "ready".to_owned()))
    }

    async fn roster(&self) -> anyhow::Result<(Roster, String)> {
        let roster = self.server.roster().await?;
        let words = format!("{} registered with validator {}", roster.neurons.len(), roster.validator);
        Ok((roster, words))
    }

    async fn add_key(&self) -> anyhow::Result<(String, String)> {
        let limits = KeyLimits { hourly: Some(KEY_HOURLY), daily: None };
        let key = self.server.add_key(OWNER, limits).await?;
        Ok((key, format!("made for `{OWNER}`, at most {KEY_HOURLY} tasks an hour")))
    }

    /// Leaves the work to the network's miners. If it has none, registers the throw-away one and gives its link.
    async fn choose_miner(&mut self, roster: &Roster) -> anyhow::Result<(Option<Link>, String)> {
        let own = address(&self.keypair);
        if roster.neurons.iter().any(|neuron| neuron.hotkey != own) {
            return Ok((None, format!("left to those registered, {}", roster.neurons.len())));
        }
        self.register_afresh().await?;
        let (ip, port) = self.axon_address.clone();
        let hotkey = ss58::decode(&roster.validator).context("the validator has no address")?;
        let words = format!("registered {own}, to be thrown away, at {ip}:{port}");
        Ok((Some(Link::new(Axon { ip, port, hotkey }, Arc::clone(&self.keypair))?), words))
    }

    /// Registers the throw-away miner as a newcomer: whatever an earlier session held, cooldown or task, is gone.
    async fn register_afresh(&mut self) -> anyhow::Result<()> {
        self.has_registered = true;
        self.server.register(&Metagraph::default()).await?;
        self.server.register(&self.own_metagraph()).await?;
        Ok(())
    }

    fn own_metagraph(&self) -> Metagraph {
        let hotkey = address(&self.keypair);
        Metagraph {
            neurons: vec![NeuronEntry { uid: MINER_UID, hotkey, coldkey: None, stake: 0.0, incentive: 0.0 }],
        }
    }

    /// Adds the task. A key just made may be unknown to another process for a moment.
    async fn add_task(&self, key: &str) -> anyhow::Result<(String, String)> {
        let body = serde_json::json!({ "prompt": PROMPT });
        let mut tries = 0;
        loop {
            tries += 1;
            let request = self.client.post(format!("{}/add_task", self.url)).header("x-api-key", key);
            let response = request.json(&body).send().await?;
            let (status, answer) = (response.status(), response.bytes().await?);
            if status.is_success() {
                let added: Added = serde_json::from_slice(&answer).context("it answered something else")?;
                let words = format!("\"{PROMPT}\" is task {}", added.id);
                return Ok((added.id, words));
            }
            let may_pass = matches!(status.as_u16(), 401 | 503) && tries < TRIES;
            anyhow::ensure!(may_pass, "{status}: {}", String::from_utf8_lossy(&answer));
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Pulls until the task comes. An index that is a moment behind may hand out another one first, and so may a queue
    /// in which older ones wait; the miner then starts again as a newcomer, which gives the other task back.
    async fn pull(&mut self, link: &Link, id: &str) -> anyhow::Result<(ProtocolTask, String)> {
        let mut last = String::new();
        for _ in 0..TRIES {
            match link.pull().await {
                Ok(reply) => match reply.task {
                    Some(task) if task.id == id => return Ok((task, "got the task".to_owned())),
                    Some(other) => {
                        last = format!("task {} came in its place", other.id);
                        self.register_afresh().await?;
                    }
                    None => "no task came".clone_into(&mut last),
                },
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::bail!("{last}, {TRIES} times at most")
    }

    async fn generate(&self, task: &ProtocolTask) -> anyhow::Result<(Vec<u8>, String)> {
        let spz = self.generator.generate(task).await?.context("the generator has nothing")?;
        let words = format!("{} bytes", spz.len());
        Ok((spz, words))
    }

    /// Waits until the task has ended, well.
    async fn ended(&self, key: &str, id: &str) -> anyhow::Result<((), String)> {
        loop {
            let request =
                self.client.get(format!("{}/get_status?id={id}", self.url)).header("x-api-key", key);
            let response = request.send().await?;
            let (code, answer) = (response.status(), response.bytes().await?);
            let is_busy = matches!(code.as_u16(), 429 | 503);
            anyhow::ensure!(code.is_success() || is_busy, "{code}: {}", String::from_utf8_lossy(&answer));
            if !is_busy {
                let status: Status = serde_json::from_slice(&answer).context("it answered something else")?;
                match status.status.as_str() {
                    "Success" => {
                        let (uid, rating) =
                            (status.miner_uid.unwrap_or(0), status.miner_rating.unwrap_or(0.0));
                        return Ok(((), format!("Success by uid {uid}, rated {rating:.0}")));
                    }
                    "Failure" => anyhow::bail!("the task failed: {}", status.reason.unwrap_or_default()),
                    _ => {}
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Downloads the result as a client would, and decodes it.
    async fn result(
        &self,
        key: &str,
        id: &str,
        handed_in: Option<&HandedIn>,
    ) -> anyhow::Result<((), String)> {
        let request = self.client.get(format!("{}/get_result?id={id}", self.url)).header("x-api-key", key);
        let mut response = request.send().await?;
        let is_synthetic = response.headers().contains_key("x-sn17-synthetic");
        let mut way = "directly".to_owned();
        if response.status().is_redirection() {
            let location = response.headers().get(LOCATION).context("a redirect to nowhere")?;
            let link = Url::parse(&self.url)?.join(location.to_str()?)?;
            way = format!("from {}", link.host_str().unwrap_or("the store"));
            // The link carries its own right to the result; our key is none of the store's business.
            response = self.client.get(link).send().await?;
        }
        let (status, spz) = (response.status(), response.bytes().await?);
        anyhow::ensure!(status.is_success(), "{way}: {status}: {}", beginning(&spz));
        if let Some(handed_in) = handed_in {
            anyhow::ensure!(spz == handed_in.spz, "{way}: other bytes than were handed in");
        }
        let bytes = spz.len();
        let splats =
            tokio::task::spawn_blocking(move || sn17_splat::decode(&spz, &Limits::default())).await??;
        let score = match handed_in {
            Some(handed_in) => format!("score {:.3}", handed_in.score),
            None => "score known to its miner".to_owned(),
        };
        let weights =
            if is_synthetic { "SYNTHETIC weights, the score means nothing" } else { "real weights" };
        Ok(((), format!("{} splats in {bytes} bytes {way}, {score}, {weights}", splats.len())))
    }

    /// Revokes the key and empties the roster again, as far as they are ours.
    async fn clean_up(&self) -> anyhow::Result<()> {
        let until = Instant::now() + CLEAN_UP_WITHIN;
        if self.key.is_none() && !self.has_registered {
            return Ok(());
        }
        take(Step::CleanUp, until, async {
            let roster = self.empty_roster().await;
            let key = self.revoke_key().await;
            Ok(((), format!("{}, {}", key?, roster?)))
        })
        .await
    }

    async fn revoke_key(&self) -> anyhow::Result<&'static str> {
        let Some(key) = &self.key else { return Ok("no key was made") };
        self.server.revoke_keys(key).await?;
        Ok("key revoked")
    }

    async fn empty_roster(&self) -> anyhow::Result<&'static str> {
        if !self.has_registered {
            return Ok("roster untouched");
        }
        // Somebody may have registered the real miners meanwhile.
        let now = self.server.roster().await?.neurons;
        if now.is_empty() {
            return Ok("roster empty");
        }
        if now != self.own_metagraph().neurons {
            return Ok("roster left as others have changed it");
        }
        self.server.register(&Metagraph::default()).await?;
        Ok("roster empty again")
    }
}

/// Hands in a result, again as long as its verdict is pending: its score.
async fn submit(link: &Link, task: &ProtocolTask, spz: &[u8]) -> anyhow::Result<(f64, String)> {
    let mut failures = 0;
    loop {
        match link.submit(&task.id, &task.prompt, spz).await {
            Ok(verdict) if verdict.message == SUCCESS => return Ok(accepted(&verdict)),
            Ok(verdict) if verdict.message.starts_with(SUCCESS) => {}
            Ok(verdict) => anyhow::bail!("{}", verdict.message),
            Err(error) => {
                failures += 1;
                anyhow::ensure!(failures < TRIES, "{error}");
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn accepted(verdict: &Verdict) -> (f64, String) {
    let score = verdict.feedback.unwrap_or_default().task_fidelity_score;
    (score, format!("accepted with score {score:.3}"))
}

/// Host and port that miners find at a URL: they speak plain HTTP, whatever clients do.
fn axon_address(url: &str) -> anyhow::Result<(String, u16)> {
    let parsed = Url::parse(url).with_context(|| format!("{url} is not a URL"))?;
    let host = parsed.host_str().with_context(|| format!("{url} has no host"))?;
    anyhow::ensure!(parsed.path() == "/", "miners find their routes at the root of a host, not below {url}");
    Ok((host.to_owned(), parsed.port().unwrap_or(80)))
}

/// The first characters of an answer that was expected to be something else.
fn beginning(answer: &Bytes) -> String {
    String::from_utf8_lossy(answer).chars().take(200).collect()
}
