//! The clients' routes: a task in, its state, its results out.

mod archive;
mod image;
mod preview;
mod prompt;
mod result;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use sn17_app::{AddTask, AddTaskError, Caller, TaskStatus};
use sn17_wire::client::{
    AddTaskReply, ClientError, LegacyStatus, StatusBody, read_api_key, read_origin, read_task_id,
};
use sn17_wire::ss58;

pub(crate) use preview::get_preview;
pub(crate) use result::get_result;

use crate::limiter::Rule;
use crate::refusal::{JSON, Refusal};
use crate::{Server, remote_network};

pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const CLIENT_ORIGIN: HeaderName = HeaderName::from_static("x-client-origin");
/// Says that the score behind an answer was made with synthetic model weights.
pub(crate) const SYNTHETIC: HeaderName = HeaderName::from_static("x-sn17-synthetic");
/// The value of [`SYNTHETIC`]; absent otherwise.
pub(crate) const YES: HeaderValue = HeaderValue::from_static("true");

/// `POST /add_task`: answers the new task's id once it is durable (TK-1).
pub(crate) async fn add_task(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let caller = match server.caller(&parts).await {
        Ok(caller) => caller,
        Err(refusal) => return Err(server.unauthorised_add_task(&parts, refusal)),
    };
    // The memory of the prompt is held until the task is stored.
    let (prompt, _share) = prompt::read(&server, &parts.headers, body).await?;
    let origin = read_origin(parts.headers.get(CLIENT_ORIGIN).map(HeaderValue::as_bytes));
    match server.app.add_task(&caller, AddTask { prompt, origin }).await {
        Ok(id) => Ok(json(&AddTaskReply { id })),
        Err(AddTaskError::QueueFull { retry_after_secs }) => {
            Err(Refusal::from(ClientError::QueueFull).retry_after(retry_after_secs))
        }
        Err(AddTaskError::QuotaExceeded { retry_after_secs }) => {
            Err(Refusal::from(ClientError::UserRate).retry_after(retry_after_secs))
        }
        Err(AddTaskError::Port(error)) => Err(error.into()),
    }
}

/// `GET /get_status?id=`: a task of another key is as unknown as one that never was.
pub(crate) async fn get_status(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let limit = server.options.limits.get_status;
    if let Some(secs) =
        server.addresses.count(Rule::GetStatus, limit, remote_network(&parts.extensions), server.app.now())
    {
        return Err(Refusal::from(ClientError::AddressRate).retry_after(secs));
    }
    let caller = server.caller(&parts).await?;
    let id = read_task_id(parameter(&parts, "id").as_deref())?;
    Ok(match server.app.status(&caller, id).await? {
        TaskStatus::NoResult => json(&StatusBody::bare(LegacyStatus::NoResult)),
        TaskStatus::Partial { results } => json(&StatusBody::bare(LegacyStatus::PartialResult(results))),
        TaskStatus::Failure { reason } => {
            json(&StatusBody { reason: Some(reason), ..StatusBody::bare(LegacyStatus::Failure) })
        }
        TaskStatus::Success { hotkey, uid, rating, synthetic } => {
            let body = StatusBody {
                miner_hotkey: Some(ss58::encode(&hotkey)),
                miner_uid: Some(uid),
                miner_rating: Some(rating),
                ..StatusBody::bare(LegacyStatus::Success)
            };
            if synthetic { labelled(&body) } else { json(&body) }
        }
    })
}

impl Server {
    /// Whose key a request carries.
    async fn caller(&self, parts: &Parts) -> Result<Caller, Refusal> {
        let (limit, sender) = (self.options.limits.wrong_keys, remote_network(&parts.extensions));
        if let Some(secs) = self.addresses.shut_out(Rule::WrongKeys, limit, sender, self.app.now()) {
            return Err(Refusal::from(ClientError::AddressRate).retry_after(secs));
        }
        let key = read_api_key(parts.headers.get(API_KEY).map(HeaderValue::as_bytes))?;
        match self.app.authenticate(key).await? {
            Some(caller) => Ok(caller),
            None => match self.addresses.count(Rule::WrongKeys, limit, sender, self.app.now()) {
                Some(secs) => Err(Refusal::from(ClientError::AddressRate).retry_after(secs)),
                None => Err(ClientError::UnknownApiKey.into()),
            },
        }
    }

    /// Counts an `add_task` that was refused for its key; beyond the limit the refusal becomes a 429.
    fn unauthorised_add_task(&self, parts: &Parts, refusal: Refusal) -> Refusal {
        if !matches!(refusal.status, StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST) {
            return refusal;
        }
        let (limit, now) = (self.options.limits.unauthorised_add_task, self.app.now());
        match self.addresses.count(Rule::UnauthorisedAddTask, limit, remote_network(&parts.extensions), now) {
            Some(secs) => Refusal::from(ClientError::AddressRate).retry_after(secs),
            None => refusal,
        }
    }
}

/// A parameter of the query, the first of its name.
pub(crate) fn parameter(parts: &Parts, name: &str) -> Option<String> {
    let query = parts.uri.query()?;
    if query.contains(['%', '+']) {
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        return pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    }
    // Nothing to decode, as in every query of a good client.
    let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// A JSON answer of ours.
pub(crate) fn json(body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("string keys and infallible fields always serialise");
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// A status that rests on synthetic model weights: clients ignore the additional member, people do not.
fn labelled(body: &StatusBody) -> Response {
    #[derive(Serialize)]
    struct Labelled<'a> {
        #[serde(flatten)]
        body: &'a StatusBody,
        synthetic: bool,
    }
    let mut response = json(&Labelled { body, synthetic: true });
    response.headers_mut().insert(SYNTHETIC, YES);
    response
}
