//! Verdicts that tests decide on, for networks whose scoring is a part of the test.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use sn17_app::{ScoreError, Scored, Scorer, ScoringJob, ScoringPrompt};
use sn17_core::Hotkey;
use sn17_core::policy::Policy;
use sn17_core::scoring::{Metrics, PromptKind, RawViews, score};

/// Views that a verdict is made of, as many as real ones.
const VIEWS: usize = 16;

/// One verdict to come, as the control route of `serve --simulate` takes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Verdict {
    score: f64,
    delay_ms: u64,
    invalid: Option<String>,
    fail: bool,
}

impl Default for Verdict {
    fn default() -> Self {
        Self { score: 0.8, delay_ms: 0, invalid: None, fail: false }
    }
}

/// The verdicts to come, by miner; where none was scripted, the default one.
#[derive(Debug)]
pub(crate) struct Script {
    policy: Policy,
    next: Mutex<BTreeMap<Hotkey, VecDeque<Verdict>>>,
}

impl Script {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, next: Mutex::default() }
    }

    pub(crate) fn push(&self, miner: Hotkey, verdict: Verdict) {
        self.next.lock().unwrap().entry(miner).or_default().push_back(verdict);
    }
}

#[async_trait]
impl Scorer for Script {
    async fn score(&self, job: ScoringJob) -> Result<Scored, ScoreError> {
        let next = self.next.lock().unwrap().get_mut(&job.hotkey).and_then(VecDeque::pop_front);
        let verdict = next.unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(verdict.delay_ms)).await;
        if verdict.fail {
            return Err(ScoreError("scripted failure".to_owned()));
        }
        if let Some(reason) = verdict.invalid {
            return Ok(Scored::Invalid { reason });
        }
        let kind = match job.prompt {
            ScoringPrompt::Text(_) => PromptKind::Text,
            ScoringPrompt::Image(_) => PromptKind::Image,
        };
        let views = views_for(verdict.score, kind, &self.policy);
        Ok(Scored::Measured { views, synthetic: true, previews: None, likeness: None })
    }
}

/// Raw figures that the unchanged formula turns into `wanted`: as good as they may be in everything but the image quality,
/// which makes up for the rest, or as bad where that alone is too much.
fn views_for(wanted: f64, kind: PromptKind, policy: &Policy) -> RawViews {
    let rules = &policy.metrics;
    let scale = match kind {
        PromptKind::Text => rules.text_alignment_scale,
        PromptKind::Image => 1.0,
    };
    let views = |alignment: f64, iqa: f64, distance: f64| RawViews {
        cosines: vec![alignment * scale; VIEWS],
        iqa: vec![iqa; VIEWS],
        lpips: vec![distance; VIEWS],
        ssim: vec![1.0 - distance; VIEWS],
    };
    for (alignment, distance) in [(1.0, 0.0), (rules.alignment_min + 0.001, 1.0)] {
        let without = score(&Metrics::from_views(&views(alignment, 0.0, distance), kind, rules), rules);
        if wanted >= without {
            let iqa = ((wanted - without) / rules.iqa_weight).min(1.0);
            return views(alignment, iqa, distance);
        }
    }
    views(0.0, 0.0, 1.0)
}

#[test]
fn scripted_scores_come_out_of_the_unchanged_formula() {
    let policy = Policy::default();
    for kind in [PromptKind::Text, PromptKind::Image] {
        for wanted in [0.0, 0.07, 0.2, 0.3, 0.42, 0.599, 0.6, 0.7, 0.8, 0.99] {
            let metrics = Metrics::from_views(&views_for(wanted, kind, &policy), kind, &policy.metrics);
            let reached = score(&metrics, &policy.metrics);
            assert!((reached - wanted).abs() < 1e-6, "{wanted} became {reached}");
        }
    }
}
