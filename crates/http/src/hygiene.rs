//! What is done to every request and every answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tracing::Instrument as _;

use crate::body::check_announced;
use crate::observer::{Refused, Served, VerdictLabel};
use crate::refusal::Refusal;
use crate::route::{Route, Surface};
use crate::{PlatformLimit, Server, linger};

/// Largest header block, names and values, in bytes.
pub(crate) const HEADER_BYTES_MAX: usize = 16 << 10;
/// Names an answer for whoever asks about it.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Serves one request: bounds its size and its headers, answers preflights, renders a refusal for its surface, names, counts and
/// traces it.
pub(crate) async fn attend(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let arrived = server.app.now();
    let request_id = hex_id(server.app.random());
    let route = Route::of(request.uri().path());
    let method = method_label(request.method());
    let id_text = str::from_utf8(&request_id).unwrap_or_default();
    // Spans cost a fifth of a small request, so there are none above this level; failures carry the id anyway.
    let span = tracing::debug_span!(
        "request",
        request.id = id_text,
        http.route = route.label,
        http.method = method,
    );
    let (request, rest) = linger::watch(request);
    let mut response = serve(&server, route.surface, request, next).instrument(span.clone()).await;
    let verdict = response.extensions_mut().remove::<VerdictLabel>().map(|VerdictLabel(label)| label);
    if let Some(verdict) = verdict {
        server.metrics.submitted(verdict);
    }
    let mut refused = None;
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        let invariant = Some(refusal.invariant).filter(|invariant| !invariant.is_empty());
        refused = Some(Refused { reason: refusal.reason, invariant });
        server.metrics.refused(route.label, &refusal);
        if refusal.status.is_server_error() {
            tracing::warn!(request.id = id_text, http.route = route.label, reason = refusal.reason, "failed");
        } else {
            tracing::debug!(parent: &span, reason = refusal.reason, "refused");
        }
        let allow = response.headers_mut().remove(ALLOW);
        response = refusal.render(route.surface);
        if let Some(allow) = allow {
            response.headers_mut().insert(ALLOW, allow);
        }
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_bytes(&request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if route.surface.is_for_pages() {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("content-disposition, retry-after, x-request-id, x-sn17-synthetic"),
        );
    }
    let status = response.status().as_u16();
    let duration_ms = server.app.now().ms_since(arrived);
    server.metrics.answered(route.label, method, status, duration_ms);
    if let Some(observer) = &server.options.observer {
        let route = route.label;
        observer.tell(&Served { route, method, status, duration_ms, refusal: refused, verdict });
    }
    tracing::debug!(parent: &span, http.status = status, duration_ms, "answered");
    if status >= 400
        && let Some(rest) = rest
    {
        rest.discard(|| server.app.now()).await;
    }
    response
}

async fn serve(server: &Server, surface: Surface, request: Request, next: Next) -> Response {
    if let Some(limit) = &server.options.body_limit
        && check_announced(request.headers(), limit.bytes_max).is_err()
    {
        return above_platform(limit).into_response();
    }
    if header_bytes(request.headers()) > HEADER_BYTES_MAX {
        let message = format!("headers have more than {HEADER_BYTES_MAX} bytes");
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Refusal::new(status, "headers_too_large", message).upholding("IN-1").into_response();
    }
    if surface.is_for_pages() && is_preflight(&request) {
        return preflight();
    }
    next.run(request).await
}

/// The platform would cut the request off with words of its own; these say where it is taken.
fn above_platform(limit: &PlatformLimit) -> Refusal {
    let bytes_max = limit.bytes_max;
    let way_out = match &limit.edge {
        Some(edge) => format!("send larger ones to {edge}"),
        None => "this network has no other host for larger ones".to_owned(),
    };
    let message =
        format!("AWS Lambda takes at most 6 MiB a request, and a body of {bytes_max} bytes; {way_out}");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "platform_limit", message).upholding("IN-1")
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Lets a page of any origin use these routes.
fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    let allowed = HeaderValue::from_static("content-type, x-api-key, x-client-origin");
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    response
}

/// Methods as metrics call them; anybody can make up others.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The low half of `random` in hexadecimal, without an allocation.
fn hex_id(random: u128) -> [u8; 16] {
    let mut text = [0; 16];
    for (position, digit) in text.iter_mut().enumerate() {
        let nibble = (random >> (4 * position) & 0xf) as usize;
        *digit = b"0123456789abcdef"[nibble];
    }
    text
}
