//! Prompts for synthetic tasks: which lines become prompts, where they come from when no language model answers, and
//! which of them a network serves.
//!
//! Language models write lines ([`Batch`] takes them in, filter by filter), a [`grammar`] writes prompts without any
//! model, and a [`collector`] keeps what generators hand in and serves it in large batches. What of it is stored, and
//! where, stands on a [`shelf`].

mod batch;
mod clean;
pub mod collector;
pub mod grammar;
mod rules;
mod seen;
pub mod shelf;
mod statistics;
pub mod words;

pub use batch::{Batch, Style};
pub use clean::{Refused, clean, clean_sentence, is_plain};
pub use rules::PromptRules;
pub use seen::{Seen, key};
pub use statistics::{Origin, Outcome, Statistics, Tally};
