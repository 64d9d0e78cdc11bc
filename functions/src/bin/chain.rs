//! The Lambda function that asks the chain every ten minutes who is registered.

use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use sn17_aws::settings::Role;
use sn17_functions::{Chain, Started, chain_settings, init_telemetry};

#[tokio::main]
async fn main() -> Result<(), Error> {
    init_telemetry();
    let started = Started::from_env(Role::Chain).await?;
    let nodes = chain_settings(|name| std::env::var(name).ok())?;
    let chain = Arc::new(Chain::new(started.app(None)?, nodes, &started.settings.stage)?);
    lambda_runtime::run(service_fn(move |_: LambdaEvent<Value>| {
        let chain = Arc::clone(&chain);
        Box::pin(async move { chain.handle().await })
    }))
    .await
}
