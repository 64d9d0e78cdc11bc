//! Bodies of requests at hosts that leave the waiting for them to us.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::HttpBody;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// Between two pieces of a body at least this may pass, and twice this at most: a few clients that send nothing would
/// otherwise fill a process.
const PIECE_WITHIN: Duration = Duration::from_secs(30);
/// The whole of it may take so many times as long: 300 s, the longest time-out that a miner's signature may name.
const WINDOWS_MAX: u32 = 10;

/// The body of a request, which ends with an error when nothing has come of it for too long, or when it takes too long
/// in all. For hosts whose platform bounds neither.
pub struct Arriving<B, T> {
    body: B,
    /// The host's timer.
    sleep: fn(Duration) -> T,
    /// One timer for many pieces: a body of 20 MB has hundreds.
    window: T,
    /// Whether anything has come in this window.
    has_moved: bool,
    /// How many windows are over.
    windows: u32,
}

impl<B, T> Arriving<B, T> {
    /// Bounds a body by the host's timer.
    pub fn new(body: B, sleep: fn(Duration) -> T) -> Self {
        Self { body, sleep, window: sleep(PIECE_WITHIN), has_moved: false, windows: 0 }
    }
}

impl<B, T> HttpBody for Arriving<B, T>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin,
    T: Future<Output = ()> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.has_moved = true;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        while Pin::new(&mut self.window).poll(context).is_ready() {
            self.windows += 1;
            if !std::mem::take(&mut self.has_moved) || self.windows >= WINDOWS_MAX {
                return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::TimedOut).into())));
            }
            self.window = (self.sleep)(PIECE_WITHIN);
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B, T> fmt::Debug for Arriving<B, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Arriving").field("windows", &self.windows).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use futures_util::stream;
    use tokio::time::Instant;

    use super::*;

    /// What becomes of a body of so many bytes that come so far apart, and after how long; the last one is never followed
    /// by an end if `ends` is false.
    async fn arrive(count: usize, apart_secs: u64, ends: bool) -> (Option<usize>, u64) {
        let pieces = stream::unfold(0, move |sent| async move {
            tokio::time::sleep(Duration::from_secs(apart_secs)).await;
            if sent == count && !ends {
                return std::future::pending().await;
            }
            (sent < count).then_some((Ok::<_, io::Error>("x"), sent + 1))
        });
        let sleep = |duration| Box::pin(tokio::time::sleep(duration));
        let body = Body::new(Arriving::new(Body::from_stream(pieces), sleep));
        let started = Instant::now();
        let bytes = to_bytes(body, usize::MAX).await.ok().map(|bytes| bytes.len());
        (bytes, started.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_pause_but_not_fall_silent() {
        assert_eq!(arrive(3, 29, true).await, (Some(3), 116));
        assert_eq!(arrive(1, 30, true).await, (Some(1), 60), "at the edge");
        assert_eq!(arrive(0, 29, true).await, (Some(0), 29));
        assert_eq!(arrive(0, 31, true).await, (None, 30), "nothing at all");
        assert_eq!(arrive(1, 29, false).await, (None, 60), "nothing after the first");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_ends_at_last() {
        assert_eq!(arrive(298, 1, true).await, (Some(298), 299));
        assert_eq!(arrive(299, 1, true).await, (Some(299), 300), "at the edge");
        assert_eq!(arrive(400, 1, true).await, (None, 300));
    }
}
