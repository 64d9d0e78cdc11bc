//! The test itself, tested against networks in this process that take their roster from their operator.

use std::sync::atomic::{AtomicBool, Ordering};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use sn17_app::ports::{Blobs, Queue as _};
use sn17_app::{App, KeySecret, Ports, PromptBook};
use sn17_core::ledger::{Effect, QueueName};
use sn17_core::policy::Policy;
use sn17_core::scoring::Metrics;
use sn17_core::settle::Finding;
use sn17_http::{AdminKey, HttpOptions, RosterSource};
use sn17_store::{Clock, Embedded, MemoryBlobs, Options};

use super::*;
use crate::host;
use crate::serve::runtime;

const ADMIN_KEY: &str = "an admin key of the tests";

/// A network in memory whose scorer finds each splat as good as `metric`.
struct Network {
    app: Arc<App>,
    url: String,
    /// Whether anything was scored.
    has_scored: Arc<AtomicBool>,
}

impl Network {
    async fn start(metric: f64, roster_from: RosterSource) -> Self {
        let store = Embedded::memory(Clock::system(), Options::default()).unwrap();
        let blobs: Arc<dyn Blobs> = Arc::new(MemoryBlobs::default());
        let ports = Ports { ledger: Arc::new(store.clone()), blobs, queue: Arc::new(store.clone()) };
        let mut policy = Policy::default();
        policy.tasks.first_result_secs = 0;
        let validator = Keypair::from_mini_secret(&[200; 32]).hotkey();
        let prompts = PromptBook::new(vec!["something else".to_owned()], Vec::new());
        let host = host::host(&host::Clock::default());
        let app = Arc::new(App::new(ports, host, policy, validator, KeySecret([7; 32]), prompts));
        let admin_key = AdminKey::new(ADMIN_KEY);
        let options = HttpOptions { admin_key, roster_from, ..HttpOptions::default() };
        let url = serve(sn17_http::router(Arc::clone(&app), options)).await;
        let has_scored = Arc::new(AtomicBool::new(false));
        tokio::spawn(score(store, Arc::clone(&app), metric, Arc::clone(&has_scored)));
        Self { app, url, has_scored }
    }

    async fn smoke(&self) -> anyhow::Result<()> {
        run(self.arguments(ADMIN_KEY)).await
    }

    fn arguments(&self, admin_key: &str) -> SmokeArgs {
        let key = OperatorKey { admin_key: admin_key.to_owned() };
        SmokeArgs { url: self.url.clone(), miner_url: None, key, splats: None, within: 60 }
    }

    /// Nothing is left of a test: neither a key nor a miner.
    async fn check_clean(&self) {
        assert!(self.app.keys().await.unwrap().is_empty(), "its key is revoked");
        assert!(self.app.roster().await.unwrap().is_empty(), "its miner is gone");
    }
}

