//! The network as a component for Spin, and for every other host of `wasi:http/service@0.3.0`.
//!
//! Wiring alone: the routes are in `sn17-http`, the use cases in `sn17-app`, the adapters in `sn17-aws`. What a component
//! needs of its own is here: a client for the AWS SDK over the host's, clock, sleep and randomness, variables and logs.
//!
//! One instance serves several requests at once, each as a task of the host's. In `wit-bindgen` 0.57 a task that is woken
//! by another one ends the instance, so no request may wait for what another one does, which `sn17_aws::edge` sees to.
#![cfg(target_os = "wasi")]

mod client;
mod platform;
mod service;
mod telemetry;
mod variables;

use axum::body::Body;
use http::{Response, StatusCode};
use sn17_http::Arriving;
use spin_sdk::http::Request;
use spin_sdk::http_service;
use tower::ServiceExt as _;

/// Answers one request.
#[http_service]
async fn serve(request: Request) -> Response<Body> {
    telemetry::init();
    match service::router().await {
        Ok(router) => router
            .oneshot(request.map(|body| Body::new(Arriving::new(body, platform::timer))))
            .await
            .unwrap_or_else(|never| match never {}),
        Err(error) => {
            for fault in error.0 {
                tracing::error!(fault, "cannot use the variables");
            }
            let mut answer = Response::new(Body::from("this host is not configured"));
            *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            answer
        }
    }
}
