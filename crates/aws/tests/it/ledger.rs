//! The ledger's conformance suite on dynoxide, and on the engine of the environment with its SQS.

use std::sync::Arc;

use sn17_aws::queue::SqsQueue;

use crate::dynamo::{DynamoHarness, Engine, host};
use crate::engines;

mod on_dynoxide {
    use super::*;

    sn17_store::ledger_conformance!(DynamoHarness::dynoxide().await);
}

mod on_an_engine {
    use super::*;

    /// The table's effects go to SQS queues beside it.
    async fn harness() -> Option<DynamoHarness> {
        let clients = engines::engine()?;
        let engine = Engine::of_environment()?;
        let host = host(|| sn17_store::Clock::system().now());
        let queue = SqsQueue::new(clients.sqs().clone(), engines::queues(&clients).await, host);
        Some(DynamoHarness::with_queue(&engine, Arc::new(queue)).await)
    }

    sn17_store::ledger_conformance!(match harness().await {
        Some(harness) => harness,
        None => return,
    });
}
