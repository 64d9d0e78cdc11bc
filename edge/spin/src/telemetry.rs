//! Logs, and a line for every request: JSON on standard error, which every host keeps.

use std::io;
use std::sync::Once;

use sn17_http::{Observer, Served};
use tracing::Level;

/// Lets the component log from `info` on.
pub(crate) fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(Level::INFO);
        subscriber.with_current_span(false).with_span_list(false).with_writer(io::stderr).init();
    });
}

/// Writes a line for each request, an error where we have failed; `stage` names the deployment.
pub(crate) fn observer(stage: String) -> Observer {
    Observer::new(move |served| {
        let Served { route, method, status, duration_ms, refusal, verdict } = *served;
        let reason = refusal.map(|refused| refused.reason);
        let invariant = refusal.and_then(|refused| refused.invariant);
        if status >= 500 {
            tracing::error!(stage, route, method, status, duration_ms, reason, invariant, verdict, "served");
        } else {
            tracing::info!(stage, route, method, status, duration_ms, reason, invariant, verdict, "served");
        }
    })
}
