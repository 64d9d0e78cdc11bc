//! What anybody may look at: the standings, the duels, the pictures that were judged.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use serde::Serialize;
use sn17_app::{DUELS_PAGE_MAX, DuelSide, sha256};
use sn17_core::state::DuelNonce;
use sn17_wire::leaderboard::{DuelsReply, HistoryReply, LeaderboardReply};
use sn17_wire::ss58;

use crate::client::parameter;
use crate::limiter::Rule;
use crate::refusal::{JSON, Refusal};
use crate::store_link::redirect;
use crate::{Server, remote_network};

/// Duels on a page whose reader does not say how many.
const PAGE_DUELS: usize = 20;
/// What changes with every duel may be so old: two duels of the default policy. Standings are noted every minute, on AWS
/// every five.
const FRESH: HeaderValue = HeaderValue::from_static("public, max-age=20");
/// A verdict stays as it is, and so do its pictures.
const FINAL: HeaderValue = HeaderValue::from_static("public, max-age=86400, immutable");
/// A link is good for a short time only, and must not be kept beyond it.
const LINK: HeaderValue = HeaderValue::from_static("public, max-age=60");
const PNG: HeaderValue = HeaderValue::from_static("image/png");

/// `GET /leaderboard`: the standings as last noted.
pub(crate) async fn leaderboard(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let parts = server.public(request)?;
    let noted = server.app.leaderboard().await?;
    let reply = noted.map_or_else(LeaderboardReply::default, |noted| LeaderboardReply::of(&noted));
    Ok(answer(&parts, &reply, FRESH))
}

/// `GET /leaderboard/{hotkey}/history`: a miner's last duels.
pub(crate) async fn history(
    State(server): State<Arc<Server>>,
    Path(hotkey): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let parts = server.public(request)?;
    let hotkey = ss58::decode(&hotkey)
        .map_err(|error| Refusal::bad_request("hotkey", format!("not a hotkey's address: {error}")))?;
    let reply = HistoryReply::of(&server.app.history(hotkey).await?);
    Ok(answer(&parts, &reply, FRESH))
}

/// `GET /duels?before=&limit=`: the duels with a verdict, the latest first.
pub(crate) async fn duels(State(server): State<Arc<Server>>, request: Request) -> Result<Response, Refusal> {
    let parts = server.public(request)?;
    let before = match parameter(&parts, "before") {
        Some(text) => Some(read_nonce(&text)?),
        None => None,
    };
    let limit = match parameter(&parts, "limit") {
        Some(text) => read_limit(&text)?,
        None => PAGE_DUELS,
    };
    let duels = server.app.duels(before, limit).await?;
    let is_full = duels.len() == limit;
    let next = duels.last().filter(|_| is_full).map(|last| last.timestamp_nonce);
    Ok(answer(&parts, &DuelsReply { duels, next }, FRESH))
}

/// `GET /duels/{nonce}`: the record of one.
pub(crate) async fn duel(
    State(server): State<Arc<Server>>,
    Path(nonce): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let parts = server.public(request)?;
    let record = server.app.duel_record(read_nonce(&nonce)?).await?.ok_or_else(unknown_duel)?;
    Ok(answer(&parts, &record, FINAL))
}

/// `GET /duels/{nonce}/left.png` and `right.png`: the four views that were judged.
pub(crate) async fn duel_picture(
    State(server): State<Arc<Server>>,
    Path((nonce, picture)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Refusal> {
    let parts = server.public(request)?;
    let nonce = read_nonce(&nonce)?;
    let (side, filename) = match picture.as_str() {
        "left.png" => (DuelSide::Left, "left.png"),
        "right.png" => (DuelSide::Right, "right.png"),
        _ => return Err(Refusal::not_found("unknown_path", "Not found")),
    };
    let picture = server.app.duel_picture(nonce, side).await?.ok_or_else(|| {
        let message = "no picture: no such duel, no verdict yet, no result of this side, or too long ago";
        Refusal::not_found("unknown_duel", message)
    })?;
    // A link is signed for GET; a HEAD of it would be refused by the store.
    if parts.method == Method::GET
        && let Some(link) = server.link(&picture.blob, picture.png.bytes, filename).await?
    {
        return Ok(redirect(StatusCode::FOUND, link, LINK));
    }
    let mut response = Response::new(Body::from_stream(picture.png.stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, PNG);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(picture.png.bytes));
    headers.insert(CACHE_CONTROL, FINAL);
    Ok(response)
}

impl Server {
    /// The head of a public request.
    fn public(&self, request: Request) -> Result<Parts, Refusal> {
        let (parts, _) = request.into_parts();
        self.check_public(&parts)?;
        Ok(parts)
    }

    /// Counts a public request, within what one address may ask.
    pub(crate) fn check_public(&self, parts: &Parts) -> Result<(), Refusal> {
        let sender = remote_network(&parts.extensions);
        match self.addresses.count(Rule::Public, self.options.limits.public, sender, self.app.now()) {
            Some(secs) => Err(Refusal::too_many("address_rate", "too many requests", secs)),
            None => Ok(()),
        }
    }
}

fn read_nonce(text: &str) -> Result<DuelNonce, Refusal> {
    let nonce =
        text.parse().map_err(|_| Refusal::bad_request("query", "a duel's nonce is a whole number"))?;
    Ok(DuelNonce(nonce))
}

fn read_limit(text: &str) -> Result<usize, Refusal> {
    let limit = text.parse().ok().filter(|limit| (1..=DUELS_PAGE_MAX).contains(limit));
    limit.ok_or_else(|| Refusal::bad_request("query", format!("limit must be 1 to {DUELS_PAGE_MAX}")))
}

fn unknown_duel() -> Refusal {
    Refusal::not_found("unknown_duel", "no such duel, or no verdict yet")
}

/// A JSON answer that caches may keep, or the word that the reader's own copy is still good.
fn answer(parts: &Parts, reply: &impl Serialize, cache: HeaderValue) -> Response {
    let body = serde_json::to_vec(reply).expect("string keys and infallible fields always serialise");
    let tag = entity_tag(&body);
    let is_known = parts.headers.get_all(IF_NONE_MATCH).iter().any(|known| names(known, &tag));
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(body) });
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(CONTENT_TYPE, JSON);
    }
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    response.headers_mut().insert(CACHE_CONTROL, cache);
    response
}

/// The beginning of the body's SHA-256: equal bodies have equal tags on every host.
fn entity_tag(body: &[u8]) -> String {
    let [a, b, c, d, e, f, g, h, ..] = sha256(body);
    format!("\"{:016x}\"", u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

/// Whether an `If-None-Match` names this tag, weakly compared (RFC 9110, 13.1.2).
fn names(known: &HeaderValue, tag: &str) -> bool {
    let mut tags = known.to_str().unwrap_or_default().split(',').map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}
