//! The routes over the adapters, made once for each instance.

use std::sync::OnceLock;

use axum::Router;
use sn17_aws::edge::Edge;
use sn17_aws::settings::SettingsError;
use sn17_http::{AdminKey, HttpOptions, RateLimits, RosterSource, Routes};

use crate::{platform, telemetry, variables};

/// Working memory of all submissions being received, as the router counts it: six at once, which hold a part of 5 MiB that
/// fills and the same part on its way to S3 each.
const SUBMISSIONS_BYTES: usize = 24 << 20;
/// Memory of small bodies: 64 KiB each at most.
const BODIES_BYTES: usize = 2 << 20;
/// Memory of the bodies of `add_task`.
const PROMPTS_BYTES: usize = 12 << 20;
/// Memory of results being turned into PLY and of pictures being read, all together and each: an instance takes the memory
/// of its busiest moment for as long as it lives, and hosts have many.
const CONVERSIONS_BYTES: usize = 40 << 20;

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
    // Of two requests that came here at once, the second takes what the first has made.
    Ok(ROUTER.get_or_init(|| sn17_http::router(edge.app(), options(&edge))).clone())
}

fn options(edge: &Edge) -> HttpOptions {
    HttpOptions {
        routes: Routes::Edge,
        admin_key: AdminKey::new(edge.admin_key()),
        body_memory_bytes: BODIES_BYTES,
        prompt_memory_bytes: PROMPTS_BYTES,
        submission_memory_bytes: SUBMISSIONS_BYTES,
        conversion_memory_bytes: CONVERSIONS_BYTES,
        conversion_bytes_max: Some(CONVERSIONS_BYTES),
        // Instances come and go with the load, so counters in one would count next to nothing.
        limits: RateLimits::NONE,
        observer: Some(telemetry::observer(edge.settings().stage.clone())),
        roster_from: RosterSource::Operator,
        ..HttpOptions::default()
    }
}
