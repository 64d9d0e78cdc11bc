//! Logs as Lambda keeps them.

use tracing_subscriber::EnvFilter;

/// Lets the function log JSON lines to standard output; `RUST_LOG` says what, by default everything from `info` on.
///
/// The invocation's request and trace ids come with the span that each event is handled in. CloudWatch adds the time.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(true)
        .without_time()
        .with_env_filter(filter)
        .init();
}
