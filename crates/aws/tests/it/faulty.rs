//! A network that fails as it is told to.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

/// What happens to a request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It arrives and takes effect, and its answer gets lost.
    LoseReply,
    /// It never arrives.
    LoseRequest,
    /// It is refused because there is too much to do.
    Throttle,
    /// The service fails before it has done anything.
    ServerError,
    /// It is answered by this, and never arrives.
    Answer(u16, String),
    /// It arrives after a while.
    Delay(Duration),
}

impl Fault {
    /// A refusal with this code, and more members of its JSON.
    pub(crate) fn refusal(code: &str, more: &str) -> Self {
        let body = format!(
            r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"as scripted"{more}}}"#
        );
        Self::Answer(400, body)
    }
}

/// The faults that are still to come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script(Arc<Mutex<Vec<(String, Fault)>>>);

impl Script {
    /// Lets the next `times` requests of an operation fail.
    pub(crate) fn next(&self, operation: &str, times: usize, fault: &Fault) {
        let planned = std::iter::repeat_n((operation.to_owned(), fault.clone()), times);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(planned);
    }

    /// How many faults have not happened yet.
    pub(crate) fn left(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// `http` with these faults.
    pub(crate) fn over(&self, http: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Faulty { http, script: self.clone() })
    }

    fn take(&self, operation: &str) -> Option<Fault> {
        let mut planned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = planned.iter().position(|(name, _)| name == operation)?;
        Some(planned.remove(place).1)
    }
}

/// The operation of a request, as `x-amz-target` names it.
pub(crate) fn operation(request: &HttpRequest) -> String {
    let target = request.headers().get("x-amz-target").unwrap_or_default();
    target.rsplit('.').next().unwrap_or_default().to_owned()
}

#[derive(Debug)]
struct Faulty {
    http: SharedHttpClient,
    script: Script,
}

impl HttpClient for Faulty {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = self.http.http_connector(settings, components);
        SharedHttpConnector::new(FaultyConnector { connector, script: self.script.clone() })
    }
}

struct FaultyConnector {
    connector: SharedHttpConnector,
    script: Script,
}

impl fmt::Debug for FaultyConnector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FaultyConnector").finish_non_exhaustive()
    }
}

impl HttpConnector for FaultyConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Some(fault) = self.script.take(&operation(&request)) else { return self.connector.call(request) };
        let connector = self.connector.clone();
        HttpConnectorFuture::new(async move {
            match fault {
                Fault::LoseReply => {
                    connector.call(request).await?;
                    Err(ConnectorError::io("the answer got lost".into()))
                }
                Fault::LoseRequest => Err(ConnectorError::io("the request got lost".into())),
                Fault::Throttle => {
                    let code = "ProvisionedThroughputExceededException";
                    Ok(answer(400, format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}"}}"#)))
                }
                Fault::ServerError => {
                    let code = "com.amazonaws.dynamodb.v20120810#InternalServerError";
                    Ok(answer(500, format!(r#"{{"__type":"{code}"}}"#)))
                }
                Fault::Answer(status, body) => Ok(answer(status, body)),
                Fault::Delay(delay) => {
                    tokio::time::sleep(delay).await;
                    connector.call(request).await
                }
            }
        })
    }
}

fn answer(status: u16, body: String) -> HttpResponse {
    HttpResponse::new(StatusCode::try_from(status).expect("a status"), SdkBody::from(body))
}
