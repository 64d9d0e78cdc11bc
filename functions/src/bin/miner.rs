//! The Lambda function behind the routes of miners.

use lambda_http::{Error, service_fn};
use sn17_aws::settings::Role;
use sn17_functions::{BODY_BYTES_MAX, Started, embedded_metrics, respond};
use sn17_http::{HttpOptions, PlatformLimit, RateLimits, Routes};

#[tokio::main]
async fn main() -> Result<(), Error> {
    sn17_functions::init_telemetry();
    let started = Started::from_env(Role::Miner).await?;
    let settings = &started.settings;
    let clock = started.host.clone();
    let options = HttpOptions {
        routes: Routes::Miners,
        body_limit: Some(PlatformLimit { bytes_max: BODY_BYTES_MAX, edge: settings.edge_url.clone() }),
        observer: Some(embedded_metrics(settings.stage.clone(), move || (clock.now)().0)),
        // One instance serves one request at a time: limits by sender are the platform's.
        limits: RateLimits::NONE,
        ..HttpOptions::default()
    };
    let router = sn17_http::router(started.app(None)?, options);
    lambda_http::run(service_fn(move |event| respond(router.clone(), event))).await
}
