//! What every simulation of the network needs: a ledger that keeps the contract of decisions and nothing else, and
//! numbers that look random and are the same on every host.

mod ledger;
mod random;

pub use ledger::{Committed, ContractError, MapLedger};
pub use random::Random;
