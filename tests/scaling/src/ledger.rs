//! The pure parts of the ledger on DynamoDB, compiled here once more: a simulation asks them a million times, and
//! `sn17-aws` is not optimised in a development build.

#[path = "../../../crates/aws/src/ledger/hints.rs"]
pub mod hints;
#[path = "../../../crates/aws/src/ledger/pages.rs"]
pub mod pages;
#[path = "../../../crates/aws/src/ledger/quota.rs"]
pub mod quota;
