//! A network of three miners and one client behind a router, with a clock that stands still until it is told.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt as _;
use sn17_app::ports::{Blobs, Queue as _};
use sn17_app::{App, Host, KeyLimits, KeySecret, Ports, PromptBook};
use sn17_core::ledger::{Effect, QueueName};
use sn17_core::policy::Policy;
use sn17_core::scoring::{Metrics, score};
use sn17_core::settle::Finding;
use sn17_core::state::Neuron;
use sn17_core::{Hotkey, TaskId, UnixMs};
use sn17_http::{AdminKey, HttpOptions, RateLimits, RemoteIp, router};
use sn17_store::{Clock, Embedded, MemoryBlobs, Options};
use sn17_wire::sr25519::Keypair;
use sn17_wire::synapse::{self, Axon, DendriteRequest, Signing, Submission};
use tower::ServiceExt as _;

pub(crate) const ADMIN_KEY: &str = "an admin key of the tests";
/// Content type of a [`form`].
pub(crate) const FORM: &str = "multipart/form-data; boundary=b";
/// When the tests begin, in Unix milliseconds.
const NOW_MS: u64 = 1_800_000_000_000;
pub(crate) const IP: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));

pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) router: Router,
    pub(crate) key: String,
    pub(crate) store: Embedded,
    now: Arc<AtomicU64>,
    nonces: AtomicU64,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) async fn world() -> World {
    world_with(Policy::default(), options()).await
}

/// No limits by address, and an admin key.
pub(crate) fn options() -> HttpOptions {
    HttpOptions { admin_key: AdminKey::new(ADMIN_KEY), limits: RateLimits::NONE, ..HttpOptions::default() }
}

pub(crate) async fn world_with(policy: Policy, options: HttpOptions) -> World {
    world_of(policy, options, validator(), NOW_MS).await
}

/// A world of another validator, at another time.
pub(crate) async fn world_of(policy: Policy, options: HttpOptions, validator: Hotkey, now_ms: u64) -> World {
    build(policy, options, validator, now_ms, Arc::new(MemoryBlobs::default()), prompts()).await
}

/// A world over another store of blobs.
pub(crate) async fn world_over(blobs: Arc<dyn Blobs>, options: HttpOptions) -> World {
    build(Policy::default(), options, validator(), NOW_MS, blobs, prompts()).await
}

/// A world with other prompts for synthetic tasks.
pub(crate) async fn world_with_prompts(policy: Policy, prompts: PromptBook) -> World {
    build(policy, options(), validator(), NOW_MS, Arc::new(MemoryBlobs::default()), prompts).await
}

fn prompts() -> PromptBook {
    PromptBook::new(vec!["a synthetic prompt".into()], Vec::new())
}

async fn build(
    policy: Policy,
    options: HttpOptions,
    validator: Hotkey,
    now_ms: u64,
    blobs: Arc<dyn Blobs>,
    prompts: PromptBook,
) -> World {
    let now = Arc::new(AtomicU64::new(now_ms));
    let of_clock = Arc::clone(&now);
    let clock = Clock::new(move || UnixMs(of_clock.load(Ordering::SeqCst)));
    let store = Embedded::memory(clock.clone(), Options::default()).unwrap();
    let ports = Ports { ledger: Arc::new(store.clone()), blobs, queue: Arc::new(store.clone()) };
    let random = AtomicU64::new(1);
    let host = Host {
        now: Arc::new(move || clock.now()),
        random: Arc::new(move || {
            u128::from(random.fetch_add(1, Ordering::SeqCst))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
        }),
    };
    let app = Arc::new(App::new(ports, host, policy, validator, KeySecret([7; 32]), prompts));
    let neurons = (1..=3).map(|number| Neuron {
        uid: u16::from(number),
        hotkey: miner(number).hotkey(),
        coldkey: None,
        stake: 0.0,
        incentive: f64::from(number) / 10.0,
    });
    app.apply_roster(neurons.collect()).await.unwrap();
    let key = app.add_key("tests", KeyLimits::default()).await.unwrap().text;
    let router = router(Arc::clone(&app), options);
    World { app, router, key, store, now, nonces: AtomicU64::new(0) }
}

pub(crate) fn validator() -> Hotkey {
    Keypair::from_mini_secret(&[200; 32]).hotkey()
}

/// Miners 1 to 3 are registered.
pub(crate) fn miner(number: u8) -> Keypair {
    Keypair::from_mini_secret(&[number; 32])
}

