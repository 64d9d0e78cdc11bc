//! API keys and dead letters, for whoever has the admin key.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use sn17_app::KeyLimits;
use sn17_wire::ss58;

use crate::client::json;
use crate::limiter::Rule;
use crate::refusal::Refusal;
use crate::{Server, body, remote_network};

const ADMIN_KEY: HeaderName = HeaderName::from_static("x-admin-key");
/// Largest body of an admin request.
const BODY_BYTES_MAX: u64 = 4 << 10;
/// Longest name of a key's owner in characters.
const OWNER_CHARS_MAX: usize = 128;
/// Characters of a key that make a prefix.
const PREFIX_CHARS: usize = 8;
/// Dead letters shown at once.
const DEAD_LETTERS_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKeyRequest {
    owner: String,
    hourly: Option<u32>,
    daily: Option<u32>,
}

#[derive(Serialize)]
struct NewKeyReply<'a> {
    key: &'a str,
    prefix: &'a str,
}

#[derive(Serialize)]
struct KeyReply {
    owner: String,
    prefix: String,
    /// Unix seconds.
    created: u64,
    hourly: Option<u32>,
    daily: Option<u32>,
}

#[derive(Serialize)]
struct RevokedReply {
    revoked: usize,
}

#[derive(Serialize)]
struct DeadLetterReply {
    task: String,
    hotkey: String,
}

#[derive(Serialize)]
struct RedrivenReply {
    redriven: usize,
}

/// `POST /admin/keys`: makes a key; its text is in this answer and nowhere else.
pub(crate) async fn add(State(server): State<Arc<Server>>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    server.check_admin(&parts)?;
    let body = body::read(&parts.headers, body, BODY_BYTES_MAX, &server.bodies).await?;
    let request: NewKeyRequest = serde_json::from_slice(&body.bytes)
        .map_err(|error| Refusal::bad_request("malformed_body", format!("malformed JSON: {error}")))?;
    let owner = request.owner.trim();
    if owner.is_empty() || owner.chars().count() > OWNER_CHARS_MAX {
        let message = format!("owner must have 1 to {OWNER_CHARS_MAX} characters");
        return Err(Refusal::bad_request("malformed_body", message));
    }
    let limits = KeyLimits { hourly: request.hourly, daily: request.daily };
    let key = server.app.add_key(owner, limits).await?;
    let prefix = key.text.get(..PREFIX_CHARS).unwrap_or_default();
    Ok(json(&NewKeyReply { key: &key.text, prefix }))
}

/// `GET /admin/keys`: every good key, without its text.
pub(crate) async fn list(State(server): State<Arc<Server>>, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    server.check_admin(&parts)?;
    let rows = server.app.keys().await?;
    let keys: Vec<KeyReply> = rows
        .into_iter()
        .map(|row| KeyReply {
            owner: row.key.owner,
            prefix: row.key.prefix,
            created: row.key.created.secs(),
            hourly: row.key.hourly,
            daily: row.key.daily,
        })
        .collect();
    Ok(json(&keys))
}

/// `DELETE /admin/keys/{prefix}`: revokes the keys that begin so.
pub(crate) async fn revoke(
    State(server): State<Arc<Server>>,
    Path(prefix): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    server.check_admin(&parts)?;
    match server.app.revoke_keys(&prefix).await? {
        0 => Err(Refusal::not_found("unknown_key", "no key begins so")),
        revoked => Ok(json(&RevokedReply { revoked })),
    }
}

/// `GET /admin/dead-letters`: submissions whose scoring was given up, oldest first.
pub(crate) async fn dead_letters(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    server.check_admin(&parts)?;
    let letters = server.app.dead_letters(DEAD_LETTERS_MAX).await?;
    let letters: Vec<DeadLetterReply> = letters
        .into_iter()
        .map(|(task, hotkey)| DeadLetterReply { task: task.to_string(), hotkey: ss58::encode(&hotkey) })
        .collect();
    Ok(json(&letters))
}

/// `POST /admin/dead-letters/redrive`: sends them all to scoring again.
pub(crate) async fn redrive(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    server.check_admin(&parts)?;
    Ok(json(&RedrivenReply { redriven: server.app.redrive().await? }))
}

impl Server {
    pub(crate) fn check_admin(&self, parts: &Parts) -> Result<(), Refusal> {
        let sender = remote_network(&parts.extensions);
        let (limit, now) = (self.options.limits.wrong_keys, self.app.now());
        let too_many = |secs| Refusal::too_many("address_rate", "too many wrong keys", secs);
        if let Some(secs) = self.addresses.shut_out(Rule::WrongKeys, limit, sender, now) {
            return Err(too_many(secs));
        }
        let offered = parts.headers.get(ADMIN_KEY).map(|value| value.as_bytes());
        let is_good = match (&self.options.admin_key, offered) {
            (Some(key), Some(offered)) => key.matches(offered),
            (_, _) => false,
        };
        if is_good {
            return Ok(());
        }
        match self.addresses.count(Rule::WrongKeys, limit, sender, now) {
            Some(secs) => Err(too_many(secs)),
            None => {
                let refusal =
                    Refusal::new(StatusCode::UNAUTHORIZED, "admin_key", "wrong or missing admin key");
                Err(refusal.upholding("AU-1"))
            }
        }
    }
}
