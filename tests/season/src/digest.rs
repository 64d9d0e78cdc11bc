//! The state of a ledger in one hash.

use std::collections::{BTreeMap, BTreeSet};

use sn17_core::UnixMs;
use sn17_core::state::Key;
use sn17_model::MapLedger;

/// The hash of every item, renewed for those that have changed.
#[derive(Debug, Default)]
pub(crate) struct StateDigest {
    items: BTreeMap<Key, [u8; 32]>,
    touched: BTreeSet<Key>,
}

impl StateDigest {
    /// Notes that an item may have changed.
    pub(crate) fn touch(&mut self, key: Key) {
        self.touched.insert(key);
    }

    /// BLAKE3 over the hashes of all items in the order of their keys; each covers the key, the revision, the decision,
    /// the expiry and every bit of the value.
    pub(crate) fn of(&mut self, ledger: &MapLedger, now: UnixMs) -> Result<[u8; 32], postcard::Error> {
        for key in std::mem::take(&mut self.touched) {
            match ledger.live(now, &key) {
                Some(stored) => {
                    let bytes = postcard::to_stdvec(&(key, stored))?;
                    self.items.insert(key, blake3::hash(&bytes).into());
                }
                None => {
                    self.items.remove(&key);
                }
            }
        }
        let mut hasher = blake3::Hasher::new();
        for item in self.items.values() {
            hasher.update(item);
        }
        Ok(hasher.finalize().into())
    }
}
