//! `serve --simulate`: scripted verdicts instead of rendering and scoring, for those who develop clients, miners
//! and plug-ins.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use sn17_app::{App, ScoreError, Scored, Scorer, ScoringJob, ScoringPrompt};
use sn17_core::Hotkey;
use sn17_core::policy::Policy;
use sn17_core::scoring::RawViews;
use sn17_core::state::Prompt;
use sn17_wire::ss58;

use crate::host::Clock;

/// Views that a verdict is made of, as many as real ones.
const VIEWS: usize = 16;
/// Score of a submission that nothing was scripted for.
const DEFAULT_SCORE: f64 = 0.8;
/// Verdicts that may wait for a miner.
const SCRIPT_MAX: usize = 1_000;
/// Every answer of a simulating server carries this.
const LABEL: HeaderName = HeaderName::from_static("x-sn17-simulated");

/// One verdict to come.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptedVerdict {
    /// The miner; any, if none is named.
    hotkey: Option<String>,
    /// The score, 0 to 1.
    #[serde(default = "default_score")]
    score: f64,
    /// Milliseconds until the verdict.
    #[serde(default)]
    delay_ms: u64,
    /// The payload is refused as no splat at all, for this reason.
    invalid: Option<String>,
    /// Scoring fails, a fault of the network's.
    #[serde(default)]
    fail: bool,
}

fn default_score() -> f64 {
    DEFAULT_SCORE
}

/// The verdicts to come.
#[derive(Debug)]
pub(crate) struct Script {
    policy: Policy,
    next: Mutex<BTreeMap<Option<Hotkey>, VecDeque<ScriptedVerdict>>>,
}

impl Script {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, next: Mutex::new(BTreeMap::new()) }
    }

    fn push(&self, hotkey: Option<Hotkey>, verdict: ScriptedVerdict) -> bool {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let verdicts = next.entry(hotkey).or_default();
        if verdicts.len() >= SCRIPT_MAX {
            return false;
        }
        verdicts.push_back(verdict);
        true
    }

    /// The next verdict for this miner, else the next for anyone.
    fn pop(&self, hotkey: Hotkey) -> Option<ScriptedVerdict> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let own = next.get_mut(&Some(hotkey)).and_then(VecDeque::pop_front);
        own.or_else(|| next.get_mut(&None).and_then(VecDeque::pop_front))
    }
}

#[async_trait]
impl Scorer for Script {
    async fn score(&self, job: ScoringJob) -> Result<Scored, ScoreError> {
        let verdict = self.pop(job.hotkey);
        let delay_ms = verdict.as_ref().map_or(0, |verdict| verdict.delay_ms);
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        if verdict.as_ref().is_some_and(|verdict| verdict.fail) {
            return Err(ScoreError("scripted failure".to_owned()));
        }
        if let Some(reason) = verdict.as_ref().and_then(|verdict| verdict.invalid.clone()) {
            return Ok(Scored::Invalid { reason });
        }
        let score = verdict.map_or(DEFAULT_SCORE, |verdict| verdict.score);
        let views = views_for(score, &job.prompt, &self.policy);
        Ok(Scored::Measured { views, synthetic: true, previews: None, likeness: None })
    }
}

