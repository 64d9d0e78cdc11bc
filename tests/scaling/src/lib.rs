//! How far the network's keys carry on DynamoDB, and what it costs there: a simulation in virtual time.
//!
//! It is deterministic: the same load gives the same figures on every machine.
//!
//! What runs here is the program's own code wherever that is pure: the rules' decision on a pull
//! (`sn17_core::pull`), where an item stands and in which shard, which shards a pull looks into and what it makes of
//! them (`sn17_aws::ledger::pages`), what a process keeps of the hints and when it refreshes them
//! (`sn17_aws::ledger::hints`), how it leases quotas (`sn17_aws::ledger::quota`), and what each operation costs
//! (`sn17_aws::schema::units`). What is modelled: the table itself with an index that follows it after
//! [`load::INDEX_MS`], calls that take [`load::CALL_MS`], requests that meet a process at random, the order of the
//! calls of a refresh and of a pull, and as many processes as Little's law asks for.

pub mod costs;
pub mod gateways;
pub mod hint_item;
pub mod load;
pub mod meter;
pub mod prices;
pub mod pulls;
pub mod queues;
pub mod random;
pub mod report;
pub mod table;
pub mod trials;
pub mod world;

pub use trials::{Size, Trials};
