//! A miner's result on its way in: streamed into a quarantined blob, checked, committed, and waited for.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use sn17_core::ledger::{LoadSpec, QueueName};
use sn17_core::miner::Figures;
use sn17_core::state::{Item, Key, Submission, SubmissionState};
use sn17_core::submit::{self, Payload, Submit, SubmitReply};
use sn17_core::{Hotkey, TaskId, UnixMs};
use sn17_wire::consent;
use sn17_wire::dendrite::{HeaderError, VerifiedDendrite};
use sn17_wire::submission::{ScanError, ScanLimits, SubmissionFields, SubmissionScanner};

use crate::App;
use crate::ports::{BlobKey, Blobs, PortError, PortErrorKind, PortResult, UploadId, transact};
use crate::turns::Turn;

/// The one compression that the network knows: SPZ, one zstd frame around a v2 header.
const COMPRESSION: i64 = 2;
/// The one data format that the network knows.
const DATA_FORMAT: &str = "ply";

/// Why a submission does not get as far as an answer with feedback.
#[derive(Clone, Debug, thiserror::Error)]
pub enum IntakeError {
    /// The sender is not registered on the subnet.
    #[error("unrecognized hotkey")]
    Unregistered,
    /// The sender holds no task and never handed in anything for this one.
    #[error("submitted results while having no task assigned")]
    NoTask {
        /// The sender's uid.
        uid: u16,
    },
    /// This very request was taken before (AU-2).
    #[error("nonce was used before")]
    Replayed,
    /// Too many requests of this miner stand in line.
    #[error("too many submissions at once")]
    TooMany,
    /// The body is not a submission.
    #[error(transparent)]
    Malformed(#[from] ScanError),
    /// The body names another miner than the signed headers.
    #[error(transparent)]
    ForeignBody(#[from] HeaderError),
    /// A port failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// How a submission stands when its sender is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Accepted with this score.
    Accepted {
        /// At most 1.
        score: f64,
    },
    /// Refused.
    Rejected {
        /// The real score, 0 if it never came to scoring.
        score: f64,
        /// Why.
        reason: String,
    },
    /// The miner passed.
    Empty,
    /// A failure of ours.
    Failed {
        /// What went wrong.
        reason: String,
    },
    /// Still being scored.
    Pending,
    /// Nothing was changed by this request.
    Unchanged {
        /// Why.
        reason: &'static str,
    },
}

/// The answer to a submission.
#[derive(Clone, Debug, PartialEq)]
pub struct SubmitAnswer {
    /// The task id as it was sent.
    pub task_id: String,
    /// The submission time as it was sent.
    pub submit_time: i64,
    /// How it stands.
    pub verdict: Verdict,
    /// Whether synthetic model weights made the score.
    pub synthetic: bool,
    /// The miner's figures now.
    pub figures: Figures,
}

/// An upload that is forgotten when it is dropped unfinished: a sender that vanishes leaves nothing open.
struct PendingUpload {
    blobs: Arc<dyn Blobs>,
    key: BlobKey,
    id: UploadId,
    is_over: bool,
}

impl Drop for PendingUpload {
    fn drop(&mut self) {
        if !self.is_over {
            self.blobs.forget(&self.id);
        }
    }
}

/// A submission being received.
pub struct Intake<'a> {
    app: &'a App,
    caller: VerifiedDendrite,
    arrived: UnixMs,
    scanner: SubmissionScanner,
    decoded: Vec<u8>,
    hasher: Sha256,
    bytes: u64,
    upload: Option<PendingUpload>,
    _turn: Turn,
}

/// A submission that has been received and decided on, and may still wait for its verdict.
#[derive(Debug)]
pub struct TakenSubmission<'a> {
    app: &'a App,
    caller: VerifiedDendrite,
    arrived: UnixMs,
    fields: SubmissionFields,
    reply: SubmitReply,
}

