//! Ledger on DynamoDB, blobs on S3 and queue on SQS.

mod error;
pub mod queue;
pub mod settings;
