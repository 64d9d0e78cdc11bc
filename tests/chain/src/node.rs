//! A chain behind a port.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::Value;
use sn17_chain::Endpoint;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::chain::Chain;

/// What a node makes of a request instead of its truthful answer, if anything: told the request's method, how many
/// requests of that method came before it, and the truthful answer.
pub type Fault = dyn Fn(&str, usize, &str) -> Option<Response> + Send + Sync;

/// A node that is up until it is dropped.
#[derive(Debug)]
pub struct FakeNode {
    /// Where it answers, on the loopback.
    pub endpoint: Endpoint,
    state: Arc<State>,
    server: JoinHandle<()>,
}

/// What the requests have in common.
struct State {
    chain: Mutex<Chain>,
    fault: Mutex<Arc<Fault>>,
    counts: Mutex<BTreeMap<String, usize>>,
    submitted: Mutex<Vec<Vec<u8>>>,
}

impl FakeNode {
    /// A node that answers truthfully, on a port of its own.
    pub async fn truthful(chain: Chain) -> Self {
        Self::start(chain, |_, _, _| None).await
    }

    /// A node that answers truthfully where the fault does not step in, on a port of its own.
    pub async fn start<F>(chain: Chain, fault: F) -> Self
    where
        F: Fn(&str, usize, &str) -> Option<Response> + Send + Sync + 'static,
    {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let node = Self::listen(any_port, chain).await.expect("the loopback has a free port");
        node.answer_with(fault);
        node
    }

    /// A node that answers truthfully, at this address of the loopback.
    ///
    /// # Errors
    /// If the address is taken.
    pub async fn listen(address: SocketAddr, chain: Chain) -> std::io::Result<Self> {
        let truthful: Arc<Fault> = Arc::new(|_, _, _| None);
        let state = Arc::new(State {
            chain: Mutex::new(chain),
            fault: Mutex::new(truthful),
            counts: Mutex::default(),
            submitted: Mutex::default(),
        });
        let listener = TcpListener::bind(address).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let endpoint = endpoint.parse().expect("an address of the loopback is an endpoint");
        let shared = Arc::clone(&state);
        let router = Router::new().route("/", post(async move |body: Bytes| shared.respond(&body)));
        let server = tokio::spawn(async move {
            // It runs until the task is aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { endpoint, state, server })
    }

    /// Lets the fault step in from now on, instead of the one before.
    pub fn answer_with<F>(&self, fault: F)
    where
        F: Fn(&str, usize, &str) -> Option<Response> + Send + Sync + 'static,
    {
        *locked(&self.state.fault) = Arc::new(fault);
    }

    /// Changes what it knows, between two answers.
    pub fn change(&self, change: impl FnOnce(&mut Chain)) {
        change(&mut locked(&self.state.chain));
    }

    /// How many questions it has had.
    pub fn asked(&self) -> usize {
        locked(&self.state.counts).values().sum()
    }

    /// How many of them were for this method.
    pub fn asked_for(&self, method: &str) -> usize {
        locked(&self.state.counts).get(method).copied().unwrap_or(0)
    }

    /// The extrinsics that were submitted to it, in their order.
    pub fn submitted(&self) -> Vec<Vec<u8>> {
        locked(&self.state.submitted).clone()
    }
}

impl State {
    fn respond(&self, body: &[u8]) -> Response {
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let method = request["method"].as_str().unwrap_or_default().to_owned();
        let before = {
            let mut counts = locked(&self.counts);
            let count = counts.entry(method.clone()).or_default();
            *count += 1;
            *count - 1
        };
        let extrinsic = request["params"][0].as_str().and_then(|text| text.strip_prefix("0x"));
        if let ("author_submitExtrinsic", Some(digits)) = (method.as_str(), extrinsic) {
            locked(&self.submitted).extend(hex::decode(digits));
        }
        let answer = locked(&self.chain).respond_to_body(body);
        let fault = Arc::clone(&locked(&self.fault));
        fault(&method, before, &answer).unwrap_or_else(|| answer.into_response())
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("State").field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// Nothing is left half done where one of these is held.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An answer that never begins.
pub fn never() -> Response {
    Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>()).into_response()
}

/// An answer with this status, and a body that is none of JSON-RPC.
///
/// # Panics
/// If the code is none of HTTP.
pub fn status(code: u16) -> Response {
    (StatusCode::from_u16(code).expect("a status of HTTP"), "busy").into_response()
}
