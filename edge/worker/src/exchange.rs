//! Requests and answers as workerd has them and as the router has them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, DATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use http_body::Frame;
use sn17_http::RemoteIp;
use worker::send::SendFuture;
use worker::{Delay, Headers, ResponseBody, ResponseBuilder, js_sys, web_sys};

use crate::streams::{Reading, sending};

/// Between two pieces of a request's body at least this may pass, and twice this at most.
const BODY_PIECE_WITHIN: Duration = Duration::from_secs(30);
/// The whole of it may take so many times as long: 300 s, the longest time-out that a miner's signature may name.
const BODY_PIECES_MAX: u32 = 10;
/// Where Cloudflare says who sent a request, whatever the sender says.
const SENDER: &str = "cf-connecting-ip";

/// The request for the router; none if its method, URL or headers are no HTTP.
pub(crate) fn request(incoming: &web_sys::Request) -> Option<Request> {
    let mut request = Request::new(match incoming.body() {
        Some(stream) => body(stream)?,
        None => Body::empty(),
    });
    *request.method_mut() = incoming.method().parse().ok()?;
    *request.uri_mut() = incoming.url().parse().ok()?;
    for (name, value) in Headers(incoming.headers()).entries() {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
    }
    let sender = request.headers().get(SENDER).and_then(|ip| ip.to_str().ok()?.parse().ok());
    request.extensions_mut().insert(RemoteIp(sender));
    Some(request)
}

fn body(stream: web_sys::ReadableStream) -> Option<Body> {
    let body = Reading::new(stream).ok()?;
    Some(Body::new(Arriving { body, has_moved: false, silence: silence(), silences: 0 }))
}

fn silence() -> SendFuture<Delay> {
    SendFuture::new(Delay::from(BODY_PIECE_WITHIN))
}

/// The body of a request, which ends with an error when nothing has come of it for too long, or it
/// takes too long in all.
struct Arriving {
    body: Reading,
    /// Whether anything has come since `silence` began.
    has_moved: bool,
    /// One timer for many pieces: a body of 20 MB has hundreds.
    silence: SendFuture<Delay>,
    /// How many times it has run out.
    silences: u32,
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.has_moved = true;
            return Poll::Ready(frame);
        }
        while Pin::new(&mut self.silence).poll(context).is_ready() {
            self.silences += 1;
            if !std::mem::take(&mut self.has_moved) || self.silences >= BODY_PIECES_MAX {
                return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
            }
            self.silence = silence();
        }
        Poll::Pending
    }
}

/// The router's answer for workerd: in one piece if it is one, else streamed.
pub(crate) async fn answer(
    response: Response,
    context: &worker::Context,
) -> worker::Result<web_sys::Response> {
    let (parts, body) = response.into_parts();
    let headers = Headers::new();
    for (name, value) in &parts.headers {
        headers.append(name.as_str(), &String::from_utf8_lossy(value.as_bytes()))?;
    }
    if !parts.headers.contains_key(DATE) {
        // Cloudflare's network adds it, the runtime alone does not; miners hold their clock against it.
        headers.set(DATE.as_str(), &String::from(js_sys::Date::new_0().to_utc_string()))?;
    }
    let body = match body.size_hint().exact() {
        Some(0) => ResponseBody::Empty,
        Some(_) => ResponseBody::Body(to_bytes(body, usize::MAX).await.map_err(text)?.to_vec()),
        None => {
            let sending = sending(body.into_data_stream(), announced(&parts.headers))?;
            // Of a client that has gone workerd forgets what fills its answer, with the memory that it holds.
            context.wait_until(sending.piping);
            ResponseBody::Stream(sending.stream)
        }
    };
    let builder = ResponseBuilder::new().with_status(parts.status.as_u16()).with_headers(headers);
    Ok(builder.body(body).into())
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn text(error: axum::Error) -> worker::Error {
    error.to_string().into()
}
