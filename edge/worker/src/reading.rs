//! Bodies as they come from workerd.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::io::AsyncRead;
use http_body::{Body, Frame};
use wasm_streams::ReadableStream;
use wasm_streams::readable::IntoAsyncRead;
use worker::send::SendWrapper;
use wasm_bindgen::JsCast as _;
use worker::web_sys;

/// Bytes that are asked for at once. workerd gives 4 KiB at a time to those who do not ask for more, and a body of 27 MB
/// then takes 6,600 promises and ten times the processor time.
const PIECE_BYTES: usize = 64 << 10;

/// A body that is read into one buffer, used again for each piece; dropping it ends what sends it.
pub(crate) struct Reading {
    /// None once it has ended.
    source: Option<SendWrapper<IntoAsyncRead<'static>>>,
    piece: Box<[u8]>,
}

impl Reading {
    /// Of a body of a request or of an answer.
    ///
    /// # Errors
    /// If somebody else reads it, or it is no stream of bytes; bodies of requests and answers are.
    pub(crate) fn new(stream: web_sys::ReadableStream) -> worker::Result<Self> {
        let source = ReadableStream::from_raw(stream.unchecked_into()).try_into_async_read();
        let source = source.map_err(|(error, _)| worker::Error::from(error))?;
        Ok(Self { source: Some(SendWrapper::new(source)), piece: vec![0; PIECE_BYTES].into_boxed_slice() })
    }
}

impl Body for Reading {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self { source, piece } = &mut *self;
        let Some(reader) = source else { return Poll::Ready(None) };
        let read = ready!(Pin::new(&mut reader.0).poll_read(context, piece));
        let frame = match read {
            Ok(0) => None,
            Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(&piece[..bytes]))))),
            Err(error) => Some(Err(error)),
        };
        *source = None;
        Poll::Ready(frame)
    }
}
