//! What the miners have earned, for whoever moves a network to another store.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::Response;
use sn17_app::{RestoreMode, STANDINGS_PAGE_MAX};
use sn17_wire::standings::{RestoreReply, RestoreRow, Standings};

use crate::client::{json, parameter};
use crate::refusal::Refusal;
use crate::{Server, body};

/// Largest body: a page of miners with as much of each as can be written.
const BODY_BYTES_MAX: u64 = 4 << 20;

/// `GET /admin/standings?after=UID`: what the registered miners behind a uid have earned, a page of them.
pub(crate) async fn get(State(server): State<Arc<Server>>, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    server.check_admin(&parts)?;
    let after = match parameter(&parts, "after").map(|text| text.parse()) {
        None => None,
        Some(Ok(uid)) => Some(uid),
        Some(Err(_)) => return Err(Refusal::bad_request("query", "after is not a uid")),
    };
    Ok(json(&Standings::of(&server.app.export_standings(after).await?)))
}

/// `PUT /admin/standings?dry_run=true`: restores what these miners have earned elsewhere; the others keep what they have.
/// A repeated one changes nothing.
pub(crate) async fn put(State(server): State<Arc<Server>>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    server.check_admin(&parts)?;
    let mode = mode(&parts)?;
    let body = body::read(&parts.headers, body, BODY_BYTES_MAX, &server.bodies).await?;
    let standings = Standings::read(&body.bytes)
        .map_err(|error| Refusal::bad_request("malformed_body", error.to_string()))?;
    if standings.miners.len() > STANDINGS_PAGE_MAX {
        let message = format!("more than {STANDINGS_PAGE_MAX} miners in one request: send them in parts");
        return Err(Refusal::bad_request("malformed_body", message));
    }
    let names: Vec<_> = standings.miners.iter().map(|miner| (miner.uid, miner.hotkey)).collect();
    let restored = server.app.restore_standings(standings.miners, mode).await?;
    let rows =
        names.iter().zip(restored).map(|((uid, hotkey), restored)| RestoreRow::of(*uid, hotkey, restored));
    let reply = RestoreReply { dry_run: mode == RestoreMode::DryRun, miners: rows.collect() };
    if mode == RestoreMode::Apply {
        tracing::info!(miners = reply.miners.len(), "standings restored");
    }
    Ok(json(&reply))
}

fn mode(parts: &Parts) -> Result<RestoreMode, Refusal> {
    match parameter(parts, "dry_run").as_deref() {
        None | Some("false") => Ok(RestoreMode::Apply),
        Some("true") => Ok(RestoreMode::DryRun),
        Some(_) => Err(Refusal::bad_request("query", "dry_run is neither true nor false")),
    }
}