impl std::fmt::Debug for Intake<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Intake").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl App {
    /// Begins to receive a submission from its verified headers alone: registration, one upload per miner, nonce.
    ///
    /// # Errors
    /// See [`IntakeError`]; nothing of the body need have been read.
    pub async fn begin_submission(&self, caller: VerifiedDendrite) -> Result<Intake<'_>, IntakeError> {
        let hotkey = caller.hotkey();
        let arrived = self.now();
        if !self.is_registered(hotkey).await? {
            return Err(IntakeError::Unregistered);
        }
        let turn = self.uploads.enter(hotkey).await.ok_or(IntakeError::TooMany)?;
        if !self.claim(&caller).await? {
            return Err(IntakeError::Replayed);
        }
        let rules = &self.policy.submissions;
        let limits =
            ScanLimits { body_bytes_max: rules.body_bytes_max, results_bytes_max: rules.splat_bytes_max };
        Ok(Intake {
            app: self,
            caller,
            arrived,
            scanner: SubmissionScanner::new(limits),
            decoded: Vec::new(),
            hasher: Sha256::new(),
            bytes: 0,
            upload: None,
            _turn: turn,
        })
    }

    /// Whether a hotkey has a session.
    pub(crate) async fn is_registered(&self, hotkey: Hotkey) -> PortResult<bool> {
        let view = self.ports.ledger.read(self.now(), LoadSpec::keys([Key::Session(hotkey)])).await?;
        Ok(view.session(&hotkey).is_some())
    }

    /// A miner's figures now; none if it is not registered.
    ///
    /// # Errors
    /// Those of the ledger.
    pub async fn figures(&self, hotkey: Hotkey) -> PortResult<Option<Figures>> {
        let now = self.now();
        let load = LoadSpec::keys([Key::Session(hotkey), Key::Record(hotkey)]);
        let view = self.ports.ledger.read(now, load).await?;
        let (Some((_, session)), Some((_, record))) = (view.session(&hotkey), view.record(&hotkey)) else {
            return Ok(None);
        };
        Ok(Some(Figures::of(session, record, now, &self.policy)))
    }
}

impl<'a> Intake<'a> {
    /// Takes the next piece of the body.
    ///
    /// # Errors
    /// See [`IntakeError`]; call [`Intake::abort`] then.
    pub async fn push(&mut self, chunk: &[u8]) -> Result<(), IntakeError> {
        self.scanner.push(chunk, &mut self.decoded)?;
        if self.decoded.is_empty() {
            return Ok(());
        }
        self.hasher.update(&self.decoded);
        self.bytes += self.decoded.len() as u64;
        let blobs = &self.app.ports.blobs;
        if self.upload.is_none() {
            let key = BlobKey(format!("submissions/{:032x}.spz", self.app.random()));
            let upload = blobs.begin(&key).await?;
            self.upload = Some(PendingUpload { blobs: Arc::clone(blobs), key, id: upload, is_over: false });
        }
        if let Some(upload) = &self.upload {
            blobs.part(&upload.id, Bytes::from(std::mem::take(&mut self.decoded))).await?;
        }
        Ok(())
    }

    /// Forgets what has arrived.
    pub async fn abort(self) {
        let Some(mut upload) = self.upload else { return };
        upload.is_over = true;
        if let Err(error) = self.app.ports.blobs.abort(&upload.id).await {
            // Whatever is left behind goes when uploads of its age are swept.
            tracing::warn!(blob = upload.key.0, %error, "cannot abort an upload");
        }
    }

    /// Takes the submission and waits for its verdict as long as its sender does.
    ///
    /// # Errors
    /// See [`IntakeError`]; nothing is left behind then.
    pub async fn finish(self) -> Result<SubmitAnswer, IntakeError> {
        self.commit().await?.answer().await
    }

