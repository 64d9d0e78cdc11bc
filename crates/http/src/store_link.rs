//! Answers that send to the store: what is too large for an answer of this host is fetched from where it lies.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use sn17_app::ports::BlobKey;

use crate::Server;
use crate::refusal::Refusal;

/// How long a link is good for, in seconds: enough to follow it at once, too little to pass it on.
pub(crate) const LINK_VALID_SECS: u32 = 300;
/// What is meant for one reader.
pub(crate) const NOT_KEPT: HeaderValue = HeaderValue::from_static("no-store");

impl Server {
    /// A link to a blob of `bytes` that is too large for an answer of this host; none if it is not, or if the store has
    /// no address.
    pub(crate) async fn link(
        &self,
        blob: &BlobKey,
        bytes: u64,
        filename: &str,
    ) -> Result<Option<HeaderValue>, Refusal> {
        if self.options.redirect_above.is_none_or(|bytes_max| bytes <= bytes_max) {
            return Ok(None);
        }
        let link = self.app.ports().blobs.presign(blob, LINK_VALID_SECS, filename).await?;
        link.map(header).transpose()
    }
}

/// A link as a header's value.
pub(crate) fn header(link: String) -> Result<HeaderValue, Refusal> {
    HeaderValue::try_from(link).map_err(|_| {
        tracing::error!("the store's link is no header value");
        Refusal::internal("link")
    })
}

/// Sends the reader to a link.
pub(crate) fn redirect(status: StatusCode, link: HeaderValue, cache: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(LOCATION, link);
    response.headers_mut().insert(CACHE_CONTROL, cache);
    response
}
