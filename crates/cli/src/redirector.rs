//! `sn17 redirector`: a fixed address and port in front of an edge that has neither.
//!
//! The chain publishes a validator's axon as an IP address and a port, and miners send plain HTTP to it, with that address
//! as `Host`. Serverless edges have names, TLS and changing addresses. This program stands at the fixed address and
//! answers everything with `307 Temporary Redirect`, which keeps method, headers and body (RFC 9110, section 15.4.8). It
//! looks at nothing but the request line, and holds no keys, nonces or state: a nonce is used up by the edge alone (AU-2).

mod counters;
mod edge;
mod front;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode, header};
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::serve::{runtime, stop_signal};
use counters::{Counters, OPEN_METRICS};
use edge::Edge;

/// Largest header block, names and values, in bytes; the same as an edge takes.
const HEADER_BYTES_MAX: usize = 16 << 10;

#[derive(Args, Clone, Debug)]
pub(crate) struct RedirectorArgs {
    /// Address for plain HTTP: the one that the validator's axon is published with.
    #[arg(long, default_value = "0.0.0.0:4443", env = "SN17_LISTEN")]
    listen: SocketAddr,
    /// URL of the edge; if it has a path, that goes before the paths of requests.
    #[arg(long, env = "SN17_EDGE_URL")]
    edge: Edge,
    /// Address for `GET /metrics` (Prometheus); without it nothing is told.
    #[arg(long, env = "SN17_METRICS_LISTEN")]
    metrics: Option<SocketAddr>,
}

/// Redirects until it is told to stop, and lets open connections finish.
///
/// # Errors
/// Fails if it cannot listen.
pub(crate) fn run(args: RedirectorArgs) -> anyhow::Result<()> {
    runtime()?.block_on(redirect(args))
}

async fn redirect(args: RedirectorArgs) -> anyhow::Result<()> {
    let RedirectorArgs { listen, edge, metrics } = args;
    let (listener, address) = listen_at(listen)?;
    let mut summary =
        format!("sn17 {}\n  http       http://{address}\n  edge       {edge}\n", env!("CARGO_PKG_VERSION"));
    let (stop, stopped) = watch::channel(false);
    let counters = Arc::new(Counters::default());
    let mut fronts = Vec::new();
    if let Some(metrics) = metrics {
        let (listener, address) = listen_at(metrics)?;
        summary.push_str(&format!("  metrics    http://{address}/metrics\n"));
        let counters = Arc::clone(&counters);
        let told = move |request: &Request<_>| tell(&counters, request.uri().path());
        fronts.push(tokio::spawn(front::serve(listener, told, stopped.clone())));
    }
    let answered = move |request: &Request<_>| answer(&edge, &counters, request);
    fronts.push(tokio::spawn(front::serve(listener, answered, stopped)));
    print!("{summary}");

    stop_signal().await?;
    tracing::info!("stopping: open connections may finish");
    stop.send_replace(true);
    for front in fronts {
        front.await.context("a listener ended badly")?;
    }
    Ok(())
}

fn listen_at(address: SocketAddr) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = front::listen(address).with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// The answer to a request, of which the body is not looked at.
fn answer<B>(edge: &Edge, counters: &Counters, request: &Request<B>) -> Response<Body> {
    // A load balancer asks whether this process answers, not whether the edge does.
    if request.uri().path() == "/healthz" {
        return text("text/plain; charset=utf-8", "ok\n");
    }
    let response = if header_bytes(request.headers()) > HEADER_BYTES_MAX {
        let message = format!("headers have more than {HEADER_BYTES_MAX} bytes");
        said(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, &message)
    } else {
        match edge.location(request.uri()) {
            Ok(location) => {
                // Whoever does not follow is told why: the SDK makes a message its status message.
                let mut response =
                    said(StatusCode::TEMPORARY_REDIRECT, "this address only redirects, follow it");
                response.headers_mut().insert(header::LOCATION, location);
                response
            }
            Err(refusal) => said(refusal.status(), &refusal.to_string()),
        }
    };
    let (path, status) = (request.uri().path(), response.status().as_u16());
    counters.answered(path, status);
    tracing::debug!(http.path = path, http.status = status, "answered");
    response
}

/// What the second listener answers.
fn tell(counters: &Counters, path: &str) -> Response<Body> {
    if path == "/metrics" {
        text(OPEN_METRICS, counters.render())
    } else {
        said(StatusCode::NOT_FOUND, "only /metrics is here")
    }
}

/// An answer in the form that the SDK reads.
fn said(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = text("application/json", serde_json::json!({ "message": message }).to_string());
    *response.status_mut() = status;
    response
}

fn text(media_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media_type));
    response
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}
