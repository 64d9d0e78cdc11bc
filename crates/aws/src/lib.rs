//! Ledger on DynamoDB, blobs on S3 and queue on SQS.

pub mod backlog;
pub mod blobs;
pub mod clients;
pub mod dispatch;
pub mod edge;
mod error;
pub mod ledger;
#[cfg(not(target_family = "wasm"))]
pub mod native;
pub mod queue;
pub mod schema;
pub mod settings;
