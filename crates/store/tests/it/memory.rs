//! The store in memory.

use sn17_store::conformance::EmbeddedHarness;
use sn17_store::{Embedded, Options};

const MAX_RECEIVES: u32 = 3;

sn17_store::ledger_conformance!(EmbeddedHarness::new(MAX_RECEIVES, false, |clock| {
    Embedded::memory(clock, Options { max_receives: MAX_RECEIVES, ..Options::default() }).unwrap()
}));
sn17_store::queue_conformance!(EmbeddedHarness::new(MAX_RECEIVES, false, |clock| {
    Embedded::memory(clock, Options { max_receives: MAX_RECEIVES, ..Options::default() }).unwrap()
}));
