//! How long scoring takes, in the log.

use std::time::Instant;

use async_trait::async_trait;
use sn17_app::{ScoreError, Scored, Scorer, ScoringJob};

/// A scorer that logs how long each job took; the time for its blobs and its verdict is not part of it.
#[derive(Debug)]
pub struct Timed<S>(pub S);

#[async_trait]
impl<S: Scorer> Scorer for Timed<S> {
    async fn score(&self, job: ScoringJob) -> Result<Scored, ScoreError> {
        let begun = Instant::now();
        let splat_bytes = job.splat.len();
        let scored = self.0.score(job).await;
        let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(duration_ms, splat_bytes, is_answered = scored.is_ok(), "scored");
        scored
    }
}
