//! The AWS SDK's HTTP client over the platform's `fetch`.

use std::convert::Infallible;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use axum::http::HeaderName;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HOST};
use bytes::Bytes;
use futures_util::stream;
use worker::js_sys::Uint8Array;
use worker::send::SendFuture;
use worker::wasm_bindgen_futures::spawn_local;
use worker::{
    AbortController, AbortSignal, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Response,
    ResponseBody,
};

use crate::streams::{Reading, sending};

/// Headers that `fetch` makes by itself: of the URL and of the body.
const MADE_BY_FETCH: [HeaderName; 2] = [HOST, CONTENT_LENGTH];

/// A larger body is handed over in pieces of this: a copy of it in one piece would lie in JavaScript's memory until
/// somebody collects it, beside the one in WASM's.
const PIECE_BYTES: usize = 64 << 10;

/// Sends each request with `fetch`. The platform keeps the connections, so there is nothing to share.
///
/// A request's body is sent from memory, with its length, since S3 takes no other; a response's body is streamed. The
/// SDK's timers bound both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FetchClient;

impl HttpClient for FetchClient {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(*self)
    }
}

impl HttpConnector for FetchClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(SendFuture::new(send(request)))
    }
}

async fn send(request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let outgoing = outgoing(&request).map_err(|error| ConnectorError::user(error.to_string().into()))?;
    let mut aborting = AbortOnDrop::default();
    let answered = Fetch::Request(outgoing).send_with_signal(&aborting.signal()).await;
    aborting.disarm();
    // Whatever `fetch` rejects with is worth another try: a connection that failed, or broke off.
    let answered = answered.map_err(|error| ConnectorError::io(error.to_string().into()))?;
    incoming(&answered).map_err(|error| ConnectorError::other(error, None))
}

fn incoming(answered: &Response) -> Result<HttpResponse, BoxError> {
    let body = match answered.body() {
        ResponseBody::Stream(stream) => SdkBody::from_body_1_x(Reading::new(stream.clone())?),
        ResponseBody::Body(bytes) => SdkBody::from(bytes.clone()),
        ResponseBody::Empty => SdkBody::empty(),
    };
    let mut response = HttpResponse::new(answered.status_code().try_into()?, body);
    for (name, value) in answered.headers() {
        response.headers_mut().try_append(name, value)?;
    }
    Ok(response)
}

fn outgoing(request: &HttpRequest) -> worker::Result<Request> {
    let headers = Headers::new();
    for (name, value) in request.headers() {
        if !MADE_BY_FETCH.iter().any(|made| name == made.as_str()) {
            headers.append(name, value)?;
        }
    }
    // Else `fetch` asks for compressed answers, whose length and checksum are not those of what arrives here.
    headers.set(ACCEPT_ENCODING.as_str(), "identity")?;
    let Some(bytes) = request.body().bytes() else {
        return Err("the body of a request is not in memory".into());
    };
    let mut init = RequestInit::new();
    init.with_method(Method::from(request.method().to_owned()))
        .with_headers(headers)
        // What S3 says with a redirect is for the SDK to understand.
        .with_redirect(RequestRedirect::Manual);
    match bytes.len() {
        0 => {}
        1..=PIECE_BYTES => drop(init.with_body(Some(Uint8Array::from(bytes).into()))),
        length => {
            let pieces = Pieces { body: request.body().try_clone(), sent: 0 };
            let sending = sending(stream::iter(pieces), Some(length as u64))?;
            spawn_local(sending.piping);
            init.with_body(Some(sending.stream.into()));
        }
    }
    Request::new_with_init(request.uri(), &init)
}

/// A body in pieces.
struct Pieces {
    body: Option<SdkBody>,
    sent: usize,
}

impl Iterator for Pieces {
    type Item = Result<Bytes, Infallible>;

    fn next(&mut self) -> Option<Self::Item> {
        let left = self.body.as_ref()?.bytes()?.get(self.sent..)?;
        let piece = &left[..left.len().min(PIECE_BYTES)];
        self.sent += piece.len();
        (!piece.is_empty()).then(|| Ok(Bytes::copy_from_slice(piece)))
    }
}

/// Ends a `fetch` that nobody waits for any more: an attempt that took too long would go on and hold its body.
#[derive(Default)]
struct AbortOnDrop(Option<AbortController>);

impl AbortOnDrop {
    fn signal(&mut self) -> AbortSignal {
        self.0.get_or_insert_default().signal()
    }

    /// From its answer on, a request ends with the answer's body.
    fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(controller) = self.0.take() {
            controller.abort();
        }
    }
}
