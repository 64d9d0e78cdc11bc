//! A network that fails as it is told to.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use crate::intermediary::{behind, operation};

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

    fn happen_to(self, request: HttpRequest, connector: SharedHttpConnector) -> HttpConnectorFuture {
        HttpConnectorFuture::new(async move {
            match self {
                Self::LoseReply => {
                    connector.call(request).await?;
                    Err(ConnectorError::io("the answer got lost".into()))
                }
                Self::LoseRequest => Err(ConnectorError::io("the request got lost".into())),
                Self::Throttle => {
                    let code = "ProvisionedThroughputExceededException";
                    Ok(answer(400, format!(r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}"}}"#)))
                }
                Self::ServerError => {
                    let code = "com.amazonaws.dynamodb.v20120810#InternalServerError";
                    Ok(answer(500, format!(r#"{{"__type":"{code}"}}"#)))
                }
                Self::Answer(status, body) => Ok(answer(status, body)),
                Self::Delay(delay) => {
                    tokio::time::sleep(delay).await;
                    connector.call(request).await
                }
            }
        })
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
        let script = self.clone();
        behind(http, move |request, connector| match script.take(&operation(&request)) {
            Some(fault) => fault.happen_to(request, connector),
            None => connector.call(request),
        })
    }

    fn take(&self, operation: &str) -> Option<Fault> {
        let mut planned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = planned.iter().position(|(name, _)| name == operation)?;
        Some(planned.remove(place).1)
    }
}

fn answer(status: u16, body: String) -> HttpResponse {
    HttpResponse::new(StatusCode::try_from(status).expect("a status"), SdkBody::from(body))
}
