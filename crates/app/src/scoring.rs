//! From a queued submission to its verdict.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use sn17_core::judging::Likeness;
use sn17_core::ledger::{Effect, LoadSpec};
use sn17_core::scoring::{Metrics, PromptKind, RawViews};
use sn17_core::settle::{self, Finding};
use sn17_core::state::{Key, Prompt, SubmissionState, TaskKind};
use sn17_core::{Hotkey, TaskId};

use crate::App;
use crate::clients::{fetch, put};
use crate::ports::{BlobKey, Delivery, PortErrorKind, PortResult, transact};

/// What scoring a submission is taken to need before this process has scored any, in milliseconds: what it takes on a
/// processor without an accelerator. Where nobody scores at all, five submissions wait for a verdict and no more.
pub(crate) const PACE_UNKNOWN_MS: u64 = 5_000;
/// How many times the average one job may count in the average.
const PACE_JUMP: u64 = 4;

/// What a scorer gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoringJob {
    /// The task, for logs.
    pub task: TaskId,
    /// The miner, for logs.
    pub hotkey: Hotkey,
    /// The SPZ as it was handed in.
    pub splat: Bytes,
    /// What it should show.
    pub prompt: ScoringPrompt,
    /// Whether a judge will compare it: its pictures and its likeness are asked for.
    pub wants_pictures: bool,
}

/// What a splat should show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScoringPrompt {
    /// Words.
    Text(String),
    /// A picture's bytes: PNG, JPEG or WebP.
    Image(Bytes),
}

/// What a scorer finds out.
#[expect(clippy::large_enum_variant, reason = "almost every answer is a measurement")]
#[derive(Clone, Debug, PartialEq)]
pub enum Scored {
    /// The figures of all views, with pictures for people and duels.
    Measured {
        /// Raw figures; the rules turn them into a score.
        views: RawViews,
        /// Whether synthetic model weights made them.
        synthetic: bool,
        /// PNG pictures.
        previews: Option<Previews>,
        /// What makes it recognisable.
        likeness: Option<Likeness>,
    },
    /// It is not a splat that can be scored.
    Invalid {
        /// Why, in words for the miner.
        reason: String,
    },
}

/// The pictures of a splat: PNG, and an animated WebP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Previews {
    /// The front view.
    pub front: Bytes,
    /// The duel's grid of 2×2 views.
    pub grid: Bytes,
    /// The same views in neutral colours, in which what is painted can hardly be read.
    pub neutral: Option<Bytes>,
    /// One turn of the object.
    pub turntable: Option<Bytes>,
}

/// A failure that is not the miner's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScoreError(pub String);

/// Renders and measures one splat.
#[async_trait]
pub trait Scorer: Send + Sync {
    /// Measures a splat. Whatever is in the job, the scorer MUST answer or fail; a bad splat is an answer
    /// ([`Scored::Invalid`]), never an error.
    async fn score(&self, job: ScoringJob) -> Result<Scored, ScoreError>;
}

/// What a worker does with a delivery after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// Settled now or before: acknowledge it.
    Done,
    /// Failed this time: let others try.
    Retry,
    /// Failed too often: the submission is settled as a failure of ours, and the message may go to the dead letters.
    GivenUp,
}

/// What came of scoring a delivery.
#[derive(Clone, Debug)]
pub enum Examined {
    /// There is nothing to settle.
    Over(Attempt),
    /// This is to take effect.
    Concluded(Box<Conclusion>),
}

/// What scoring has found, and has not taken effect yet.
#[derive(Clone, Debug)]
pub struct Conclusion {
    task: TaskId,
    hotkey: Hotkey,
    finding: Finding,
    previews: Option<Previews>,
    attempt: Attempt,
}

impl App {
    /// Scores and settles what a delivery asks for. Safe to repeat: a settled submission stays as it is (SB-1).
    ///
    /// # Errors
    /// Those of the ports; the delivery is then to be retried.
    pub async fn attempt(&self, delivery: &Delivery, scorer: &dyn Scorer) -> PortResult<Attempt> {
        match self.examine(delivery, scorer).await? {
            Examined::Over(attempt) => Ok(attempt),
            Examined::Concluded(conclusion) => self.conclude(&conclusion).await,
        }
    }

