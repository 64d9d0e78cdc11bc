//! The miners' routes: bittensor synapses on plain paths.

mod submit;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use serde::Deserialize;
use sn17_app::{Admission, PullAnswer};
use sn17_wire::dendrite::{DendriteHeaders, HeaderError, NonceWindow, VerifiedDendrite};
use sn17_wire::ss58;
use sn17_wire::synapse::{
    GetVersionReply, ORIGINAL_VERSION, PromptKind, ProtocolTask, PullTaskReply, SUCCESS, SynapseResponse,
};

pub(crate) use submit::submit_results;

use crate::refusal::{Refusal, header_map};
use crate::{Server, body};

/// Largest body of a synapse without results; a real one has a kilobyte.
const SMALL_BODY_BYTES_MAX: u64 = 64 << 10;

/// `POST /PullTask`.
pub(crate) async fn pull_task(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let caller = server.verify(&parts.headers)?;
    check_small_body(&parts.headers, body, &caller).await?;
    let policy = server.app.policy();
    let reply = match server.app.pull(&caller).await? {
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
    Ok(respond(reply.render(&caller, SUCCESS)))
}

/// `POST /GetVersion`: whoever can prove a hotkey is told, as it is no secret.
pub(crate) async fn get_version(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let caller = server.verify(&parts.headers)?;
    check_small_body(&parts.headers, body, &caller).await?;
    if server.app.admit(&caller).await? == Admission::Replayed {
        return Err(HeaderError::Replayed.into());
    }
    let validation_version = concat!("sn17 ", env!("CARGO_PKG_VERSION")).to_owned();
    let reply = GetVersionReply { version: ORIGINAL_VERSION, validation_version };
    Ok(respond(reply.render(&caller)))
}

impl Server {
    /// Who sent a request, proven from its headers alone (AU-1); nothing of its body has been read.
    fn verify(&self, headers: &HeaderMap) -> Result<VerifiedDendrite, HeaderError> {
        let rules = self.app.policy().nonces;
        let window = NonceWindow {
            delta_secs: rules.age_secs,
            timeout_secs_max: rules.timeout_secs_max,
            ahead_secs_max: rules.future_secs,
        };
        DendriteHeaders::parse(|name| headers.get(name).map(HeaderValue::as_bytes))?.verify(
            &self.app.validator(),
            self.app.now(),
            &window,
        )
    }
}

/// What matters of a body whose fields are all for the answer.
#[derive(Deserialize)]
struct SmallBody {
    #[serde(default)]
    dendrite: Option<SmallDendrite>,
}

#[derive(Deserialize)]
struct SmallDendrite {
    #[serde(default)]
    hotkey: Option<String>,
}

/// Reads the body and checks that it names nobody but the sender (AU-1).
async fn check_small_body(headers: &HeaderMap, body: Body, caller: &VerifiedDendrite) -> Result<(), Refusal> {
    let body = body::read(headers, body, SMALL_BODY_BYTES_MAX).await?;
    let body: SmallBody = serde_json::from_slice(&body)
        .map_err(|error| Refusal::bad_request("malformed_body", format!("malformed JSON: {error}")))?;
    let hotkey = body.dendrite.and_then(|dendrite| dendrite.hotkey);
    match hotkey {
        Some(address) if ss58::decode(&address) != Ok(caller.hotkey()) => {
            Err(HeaderError::ForeignBodyHotkey.into())
        }
        Some(_) | None => Ok(()),
    }
}

/// An answer that `wire` has rendered.
fn respond(answer: SynapseResponse) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.headers_mut() = header_map(answer.headers);
    response
}
