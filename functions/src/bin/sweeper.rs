//! The Lambda function that ends what is due: by the timers' queue when it is due, and every minute whatever a lost
//! timer, effect, message or upload has left behind; every minute it also makes the duels that are due.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use sn17_aws::backlog::Snapshots;
use sn17_aws::native;
use sn17_aws::settings::Role;
use sn17_functions::{Started, Sweeper, init_telemetry};

#[tokio::main]
async fn main() -> Result<(), Error> {
    init_telemetry();
    let started = Started::from_env(Role::Sweeper).await?;
    let sweeper = Arc::new(Sweeper::new(
        started.app(None)?,
        native::queue(&started.settings, &started.clients, &started.host),
        native::blobs(&started.settings.network()?.bucket, &started.clients, &started.host),
        Snapshots::new(started.clients.dynamodb(), &started.settings.table),
    ));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let sweeper = Arc::clone(&sweeper);
        // All duties are in it side by side, which is more than a stack should hold.
        Box::pin(async move { sweeper.handle(event.payload).await })
    }))
    .await
}
