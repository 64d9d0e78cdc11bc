//! Logs, and a line for every request: JSON on standard error, which every host keeps.

use std::io;
use std::sync::Once;

use sn17_http::Observer;
use tracing::Level;

/// Lets the component log from `info` on.
pub(crate) fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(Level::INFO);
        subscriber.with_current_span(false).with_span_list(false).with_writer(io::stderr).init();
    });
}

/// Writes a line for each request; `stage` names the deployment.
pub(crate) fn observer(stage: String) -> Observer {
    Observer::new(move |served| {
        tracing::info!(
            stage,
            route = served.route,
            method = served.method,
            status = served.status,
            duration_ms = served.duration_ms,
            reason = served.refusal.map(|refused| refused.reason),
            invariant = served.refusal.and_then(|refused| refused.invariant),
            verdict = served.verdict,
            "served"
        );
    })
}