    /// The first half of [`App::attempt`]: scores what a delivery asks for.
    ///
    /// # Errors
    /// Those of the ports; nothing has been scored then.
    pub async fn examine(&self, delivery: &Delivery, scorer: &dyn Scorer) -> PortResult<Examined> {
        let Effect::Score { task, hotkey } = delivery.effect else {
            return Ok(Examined::Over(Attempt::Done));
        };
        let Some(job) = self.scoring_job(task, hotkey).await? else {
            return Ok(Examined::Over(Attempt::Done));
        };
        let kind = match job.prompt {
            ScoringPrompt::Text(_) => PromptKind::Text,
            ScoringPrompt::Image(_) => PromptKind::Image,
        };
        let started = self.now();
        let scored = scorer.score(job).await;
        self.note_pace(self.now().ms_since(started));
        let (finding, previews, attempt) = match scored {
            Ok(Scored::Measured { views, synthetic, previews, likeness }) => {
                let metrics = Metrics::from_views(&views, kind, &self.policy.metrics);
                (Finding::Measured { metrics, synthetic, likeness }, previews, Attempt::Done)
            }
            Ok(Scored::Invalid { reason }) => (Finding::Invalid { reason }, None, Attempt::Done),
            Err(error) if delivery.receive_count < self.policy.submissions.attempts_max => {
                tracing::warn!(task.id = %task, %error, attempt = delivery.receive_count, "scoring failed, trying again");
                return Ok(Examined::Over(Attempt::Retry));
            }
            Err(error) => {
                tracing::error!(task.id = %task, %error, "scoring failed for good");
                (Finding::Failed { reason: error.0 }, None, Attempt::GivenUp)
            }
        };
        Ok(Examined::Concluded(Box::new(Conclusion { task, hotkey, finding, previews, attempt })))
    }

