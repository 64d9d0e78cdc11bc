//! What one process asks of DynamoDB.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use crate::intermediary::{behind, operation};

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
        let traffic = self.clone();
        behind(http, move |request, connector| traffic.count(request, &connector))
    }

    /// Takes out what has been counted.
    pub(crate) fn take(&self) -> Tally {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count(&self, request: HttpRequest, connector: &SharedHttpConnector) -> HttpConnectorFuture {
        let operation = operation(&request);
        let is_page = operation == "Query" && is_page(&request);
        let is_commit = operation == "TransactWriteItems";
        self.note(|tally| {
            tally.calls += 1;
            tally.queries += usize::from(is_page);
            tally.commits += usize::from(is_commit);
        });
        let (answer, traffic) = (connector.call(request), self.clone());
        HttpConnectorFuture::new(async move {
            let response = answer.await?;
            if is_commit && !response.status().is_success() {
                traffic.note(|tally| tally.refused += 1);
            }
            Ok(response)
        })
    }

    fn note(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Heads are asked for with a limit of one, and counts without any.
fn is_page(request: &HttpRequest) -> bool {
    let body: serde_json::Value =
        request.body().bytes().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    body["Limit"].as_u64().is_some_and(|limit| limit > 1)
}
