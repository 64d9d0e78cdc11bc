//! What one process asks of DynamoDB.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

/// Calls that were made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Queries for pages of open tasks; those that take the hints are not among them.
    pub(crate) queries: usize,
    /// Transactions.
    pub(crate) commits: usize,
    /// Transactions that were refused.
    pub(crate) refused: usize,
    /// Everything.
    pub(crate) calls: usize,
}

/// The calls of one process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic(Arc<Mutex<Tally>>);

impl Traffic {
    /// `http`, counted here.
    pub(crate) fn over(&self, http: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Counted { http, traffic: self.clone() })
    }

    /// Takes out what has been counted.
    pub(crate) fn take(&self) -> Tally {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

#[derive(Debug)]
struct Counted {
    http: SharedHttpClient,
    traffic: Traffic,
}

impl HttpClient for Counted {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.http.http_connector(settings, components);
        SharedHttpConnector::new(CountedConnector { connector, traffic: self.traffic.clone() })
    }
}

struct CountedConnector {
    connector: SharedHttpConnector,
    traffic: Traffic,
}

impl fmt::Debug for CountedConnector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CountedConnector").finish_non_exhaustive()
    }
}

impl HttpConnector for CountedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let is_page = operation == "Query" && is_page(&request);
        let is_commit = operation == "TransactWriteItems";
        self.traffic.note(|tally| {
            tally.calls += 1;
            tally.queries += usize::from(is_page);
            tally.commits += usize::from(is_commit);
        });
        let (connector, traffic) = (self.connector.clone(), self.traffic.clone());
        HttpConnectorFuture::new(async move {
            let response = connector.call(request).await?;
            if is_commit && !response.status().is_success() {
                traffic.note(|tally| tally.refused += 1);
            }
            Ok(response)
        })
    }
}

/// Heads are asked for with a limit of one, and counts without any.
fn is_page(request: &HttpRequest) -> bool {
    let body: serde_json::Value =
        request.body().bytes().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    body["Limit"].as_u64().is_some_and(|limit| limit > 1)
}
