//! Logs as JSON lines on the console, which Cloudflare keeps by their fields.

use std::io::{self, Write};

use sn17_http::{Observer, Served};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Lets everything from `info` on be logged. Cloudflare adds the time and the request.
pub(crate) fn init() {
    let logging = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(true)
        .with_ansi(false)
        .without_time()
        .with_max_level(Level::INFO)
        .with_writer(Console)
        .try_init();
    // An error means that it is initialised already.
    drop(logging);
}

/// Logs one line for each request.
pub(crate) fn observer() -> Observer {
    Observer::new(log)
}

fn log(served: &Served) {
    let Served { route, method, status, duration_ms, refusal, verdict } = *served;
    let reason = refusal.map(|refused| refused.reason);
    let invariant = refusal.and_then(|refused| refused.invariant);
    let memory = memory_bytes();
    if status >= 500 {
        tracing::error!(route, method, status, duration_ms, reason, invariant, verdict, memory, "served");
    } else {
        tracing::info!(route, method, status, duration_ms, reason, invariant, verdict, memory, "served");
    }
}

/// WASM's memory in this isolate. It never shrinks, and counts towards the 128 MB that an isolate may have.
fn memory_bytes() -> usize {
    const PAGE_BYTES: usize = 64 << 10;
    core::arch::wasm32::memory_size::<0>() * PAGE_BYTES
}

/// `console.error`, `console.warn` and `console.log`, by level.
#[derive(Clone, Copy, Debug)]
struct Console;

impl<'a> MakeWriter<'a> for Console {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { level: Level::INFO, bytes: Vec::new() }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Line {
        Line { level: *event.level(), bytes: Vec::new() }
    }
}

/// An event on its way to the console.
#[derive(Debug)]
struct Line {
    level: Level,
    bytes: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.bytes);
        let text = text.trim_end();
        if self.level == Level::ERROR {
            worker::console_error!("{text}");
        } else if self.level == Level::WARN {
            worker::console_warn!("{text}");
        } else {
            worker::console_log!("{text}");
        }
    }
}
