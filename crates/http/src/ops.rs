//! What operators and machines look at.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use sn17_core::TaskId;
use sn17_core::ledger::{LoadSpec, QueueName};
use sn17_core::state::Key;

use crate::Server;
use crate::metrics::Gauges;
use crate::refusal::{Refusal, TEXT};

/// `GET /`: what this is.
pub(crate) async fn index() -> Response {
    text(
        "sn17: the 404-GEN network (Bittensor subnet 17), text and images to 3D; the API is in docs/protocol.md\n",
    )
}

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> Response {
    text("ok\n")
}

/// `GET /readyz`: the ledger answers too.
pub(crate) async fn readyz(State(server): State<Arc<Server>>) -> Result<Response, Refusal> {
    // Any look will do; a count may come from memory.
    let load = LoadSpec::keys([Key::Task(TaskId(0))]);
    server.app.ports().ledger.read(server.app.now(), load).await?;
    Ok(text("ready\n"))
}

/// `GET /metrics`: the ledger's gauges, and this process's counters unless the host counts.
pub(crate) async fn metrics(State(server): State<Arc<Server>>) -> Result<Response, Refusal> {
    let ports = server.app.ports();
    let judge_backlog = if server.metrics.counts_requests() {
        ports.queue.backlog(QueueName::Judging).await?
    } else {
        // Elsewhere the queue is the platform's, which counts its messages itself.
        0
    };
    let gauges = Gauges {
        open_tasks: ports.ledger.open_tasks().await?,
        upload_bytes: server.uploads.used() as u64,
        judge_backlog,
    };
    let (media_type, text) = server.metrics.render(gauges);
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    Ok(response)
}

fn text(words: &'static str) -> Response {
    let mut response = Response::new(Body::from(words));
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}
