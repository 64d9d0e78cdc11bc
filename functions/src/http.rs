//! From a Lambda event to the router and back.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use lambda_http::RequestExt as _;
use lambda_http::request::RequestContext;
use sn17_http::RemoteIp;
use tower::ServiceExt as _;
use tracing::Instrument as _;

/// Largest body that surely reaches a function, in bytes: 6 MiB of invocation payload (Lambda quotas), of which headers
/// and the envelope take up to 64 KiB.
pub const BODY_BYTES_MAX: u64 = (6 << 20) - (64 << 10);
/// Results above so many bytes are fetched from S3 by a link: beyond it a streamed answer is slowed down to 2 MB/s
/// (Lambda quotas), and the function would be paid for while it waits.
pub const REDIRECT_ABOVE_BYTES: u64 = 6 << 20;

/// Answers one HTTP event.
///
/// # Errors
/// None: the router answers everything.
pub async fn respond(
    router: Router,
    event: lambda_http::Request,
) -> Result<Response, std::convert::Infallible> {
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
    fn event(body: &str, is_base64: bool) -> lambda_http::Request {
        let event = serde_json::json!({
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
        });
        lambda_http::request::from_str(&event.to_string()).unwrap()
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
            let response = respond(router.clone(), event(body, is_base64)).await.unwrap();
            assert_eq!(response.status(), 200);
            let bytes = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
            assert_eq!(bytes, "{\"a\": 1}");
        }
    }
}
