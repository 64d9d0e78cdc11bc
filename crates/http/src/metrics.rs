//! What is counted, in Prometheus's terms.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::refusal::Refusal;

/// Media type of the answer (`OpenMetrics` 1.0).
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Upper bounds of the latency buckets in seconds; the host's clock counts milliseconds.
const LATENCY_BUCKETS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 25.0, 60.0];

type Histograms = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// The metrics of one router.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Histograms,
    refusals: Family<RefusalLabels, Counter>,
    submissions: Family<SubmissionLabels, Counter>,
    /// Open tasks in the ledger, as of the last look.
    open_tasks: Gauge<u64, AtomicU64>,
    /// Working memory of submissions being received.
    upload_bytes: Gauge<u64, AtomicU64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    route: &'static str,
    reason: &'static str,
    invariant: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SubmissionLabels {
    verdict: &'static str,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("sn17");
        let requests = Family::default();
        registry.register("http_requests", "Requests answered", requests.clone());
        let new_histogram: fn() -> Histogram = || Histogram::new(LATENCY_BUCKETS);
        let durations = Histograms::new_with_constructor(new_histogram);
        let help = "Time from a request's headers to its answer's";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, durations.clone());
        let refusals = Family::default();
        registry.register("http_refusals", "Requests refused, with the invariant upheld", refusals.clone());
        let submissions = Family::default();
        registry.register(
            "submissions",
            "Submissions answered, by what was said of them",
            submissions.clone(),
        );
        let open_tasks = Gauge::default();
        registry.register("open_tasks", "Tasks waiting for results", open_tasks.clone());
        let upload_bytes = Gauge::default();
        let help = "Working memory of submissions being received";
        registry.register_with_unit("submission_memory", help, Unit::Bytes, upload_bytes.clone());
        Self { registry, requests, durations, refusals, submissions, open_tasks, upload_bytes }
    }

    /// Counts an answer.
    pub(crate) fn answered(&self, route: &'static str, method: &'static str, status: u16, duration_ms: u64) {
        self.requests.get_or_create(&RequestLabels { route, method, status }).inc();
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of one request")]
        let secs = duration_ms as f64 / 1000.0;
        self.durations.get_or_create(&RouteLabels { route }).observe(secs);
    }

    /// Counts a refusal.
    pub(crate) fn refused(&self, route: &'static str, refusal: &Refusal) {
        let Refusal { reason, invariant, .. } = *refusal;
        self.refusals.get_or_create(&RefusalLabels { route, reason, invariant }).inc();
    }

    /// Counts a submission that got feedback.
    pub(crate) fn submitted(&self, verdict: &'static str) {
        self.submissions.get_or_create(&SubmissionLabels { verdict }).inc();
    }

    /// Everything as text.
    pub(crate) fn render(&self, open_tasks: u64, upload_bytes: u64) -> String {
        self.open_tasks.set(open_tasks);
        self.upload_bytes.set(upload_bytes);
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        text
    }
}