    /// Takes the submission: its effect is durable when this returns, its bytes are out of memory, and the miner's
    /// next upload may begin.
    ///
    /// # Errors
    /// See [`IntakeError`]; nothing is left behind then.
    pub async fn commit(mut self) -> Result<TakenSubmission<'a>, IntakeError> {
        match self.take().await {
            Ok((fields, reply)) => Ok(TakenSubmission {
                app: self.app,
                caller: self.caller,
                arrived: self.arrived,
                fields,
                reply,
            }),
            Err(error) => {
                self.abort().await;
                Err(error)
            }
        }
    }

    async fn take(&mut self) -> Result<(SubmissionFields, SubmitReply), IntakeError> {
        let used_up = SubmissionScanner::new(ScanLimits::default());
        let fields = std::mem::replace(&mut self.scanner, used_up).finish()?;
        fields.check_hotkey(&self.caller)?;
        let hotkey = self.caller.hotkey();
        let now = self.app.now();
        // An id that is no UUID is an id that was never given out.
        let task = fields.task_id.parse().unwrap_or(TaskId(0));
        let view = self.app.ports.ledger.read(now, submit::load(hotkey, task)).await?;
        let held = view.session(&hotkey).and_then(|(_, session)| session.assignment.as_ref());
        let held = held.filter(|held| held.task == task);
        let (signature_is_valid, prompt_sha256) = match held {
            Some(held) => match self.check_signature(&fields, &held.prompt).await {
                Ok(checked) => checked,
                // The miner's next pull gives it another task.
                Err(error) if error.kind == PortErrorKind::NotFound => {
                    let reply = SubmitReply::Ignored { reason: "the task's picture has expired" };
                    self.discard_unless_kept(&reply).await;
                    return Ok((fields, reply));
                }
                Err(error) => return Err(error.into()),
            },
            None => (false, [0; 32]),
        };
        let payload = self.keep(held.is_some() && signature_is_valid).await?;
        let request = Submit {
            hotkey,
            task,
            signature_is_valid,
            signature: fields.signature.clone(),
            submit_time: fields.submit_time,
            prompt_sha256,
            refusal: refusal(&fields),
            payload,
        };
        let policy = self.app.policy;
        let decide = move |view: &_| submit::decide(view, &request, now, &policy);
        let id = self.app.decision_id();
        let load = submit::load(hotkey, task);
        let reply = transact(&*self.app.ports.ledger, id, now, load, decide).await?;
        self.discard_unless_kept(&reply).await;
        Ok((fields, reply))
    }

    async fn check_signature(
        &self,
        fields: &SubmissionFields,
        prompt: &sn17_core::state::Prompt,
    ) -> PortResult<(bool, [u8; 32])> {
        let prompt = self.app.prompt_text(prompt).await?;
        let (validator, miner) = (self.app.validator, self.caller.hotkey());
        let is_valid =
            consent::verify_submission(&prompt, fields.submit_time, &fields.signature, &validator, &miner);
        Ok((is_valid, Sha256::digest(prompt.as_bytes()).into()))
    }

    /// Finishes the upload if it may be needed; its hash is known either way.
    async fn keep(&self, is_needed: bool) -> PortResult<Option<Payload>> {
        let Some(upload) = &self.upload else {
            return Ok(None);
        };
        if is_needed {
            self.app.ports.blobs.finish(&upload.id).await?;
        }
        let sha256 = self.hasher.clone().finalize().into();
        Ok(Some(Payload { blob: upload.key.0.clone(), bytes: self.bytes, sha256 }))
    }

    /// Removes the payload again when the decision did not take it.
    async fn discard_unless_kept(&mut self, reply: &SubmitReply) {
        let Some(mut upload) = self.upload.take() else {
            return;
        };
        upload.is_over = true;
        let is_kept = matches!(reply, SubmitReply::Taken { submission, .. }
            if submission.blob.as_deref() == Some(upload.key.0.as_str()));
        if is_kept {
            return;
        }
        let blobs = &self.app.ports.blobs;
        for result in [blobs.abort(&upload.id).await, blobs.delete(&upload.key).await] {
            if let Err(error) = result {
                tracing::warn!(blob = upload.key.0, %error, "cannot remove a payload that was not taken");
            }
        }
    }
}

