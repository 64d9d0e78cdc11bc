//! A server of the OpenAI API for tests.
//!
//! It reads requests as strictly as the API describes them: the key, the JSON without unknown fields, messages and
//! parts, pictures in data URLs, which it decodes. What it answers is a function of the request; [`greener`] compares
//! the pictures, so the two orders of a question have mirrored answers. Before that it does to a request what the next
//! [`Fault`] says.

mod fault;
mod picture;
mod request;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use fault::Fault;
pub use picture::{Picture, greener};
pub use request::{Asked, AskedContent, AskedFormat, AskedMessage, AskedPart, AskedSchema, AskedUrl};

/// Largest request in bytes: three pictures of some MiB, as base64.
const REQUEST_BYTES_MAX: usize = 64 << 20;
/// What a picture costs in tokens, and a text.
const PICTURE_TOKENS: usize = 1_444;
const TEXT_TOKENS: usize = 50;

/// What a model says to a request, or why the request is a bad one.
pub type Answer = dyn Fn(&Asked) -> Result<String, String> + Send + Sync;

/// A running server, which ends when it is dropped.
#[derive(Debug)]
pub struct ModelServer {
    address: SocketAddr,
    model: Arc<Model>,
    serving: JoinHandle<std::io::Result<()>>,
}

/// What the requests have in common.
struct Model {
    api_key: Option<String>,
    answer: Box<Answer>,
    faults: Mutex<VecDeque<Fault>>,
    received: Mutex<Vec<Asked>>,
    attempts: Mutex<Attempts>,
}

/// Requests with the right key, good ones or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How many there have been.
    pub total: usize,
    /// How many are under way.
    pub under_way: usize,
    /// How many have been under way at most.
    pub most: usize,
}

impl ModelServer {
    /// Serves on an address, or on a free port of this machine for `127.0.0.1:0`. Without an API key, anybody may ask.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn start(
        address: SocketAddr,
        api_key: Option<String>,
        answer: impl Fn(&Asked) -> Result<String, String> + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let model = Arc::new(Model {
            api_key,
            answer: Box::new(answer),
            faults: Mutex::default(),
            received: Mutex::default(),
            attempts: Mutex::default(),
        });
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
            .with_state(Arc::clone(&model));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, model, serving })
    }

    /// The base URL of the API.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Does these things to the next requests, one each, after those set before.
    pub fn then(&self, faults: impl IntoIterator<Item = Fault>) {
        locked(&self.model.faults).extend(faults);
    }

    /// The good requests so far, in their order.
    pub fn received(&self) -> Vec<Asked> {
        locked(&self.model.received).clone()
    }

    /// How many requests there have been and are.
    pub fn attempts(&self) -> Attempts {
        *locked(&self.model.attempts)
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn run(mut self) -> std::io::Result<()> {
        (&mut self.serving).await.map_err(std::io::Error::other)?
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Model").field("attempts", &self.attempts).finish_non_exhaustive()
    }
}

/// Counts a request for as long as it is under way.
struct UnderWay(Arc<Model>);

impl UnderWay {
    fn begin(model: &Arc<Model>) -> Self {
        let mut attempts = locked(&model.attempts);
        attempts.total += 1;
        attempts.under_way += 1;
        attempts.most = attempts.most.max(attempts.under_way);
        Self(Arc::clone(model))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        locked(&self.0.attempts).under_way -= 1;
    }
}

async fn complete(State(model): State<Arc<Model>>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(key) = &model.api_key {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if given != Some(&format!("Bearer {key}")) {
            // The real API repeats a part of the key; this one all of it, so that a client that prints it is found.
            let words = format!("Incorrect API key provided: {}", given.unwrap_or_default());
            return error(StatusCode::UNAUTHORIZED, "invalid_api_key", &words);
        }
    }
    let _under_way = UnderWay::begin(&model);
    if headers.get(header::CONTENT_TYPE).is_none_or(|value| value != "application/json") {
        return error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "not JSON");
    }
    let asked = match Asked::from_json(&body) {
        Ok(asked) => asked,
        Err(words) => return error(StatusCode::BAD_REQUEST, "invalid_request_error", &words),
    };
    locked(&model.received).push(asked.clone());
    let fault = locked(&model.faults).pop_front();
    if let Some(fault) = fault {
        return fault.response(&asked).await;
    }
    match (model.answer)(&asked) {
        Ok(text) => completion(&asked, &text, "stop"),
        Err(words) => error(StatusCode::BAD_REQUEST, "invalid_request_error", &words),
    }
}

/// A reply as the API gives it.
fn completion(asked: &Asked, text: &str, finish_reason: &str) -> Response {
    let tokens = asked.pictures.len() * PICTURE_TOKENS + asked.messages.len() * TEXT_TOKENS;
    let reply = json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": asked.model,
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": text, "refusal": null },
            "logprobs": null,
            "finish_reason": finish_reason,
        }],
        "usage": {
            "prompt_tokens": tokens,
            "completion_tokens": TEXT_TOKENS,
            "total_tokens": tokens + TEXT_TOKENS,
        },
    });
    axum::Json(reply).into_response()
}

/// An error as the API gives it.
fn error(status: StatusCode, code: &str, message: &str) -> Response {
    let body = json!({
        "error": { "message": message, "type": "invalid_request_error", "param": null, "code": code },
    });
    (status, axum::Json(body)).into_response()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
