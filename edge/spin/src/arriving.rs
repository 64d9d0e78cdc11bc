//! Bodies of requests, with an end to waiting for them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use spin_sdk::wasip3::http_compat::IncomingRequestBody;

use crate::platform::{HostTimer, timer};

/// A body of which nothing comes for so long is given up, or else a few clients that send nothing would fill an instance.
const PIECE_WITHIN: Duration = Duration::from_secs(30);
/// So is one that is not whole by then: 48 MiB at 1.3 Mbit/s.
const WHOLE_WITHIN: Duration = Duration::from_secs(300);

/// The body of a request, which ends with an error when it takes too long.
pub(crate) struct Arriving {
    body: IncomingRequestBody,
    /// Whether anything has come since `silence` began.
    has_moved: bool,
    /// One timer for many pieces: a body of 20 MB has more than a thousand.
    silence: HostTimer,
    whole: HostTimer,
}

impl Arriving {
    pub(crate) fn new(body: IncomingRequestBody) -> Self {
        Self { body, has_moved: false, silence: timer(PIECE_WITHIN), whole: timer(WHOLE_WITHIN) }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.whole.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.has_moved = true;
            return Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)));
        }
        while self.silence.as_mut().poll(context).is_ready() {
            if !std::mem::take(&mut self.has_moved) {
                return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
            }
            self.silence = timer(PIECE_WITHIN);
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
