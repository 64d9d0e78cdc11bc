//! Services of AWS that answer from a script and remember what they were asked.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use sn17_aws::clients::Clients;

/// A request that a service was sent.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// What it asks for: `x-amz-target` without the service's name, or the query of a request to S3.
    pub(crate) operation: String,
    /// Its body.
    pub(crate) body: String,
}

/// What a service answers: a status and a body.
pub(crate) type Answer = (u16, String);

/// A service that answers from a script.
#[derive(Clone)]
pub(crate) struct Service {
    answer: Arc<dyn Fn(&Asked) -> Answer + Send + Sync>,
    asked: Arc<Mutex<Vec<Asked>>>,
    in_flight: Arc<AtomicUsize>,
    in_flight_max: Arc<AtomicUsize>,
}

impl Service {
    pub(crate) fn new(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self {
            answer: Arc::new(answer),
            asked: Arc::default(),
            in_flight: Arc::default(),
            in_flight_max: Arc::default(),
        }
    }

    /// Clients of the service, which retry at once.
    pub(crate) fn clients(&self) -> Clients {
        let connector = SharedHttpConnector::new(self.clone());
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "test", "test", None, None, "tests",
            )))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
            .endpoint_url("http://service.invalid")
            .build();
        Clients::new(config, true)
    }

    /// The requests of an operation.
    pub(crate) fn asked(&self, operation: &str) -> Vec<Asked> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.operation == operation).cloned().collect()
    }

    /// Most requests that waited for their answer at the same time.
    pub(crate) fn in_flight_max(&self) -> usize {
        self.in_flight_max.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Service").finish_non_exhaustive()
    }
}

impl HttpConnector for Service {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").and_then(|target| target.rsplit('.').next());
        let query = request.uri().split_once('?').map(|(_, query)| query);
        let asked = Asked {
            operation: target.or(query).unwrap_or_default().to_owned(),
            body: String::from_utf8(request.body().bytes().unwrap_or_default().to_vec()).unwrap(),
        };
        let (status, body) = (self.answer)(&asked);
        self.asked.lock().unwrap().push(asked);
        let service = self.clone();
        HttpConnectorFuture::new(async move {
            let now = service.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
            service.in_flight_max.fetch_max(now, Ordering::SeqCst);
            // Whoever else is to be asked at the same time gets a turn.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            service.in_flight.fetch_sub(1, Ordering::SeqCst);
            Ok(HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body)))
        })
    }
}
