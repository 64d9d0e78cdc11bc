//! The Lambda function that sends the effects of commits to their queues: the table's stream is the outbox.

use std::sync::Arc;

use aws_lambda_events::event::dynamodb::Event;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use sn17_aws::native;
use sn17_aws::settings::Role;
use sn17_functions::{Started, dispatch, init_telemetry};

#[tokio::main]
async fn main() -> Result<(), Error> {
    init_telemetry();
    let started = Started::from_env(Role::Dispatch).await?;
    let queue = Arc::new(native::queue(&started.settings, &started.clients, &started.host));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Event>| {
        let queue = Arc::clone(&queue);
        async move { dispatch(&queue, event.payload).await }
    }))
    .await
}
