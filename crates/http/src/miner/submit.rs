//! `SubmitResults`: a body of tens of megabytes, taken as it arrives.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::StreamExt as _;
use sn17_app::{Intake, IntakeError, SubmitAnswer, TakenSubmission, Verdict};
use sn17_core::Hotkey;
use sn17_wire::dendrite::HeaderError;
use sn17_wire::ss58;
use sn17_wire::synapse::{Feedback, SUCCESS, SubmitResultsReply};

use super::respond;
use crate::body::{self, BodyError};
use crate::client::{SYNTHETIC, YES};
use crate::observer::VerdictLabel;
use crate::refusal::Refusal;
use crate::{Server, remote_ip};

/// Working memory of one submission being received: the transport's buffer, a decoded chunk, and what a blob store
/// gathers before it writes.
const UPLOAD_MEMORY_BYTES: usize = 4 << 20;
/// Seconds after which a submission that found no memory, or its miner's line full, is worth another try.
const UPLOAD_RETRY_SECS: u64 = 5;

/// `POST /SubmitResults`.
pub(crate) async fn submit_results(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let ip = remote_ip(request.extensions());
    let (parts, body) = request.into_parts();
    let body_bytes_max = server.app.policy().submissions.body_bytes_max;
    body::check_announced(&parts.headers, body_bytes_max)?;
    let caller = server.verify(&parts)?;
    let hotkey = caller.hotkey();
    let refuse = |error| refusal_of(error, &hotkey, ip);
    let intake = server.app.begin_submission(caller.clone()).await.map_err(refuse)?;
    let answer = server.receive(intake, body).await?.map_err(refuse)?.answer().await.map_err(refuse)?;
    let label = VerdictLabel(verdict_label(&answer.verdict));
    let is_synthetic = answer.synthetic;
    let message = status_message(&answer.verdict);
    let reply = reply_of(answer, server.app.policy().submissions.upstream_feedback);
    let mut response = respond(reply.render(&caller, &message));
    response.extensions_mut().insert(label);
    if is_synthetic {
        response.headers_mut().insert(SYNTHETIC, YES);
    }
    Ok(response)
}

impl Server {
    /// Takes the body within the memory that submissions may have. A sender that goes away drops this future; what
    /// it has uploaded is swept later.
    async fn receive<'a>(
        &self,
        mut intake: Intake<'a>,
        body: Body,
    ) -> Result<Result<TakenSubmission<'a>, IntakeError>, Refusal> {
        // After the miner's turn has come: one that waits in its own line holds no memory.
        let Some(_share) = self.uploads.take(UPLOAD_MEMORY_BYTES) else {
            intake.abort().await;
            let message = "too many submissions are being received";
            return Err(Refusal::busy("submission_memory", message, UPLOAD_RETRY_SECS).upholding("IN-1"));
        };
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = chunks.next().await {
            let Ok(chunk) = chunk else {
                intake.abort().await;
                return Err(BodyError::Broken.into());
            };
            if let Err(error) = intake.push(&chunk).await {
                intake.abort().await;
                return Ok(Err(error));
            }
        }
        Ok(intake.commit().await)
    }
}

fn refusal_of(error: IntakeError, hotkey: &Hotkey, ip: Option<IpAddr>) -> Refusal {
    let forbidden = |reason, message| Refusal::new(StatusCode::FORBIDDEN, reason, message);
    match error {
        IntakeError::Unregistered => {
            let address = ss58::encode(hotkey);
            let ip = ip.map_or_else(|| "unknown".to_owned(), |ip| ip.to_canonical().to_string());
            forbidden("unregistered", format!("Unrecognized hotkey {address} ({ip})."))
        }
        IntakeError::NoTask { uid } => {
            let message = format!(
                "[{uid}] submitted results while having no task assigned. It could happen if validator restarts or \
                 miner faults."
            );
            forbidden("no_task", message)
        }
        IntakeError::Replayed => HeaderError::Replayed.into(),
        IntakeError::TooMany => {
            Refusal::too_many("submission_line", "too many submissions at once", UPLOAD_RETRY_SECS)
        }
        IntakeError::Malformed(error) => error.into(),
        IntakeError::ForeignBody(error) => error.into(),
        IntakeError::Port(error) => error.into(),
    }
}

fn verdict_label(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Accepted { .. } => "accepted",
        Verdict::Rejected { .. } => "rejected",
        Verdict::Empty => "empty",
        Verdict::Failed { .. } => "failed",
        Verdict::Pending => "pending",
        Verdict::Unchanged { .. } => "unchanged",
    }
}

/// What became of a result, in a line. Why we failed stays in our log.
fn status_message(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accepted { .. } => SUCCESS.to_owned(),
        Verdict::Pending => format!("{SUCCESS}; verdict pending"),
        Verdict::Empty => format!("{SUCCESS}; empty result"),
        Verdict::Rejected { reason, .. } => format!("Rejected: {reason}"),
        Verdict::Failed { .. } => "Not scored: a failure of ours, without penalty".to_owned(),
        Verdict::Unchanged { reason } => format!("Unchanged: {reason}"),
    }
}

/// SB-4: a refusal shows itself and its real score, a failure of ours does not count as one; the original has it the
/// other way round.
fn reply_of(answer: SubmitAnswer, upstream_feedback: bool) -> SubmitResultsReply {
    let (validation_failed, task_fidelity_score) = match (&answer.verdict, upstream_feedback) {
        (Verdict::Accepted { score }, _) => (false, *score),
        (Verdict::Rejected { score, .. }, false) => (true, *score),
        (Verdict::Rejected { .. }, true) => (false, 0.0),
        (Verdict::Failed { .. }, upstream_feedback) => (upstream_feedback, 0.0),
        (Verdict::Empty | Verdict::Pending | Verdict::Unchanged { .. }, _) => (false, 0.0),
    };
    let figures = answer.figures;
    SubmitResultsReply {
        task_id: answer.task_id,
        submit_time: answer.submit_time,
        feedback: Feedback {
            validation_failed,
            task_fidelity_score,
            average_fidelity_score: figures.average_score,
            generations_within_the_window: figures.accepted as u64,
            current_duel_rating: figures.rating,
            current_miner_reward: figures.reward,
        },
        cooldown_until: figures.cooldown_until,
    }
}
