//! `get_result`: the best result as SPZ or PLY, or all of them in an archive.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use futures_util::StreamExt as _;
use sn17_app::ResultFile;
use sn17_app::ports::BlobRead;
use sn17_core::state::{Task, TaskState};
use sn17_splat::{Limits, SplatError, decode, encode_ply, inspect};
use sn17_wire::client::{ClientError, ResultFormat, UNKNOWN_FAILURE, read_direct, read_task_id};

use super::archive;
use super::{SYNTHETIC, YES, parameter};
use crate::refusal::Refusal;
use crate::store_link::{self, LINK_VALID_SECS, NOT_KEPT};
use crate::{Server, body};

/// Most results in one archive; a task has at most 17.
const RESULTS_MAX: usize = 32;
/// Seconds after which a conversion that found no memory is worth another try.
const CONVERSION_RETRY_SECS: u64 = 2;

/// `GET /get_result?id=&all=&format=&compress=&direct=`: the same answer as often as it is asked for (BL-1).
pub(crate) async fn get_result(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let caller = server.caller(&parts).await?;
    let id = read_task_id(parameter(&parts, "id").as_deref())?;
    let (format, compress) = (parameter(&parts, "format"), parameter(&parts, "compress"));
    let format = ResultFormat::of_query(format.as_deref(), compress.as_deref())?;
    let wants_all = parameter(&parts, "all").is_some_and(|all| all == "true" || all == "1");
    let wants_direct = read_direct(parameter(&parts, "direct").as_deref())?;

    let task = server.app.task_of(&caller, id).await?.ok_or(ClientError::TaskNotFound(id))?;
    match task.state_at(server.app.now()) {
        TaskState::Success { .. } => {}
        TaskState::Open => return Err(ClientError::NoResults(id).into()),
        TaskState::Failure { reason, .. } => {
            let reason = if reason.is_empty() { UNKNOWN_FAILURE.to_owned() } else { reason };
            return Err(ClientError::NoSuccess { id, reason }.into());
        }
    }
    // A link is signed for GET; a HEAD of it would be refused by the store.
    let may_redirect = parts.method == Method::GET && !wants_direct && !wants_all;
    if may_redirect
        && format == ResultFormat::Spz
        && let Some(redirect) = server.redirect(&task).await?
    {
        return Ok(redirect);
    }
    let mut files = server.app.results(&task, if wants_all { RESULTS_MAX } else { 1 }).await?;
    let is_synthetic = files.iter().any(|file| file.synthetic);
    let mut response = match (wants_all, format) {
        (true, ResultFormat::Spz) => archive(files),
        // The archive has SPZ files alone: several conversions at once are more than one request may cost.
        (true, ResultFormat::Ply) => return Err(ClientError::Query("all").into()),
        (false, _) if files.is_empty() => return Err(ClientError::NoResults(id).into()),
        (false, ResultFormat::Spz) => spz(files.swap_remove(0).splat),
        (false, ResultFormat::Ply) => server.ply(files.swap_remove(0).splat).await?,
    };
    if is_synthetic {
        response.headers_mut().insert(SYNTHETIC, YES);
    }
    Ok(response)
}

fn spz(splat: BlobRead) -> Response {
    let bytes = splat.bytes;
    attachment(Body::from_stream(splat.stream), bytes, ResultFormat::Spz)
}

fn archive(files: Vec<ResultFile>) -> Response {
    let archive = archive::of(files.into_iter().map(|file| file.splat).collect());
    let mut response = attachment(Body::from_stream(archive.stream), archive.bytes, ResultFormat::Spz);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"results.zip\""));
    response
}

impl Server {
    /// Sends the client to the store for a result that is too large for an answer of this host, if the store has an
    /// address. As 302, which the oldest clients follow; with a GET there is no method or body that 307 would preserve.
    async fn redirect(&self, task: &Task) -> Result<Option<Response>, Refusal> {
        let Some(bytes_max) = self.options.redirect_above else { return Ok(None) };
        let filename = ResultFormat::Spz.filename();
        let Some(link) = self.app.result_link(task, bytes_max, LINK_VALID_SECS, filename).await? else {
            return Ok(None);
        };
        // Whoever has the link needs no key.
        let mut response = store_link::redirect(StatusCode::FOUND, store_link::header(link.url)?, NOT_KEPT);
        if link.synthetic {
            response.headers_mut().insert(SYNTHETIC, YES);
        }
        Ok(Some(response))
    }

    /// Turns an SPZ into a PLY, within the memory that conversions may have.
    async fn ply(&self, mut splat: BlobRead) -> Result<Response, Refusal> {
        let rules = &self.app.policy().submissions;
        if splat.bytes > rules.splat_bytes_max {
            tracing::error!(bytes = splat.bytes, "an accepted splat is larger than any may be");
            return Err(Refusal::internal("conversion"));
        }
        let too_little = || {
            let message = "too many results are being converted";
            Refusal::busy("conversion_memory", message, CONVERSION_RETRY_SECS).upholding("IN-1")
        };
        let spz_bytes = usize::try_from(splat.bytes).unwrap_or(usize::MAX);
        self.check_conversion(spz_bytes)?;
        let mut share = self.conversions.take(spz_bytes).ok_or_else(too_little)?;
        let mut spz = Vec::with_capacity(spz_bytes);
        while let Some(chunk) = splat.stream.next().await {
            spz.extend_from_slice(&chunk?);
        }
        let limits = Limits::default().with_splats_max(u32::try_from(rules.splats_max).unwrap_or(u32::MAX));
        let broken = |error| {
            tracing::error!(%error, "an accepted splat cannot be decoded");
            Refusal::internal("conversion")
        };
        // Splats and PLY of the same size live side by side for a moment.
        let decoded_bytes = inspect(&spz).map_err(broken)?.decoded_bytes;
        let needed = usize::try_from(decoded_bytes.saturating_mul(2)).unwrap_or(usize::MAX);
        let needed = needed.saturating_add(spz_bytes);
        self.check_conversion(needed)?;
        if !share.grow(needed) {
            return Err(too_little());
        }
        let convert = move || {
            let splats = decode(&spz, &limits)?;
            drop(spz);
            // The share stays with the work, whose client may be gone before it is done.
            Ok::<_, SplatError>((encode_ply(&splats)?, share))
        };
        let (ply, share) = self.options.blocking.run(convert).await?.map_err(broken)?;
        let bytes = ply.len() as u64;
        Ok(attachment(body::held(ply.into(), share), bytes, ResultFormat::Ply))
    }
}

impl Server {
    /// Refuses a conversion that takes more memory than one may have here, however little else there is to do.
    fn check_conversion(&self, needed_bytes: usize) -> Result<(), Refusal> {
        if self.options.conversion_bytes_max.is_none_or(|bytes_max| needed_bytes <= bytes_max) {
            return Ok(());
        }
        let message =
            "the result is too large to be turned into PLY on this host: ask for it with format=spz";
        Err(Refusal::bad_request("conversion_size", message).upholding("IN-1"))
    }
}

fn attachment(body: Body, bytes: u64, format: ResultFormat) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(format.content_disposition()));
    response
}
