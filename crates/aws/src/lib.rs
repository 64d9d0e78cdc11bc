//! Ledger on DynamoDB, blobs on S3 and queue on SQS.

pub mod blobs;
pub mod dispatch;
mod error;
pub mod ledger;
#[cfg(not(target_family = "wasm"))]
pub mod native;
pub mod queue;
pub mod schema;
pub mod settings;
