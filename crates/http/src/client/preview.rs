//! `get_preview`: pictures of the best result, to look at before it is downloaded.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::response::Response;
use sn17_app::Picture;
use sn17_wire::client::{ClientError, read_task_id};

use super::parameter;
use crate::Server;
use crate::refusal::Refusal;

/// `GET /get_preview?id=&picture=front|grid|turntable`: a PNG of the front view (the default) or of four views, or an
/// animated WebP of one turn. As long as the task's result can be had, and with the same key.
pub(crate) async fn get_preview(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    let (parts, _) = request.into_parts();
    let caller = server.caller(&parts).await?;
    let id = read_task_id(parameter(&parts, "id").as_deref())?;
    let (picture, media_type) = match parameter(&parts, "picture").as_deref() {
        None | Some("front") => (Picture::Front, "image/png"),
        Some("grid") => (Picture::Grid, "image/png"),
        Some("turntable") => (Picture::Turntable, "image/webp"),
        Some(_) => return Err(ClientError::Query("picture").into()),
    };
    let task = server.app.task_of(&caller, id).await?.ok_or(ClientError::TaskNotFound(id))?;
    let read = server.app.preview(id, &task, picture).await?.ok_or(ClientError::NoResults(id))?;
    let mut response = Response::new(Body::from_stream(read.stream));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(read.bytes));
    Ok(response)
}
