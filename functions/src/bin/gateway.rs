//! The Lambda function behind the routes of clients and operators.

use lambda_http::Error;
use sn17_aws::settings::Role;
use sn17_functions::{
    BODY_BYTES_MAX, CONVERSION_BYTES_MAX, REDIRECT_ABOVE_BYTES, Started, embedded_metrics, serve_streaming,
};
use sn17_http::{AdminKey, HttpOptions, PlatformLimit, RateLimits, RosterSource, Routes};

#[tokio::main]
async fn main() -> Result<(), Error> {
    sn17_functions::init_telemetry();
    let started = Started::from_env(Role::Gateway).await?;
    let settings = &started.settings;
    let (clients, secrets) = (&started.clients, settings.secrets()?);
    let (key_secret, admin_key) =
        tokio::try_join!(clients.key_secret(&secrets.api_key), clients.secret(&secrets.admin_key))?;
    let app = started.app(Some(key_secret))?;
    let clock = started.host.clone();
    let options = HttpOptions {
        admin_key: AdminKey::new(admin_key),
        routes: Routes::Clients,
        roster_from: RosterSource::Operator,
        body_limit: Some(PlatformLimit { bytes_max: BODY_BYTES_MAX, edge: settings.edge_url.clone() }),
        conversion_bytes_max: Some(CONVERSION_BYTES_MAX),
        redirect_above: Some(REDIRECT_ABOVE_BYTES),
        observer: Some(embedded_metrics(settings.stage.clone(), move || (clock.now)().0)),
        // One instance serves one request at a time, so counters in it would count next to nothing: a web ACL is the place.
        limits: RateLimits::NONE,
        ..HttpOptions::default()
    };
    serve_streaming(sn17_http::router(app, options)).await
}