    /// The second half: lets what was found take effect. It may be repeated until it succeeds, without scoring again.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn conclude(&self, conclusion: &Conclusion) -> PortResult<Attempt> {
        let Conclusion { task, hotkey, finding, previews, attempt } = conclusion;
        // No verdict waits for its pictures.
        if let Err(error) = self.keep_previews(*task, *hotkey, previews.clone()).await {
            tracing::warn!(task.id = %task, %error, "the pictures of a submission are lost");
        }
        self.settle(*task, *hotkey, finding.clone()).await?;
        Ok(*attempt)
    }

    /// Lets a verdict take effect; answers whether it was the first one.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn settle(&self, task: TaskId, hotkey: Hotkey, finding: Finding) -> PortResult<bool> {
        let now = self.now();
        let policy = self.policy;
        let decide = move |view: &_| settle::decide(view, task, hotkey, &finding, now, &policy);
        transact(&*self.ports.ledger, self.decision_id(), now, settle::load(task, hotkey), decide).await
    }

    /// What there is to score, none if the submission is settled or gone. A payload or prompt that has been lost is
    /// a failure of ours and settles it.
    async fn scoring_job(&self, task: TaskId, hotkey: Hotkey) -> PortResult<Option<ScoringJob>> {
        let load = LoadSpec::keys([Key::Submission(task, hotkey)]);
        let view = self.ports.ledger.read(self.now(), load).await?;
        let Some((_, submission)) = view.submission(task, &hotkey) else {
            return Ok(None);
        };
        let (SubmissionState::Submitted { .. }, Some(blob)) = (&submission.state, &submission.blob) else {
            return Ok(None);
        };
        let blobs = &*self.ports.blobs;
        let splat = fetch(blobs, &BlobKey(blob.clone()), self.policy.submissions.splat_bytes_max).await;
        let prompt = self.scoring_prompt(&submission.prompt).await;
        let wants_pictures = submission.kind != TaskKind::Synthetic;
        match (splat, prompt) {
            (Ok(splat), Ok(prompt)) => Ok(Some(ScoringJob { task, hotkey, splat, prompt, wants_pictures })),
            (Err(error), _) | (_, Err(error)) if error.kind == PortErrorKind::NotFound => {
                self.settle(task, hotkey, Finding::Failed { reason: error.to_string() }).await?;
                Ok(None)
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// What a splat should show, with a picture's bytes.
    pub(crate) async fn scoring_prompt(&self, prompt: &Prompt) -> PortResult<ScoringPrompt> {
        match prompt {
            Prompt::Text(text) => Ok(ScoringPrompt::Text(text.clone())),
            Prompt::Image { blob, .. } => {
                let bytes_max = self.policy.tasks.image_bytes_max as u64;
                let picture = fetch(&*self.ports.blobs, &BlobKey(blob.clone()), bytes_max).await;
                picture.map(ScoringPrompt::Image)
            }
        }
    }

    /// How long a verdict takes for each submission ahead of it, in milliseconds: as scoring went in this process, or,
    /// where others score, as the verdicts came that were waited for; [`PACE_UNKNOWN_MS`] before the first.
    pub(crate) fn pace_ms(&self) -> u64 {
        match self.pace_ms.load(Ordering::Relaxed) {
            0 => self.wait_pace_ms.load(Ordering::Relaxed),
            known => known,
        }
    }

    /// Notes how a wait went that began behind `ahead` other submissions.
    pub(crate) fn note_wait(&self, ahead: u64, waited_ms: u64, is_settled: bool) {
        let known = self.wait_pace_ms.load(Ordering::Relaxed);
        self.wait_pace_ms.store(wait_pace_ms(known, ahead, waited_ms, is_settled), Ordering::Relaxed);
    }

    /// Notes that a wait was not even begun. What made it look hopeless is believed a little less the next time:
    /// whoever never waits never learns that it has become quicker.
    pub(crate) fn note_hopeless(&self) {
        let known = self.wait_pace_ms.load(Ordering::Relaxed);
        self.wait_pace_ms.store(known - known / 8, Ordering::Relaxed);
    }

    fn note_pace(&self, took_ms: u64) {
        // Two workers that note at once may lose one figure, which does no harm.
        let pace_ms = self.pace_ms.load(Ordering::Relaxed);
        self.pace_ms.store(next_pace_ms(pace_ms, took_ms), Ordering::Relaxed);
    }

    async fn keep_previews(
        &self,
        task: TaskId,
        hotkey: Hotkey,
        previews: Option<Previews>,
    ) -> PortResult<()> {
        let Some(previews) = previews else { return Ok(()) };
        let neutral = previews.neutral.map(|png| (Picture::Neutral, png));
        let turntable = previews.turntable.map(|webp| (Picture::Turntable, webp));
        let pictures = [(Picture::Front, previews.front), (Picture::Grid, previews.grid)];
        for (picture, bytes) in pictures.into_iter().chain(neutral).chain(turntable) {
            put(&*self.ports.blobs, &preview_key(task, hotkey, picture), bytes).await?;
        }
        Ok(())
    }
}

/// A moving average of weight 1/4 that begins with the first job, in which a job counts as at most [`PACE_JUMP`] times
/// the average and a second: the host's clock may be moved during a job, and no such jump shall make every wait look
/// hopeless.
fn next_pace_ms(pace_ms: u64, took_ms: u64) -> u64 {
    let usual_ms = if pace_ms == 0 { PACE_UNKNOWN_MS } else { pace_ms };
    let counted_ms = took_ms.min(usual_ms.saturating_mul(PACE_JUMP).saturating_add(1000));
    let average_ms =
        if pace_ms == 0 { counted_ms } else { pace_ms.saturating_mul(3).saturating_add(counted_ms) / 4 };
    average_ms.max(1)
}

/// The pace that a wait tells of, averaged with what is known: a verdict that did not come took at least as long.
fn wait_pace_ms(known: u64, ahead: u64, waited_ms: u64, is_settled: bool) -> u64 {
    let pace = waited_ms / ahead.saturating_add(1);
    let pace = if is_settled { pace } else { pace.max(known) };
    (known.saturating_mul(3).saturating_add(pace) / 4).max(1)
}

/// The pictures that are kept of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// The front view, PNG.
    Front,
    /// The duel's grid of 2×2 views, PNG.
    Grid,
    /// The same in neutral colours, for the judge alone, PNG.
    Neutral,
    /// One turn of the object, animated WebP.
    Turntable,
}

/// Where a submission's picture lies.
pub(crate) fn preview_key(task: TaskId, hotkey: Hotkey, picture: Picture) -> BlobKey {
    let miner = sn17_wire::ss58::encode(&hotkey);
    let name = match picture {
        Picture::Front => "front.png",
        Picture::Grid => "grid.png",
        Picture::Neutral => "neutral.png",
        Picture::Turntable => "turntable.webp",
    };
    BlobKey(format!("previews/{task}/{miner}.{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_teach_the_pace_of_workers_elsewhere() {
        let quick = (0..20).fold(5_000, |known, _| wait_pace_ms(known, 9, 2_000, true));
        assert!(quick < 250, "ten submissions in two seconds, but {quick} ms each");
        assert_eq!(wait_pace_ms(400, 0, 25_000, false), (3 * 400 + 25_000) / 4, "nobody scores");
        assert_eq!(wait_pace_ms(400, 99, 25_000, false), 400, "a wait cut short is no good news");
    }

    #[test]
    fn the_pace_follows_jobs_and_not_a_clock_that_is_moved() {
        let after = |jobs: &[u64]| jobs.iter().fold(0, |pace, took| next_pace_ms(pace, *took));
        assert_eq!([after(&[200]), after(&[0])], [200, 1], "the first job says it");
        assert!(after(&[60_000; 20]) > 55_000, "a slow host is known soon");
        assert!(after(&[3 * 24 * 3_600_000]) < 5 * PACE_UNKNOWN_MS);
        let usual = after(&[2_000; 20]);
        let jumped = next_pace_ms(usual, 3 * 24 * 3_600_000);
        assert!(jumped < 2 * usual + 1_000, "{jumped} after {usual}");
        assert_eq!(next_pace_ms(u64::MAX, u64::MAX), u64::MAX / 4, "no overflow");
    }
}
