//! How a request is refused, in the words and the format of its surface.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sn17_app::ports::{PortError, PortErrorKind};
use sn17_wire::client::ClientError;
use sn17_wire::dendrite::HeaderError;
use sn17_wire::submission::ScanError;
use sn17_wire::synapse;

use crate::route::Surface;

/// Seconds after which a request that a port could not serve is worth another try.
const PORT_RETRY_SECS: u64 = 2;
/// Plain text.
pub(crate) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// JSON.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Why a request is not served. Handlers return it; `hygiene` counts it and renders it for the surface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// HTTP status, from 400.
    pub(crate) status: StatusCode,
    /// How metrics call it.
    pub(crate) reason: &'static str,
    /// The invariant that it upholds, if it is one of DESIGN's.
    pub(crate) invariant: &'static str,
    /// What the sender is told.
    pub(crate) words: Words,
    /// When to come back, in seconds.
    pub(crate) retry_after_secs: Option<u64>,
}

/// What the sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// Words for any surface.
    Plain(Cow<'static, str>),
    /// What the original gateway says, in whole.
    Client(ClientError),
}

impl Refusal {
    pub(crate) fn new(
        status: StatusCode,
        reason: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, reason, invariant: "", words: Words::Plain(message.into()), retry_after_secs: None }
    }

    pub(crate) fn bad_request(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason, message)
    }

    pub(crate) fn not_found(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, reason, message)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", "Method not allowed")
    }

    pub(crate) fn too_large(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message).upholding("IN-1")
    }

    pub(crate) fn too_many(
        reason: &'static str,
        message: impl Into<Cow<'static, str>>,
        retry_after_secs: u64,
    ) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, reason, message).retry_after(retry_after_secs)
    }

    pub(crate) fn busy(
        reason: &'static str,
        message: impl Into<Cow<'static, str>>,
        retry_after_secs: u64,
    ) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, reason, message).retry_after(retry_after_secs)
    }

    /// A fault of ours; what it was stays in the log.
    pub(crate) fn internal(reason: &'static str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, reason, "the request failed on our side")
    }

    pub(crate) fn retry_after(mut self, secs: u64) -> Self {
        self.retry_after_secs = Some(secs);
        self
    }

    pub(crate) fn upholding(mut self, invariant: &'static str) -> Self {
        self.invariant = invariant;
        self
    }

    /// The whole answer as the surface's users know it.
    pub(crate) fn render(&self, surface: Surface) -> Response {
        let (headers, body) = match surface {
            Surface::Client => (HeaderMap::from_iter([(CONTENT_TYPE, TEXT)]), self.client_text().into()),
            Surface::Operator | Surface::Public => {
                let body = serde_json::to_vec(&Message { message: &self.plain_text() });
                (HeaderMap::from_iter([(CONTENT_TYPE, JSON)]), body.unwrap_or_default())
            }
            Surface::Miner => {
                let answer = synapse::refuse(self.status.as_u16(), &self.miner_text());
                (header_map(answer.headers), answer.body)
            }
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        *response.headers_mut() = headers;
        if let Some(secs) = self.retry_after_secs {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }

    /// The original gateway's wording: the kind of error, a colon, the error; a 404 says the error alone.
    fn client_text(&self) -> String {
        let message = match &self.words {
            Words::Client(error) => return error.to_string(),
            Words::Plain(message) => message,
        };
        let kind = match self.status {
            StatusCode::BAD_REQUEST => "Bad request",
            StatusCode::UNAUTHORIZED => "Unauthorized request",
            StatusCode::PAYLOAD_TOO_LARGE => "Payload too large",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "Unsupported media type",
            StatusCode::TOO_MANY_REQUESTS => "Too many requests",
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "Request header fields too large",
            StatusCode::INTERNAL_SERVER_ERROR => "Internal Server Error",
            StatusCode::SERVICE_UNAVAILABLE => "Service unavailable",
            _ => return message.clone().into_owned(),
        };
        format!("{kind}: {message}")
    }

    /// The original axon's wording: what it says of callers it turns away has a common beginning.
    fn miner_text(&self) -> Cow<'_, str> {
        match self.status {
            StatusCode::FORBIDDEN => format!("Forbidden. Key is blacklisted: {}", self.plain_text()).into(),
            _ => self.plain_text(),
        }
    }

    fn plain_text(&self) -> Cow<'_, str> {
        match &self.words {
            Words::Plain(message) => Cow::Borrowed(message),
            Words::Client(error) => error.to_string().into(),
        }
    }
}

