//! The store in a folder.

use std::sync::Arc;

use sn17_store::conformance::EmbeddedHarness;
use sn17_store::{Clock, Embedded, Options};

const MAX_RECEIVES: u32 = 3;

/// Opens the store in a folder that goes with the last harness or thread that uses it.
fn open_in_new_folder() -> impl Fn(Clock) -> Embedded + Send + Sync {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    move |clock| {
        let options =
            Options { max_receives: MAX_RECEIVES, judging_max_receives: MAX_RECEIVES, cache_bytes: 8 << 20 };
        Embedded::open(folder.path(), clock, options).unwrap()
    }
}

sn17_store::ledger_conformance!(EmbeddedHarness::new(MAX_RECEIVES, true, open_in_new_folder()));
sn17_store::queue_conformance!(EmbeddedHarness::new(MAX_RECEIVES, true, open_in_new_folder()));
