//! What the network's operations cost, measured, and how far its keys carry, simulated; and that the documents say so.

#[path = "../../../crates/aws/tests/it/calls.rs"]
mod calls;
mod costs;
mod documents;
mod duels;
#[path = "../../../crates/aws/tests/it/dynamo.rs"]
#[expect(dead_code, reason = "what only the adapters' own tests ask of it")]
mod dynamo;
#[path = "../../../crates/aws/tests/it/intermediary.rs"]
mod intermediary;
mod network;
