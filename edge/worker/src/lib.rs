//! The network's HTTP surface as a Cloudflare Worker: clients, miners and operators over DynamoDB and S3.
//!
//! The routes are those of `sn17-http`, the adapters those of `sn17-aws`. What is here stands between them and workerd:
//! `exchange` turns requests and answers, `fetch` is the AWS SDK's HTTP client, `platform` its clock and timers,
//! `console` the logs.

mod console;
mod exchange;
mod fetch;
mod platform;
mod service;
mod streams;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use worker::{Context, Env, ScheduleContext, ScheduledEvent, event, web_sys};

use crate::service::Service;

#[event(start)]
fn start() {
    console::init();
}

#[event(fetch)]
async fn fetch(request: web_sys::Request, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    exchange::answer(respond(&request, &env, &context).await, &context).await
}

async fn respond(request: &web_sys::Request, env: &Env, context: &Context) -> Response {
    let service = match Service::of(env) {
        Ok(service) => service,
        Err(error) => {
            tracing::error!(%error, "the Worker's variables are faulty");
            return (StatusCode::INTERNAL_SERVER_ERROR, "internal error").into_response();
        }
    };
    match exchange::request(request) {
        Some(request) => service.respond(request, context).await,
        None => (StatusCode::BAD_REQUEST, "the request cannot be read").into_response(),
    }
}

#[event(scheduled)]
async fn scheduled(_: ScheduledEvent, env: Env, _: ScheduleContext) {
    match Service::of(&env) {
        Ok(service) => {
            // Without a message: what was done is logged, and what was not is done by the next sweep.
            if let Err(error) = service.edge.sweep().await {
                tracing::error!(%error, "the sweep failed");
            }
        }
        Err(error) => tracing::error!(%error, "the Worker's variables are faulty"),
    }
}
