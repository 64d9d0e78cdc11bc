//! The AWS SDK's requests over the host's HTTP client.
//!
//! Bodies go in pieces, and answers come as the host gives them. Whoever drops a call cancels it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode};
use http_body::{Body, Frame};
use http_body_util::BodyExt as _;
use spin_sdk::wasip3::http::types::{ErrorCode, Fields, Request, RequestOptions, Trailers};
use spin_sdk::wasip3::http_compat::{IncomingResponseBody, http_from_wasi_response};
use spin_sdk::wasip3::wit_bindgen::{FutureReader, FutureWriter, StreamWriter};
use spin_sdk::wasip3::{http as host, spawn, wit_future, wit_stream};
use sync_wrapper::SyncWrapper;

/// Bytes that are copied at once of a body that the SDK keeps for another attempt.
const PIECE_BYTES: usize = 64 << 10;

/// How a body ended: with trailers or none, or not at all.
type Ending = Result<Option<Trailers>, ErrorCode>;

/// The host's HTTP client.
#[derive(Debug)]
pub(crate) struct HostClient;

impl HttpClient for HostClient {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let (connect, read) = (settings.connect_timeout(), settings.read_timeout());
        SharedHttpConnector::new(Connector { connect, read })
    }
}

/// The client with the time limits of a service.
#[derive(Debug)]
struct Connector {
    connect: Option<Duration>,
    read: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(send(request, (self.connect, self.read)))
    }
}

async fn send(
    request: HttpRequest,
    (connect, read): (Option<Duration>, Option<Duration>),
) -> Result<HttpResponse, ConnectorError> {
    if let Some(capture) = request.extension::<CaptureSmithyConnection>() {
        capture.set_connection_retriever(|| Some(connection()));
    }
    let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
    let is_head = request.method() == Method::HEAD;
    let options = RequestOptions::new();
    // A host that does not support a limit leaves it to the SDK, whose own limits hold beside these.
    let _ = options.set_connect_timeout(connect.map(nanoseconds));
    let _ = options.set_first_byte_timeout(read.map(nanoseconds));
    let (request, sent) = host_request(request, options)?;
    let answer = host::client::send(request).await.map_err(connector_error)?;
    let answer = http_from_wasi_response(answer).map_err(connector_error)?;
    let has_body = !is_head && !matches!(answer.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let missing = has_body.then(|| announced_bytes(&answer)).flatten();
    let answer = answer.map(|body| {
        SdkBody::from_body_1_x(AnswerBody {
            body: SyncWrapper::new(body),
            missing,
            _sent: SyncWrapper::new(sent),
        })
    });
    HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
}

/// What the SDK marks for closure after an answer that it tries anew, or else logs an error: connections are the host's.
fn connection() -> ConnectionMetadata {
    ConnectionMetadata::builder().proxied(false).poison_fn(|| {}).build()
}

/// The host's request for one of the SDK's, and what tells when it has been sent.
fn host_request(
    request: http::Request<SdkBody>,
    options: RequestOptions,
) -> Result<(Request, FutureReader<Result<(), ErrorCode>>), ConnectorError> {
    let (mut parts, body) = request.into_parts();
    // Without it the host sends a body in chunks, even one of no bytes, which S3 does not take.
    if let Some(bytes) = body.size_hint().exact() {
        parts.headers.entry(CONTENT_LENGTH).or_insert_with(|| bytes.into());
    }
    let refused =
        |what: &str| ConnectorError::user(format!("the host does not take the request's {what}").into());
    let headers = Fields::try_from(parts.headers).map_err(|_| refused("headers"))?;
    let (writer, contents) = wit_stream::new();
    let (ending, trailers) =
        wit_future::new(|| Err(ErrorCode::InternalError(Some("the body broke off".to_owned()))));
    let (request, sent) = Request::new(headers, Some(contents), trailers, Some(options));
    request.set_method(&parts.method.into()).map_err(|()| refused("method"))?;
    let scheme = parts.uri.scheme().map(Into::into);
    request.set_scheme(scheme.as_ref()).map_err(|()| refused("scheme"))?;
    request
        .set_authority(parts.uri.authority().map(|name| name.as_str()))
        .map_err(|()| refused("authority"))?;
    let path = parts.uri.path_and_query().map(|path| path.as_str());
    request.set_path_with_query(path).map_err(|()| refused("path"))?;
    spawn(write(body, writer, ending));
    Ok((request, sent))
}

/// Writes a body to the end, or until nobody reads it any more.
async fn write(mut body: SdkBody, mut writer: StreamWriter<u8>, ending: FutureWriter<Ending>) {
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return };
        // The SDK has no trailers but those that are part of a body's own format.
        let Ok(mut data) = frame.into_data() else { continue };
        while !data.is_empty() {
            let piece = data.split_to(data.len().min(PIECE_BYTES));
            if !writer.write_all(piece.to_vec()).await.is_empty() {
                return;
            }
        }
    }
    drop(writer);
    // An error means that nobody waits for the ending.
    let _ = ending.write(Ok(None)).await;
}