impl World {
    pub(crate) fn advance(&self, secs: u64) {
        self.now.fetch_add(secs * 1000, Ordering::SeqCst);
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(RemoteIp(Some(IP)));
        read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// A client's GET with the good key.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header("x-api-key", &self.key).body(Body::empty());
        self.send(request.unwrap()).await
    }

    /// A client's POST to `add_task` with the good key.
    pub(crate) async fn add(&self, content_type: &str, body: impl Into<Body>) -> Answer {
        let request =
            Request::post("/add_task").header("x-api-key", &self.key).header("content-type", content_type);
        self.send(request.body(body.into()).unwrap()).await
    }

    /// A new task for this prompt.
    pub(crate) async fn task(&self, prompt: &str) -> TaskId {
        let answer = self.add("application/json", format!("{{\"prompt\":\"{prompt}\"}}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// A signed `PullTask`.
    pub(crate) fn pull_request(&self, keypair: &Keypair) -> DendriteRequest {
        synapse::pull_task(&axon(), &self.signing(keypair))
    }

    /// A signed `SubmitResults` for a task.
    pub(crate) fn submit_request(
        &self,
        keypair: &Keypair,
        task: &str,
        prompt: &str,
        results: &[u8],
    ) -> DendriteRequest {
        let submission = Submission {
            task_id: task,
            prompt,
            results,
            submit_time: i64::try_from(self.app.now().0 * 1_000_000).unwrap(),
            timeout_secs: 30.0,
            randomness: [3; 32],
        };
        synapse::submit_results(&axon(), &self.signing(keypair), &submission)
    }

    fn signing<'a>(&self, keypair: &'a Keypair) -> Signing<'a> {
        let nonce = self.app.now().0 * 1_000_000 + self.nonces.fetch_add(1, Ordering::SeqCst);
        Signing { keypair, ip: "192.0.2.1", nonce, uuid: "0c4b5f0e-test", randomness: [5; 32] }
    }

    pub(crate) async fn send_synapse(&self, request: DendriteRequest) -> Answer {
        self.send(post(request)).await
    }

    /// Pulls a task: its id and prompt.
    pub(crate) async fn pull(&self, keypair: &Keypair) -> (String, String) {
        let answer = self.send_synapse(self.pull_request(keypair)).await;
        let task = &answer.json()["task"];
        (task["id"].as_str().unwrap().to_owned(), task["prompt"].as_str().unwrap().to_owned())
    }

    /// Pulls and submits `results`, and settles the submission with `finding` while its sender waits.
    pub(crate) async fn deliver(&self, keypair: &Keypair, results: &[u8], finding: Finding) -> Answer {
        let (task, prompt) = self.pull(keypair).await;
        let submit = self.send_synapse(self.submit_request(keypair, &task, &prompt, results));
        tokio::join!(submit, self.settle_next(finding)).0
    }

    /// What the worker does, with this finding.
    pub(crate) async fn settle_next(&self, finding: Finding) {
        let deliveries = self.store.receive(QueueName::Scoring, 1, 60, 10).await.unwrap();
        let Effect::Score { task, hotkey } = deliveries[0].effect else { panic!("not a submission") };
        assert!(self.app.settle(task, hotkey, finding).await.unwrap());
        self.store.ack(&deliveries[0].receipt).await.unwrap();
    }
}

pub(crate) fn post(request: DendriteRequest) -> Request<Body> {
    let mut builder = Request::post(request.path);
    for (name, value) in request.headers {
        builder = builder.header(name, value);
    }
    builder.body(Body::from(request.body)).unwrap()
}

/// The same request with a body that never ends, nor begins.
pub(crate) fn endless(request: Request<Body>) -> Request<Body> {
    let stream = futures_util::stream::pending::<Result<&[u8], std::io::Error>>();
    request.map(|_| Body::from_stream(stream))
}

/// A form of these fields, name and content.
pub(crate) fn form(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in fields {
        body.extend(format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n").bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(b"--b--\r\n");
    body
}

pub(crate) async fn read(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

fn axon() -> Axon {
    Axon { ip: "192.0.2.2".into(), port: 4443, hotkey: validator() }
}

/// A finding and the score that the default policy gives it.
pub(crate) fn measured(metric: f64, synthetic: bool) -> (Finding, f64) {
    let metrics = Metrics { alignment: metric, iqa: metric, lpips: metric, ssim: metric };
    (Finding::Measured { metrics, likeness: None, synthetic }, score(&metrics, &Policy::default().metrics))
}
