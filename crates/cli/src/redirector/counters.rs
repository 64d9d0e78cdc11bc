//! What a redirector counts, in Prometheus's terms.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// Media type of what [`Counters::render`] gives (`OpenMetrics` 1.0).
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The routes that miners use; everything else is counted as one, so that nobody can make up labels.
const ROUTES: [&str; 3] = ["/PullTask", "/SubmitResults", "/GetVersion"];

/// The counters of one process.
#[derive(Debug)]
pub(super) struct Counters {
    registry: Registry,
    answers: Family<Labels, Counter>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    route: &'static str,
    status: u16,
}

impl Default for Counters {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("sn17");
        let answers = Family::default();
        registry.register("redirector_answers", "Requests answered; 307 is sent on", answers.clone());
        Self { registry, answers }
    }
}

impl Counters {
    /// Counts an answer.
    pub(super) fn answered(&self, path: &str, status: u16) {
        let route = ROUTES.into_iter().find(|route| *route == path).unwrap_or("other");
        self.answers.get_or_create(&Labels { route, status }).inc();
    }

    /// Everything as text.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        text
    }
}
