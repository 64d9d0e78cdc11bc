//! The prompt collector: generators hand in, validators fetch.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::de::DeserializeOwned;
use sn17_app::{Admission, PromptsForValidator, SubmitPromptsError};
use sn17_wire::client::read_api_key;
use sn17_wire::prompts::{GetPrompts, GetPromptsError, PromptReader, PromptsReply, SubmitPrompts};

use crate::client::{API_KEY, json};
use crate::limiter::Rule;
use crate::refusal::{JSON, Refusal};
use crate::store_link::{NOT_KEPT, redirect};
use crate::{Server, body, remote_network};

/// Largest body of a submission: 10,000 prompts of usual length, which is as many as are looked at.
const SUBMIT_BYTES_MAX: u64 = 1 << 20;
/// Memory of a submission, in sizes of its body: itself, its texts, those that are kept, and their JSON.
const SUBMIT_COPIES: usize = 4;
/// Seconds after which a submission that found no memory is worth another try.
const SUBMIT_RETRY_SECS: u64 = 5;
/// Largest body of a request for prompts; a real one has a quarter of a kilobyte.
const GET_BYTES_MAX: u64 = 4 << 10;
/// What a batch is called by whoever saves it.
const FILENAME: &str = "prompts.json";

/// `POST /submit`: prompts of a generator, by its key.
pub(crate) async fn submit(State(server): State<Arc<Server>>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    server.check_generator(&parts).await?;
    let mut body = body::read(&parts.headers, body, SUBMIT_BYTES_MAX, &server.bodies).await?;
    if !body.share.grow(body.bytes.len() * SUBMIT_COPIES) {
        let message = "too many prompts are being received";
        return Err(Refusal::busy("body_memory", message, SUBMIT_RETRY_SECS).upholding("IN-1"));
    }
    let submission: SubmitPrompts = parse(&body.bytes)?;
    match server.app.submit_prompts(&submission.prompts).await {
        Ok(receipt) => Ok(json(&receipt)),
        Err(error @ SubmitPromptsError::Full { retry_after_secs }) => {
            Err(Refusal::busy("prompts_full", error.to_string(), retry_after_secs).upholding("IN-1"))
        }
        Err(SubmitPromptsError::Port(error)) => Err(error.into()),
    }
}

/// `GET` and `POST /get`, `POST /text-prompts/get/`: a batch for a validator, by its signature.
pub(crate) async fn get(State(server): State<Arc<Server>>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    server.check_public(&parts)?;
    let body = body::read(&parts.headers, body, GET_BYTES_MAX, &server.bodies).await?;
    let reader = server.verify_reader(&parts, &parse(&body.bytes)?)?;
    drop(body);
    match server.app.admit_validator(&reader).await? {
        Admission::Fresh => {}
        Admission::Replayed => {
            return Err(forbidden("replay", "the nonce was used before").upholding("AU-2"));
        }
        Admission::Stranger => {
            let message = "the hotkey is not registered with a stake of at least 1";
            return Err(forbidden("stranger", message).upholding("AU-1"));
        }
    }
    let mut response = match server.app.prompts_for_validator().await? {
        PromptsForValidator::Written(prompts) => json(&PromptsReply { prompts: &prompts }),
        PromptsForValidator::Batch { json, blob } => {
            if let Some(link) = server.link(&blob, json.bytes, FILENAME).await? {
                // Whatever the method was: the link is signed for GET.
                return Ok(redirect(StatusCode::SEE_OTHER, link, NOT_KEPT));
            }
            let bytes = json.bytes;
            let mut response = Response::new(Body::from_stream(json.stream));
            response.headers_mut().insert(CONTENT_TYPE, JSON);
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes));
            response
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, NOT_KEPT);
    Ok(response)
}

impl Server {
    /// Whether the request carries a key that may hand in prompts. Nothing of its body has been read.
    async fn check_generator(&self, parts: &Parts) -> Result<(), Refusal> {
        let (limit, sender) = (self.options.limits.wrong_keys, remote_network(&parts.extensions));
        let too_many = |secs| Refusal::too_many("address_rate", "too many wrong keys", secs);
        if let Some(secs) = self.addresses.shut_out(Rule::WrongKeys, limit, sender, self.app.now()) {
            return Err(too_many(secs));
        }
        if let Ok(key) = read_api_key(parts.headers.get(API_KEY).map(HeaderValue::as_bytes))
            && let Some(caller) = self.app.authenticate(key).await?
            && caller.is_generator()
        {
            return Ok(());
        }
        match self.addresses.count(Rule::WrongKeys, limit, sender, self.app.now()) {
            Some(secs) => Err(too_many(secs)),
            None => Err(forbidden("api_key", "Invalid API Key").upholding("AU-1")),
        }
    }

    /// Who asks for prompts, proven by the signature alone.
    fn verify_reader(&self, parts: &Parts, request: &GetPrompts) -> Result<PromptReader, Refusal> {
        let (limit, now) = (self.options.limits.wrong_signatures, self.app.now());
        let sender = remote_network(&parts.extensions);
        let too_many =
            |secs| Refusal::too_many("address_rate", "too many requests with a wrong signature", secs);
        if let Some(secs) = self.addresses.shut_out(Rule::WrongSignatures, limit, sender, now) {
            return Err(too_many(secs));
        }
        request.verify(now, &self.nonce_window()).map_err(|error| match error {
            GetPromptsError::Signature => {
                let shut_out = self.addresses.count(Rule::WrongSignatures, limit, sender, now);
                let refusal = || forbidden("signature", error.to_string()).upholding("AU-1");
                shut_out.map_or_else(refusal, too_many)
            }
            GetPromptsError::TooOld | GetPromptsError::TooFarAhead => {
                forbidden("nonce_window", error.to_string()).upholding("AU-2")
            }
        })
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request("malformed_body", format!("malformed JSON: {error}")))
}

/// The original refuses whom it does not know with 403 and never with 401.
fn forbidden(reason: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, reason, message)
}
