//! Requests and answers as workerd has them and as the router has them.

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, DATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use sn17_http::{Arriving, RemoteIp};
use worker::send::SendFuture;
use worker::{Delay, Headers, ResponseBody, ResponseBuilder, js_sys, web_sys};

use crate::streams::{Reading, sending};

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
    let sleep = |duration| SendFuture::new(Delay::from(duration));
    Some(Body::new(Arriving::new(Reading::new(stream).ok()?, sleep)))
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