/// Serves on a port of its own: the URL.
async fn serve(router: axum::Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(router.clone());
            tokio::spawn(async move {
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                server.serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    url
}

/// What a worker does, with one finding for all.
async fn score(store: Embedded, app: Arc<App>, metric: f64, has_scored: Arc<AtomicBool>) {
    let metrics = Metrics { alignment: metric, iqa: metric, lpips: metric, ssim: metric };
    loop {
        for delivery in store.receive(QueueName::Scoring, 1, 60, 10).await.unwrap() {
            let Effect::Score { task, hotkey } = delivery.effect else { panic!("not a submission") };
            let finding = Finding::Measured { metrics, synthetic: true, likeness: None };
            app.settle(task, hotkey, finding).await.unwrap();
            store.ack(&delivery.receipt).await.unwrap();
            has_scored.store(true, Ordering::SeqCst);
        }
    }
}

#[test]
fn an_empty_network_is_tested_with_a_miner_to_be_thrown_away() {
    runtime().unwrap().block_on(async {
        let network = Network::start(0.95, RosterSource::Operator).await;
        // The second test finds what a killed one leaves behind: a miner on cooldown.
        for leaves_miner in [true, false] {
            network.smoke().await.unwrap();
            assert!(network.has_scored.load(Ordering::SeqCst));
            network.check_clean().await;
            if leaves_miner {
                let mut killed = Smoke::new(network.arguments(ADMIN_KEY)).unwrap();
                killed.register_afresh().await.unwrap();
                assert_eq!(network.app.roster().await.unwrap().len(), 1);
            }
        }
    });
}

#[test]
fn older_tasks_are_given_back() {
    runtime().unwrap().block_on(async {
        let network = Network::start(0.95, RosterSource::Operator).await;
        let key = network.app.add_key("a client", KeyLimits::default()).await.unwrap();
        let caller = network.app.authenticate(&key.text).await.unwrap().unwrap();
        for prompt in ["a blue chair", "a green lamp"] {
            let prompt = sn17_app::NewPrompt::Text(prompt.to_owned());
            let request = sn17_app::AddTask { prompt, origin: sn17_core::state::Origin::Api };
            network.app.add_task(&caller, request).await.unwrap();
        }
        network.smoke().await.unwrap();
        network.app.revoke_keys(&key.text).await.unwrap();
        network.check_clean().await;
    });
}

#[test]
fn a_refused_splat_fails_the_test_and_leaves_nothing_behind() {
    runtime().unwrap().block_on(async {
        let network = Network::start(0.1, RosterSource::Operator).await;
        let failure = network.smoke().await.unwrap_err().to_string();
        assert!(failure.starts_with("step submit: Rejected: the score"), "{failure}");
        assert!(failure.contains("\nnext: ") && failure.contains("--splats"), "{failure}");
        network.check_clean().await;
    });
}

#[test]
fn a_roster_from_an_empty_file_is_told_of() {
    runtime().unwrap().block_on(async {
        let network = Network::start(0.95, RosterSource::File).await;
        let failure = network.smoke().await.unwrap_err().to_string();
        assert!(
            failure.starts_with("step miner: ") && failure.contains("follows a metagraph file"),
            "{failure}"
        );
        network.check_clean().await;
    });
}

#[test]
fn a_wrong_admin_key_changes_nothing() {
    runtime().unwrap().block_on(async {
        let network = Network::start(0.95, RosterSource::Operator).await;
        let failure = run(network.arguments("another admin key")).await.unwrap_err().to_string();
        assert!(failure.starts_with("step roster: the server answered 401"), "{failure}");
        network.check_clean().await;
    });
}

#[test]
fn what_others_have_registered_meanwhile_stays() {
    runtime().unwrap().block_on(async {
        let network = Network::start(0.95, RosterSource::Operator).await;
        let mut smoke = Smoke::new(network.arguments(ADMIN_KEY)).unwrap();
        smoke.register_afresh().await.unwrap();
        let hotkey = ss58::encode(&Keypair::from_mini_secret(&[3; 32]).hotkey());
        let others = Metagraph {
            neurons: vec![NeuronEntry { uid: 3, hotkey, coldkey: None, stake: 1.0, incentive: 0.5 }],
        };
        smoke.server.register(&others).await.unwrap();
        smoke.clean_up().await.unwrap();
        assert_eq!(Metagraph::of(&network.app.roster().await.unwrap()), others);
    });
}

#[test]
fn a_link_into_the_store_is_followed_without_the_key() {
    use axum::http::HeaderMap;
    use axum::response::Redirect;
    use axum::routing::get;

    runtime().unwrap().block_on(async {
        let splats = sn17_splat::procedural::object(PROMPT, Quality::Intact, 1);
        let spz = sn17_splat::encode_spz(&splats, sn17_splat::SpzDialect::Network, 1).unwrap();
        let download = async move |headers: HeaderMap| {
            assert!(!headers.contains_key("x-api-key") && !headers.contains_key("x-admin-key"));
            spz
        };
        let store = serve(axum::Router::new().route("/submissions/1", get(download))).await;
        let redirect = Redirect::temporary(&format!("{store}/submissions/1"));
        let url = serve(axum::Router::new().route("/get_result", get(async move || redirect))).await;

        let key = OperatorKey { admin_key: ADMIN_KEY.to_owned() };
        let args = SmokeArgs { url, miner_url: None, key, splats: None, within: 60 };
        let ((), words) = Smoke::new(args).unwrap().result("a key", "1", None).await.unwrap();
        assert!(words.contains(&format!("{} splats", splats.len())), "{words}");
        assert!(words.contains("from 127.0.0.1, ") && words.ends_with("real weights"), "{words}");
    });
}

#[test]
fn miners_find_plain_http_at_the_root_of_a_host() {
    let found = |url| axon_address(url).ok();
    let at = |host: &str, port| Some((host.to_owned(), port));
    assert_eq!(found("https://d1.cloudfront.net"), at("d1.cloudfront.net", 80));
    assert_eq!(found("https://127.0.0.1:4443/"), at("127.0.0.1", 4443));
    assert_eq!(found("http://[::1]:4443"), at("[::1]", 4443));
    assert_eq!(found("https://example.org/stage"), None);
    assert_eq!(found("example.org"), None);
}
