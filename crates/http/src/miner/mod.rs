//! The miners' routes: bittensor synapses on plain paths.

mod submit;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use sn17_app::{Admission, PullAnswer};
use sn17_wire::dendrite::{DendriteHeaders, HeaderError, NonceWindow, VerifiedDendrite};
use sn17_wire::synapse::{
    GetVersionReply, ORIGINAL_VERSION, PromptKind, ProtocolTask, PullTaskReply, SUCCESS, SynapseResponse,
    check_body,
};

pub(crate) use submit::submit_results;

use crate::budget::MemoryShare;
use crate::limiter::Rule;
use crate::refusal::{Refusal, header_map};
use crate::{Server, body, remote_network};

/// Largest body of a synapse without results; a real one has a kilobyte.
const SMALL_BODY_BYTES_MAX: u64 = 64 << 10;

/// Memory of an answer with a picture, in sizes of the picture: itself, its base64 and the JSON around that, which grows
/// into up to twice its room.
const PICTURE_COPIES: u64 = 5;
/// Seconds after which a pull whose picture found no memory is worth another try.
const PICTURE_RETRY_SECS: u64 = 5;

/// `POST /PullTask`.
pub(crate) async fn pull_task(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let caller = server.verify(&parts)?;
    server.check_small_body(&parts.headers, body, &caller).await?;
    let policy = server.app.policy();
    let (mut share, mut is_full) = (None, false);
    let has_room = |bytes: u64| {
        let needed = usize::try_from(bytes.saturating_mul(PICTURE_COPIES)).unwrap_or(usize::MAX);
        share = server.prompts.take(needed);
        is_full = share.is_none();
        !is_full
    };
    let answer = server.app.pull_within(&caller, has_room).await;
    if is_full {
        let message = "too many pictures are being handed out";
        return Err(Refusal::busy("prompt_memory", message, PICTURE_RETRY_SECS).upholding("IN-1"));
    }
    let reply = match answer? {
        PullAnswer::Replayed => return Err(HeaderError::Replayed.into()),
        PullAnswer::Wait { cooldown_until, violations } => PullTaskReply {
            cooldown_until,
            cooldown_violations: u64::from(violations),
            ..PullTaskReply::default()
        },
        PullAnswer::Task(task) => PullTaskReply {
            task: Some(ProtocolTask {
                kind: if task.is_image { PromptKind::Image } else { PromptKind::Text },
                id: task.id.to_string(),
                prompt: task.prompt,
            }),
            validation_threshold: policy.submissions.threshold,
            throttle_period: policy.miners.throttle_secs,
            ..PullTaskReply::default()
        },
    };
    let answer = reply.render(&caller, SUCCESS);
    Ok(match share {
        Some(share) => respond_within(answer, share),
        None => respond(answer),
    })
}

/// `POST /GetVersion`: whoever can prove a hotkey is told, as it is no secret.
pub(crate) async fn get_version(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let caller = server.verify(&parts)?;
    server.check_small_body(&parts.headers, body, &caller).await?;
    if server.app.admit(&caller).await? == Admission::Replayed {
        return Err(HeaderError::Replayed.into());
    }
    let validation_version = concat!("sn17 ", env!("CARGO_PKG_VERSION")).to_owned();
    let reply = GetVersionReply { version: ORIGINAL_VERSION, validation_version };
    Ok(respond(reply.render(&caller)))
}

impl Server {
    /// Who sent a request, proven from its headers alone (AU-1), within what one address and one hotkey may send;
    /// nothing of its body has been read and nothing has been stored.
    fn verify(&self, parts: &Parts) -> Result<VerifiedDendrite, Refusal> {
        let (limits, now) = (self.options.limits, self.app.now());
        let address = remote_network(&parts.extensions);
        let many_from_address =
            |secs| Refusal::too_many("address_rate", "too many requests with a wrong signature", secs);
        let limit = limits.wrong_signatures;
        if let Some(secs) = self.addresses.shut_out(Rule::WrongSignatures, limit, address, now) {
            return Err(many_from_address(secs));
        }
        let caller = match self.read_signed(&parts.headers) {
            Ok(caller) => caller,
            // A clock that is wrong is an honest miner's fault.
            Err(error @ (HeaderError::TooOld { .. } | HeaderError::TooFarAhead { .. })) => {
                return Err(error.into());
            }
            Err(error) => {
                let shut_out = self.addresses.count(Rule::WrongSignatures, limit, address, now);
                return Err(shut_out.map_or_else(|| error.into(), many_from_address));
            }
        };
        match self.miners.count(Rule::Synapses, limits.synapses, Some(caller.hotkey()), now) {
            Some(secs) => Err(Refusal::too_many("miner_rate", "too many requests of this hotkey", secs)),
            None => Ok(caller),
        }
    }

    fn read_signed(&self, headers: &HeaderMap) -> Result<VerifiedDendrite, HeaderError> {
        DendriteHeaders::parse(|name| headers.get(name).map(HeaderValue::as_bytes))?.verify(
            &self.app.validator(),
            self.app.now(),
            &self.nonce_window(),
        )
    }

    /// How far a nonce may lie from now (AU-2).
    pub(crate) fn nonce_window(&self) -> NonceWindow {
        let rules = self.app.policy().nonces;
        NonceWindow {
            delta_secs: rules.age_secs,
            timeout_secs_max: rules.timeout_secs_max,
            ahead_secs_max: rules.future_secs,
        }
    }

    /// Reads the body and checks that it names nobody but the sender (AU-1).
    async fn check_small_body(
        &self,
        headers: &HeaderMap,
        body: Body,
        caller: &VerifiedDendrite,
    ) -> Result<(), Refusal> {
        let body = body::read(headers, body, SMALL_BODY_BYTES_MAX, &self.bodies).await?;
        Ok(check_body(&body.bytes, caller)?)
    }
}

/// An answer that `wire` has rendered.
fn respond(answer: SynapseResponse) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.headers_mut() = header_map(answer.headers);
    response
}

/// The same for one that has a picture, whose memory is in use until the answer has left.
fn respond_within(answer: SynapseResponse, share: MemoryShare) -> Response {
    let bytes = answer.body.len();
    let mut response = Response::new(body::held(answer.body.into(), share));
    *response.headers_mut() = header_map(answer.headers);
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    response
}
