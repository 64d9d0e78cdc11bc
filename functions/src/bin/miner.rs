//! The Lambda function behind the routes of miners.

use lambda_http::Error;
use sn17_aws::settings::Role;
use sn17_functions::{BODY_BYTES_MAX, Started, embedded_metrics, serve};
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
        // One instance serves one request at a time, so counters in it would count next to nothing: a web ACL is the place.
        limits: RateLimits::NONE,
        ..HttpOptions::default()
    };
    serve(sn17_http::router(started.app(None)?, options)).await
}
