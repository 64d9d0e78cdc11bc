//! Logs as a container writes them.

use tracing_subscriber::EnvFilter;

/// Lets the program log JSON lines to standard error; `RUST_LOG` says what, by default everything from `info` on.
///
/// Standard output is left to the child process, which answers on it.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,ort=warn"));
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