impl TakenSubmission<'_> {
    /// Waits for the verdict as long as it makes sense, and answers.
    ///
    /// # Errors
    /// See [`IntakeError`]; what was taken stays.
    pub async fn answer(self) -> Result<SubmitAnswer, IntakeError> {
        let task = self.fields.task_id.parse().unwrap_or(TaskId(0));
        let (verdict, synthetic) = match &self.reply {
            SubmitReply::Unregistered => return Err(IntakeError::Unregistered),
            SubmitReply::NoTask => {
                return Err(IntakeError::NoTask { uid: self.uid().await? });
            }
            SubmitReply::Ignored { reason } => (Verdict::Unchanged { reason }, false),
            SubmitReply::Closed => {
                (Verdict::Unchanged { reason: "this task was closed by an earlier submission" }, false)
            }
            SubmitReply::Taken { submission, rev, .. } => {
                verdict_of(&self.wait(task, (**submission).clone(), *rev).await)
            }
        };
        let figures = self.figures().await?.ok_or(IntakeError::Unregistered)?;
        Ok(SubmitAnswer {
            submit_time: self.fields.submit_time,
            task_id: self.fields.task_id,
            verdict,
            synthetic,
            figures,
        })
    }

    /// Waits until the submission is settled, or as long as it makes sense: until the policy's limit, never so long
    /// that the miner has hung up, and not at all when the backlog makes it hopeless.
    async fn wait(&self, task: TaskId, mut submission: Submission, mut rev: u64) -> Submission {
        let rules = &self.app.policy.submissions;
        let key = Key::Submission(task, self.caller.hotkey());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a saturating cast is meant"
        )]
        let timeout_ms = (self.caller.timeout_secs() * 1000.0) as u64;
        let margin_ms = rules.wait_margin_secs.saturating_mul(1000);
        let sender_leaves = self.caller.nonce_time().plus_ms(timeout_ms.saturating_sub(margin_ms));
        let until = self.arrived.plus_secs(rules.wait_secs).min(sender_leaves);
        let started = self.app.now();
        // The submission is taken: whatever fails from here on must not look to its sender as if it were not.
        let ahead = match self.app.ports.queue.backlog(QueueName::Scoring).await {
            Ok(ahead) => ahead,
            Err(error) => {
                tracing::warn!(%error, "nobody knows how many submissions are ahead");
                0
            }
        };
        if submit::is_wait_hopeless(ahead, self.app.pace_ms(), until.ms_since(started)) {
            self.app.note_hopeless();
            return submission;
        }
        while matches!(submission.state, SubmissionState::Submitted { .. }) {
            let newer = match self.app.ports.ledger.watch(&key, rev, until).await {
                Ok(Some(newer)) => newer,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%error, "a verdict cannot be waited for");
                    break;
                }
            };
            rev = newer.rev;
            if let Item::Submission(settled) = newer.item {
                submission = settled;
            }
        }
        let is_settled = !matches!(submission.state, SubmissionState::Submitted { .. });
        self.app.note_wait(ahead, self.app.now().ms_since(started), is_settled);
        submission
    }

    /// The sender's figures. One more look is worth it: without them its answer would be a refusal.
    async fn figures(&self) -> PortResult<Option<Figures>> {
        let hotkey = self.caller.hotkey();
        match self.app.figures(hotkey).await {
            Err(error) => {
                tracing::warn!(%error, "figures could not be read, trying again");
                self.app.figures(hotkey).await
            }
            figures => figures,
        }
    }

    async fn uid(&self) -> PortResult<u16> {
        let hotkey = self.caller.hotkey();
        let view = self.app.ports.ledger.read(self.app.now(), LoadSpec::keys([Key::Session(hotkey)])).await?;
        Ok(view.session(&hotkey).map_or(0, |(_, session)| session.uid))
    }
}

/// Why a payload is not even looked at: a format or compression that the network does not know.
fn refusal(fields: &SubmissionFields) -> Option<String> {
    if fields.data_format != DATA_FORMAT {
        return Some(format!("data_format must be {DATA_FORMAT}"));
    }
    if fields.compression != COMPRESSION {
        return Some(format!("compression must be {COMPRESSION} (SPZ)"));
    }
    None
}

fn verdict_of(submission: &Submission) -> (Verdict, bool) {
    match &submission.state {
        SubmissionState::Submitted { .. } => (Verdict::Pending, false),
        SubmissionState::Accepted(verdict) => {
            (Verdict::Accepted { score: verdict.score.min(1.0) }, verdict.synthetic)
        }
        SubmissionState::Rejected { reason, verdict } => {
            let score = verdict.map_or(0.0, |verdict| verdict.score.min(1.0));
            let synthetic = verdict.is_some_and(|verdict| verdict.synthetic);
            (Verdict::Rejected { score, reason: reason.clone() }, synthetic)
        }
        SubmissionState::Empty => (Verdict::Empty, false),
        SubmissionState::Failed { reason } => (Verdict::Failed { reason: reason.clone() }, false),
    }
}
