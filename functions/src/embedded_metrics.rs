//! Requests and rosters as CloudWatch metrics, in its embedded metric format: a line of the log that CloudWatch turns into
//! metrics by itself, without a call.

use std::io::Write as _;

use serde_json::{Value, json};
use sn17_http::{Observer, Served};

/// The namespace of all metrics.
const NAMESPACE: &str = "sn17";

/// Writes one line for each request, with the dimensions `stage` and `route`:
/// `Requests`, `RequestMs`, `Refusals` (4xx) and `Faults` (5xx).
pub fn embedded_metrics(stage: String, now_ms: impl Fn() -> u64 + Send + Sync + 'static) -> Observer {
    Observer::new(move |served| write(&request_line(&stage, now_ms(), served)))
}

/// Writes one line for a roster that has been applied, with the dimension `stage`: `RosterMiners`, how many are
/// registered, and `RosterAgeSecs`, the age of the block that says so.
pub(crate) fn roster_metrics(stage: &str, now_ms: u64, miners: usize, age_secs: u64) {
    write(&roster_line(stage, now_ms, miners, age_secs));
}

fn write(line: &Value) {
    // Where standard output is gone, so is whoever would read it.
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn request_line(stage: &str, now_ms: u64, served: &Served) -> Value {
    let metrics =
        [("Requests", "Count"), ("RequestMs", "Milliseconds"), ("Refusals", "Count"), ("Faults", "Count")];
    json!({
        "_aws": declaration(now_ms, &["stage", "route"], &metrics),
        "stage": stage,
        "route": served.route,
        "method": served.method,
        "status": served.status,
        "reason": served.refusal.map(|refused| refused.reason),
        "invariant": served.refusal.and_then(|refused| refused.invariant),
        "verdict": served.verdict,
        "Requests": 1,
        "RequestMs": served.duration_ms,
        "Refusals": u8::from((400..500).contains(&served.status)),
        "Faults": u8::from(served.status >= 500),
    })
}

fn roster_line(stage: &str, now_ms: u64, miners: usize, age_secs: u64) -> Value {
    json!({
        "_aws": declaration(now_ms, &["stage"], &[("RosterMiners", "Count"), ("RosterAgeSecs", "Seconds")]),
        "stage": stage,
        "RosterMiners": miners,
        "RosterAgeSecs": age_secs,
    })
}

/// What CloudWatch is to make of a line: its dimensions, and its metrics with their units.
fn declaration(now_ms: u64, dimensions: &[&str], metrics: &[(&str, &str)]) -> Value {
    let metric = |(name, unit): &(&str, &str)| json!({ "Name": name, "Unit": unit });
    json!({
        "Timestamp": now_ms,
        "CloudWatchMetrics": [{
            "Namespace": NAMESPACE,
            "Dimensions": [dimensions],
            "Metrics": metrics.iter().map(metric).collect::<Vec<_>>(),
        }],
    })
}

#[cfg(test)]
mod tests {
    use sn17_http::Refused;

    use super::*;

    #[test]
    fn a_line_declares_every_metric_that_it_carries() {
        let refusal = Some(Refused { reason: "quota", invariant: None });
        let (route, method) = ("/add_task", "POST");
        let served = Served { route, method, status: 429, duration_ms: 12, refusal, verdict: None };
        let line = request_line("prod", 1_700_000_000_000, &served);
        for line in [&line, &roster_line("prod", 1_700_000_000_000, 256, 24)] {
            let declared = &line["_aws"]["CloudWatchMetrics"][0];
            for metric in declared["Metrics"].as_array().unwrap() {
                assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{metric}");
            }
            for dimension in declared["Dimensions"][0].as_array().unwrap() {
                assert!(line[dimension.as_str().unwrap()].is_string(), "{dimension}");
            }
        }
        assert_eq!(
            (&line["Refusals"], &line["Faults"], &line["RequestMs"]),
            (&json!(1), &json!(0), &json!(12))
        );
        assert_eq!(line["reason"], "quota");
    }
}
