//! The ledger's conformance suite on dynoxide, and on ministack with its SQS.

use crate::dynamo::DynamoHarness;

mod on_dynoxide {
    use super::*;

    sn17_store::ledger_conformance!(DynamoHarness::dynoxide().await);
}
