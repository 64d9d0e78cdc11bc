//! A recorder of calls and of the request units that the engine says they cost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use serde_json::Value;

use crate::intermediary::{behind, operation};

/// One request and its answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// The operation, `PutItem` and the like.
    pub(crate) operation: String,
    /// Whether it was refused.
    pub(crate) is_refused: bool,
    /// Write request units, table and indexes together.
    pub(crate) write_units: f64,
    /// Read request units.
    pub(crate) read_units: f64,
}

/// Every call so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls(Arc<Mutex<Vec<Call>>>);

/// What some calls cost together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    /// How often each operation was called.
    pub(crate) calls: BTreeMap<String, usize>,
    /// Write request units.
    pub(crate) write_units: f64,
    /// Read request units.
    pub(crate) read_units: f64,
}

impl Cost {
    /// How often an operation was called.
    pub(crate) fn of(&self, operation: &str) -> usize {
        self.calls.get(operation).copied().unwrap_or_default()
    }
}

impl Calls {
    /// `http`, recorded here. Requests are changed to ask for what they consume, which local engines tell and whose
    /// signatures they do not check.
    pub(crate) fn over(&self, http: SharedHttpClient) -> SharedHttpClient {
        let calls = self.clone();
        behind(http, move |request, connector| calls.record(request, &connector))
    }

    /// Takes out what has been recorded.
    pub(crate) fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes out what has been recorded, summed up.
    pub(crate) fn cost(&self) -> Cost {
        let mut cost = Cost::default();
        for call in self.take() {
            *cost.calls.entry(call.operation).or_default() += 1;
            cost.write_units += call.write_units;
            cost.read_units += call.read_units;
        }
        cost
    }

    fn record(&self, mut request: HttpRequest, connector: &SharedHttpConnector) -> HttpConnectorFuture {
        let operation = operation(&request);
        ask_for_units(&mut request);
        let (answer, calls) = (connector.call(request), self.clone());
        HttpConnectorFuture::new(async move {
            let mut response = answer.await?;
            let is_refused = !response.status().is_success();
            let body = ByteStream::new(response.take_body()).collect().await.map(|body| body.into_bytes());
            let body = body.unwrap_or_default();
            let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
            let units = units_in(&answer["ConsumedCapacity"]);
            let writes = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"].contains(&&*operation);
            let (write_units, read_units) = if writes { (units, 0.0) } else { (0.0, units) };
            let call = Call { operation, is_refused, write_units, read_units };
            calls.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
            Ok(HttpResponse::new(response.status(), SdkBody::from(body)))
        })
    }
}

fn ask_for_units(request: &mut HttpRequest) {
    let Some(Ok(Value::Object(mut body))) = request.body().bytes().map(serde_json::from_slice) else {
        return;
    };
    body.insert("ReturnConsumedCapacity".to_owned(), "TOTAL".into());
    let text = Value::Object(body).to_string();
    request.headers_mut().insert("content-length", text.len().to_string());
    *request.body_mut() = SdkBody::from(text);
}

/// The units of one table, or of several.
fn units_in(consumed: &Value) -> f64 {
    if let Some(tables) = consumed.as_array() {
        return tables.iter().map(units_in).sum();
    }
    consumed["CapacityUnits"].as_f64().unwrap_or_default()
}