/// Raw figures that the score formula turns into `score`.
///
/// Alignment and both similarities are perfect, which leaves the rest to the image quality; below what they alone
/// amount to, everything but alignment is given up, and at last that too.
fn views_for(score: f64, prompt: &ScoringPrompt, policy: &Policy) -> RawViews {
    let rules = &policy.metrics;
    let best_cosine = match prompt {
        ScoringPrompt::Text(_) => rules.text_alignment_scale,
        ScoringPrompt::Image(_) => 1.0,
    };
    let perfect = RawViews {
        cosines: vec![best_cosine; VIEWS],
        iqa: vec![0.0; VIEWS],
        lpips: vec![0.0; VIEWS],
        ssim: vec![1.0; VIEWS],
    };
    let poor = RawViews {
        cosines: vec![best_cosine * (rules.alignment_min + 0.001); VIEWS],
        lpips: vec![1.0; VIEWS],
        ssim: vec![0.0; VIEWS],
        ..perfect.clone()
    };
    for base in [perfect, poor] {
        let missing = score - score_of(&base, prompt, policy);
        if missing >= 0.0 {
            let quality = (missing / rules.iqa_weight).min(1.0);
            return RawViews { iqa: vec![quality; VIEWS], ..base };
        }
    }
    RawViews {
        cosines: vec![0.0; VIEWS],
        iqa: vec![0.0; VIEWS],
        lpips: vec![1.0; VIEWS],
        ssim: vec![0.0; VIEWS],
    }
}

fn score_of(views: &RawViews, prompt: &ScoringPrompt, policy: &Policy) -> f64 {
    use sn17_core::scoring::{Metrics, PromptKind, score};

    let kind = match prompt {
        ScoringPrompt::Text(_) => PromptKind::Text,
        ScoringPrompt::Image(_) => PromptKind::Image,
    };
    score(&Metrics::from_views(views, kind, &policy.metrics), &policy.metrics)
}

#[derive(Clone)]
struct Control {
    app: Arc<App>,
    script: Arc<Script>,
    clock: Clock,
    store_clock: sn17_store::Clock,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NextTask {
    hotkey: String,
    prompt: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockOffset {
    offset_ms: i64,
}

/// Adds the control routes and labels every answer.
pub(crate) fn extend(
    router: Router,
    app: Arc<App>,
    script: Arc<Script>,
    clock: Clock,
    store_clock: sn17_store::Clock,
) -> Router {
    let control = Control { app, script, clock, store_clock };
    let routes = Router::new()
        .route("/simulate/verdict", post(verdict))
        .route("/simulate/task", post(task))
        .route("/simulate/clock", post(offset))
        .with_state(control);
    router.merge(routes).layer(axum::middleware::map_response(async |mut response: Response| {
        response.headers_mut().insert(LABEL, HeaderValue::from_static("true"));
        response
    }))
}

async fn verdict(State(control): State<Control>, Json(verdict): Json<ScriptedVerdict>) -> Response {
    let hotkey = match verdict.hotkey.as_deref().map(ss58::decode).transpose() {
        Ok(hotkey) => hotkey,
        Err(error) => return refuse(&format!("hotkey: {error}")),
    };
    if !(0.0..=1.0).contains(&verdict.score) {
        return refuse("score must be within 0 and 1");
    }
    if !control.script.push(hotkey, verdict) {
        return refuse(&format!("at most {SCRIPT_MAX} verdicts may wait for a miner"));
    }
    StatusCode::NO_CONTENT.into_response()
}

async fn task(State(control): State<Control>, Json(next): Json<NextTask>) -> Response {
    match ss58::decode(&next.hotkey) {
        Ok(hotkey) => {
            control.app.prompts().reserve(hotkey, Prompt::Text(next.prompt));
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => refuse(&format!("hotkey: {error}")),
    }
}

async fn offset(State(control): State<Control>, Json(offset): Json<ClockOffset>) -> Response {
    control.clock.set_offset_ms(offset.offset_ms);
    control.store_clock.moved();
    StatusCode::NO_CONTENT.into_response()
}

fn refuse(message: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(serde_json::json!({ "message": message }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripted_scores_come_out_of_the_unchanged_formula() {
        let policy = Policy::default();
        for prompt in [ScoringPrompt::Text(String::new()), ScoringPrompt::Image(bytes::Bytes::new())] {
            for score in [0.0, 0.07, 0.2, 0.3, 0.599, 0.6, 0.8, 0.99] {
                let reached = score_of(&views_for(score, &prompt, &policy), &prompt, &policy);
                assert!((reached - score).abs() < 1e-6, "{score} became {reached}");
            }
        }
    }
}
