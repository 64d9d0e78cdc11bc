//! The registered miners, for whoever has the admin key.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use sn17_wire::metagraph::{Metagraph, NEURONS_MAX};
use sn17_wire::ss58;

use crate::client::json;
use crate::refusal::Refusal;
use crate::{RosterSource, Server, body};

/// Largest body: a neuron takes about 140 bytes, and may be indented.
const BODY_BYTES_MAX: u64 = (NEURONS_MAX as u64) << 10;

#[derive(Serialize)]
struct RosterReply {
    /// The hotkey that miners address and sign for.
    validator: String,
    /// The chain's block that the roster is the state of, if it comes from the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<u64>,
    #[serde(flatten)]
    metagraph: Metagraph,
}

#[derive(Serialize)]
struct AppliedReply {
    miners: usize,
}

/// `GET /admin/metagraph`: the roster applied last, and whose network this is.
pub(crate) async fn get(State(server): State<Arc<Server>>, request: Request) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    server.check_admin(&parts)?;
    let roster = server.app.noted_roster().await?;
    let metagraph = Metagraph::of(&roster.neurons);
    let validator = ss58::encode(&server.app.validator());
    Ok(json(&RosterReply { validator, block: roster.block.map(|block| block.number), metagraph }))
}

/// `PUT /admin/metagraph`: makes these miners the registered ones, and all others strangers. A repeated one changes
/// nothing.
pub(crate) async fn put(State(server): State<Arc<Server>>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    server.check_admin(&parts)?;
    match server.options.roster_from {
        RosterSource::Operator => {}
        RosterSource::File => {
            let message = "this network follows a metagraph file: change that file instead";
            return Err(Refusal::new(StatusCode::CONFLICT, "roster_source", message));
        }
        RosterSource::Chain => {
            let message = "this network follows the chain: who registers there is registered here";
            return Err(Refusal::new(StatusCode::CONFLICT, "roster_source", message));
        }
    }
    let body = body::read(&parts.headers, body, BODY_BYTES_MAX, &server.bodies).await?;
    let neurons = Metagraph::read(&body.bytes)
        .map_err(|error| Refusal::bad_request("malformed_body", error.to_string()))?;
    let miners = neurons.len();
    server.app.apply_roster(neurons).await?;
    tracing::info!(miners, "metagraph applied");
    Ok(json(&AppliedReply { miners }))
}
