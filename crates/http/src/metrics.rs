//! What is counted, in Prometheus's terms.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use sn17_app::App;

use crate::judge_metrics::JudgeMetrics;
use crate::refusal::Refusal;

/// Media type of what [`Metrics::render`] gives with counters (`OpenMetrics` 1.0).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Media type of what it gives without (Prometheus text 0.0.4): only this form may have comments of our own.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Comment at the head of the latter.
const NOT_COUNTED: &str =
    "# Requests are counted by the platform (CloudWatch on AWS), not here; the gauges are the ledger's.\n";
/// Upper bounds of the latency buckets in seconds; the host's clock counts milliseconds.
const LATENCY_BUCKETS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 25.0, 60.0];

type Histograms = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// The metrics of one router.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    counts_requests: bool,
    requests: Family<RequestLabels, Counter>,
    durations: Histograms,
    refusals: Family<RefusalLabels, Counter>,
    submissions: Family<SubmissionLabels, Counter>,
    /// Open tasks in the ledger, as of the last look.
    open_tasks: Gauge<u64, AtomicU64>,
    /// Working memory of submissions being received.
    upload_bytes: Gauge<u64, AtomicU64>,
    /// Results that wait for the judge.
    judge_backlog: Gauge<u64, AtomicU64>,
}

/// What is looked at when metrics are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    /// Tasks waiting for results.
    pub(crate) open_tasks: u64,
    /// Working memory of submissions being received.
    pub(crate) upload_bytes: u64,
    /// Comparisons waiting for the judge.
    pub(crate) judge_backlog: u64,
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
    /// Shows nothing but the ledger's gauges unless it `counts_requests`: where each request may meet another process,
    /// its counters say nothing.
    pub(crate) fn new(counts_requests: bool, app: Arc<App>) -> Self {
        let mut registry = Registry::with_prefix("sn17");
        let open_tasks = Gauge::default();
        registry.register("open_tasks", "Tasks waiting for results", open_tasks.clone());
        let metrics = Self {
            registry,
            counts_requests,
            requests: Family::default(),
            durations: Histograms::new_with_constructor(|| Histogram::new(LATENCY_BUCKETS)),
            refusals: Family::default(),
            submissions: Family::default(),
            open_tasks,
            upload_bytes: Gauge::default(),
            judge_backlog: Gauge::default(),
        };
        if counts_requests { metrics.with_process(app) } else { metrics }
    }

    /// Shows what this process has counted, too.
    fn with_process(mut self, app: Arc<App>) -> Self {
        let registry = &mut self.registry;
        registry.register("http_requests", "Requests answered", self.requests.clone());
        let help = "Time from a request's headers to its answer's";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, self.durations.clone());
        let help = "Requests refused, with the invariant upheld";
        registry.register("http_refusals", help, self.refusals.clone());
        let help = "Submissions answered, by what was said of them";
        registry.register("submissions", help, self.submissions.clone());
        let help = "Working memory of submissions being received";
        registry.register_with_unit("submission_memory", help, Unit::Bytes, self.upload_bytes.clone());
        let help = "Comparisons waiting for the judge";
        registry.register("judge_backlog", help, self.judge_backlog.clone());
        registry.register_collector(Box::new(JudgeMetrics(app)));
        self
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

    /// Whether it shows what this process has counted.
    pub(crate) const fn counts_requests(&self) -> bool {
        self.counts_requests
    }

    /// Everything as text, with its media type.
    pub(crate) fn render(&self, gauges: Gauges) -> (&'static str, String) {
        self.open_tasks.set(gauges.open_tasks);
        self.upload_bytes.set(gauges.upload_bytes);
        self.judge_backlog.set(gauges.judge_backlog);
        let (media_type, mut text) = if self.counts_requests {
            (OPEN_METRICS, String::new())
        } else {
            (PROMETHEUS_TEXT, NOT_COUNTED.to_owned())
        };
        encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        (media_type, text)
    }
}
