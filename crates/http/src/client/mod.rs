//! The clients' routes: a task in, its state, its results out.

mod archive;
mod image;
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
use sn17_app::{AddTask, AddTaskError, Caller, KeyError, TaskStatus};
use sn17_wire::client::{
    AddTaskReply, ClientError, LegacyStatus, StatusBody, read_api_key, read_origin, read_task_id,
};
use sn17_wire::ss58;

pub(crate) use result::get_result;

use crate::limiter::Rule;
use crate::refusal::{JSON, Refusal};
use crate::{Server, remote_ip};

const API_KEY: HeaderName = HeaderName::from_static("x-api-key");
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
    let prompt = prompt::read(&parts.headers, body, &server.app.policy().tasks).await?;
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
        server.limiter.count(Rule::GetStatus, limit, remote_ip(&parts.extensions), server.app.now())
    {
        return Err(Refusal::from(ClientError::AddressRate).retry_after(secs));
    }
    let caller = server.caller(&parts).await?;
    let id = read_task_id(parameter(&parts, "id").as_deref())?;
    Ok(match server.app.status(&caller, id).await? {
        TaskStatus::NoResult => json(&StatusBody::bare(LegacyStatus::NoResult)),
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
        let (limit, ip) = (self.options.limits.wrong_keys, remote_ip(&parts.extensions));
        if let Some(secs) = self.limiter.shut_out(Rule::WrongKeys, limit, ip, self.app.now()) {
            return Err(Refusal::from(ClientError::AddressRate).retry_after(secs));
        }
        let key = read_api_key(parts.headers.get(API_KEY).map(HeaderValue::as_bytes))?;
        match self.app.authenticate(Some(key)).await? {
            Ok(caller) => Ok(caller),
            Err(KeyError::Missing) => Err(ClientError::MissingApiKey.into()),
            Err(KeyError::Malformed) => Err(ClientError::MalformedApiKey.into()),
            Err(KeyError::Unknown) => match self.limiter.count(Rule::WrongKeys, limit, ip, self.app.now()) {
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
        match self.limiter.count(Rule::UnauthorisedAddTask, limit, remote_ip(&parts.extensions), now) {
            Some(secs) => Refusal::from(ClientError::AddressRate).retry_after(secs),
            None => refusal,
        }
    }
}

/// A parameter of the query, the first of its name.
fn parameter(parts: &Parts, name: &str) -> Option<String> {
    let query = parts.uri.query()?.as_bytes();
    form_urlencoded::parse(query).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
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
