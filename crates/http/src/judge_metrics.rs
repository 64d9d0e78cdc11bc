//! What a process has seen of its judge, in Prometheus's terms.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use sn17_app::{App, DURATION_MS_MAX, JudgeFigures};
use sn17_core::glicko::Outcome;

/// Shows the figures of an app's judge.
#[derive(Debug)]
pub(crate) struct JudgeMetrics(pub(crate) Arc<App>);

impl Collector for JudgeMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let figures = self.0.judge_figures();
        let counter = MetricType::Counter;

        let help = "Questions to the judge, by what became of them";
        let mut questions = encoder.encode_descriptor("judge_questions", help, None, counter)?;
        for (reply, count) in &figures.questions {
            let labels = [("result", reply.label())];
            questions.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
        }

        let help = "Time from a question to its answer, all tries included";
        let unit = Some(&Unit::Seconds);
        encoder
            .encode_descriptor("judge_question_duration", help, unit, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(
                secs(figures.duration_ms),
                figures.asked(),
                &buckets(&figures),
                None,
            )?;

        let help = "Comparisons, by their outcome and what it rests on";
        let mut verdicts = encoder.encode_descriptor("judge_verdicts", help, None, counter)?;
        for ((ground, outcome), count) in &figures.verdicts {
            let labels = [("outcome", name(*outcome)), ("reason", ground.label())];
            verdicts.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
        }

        let help = "Questions with known answers, by whether they were answered right";
        let mut canaries = encoder.encode_descriptor("judge_canaries", help, None, counter)?;
        for (result, count) in [("right", figures.canaries_right), ("wrong", figures.canaries_wrong)] {
            let labels = [("result", result)];
            canaries.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }

        let help = "Share of right answers to them, the latest counting most";
        encoder
            .encode_descriptor("judge_canary_accuracy", help, None, MetricType::Gauge)?
            .encode_gauge(&figures.canary_accuracy)?;

        let help = "Tokens that the judge has cost";
        encoder
            .encode_descriptor("judge_tokens", help, None, counter)?
            .encode_counter::<NoLabelSet, _, u64>(&figures.tokens, None)
    }
}

/// Questions by the upper bound of their time in seconds.
fn buckets(figures: &JudgeFigures) -> Vec<(f64, u64)> {
    let bounds = DURATION_MS_MAX.map(secs).into_iter().chain([f64::INFINITY]);
    bounds.zip(figures.durations).collect()
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds that a process has lived through")]
fn secs(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

const fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Left => "left",
        Outcome::Draw => "draw",
        Outcome::Right => "right",
    }
}
