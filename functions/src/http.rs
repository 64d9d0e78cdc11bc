//! From a Lambda event to the router and back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use aws_lambda_events::event::apigw::ApiGatewayV2httpRequest;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use lambda_http::request::{LambdaRequest, RequestContext};
use lambda_http::{Adapter, Error, LambdaEvent, RequestExt as _, StreamAdapter, lambda_runtime, service_fn};
use sn17_http::RemoteIp;
use tower::ServiceBuilder;
use tower::ServiceExt as _;
use tracing::Instrument as _;

/// Largest body that surely reaches a function, in bytes: 6 MiB of invocation payload (Lambda quotas), of which headers
/// and the envelope take up to 64 KiB.
pub const BODY_BYTES_MAX: u64 = (6 << 20) - (64 << 10);
/// Results above so many bytes are fetched from S3 by a link: beyond it a streamed answer is slowed down to 2 MB/s
/// (Lambda quotas), and the function would be paid for while it waits.
pub const REDIRECT_ABOVE_BYTES: u64 = 6 << 20;
/// Most memory of a conversion to PLY, in bytes: the splats and a PLY of the same size, which is at most 200 MB, as
/// Lambda streams no more (Lambda quotas). A larger one would be cut off when all the work is done.
pub const CONVERSION_BYTES_MAX: usize = 2 * 200_000_000;

/// Serves HTTP events with answers in one piece, until the platform ends the process.
///
/// # Errors
/// Those of the runtime.
pub async fn serve(router: Router) -> Result<(), Error> {
    let service = Adapter::from(service_fn(move |event| respond(router.clone(), event)));
    lambda_runtime::run(ServiceBuilder::new().map_request(with_readable_url).service(service)).await
}

/// Serves HTTP events with streamed answers, until the platform ends the process.
///
/// # Errors
/// Those of the runtime.
pub async fn serve_streaming(router: Router) -> Result<(), Error> {
    let service = StreamAdapter::from(service_fn(move |event| respond(router.clone(), event)));
    lambda_runtime::run(ServiceBuilder::new().map_request(with_readable_url).service(service)).await
}

fn with_readable_url(event: LambdaEvent<LambdaRequest>) -> LambdaEvent<LambdaRequest> {
    LambdaEvent { payload: readable_url(event.payload), context: event.context }
}

/// Takes the URL out of an event if it cannot be read, for [`respond`] to refuse it.
///
/// `lambda_http` 1.3 joins scheme, host and path as the sender wrote them and panics when that is no URL. The runtime
/// catches the panic and counts an error of the function, so that any passer-by could raise its alarms; hence this
/// asks the same code beforehand, with an event of nothing but the URL.
fn readable_url(event: LambdaRequest) -> LambdaRequest {
    let LambdaRequest::ApiGatewayV2(mut event) = event else { return event };
    let mut url = ApiGatewayV2httpRequest::default();
    url.raw_path.clone_from(&event.raw_path);
    url.raw_query_string.clone_from(&event.raw_query_string);
    url.headers.clone_from(&event.headers);
    url.request_context.stage.clone_from(&event.request_context.stage);
    url.request_context.domain_name.clone_from(&event.request_context.domain_name);
    let converted = AssertUnwindSafe(|| lambda_http::Request::from(LambdaRequest::ApiGatewayV2(url)));
    if catch_unwind(converted).is_err() {
        event.raw_path = None;
        event.raw_query_string = None;
        event.headers.remove(header::HOST);
        event.request_context.stage = None;
        event.request_context.domain_name = None;
    }
    LambdaRequest::ApiGatewayV2(event)
}

/// Answers one HTTP event.
///
/// # Errors
/// None: the router answers everything.
async fn respond(router: Router, event: lambda_http::Request) -> Result<Response, std::convert::Infallible> {
    // Events have a path, but for those whose URL was taken out.
    if event.raw_http_path().is_empty() {
        return Ok((StatusCode::BAD_REQUEST, "the URL cannot be read").into_response());
    }
    let context = event.lambda_context_ref();
    let span = tracing::info_span!(
        "invocation",
        aws.request_id = context.map_or("", |context| &context.request_id),
        aws.trace_id = context.and_then(|context| context.xray_trace_id.as_deref()).unwrap_or_default(),
    );
    router.oneshot(request(event)).instrument(span).await
}

