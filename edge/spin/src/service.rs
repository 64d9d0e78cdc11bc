//! The routes over the adapters, made once for each instance.

use std::sync::OnceLock;

use axum::Router;
use sn17_aws::edge::Edge;
use sn17_aws::settings::SettingsError;
use sn17_http::{AdminKey, HttpOptions};

use crate::{platform, telemetry, variables};

/// The routes.
///
/// # Errors
/// Everything that is wrong with the variables; they are read anew for the next request.
pub(crate) async fn router() -> Result<Router, SettingsError> {
    static ROUTER: OnceLock<Router> = OnceLock::new();
    if let Some(router) = ROUTER.get() {
        return Ok(router.clone());
    }
    let variables = variables::read().await;
    let edge = Edge::new(platform::platform(), |name| variables.get(name).cloned())?;
    let observer = telemetry::observer(edge.settings().stage.clone());
    let options = HttpOptions::edge(AdminKey::new(edge.admin_key()), observer);
    // Of two requests that came here at once, the second takes what the first has made.
    Ok(ROUTER.get_or_init(|| sn17_http::router(edge.app(), options)).clone())
}