#[derive(Serialize)]
struct Message<'a> {
    message: &'a str,
}

/// Headers of an answer that `wire` has rendered.
pub(crate) fn header_map(headers: Vec<(&'static str, String)>) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(headers.len() + 2);
    for (name, value) in headers {
        // `wire` leaves nothing but visible ASCII and spaces in a value.
        if let Ok(value) = HeaderValue::try_from(value) {
            map.insert(HeaderName::from_static(name), value);
        }
    }
    map
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<PortError> for Refusal {
    fn from(error: PortError) -> Self {
        match error.kind {
            PortErrorKind::Conflict | PortErrorKind::Throttled | PortErrorKind::Unavailable => {
                tracing::warn!(%error, "a port is not available");
                Self::busy("port", "try again shortly", PORT_RETRY_SECS)
            }
            PortErrorKind::NotFound | PortErrorKind::Corrupt => {
                tracing::error!(%error, "a port failed");
                Self::internal("port")
            }
        }
    }
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        let (reason, invariant) = match &error {
            ClientError::MissingApiKey | ClientError::MalformedApiKey | ClientError::UnknownApiKey => {
                ("api_key", "AU-1")
            }
            ClientError::MissingContentType
            | ClientError::MissingBoundary
            | ClientError::InvalidJson(_)
            | ClientError::Field(_)
            | ClientError::PromptAndImage
            | ClientError::NoPrompt
            | ClientError::Model(_)
            | ClientError::Seed(_) => ("malformed_body", ""),
            ClientError::PromptTooShort { .. } | ClientError::PromptCharacters => ("prompt", ""),
            ClientError::PromptTooLong { .. } => ("prompt", "IN-1"),
            ClientError::ImageTooLarge { .. }
            | ClientError::ImageTooWide { .. }
            | ClientError::ImageTooTall { .. } => ("image", "IN-1"),
            ClientError::ImageUnreadable(_) | ClientError::ImageFormat(_) => ("image", ""),
            ClientError::MissingTaskId | ClientError::MalformedTaskId | ClientError::Query(_) => {
                ("query", "")
            }
            ClientError::BodyTooLarge { .. } => ("body_too_large", "IN-1"),
            ClientError::TaskNotFound(_) | ClientError::NoResults(_) | ClientError::NoSuccess { .. } => {
                ("no_result", "")
            }
            ClientError::UserRate => ("quota", ""),
            ClientError::AddressRate => ("address_rate", ""),
            ClientError::QueueFull => ("queue_full", ""),
        };
        let status = status_of(error.status());
        Self { status, reason, invariant, words: Words::Client(error), retry_after_secs: None }
    }
}

impl From<HeaderError> for Refusal {
    fn from(error: HeaderError) -> Self {
        let (reason, invariant) = match &error {
            HeaderError::TooOld { .. } | HeaderError::TooFarAhead { .. } => ("nonce_window", "AU-2"),
            HeaderError::Replayed => ("replay", "AU-2"),
            HeaderError::MissingHotkey
            | HeaderError::InvalidHotkey(_)
            | HeaderError::MissingNonce
            | HeaderError::MalformedNonce
            | HeaderError::MissingUuid
            | HeaderError::MalformedUuid
            | HeaderError::MissingSignature
            | HeaderError::MalformedSignature
            | HeaderError::MalformedTimeout
            | HeaderError::MissingAxonHotkey
            | HeaderError::ForeignAxonHotkey
            | HeaderError::BodyHash
            | HeaderError::SignatureMismatch
            | HeaderError::ForeignBodyHotkey => ("signature", "AU-1"),
        };
        Self::new(status_of(error.status()), reason, error.to_string()).upholding(invariant)
    }
}

impl From<synapse::BodyError> for Refusal {
    fn from(error: synapse::BodyError) -> Self {
        match error {
            synapse::BodyError::Malformed(_) => Self::bad_request("malformed_body", error.to_string()),
            synapse::BodyError::Hotkey(error) => error.into(),
        }
    }
}

impl From<ScanError> for Refusal {
    fn from(error: ScanError) -> Self {
        let status = status_of(error.status());
        let reason =
            if status == StatusCode::PAYLOAD_TOO_LARGE { "body_too_large" } else { "malformed_body" };
        Self::new(status, reason, error.to_string()).upholding("IN-1")
    }
}

fn status_of(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_REQUEST)
}
