//! Bodies as they come from workerd and go back to it.

use std::future::ready;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready as come};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::StreamExt as _;
use futures_util::io::AsyncRead;
use http_body::{Body, Frame};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_streams::ReadableStream;
use wasm_streams::readable::IntoAsyncRead;
use worker::js_sys::Uint8Array;
use worker::send::SendWrapper;
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys;
use worker::worker_sys::FixedLengthStream;

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
        let read = come!(Pin::new(&mut reader.0).poll_read(context, piece));
        let frame = match read {
            Ok(0) => None,
            Ok(bytes) => return Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(&piece[..bytes]))))),
            Err(error) => Some(Err(error)),
        };
        *source = None;
        Poll::Ready(frame)
    }
}

/// A body on its way to workerd.
pub(crate) struct Sending {
    /// What workerd reads.
    pub(crate) stream: web_sys::ReadableStream,
    /// What fills it, and ends with it. Somebody MUST keep it going.
    pub(crate) piping: Pin<Box<dyn Future<Output = ()>>>,
}

/// A stream for workerd of these pieces, whose length it knows if it is told one: else it would send none.
///
/// # Errors
/// If workerd can make no such stream.
pub(crate) fn sending<E: std::fmt::Display>(
    pieces: impl Stream<Item = Result<Bytes, E>> + 'static,
    bytes: Option<u64>,
) -> worker::Result<Sending> {
    let pieces = pieces.map(|piece| match piece {
        Ok(piece) => Ok(Uint8Array::from(&piece[..]).into()),
        Err(error) => Err(JsValue::from(error.to_string())),
    });
    let stream: web_sys::ReadableStream = ReadableStream::from_stream(pieces).into_raw().unchecked_into();
    let Some(bytes) = bytes else { return Ok(Sending { stream, piping: Box::pin(ready(())) }) };
    let fixed = FixedLengthStream::new_big_int(bytes.into())?;
    let piped = JsFuture::from(stream.pipe_to(&fixed.writable()));
    // Whoever reads the other end learns of a failure there.
    let piping = Box::pin(async { drop(piped.await) });
    Ok(Sending { stream: fixed.readable(), piping })
}