/// The bytes that an answer says it has.
fn announced_bytes<B>(answer: &http::Response<B>) -> Option<u64> {
    answer.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// An answer's body as it comes.
struct AnswerBody {
    body: SyncWrapper<IncomingResponseBody>,
    /// Bytes that are still to come, where it is known.
    missing: Option<u64>,
    /// Kept for as long as the body is read: Wasmtime takes its being dropped for a sign that nobody cares for the
    /// connection any more, and ends the body in the middle as if that were all.
    _sent: SyncWrapper<FutureReader<Result<(), ErrorCode>>>,
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let polled = ready!(Pin::new(self.body.get_mut()).poll_frame(context));
        Poll::Ready(match polled {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                self.missing = self.missing.map(|missing| missing.saturating_sub(bytes));
                Some(Ok(frame))
            }
            Some(Err(code)) => Some(Err(BrokenOff(code.to_string()))),
            None => match self.missing.take() {
                Some(missing @ 1..) => Some(Err(BrokenOff(format!("{missing} bytes are missing")))),
                Some(0) | None => None,
            },
        })
    }
}

/// An answer whose body did not come to its end.
#[derive(Debug)]
struct BrokenOff(String);

impl std::fmt::Display for BrokenOff {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the answer broke off: {}", self.0)
    }
}

impl std::error::Error for BrokenOff {}

/// Sorts what the host says into what the SDK tries again and what it does not.
fn connector_error(code: ErrorCode) -> ConnectorError {
    let is_timeout = matches!(
        code,
        ErrorCode::DnsTimeout
            | ErrorCode::ConnectionTimeout
            | ErrorCode::ConnectionReadTimeout
            | ErrorCode::ConnectionWriteTimeout
            | ErrorCode::HttpResponseTimeout
    );
    // Not allowed by the manifest, or not a request: the same tomorrow.
    let is_ours = matches!(
        code,
        ErrorCode::DestinationIpProhibited
            | ErrorCode::HttpRequestDenied
            | ErrorCode::HttpRequestLengthRequired
            | ErrorCode::HttpRequestBodySize(_)
            | ErrorCode::HttpRequestMethodInvalid
            | ErrorCode::HttpRequestUriInvalid
            | ErrorCode::HttpRequestUriTooLong
            | ErrorCode::HttpRequestHeaderSectionSize(_)
            | ErrorCode::HttpRequestHeaderSize(_)
            | ErrorCode::TlsCertificateError
    );
    let is_io = matches!(
        code,
        ErrorCode::DnsError(_)
            | ErrorCode::DestinationNotFound
            | ErrorCode::DestinationUnavailable
            | ErrorCode::DestinationIpUnroutable
            | ErrorCode::ConnectionRefused
            | ErrorCode::ConnectionTerminated
            | ErrorCode::ConnectionLimitReached
            | ErrorCode::HttpResponseIncomplete
    );
    match (is_timeout, is_ours, is_io) {
        (true, ..) => ConnectorError::timeout(code.into()),
        (_, true, _) => ConnectorError::user(code.into()),
        (.., true) => ConnectorError::io(code.into()),
        // Protocol errors, TLS alerts and whatever else a connection may break by.
        (false, false, false) => ConnectorError::other(code.into(), Some(ErrorKind::TransientError)),
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
