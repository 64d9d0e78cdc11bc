//! What still arrives of a request that has been refused.
//!
//! A server that closes an HTTP/1 connection with bytes unread resets it, and the reset may overtake the answer (RFC
//! 9112, section 9.6): a miner whose 40 MB were refused by their headers would see a broken connection in place of the
//! reason. So the rest is read and thrown away, within bounds, before the answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use axum::Error;
use axum::body::{Body, BodyDataStream, HttpBody as _};
use axum::extract::Request;
use axum::http::Version;
use axum::http::header::EXPECT;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use sn17_core::UnixMs;

use crate::body;

/// Most of a refused body that is read: the largest body of any route, 48 MiB by the default policy, and some more, so
/// that one that is a little too large is told so.
const DISCARDED_BYTES_MAX: u64 = 64 << 20;
/// Longest time that it is read for, looked at whenever a piece arrives; the host bounds the wait for a piece.
const DISCARD_SECS_MAX: u64 = 30;

/// Lets a request be served as it is, and gives what there may be left to read of it.
pub(crate) fn watch(request: Request) -> (Request, Option<Rest>) {
    // HTTP/2 ends one stream and not the connection. Who expects to be told to go on has not sent anything yet.
    let is_sent_anyway = request.version() <= Version::HTTP_11 && !request.headers().contains_key(EXPECT);
    let is_bearable = body::check_announced(request.headers(), DISCARDED_BYTES_MAX).is_ok();
    if !is_sent_anyway || !is_bearable || request.body().is_end_stream() {
        return (request, None);
    }
    let (parts, body) = request.into_parts();
    let arriving = Arriving { body: body.into_data_stream(), is_over: false };
    let arriving = Arc::new(Mutex::new(arriving));
    let rest = Rest(Arc::clone(&arriving));
    let body = Body::from_stream(poll_fn(move |context| poll(&arriving, context)));
    (Request::from_parts(parts, body), Some(rest))
}

/// What a handler has left of its request's body.
pub(crate) struct Rest(Arc<Mutex<Arriving>>);

impl Rest {
    /// Reads it, within bounds, and throws it away.
    pub(crate) async fn discard(self, now: impl Fn() -> UnixMs) {
        let until = now().plus_secs(DISCARD_SECS_MAX);
        let mut left = DISCARDED_BYTES_MAX;
        let mut rest = poll_fn(|context| poll(&self.0, context));
        while let Some(Ok(piece)) = rest.next().await {
            left = left.saturating_sub(piece.len() as u64);
            if left == 0 || now() > until {
                break;
            }
        }
    }
}

/// A body that is read by its handler, and by [`Rest::discard`] after it.
struct Arriving {
    body: BodyDataStream,
    is_over: bool,
}

/// The next piece; none after the end or an error, however often it is asked for.
fn poll(arriving: &Mutex<Arriving>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
    let mut arriving = arriving.lock().unwrap_or_else(PoisonError::into_inner);
    if arriving.is_over {
        return Poll::Ready(None);
    }
    let piece = ready!(arriving.body.poll_next_unpin(context));
    arriving.is_over = !matches!(piece, Some(Ok(_)));
    Poll::Ready(piece)
}
