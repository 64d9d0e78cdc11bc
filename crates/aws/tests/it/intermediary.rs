//! What stands between the SDK and the network: it gets every request before it leaves.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

/// `http` behind `handle`, which gets each request and what sends it on.
pub(crate) fn behind<H>(http: SharedHttpClient, handle: H) -> SharedHttpClient
where
    H: Fn(HttpRequest, SharedHttpConnector) -> HttpConnectorFuture + Send + Sync + 'static,
{
    let handle = Arc::new(handle);
    http_client_fn(move |settings, components| {
        let connector = http.http_connector(settings, components);
        SharedHttpConnector::new(Intermediary { connector, handle: Arc::clone(&handle) })
    })
}

/// The operation of a request, as `x-amz-target` names it.
pub(crate) fn operation(request: &HttpRequest) -> String {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    target.rsplit('.').next().unwrap_or_default().to_owned()
}

struct Intermediary<H> {
    connector: SharedHttpConnector,
    handle: Arc<H>,
}

impl<H> fmt::Debug for Intermediary<H> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Intermediary").finish_non_exhaustive()
    }
}

impl<H> HttpConnector for Intermediary<H>
where
    H: Fn(HttpRequest, SharedHttpConnector) -> HttpConnectorFuture + Send + Sync,
{
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        (self.handle)(request, self.connector.clone())
    }
}