fn request(event: lambda_http::Request) -> Request {
    let remote_ip = match event.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            context.http.source_ip.as_deref().and_then(|ip| ip.parse().ok())
        }
        Some(_) | None => None,
    };
    let mut request = event.map(|body| match body {
        lambda_http::Body::Empty => Body::empty(),
        lambda_http::Body::Text(text) => Body::from(text),
        lambda_http::Body::Binary(bytes) => Body::from(bytes),
        _ => Body::empty(),
    });
    request.extensions_mut().insert(RemoteIp(remote_ip));
    request
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use axum::extract::Extension;
    use axum::http::HeaderMap;
    use axum::routing::post;

    use super::*;

    /// An event of a function URL (payload format 2.0), as the Lambda developer guide describes it.
    fn event(body: &str, is_base64: bool) -> serde_json::Value {
        serde_json::json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/PullTask",
            "rawQueryString": "id=a%20b",
            "headers": { "x-api-key": "key", "x-forwarded-for": "203.0.113.9" },
            "requestContext": {
                "accountId": "anonymous",
                "apiId": "abcdef",
                "domainName": "abcdef.lambda-url.us-east-1.on.aws",
                "http": {
                    "method": "POST",
                    "path": "/PullTask",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.7",
                    "userAgent": "test",
                },
                "requestId": "id",
                "routeKey": "$default",
                "stage": "$default",
                "time": "12/Mar/2026:19:03:58 +0000",
                "timeEpoch": 1_773_342_238_000_u64,
            },
            "body": body,
            "isBase64Encoded": is_base64,
        })
    }

    /// What the router's service is given for an event.
    fn converted(event: &serde_json::Value) -> lambda_http::Request {
        readable_url(serde_json::from_value(event.clone()).unwrap()).into()
    }

    async fn echo(
        Extension(remote): Extension<RemoteIp>,
        headers: HeaderMap,
        uri: axum::http::Uri,
        body: String,
    ) -> String {
        assert_eq!(
            remote.0,
            Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
            "the peer, not what a header says"
        );
        assert_eq!(headers["x-api-key"], "key");
        assert_eq!(uri.query(), Some("id=a%20b"));
        body
    }

    #[tokio::test]
    async fn an_event_reaches_the_router_as_the_request_it_was() {
        let router = Router::new().route("/PullTask", post(echo));
        for (body, is_base64) in [("{\"a\": 1}", false), ("eyJhIjogMX0=", true)] {
            let response = respond(router.clone(), converted(&event(body, is_base64))).await.unwrap();
            assert_eq!(response.status(), 200);
            let bytes = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
            assert_eq!(bytes, "{\"a\": 1}");
        }
    }

    /// A path or query that is none is refused, and so is a host or scheme with which there is no URL.
    #[tokio::test]
    async fn an_event_whose_url_cannot_be_read_is_refused() {
        let router = Router::new().fallback(|| async { "reached" });
        for (place, text, expected) in [
            ("/rawPath", "/a%", Some(200)),
            ("/rawPath", "//", None),
            ("/rawPath", "/\u{0}\n\u{fffd}é ", None),
            ("/rawPath", "", Some(400)),
            ("/rawPath", "@:::", None),
            ("/rawPath", "no slash", None),
            ("/rawQueryString", "%zz&&==", Some(200)),
            ("/rawQueryString", "a b\n\u{7f}", None),
            ("/rawQueryString", "é\u{202e}", None),
            ("/headers/host", "", None),
            ("/headers/host", "a b", None),
            ("/headers/host", "exa mple:99999", Some(400)),
            ("/headers/host", "example.org:99999", Some(400)),
            ("/headers/host", "[::1", Some(400)),
            ("/headers/host", "a@b@c/d?e#f", None),
            ("/headers/x-forwarded-proto", "", Some(400)),
            ("/headers/x-forwarded-proto", "ht tp", Some(400)),
            ("/headers/x-forwarded-proto", "http, https", Some(400)),
            ("/headers/x-forwarded-proto", "javascript", None),
        ] {
            let mut event = event("", false);
            event["headers"]["host"] = "example.org".into();
            event["headers"]["x-forwarded-proto"] = "https".into();
            *event.pointer_mut(place).unwrap() = text.into();
            let status = respond(router.clone(), converted(&event)).await.unwrap().status().as_u16();
            assert!(expected.is_none_or(|expected| expected == status), "{place} {text:?}: {status}");
            assert!(matches!(status, 200 | 400), "{place} {text:?}: {status}");
        }
    }

    /// Whatever stands in the parts of the URL, the event is answered.
    #[tokio::test]
    async fn a_very_long_url_is_refused() {
        let router = Router::new().fallback(|| async { "reached" });
        let mut event = event("", false);
        event["rawQueryString"] = "a".repeat(70_000).into();
        assert_eq!(respond(router, converted(&event)).await.unwrap().status(), 400);
    }
}
