//! Where values lie in the chain's storage: the keys of `state_getStorage`.
//!
//! A key is the pallet's and the item's name, each as [`twox128`], and then the item's arguments by the hasher that
//! the runtime declares for them. These have been stable for years, which makes them the check on what the runtime's
//! calls answer.

use blake2::digest::consts::U16;
use blake2::{Blake2b, Digest as _};
use sn17_core::Hotkey;
use twox_hash::XxHash64;

/// The pallet all of these items belong to.
const PALLET: &str = "SubtensorModule";

/// XXH64 with the seeds 0 and 1, little-endian, as Substrate hashes names.
pub fn twox128(name: &str) -> [u8; 16] {
    let mut hash = [0; 16];
    hash[..8].copy_from_slice(&XxHash64::oneshot(0, name.as_bytes()).to_le_bytes());
    hash[8..].copy_from_slice(&XxHash64::oneshot(1, name.as_bytes()).to_le_bytes());
    hash
}

/// The key of an item without arguments, which is also the prefix of the keys of one with them.
pub fn item(name: &str) -> Vec<u8> {
    [twox128(PALLET), twox128(name)].concat()
}

/// When the block was made: milliseconds since the Unix epoch, a `u64`.
pub fn timestamp() -> Vec<u8> {
    [twox128("Timestamp"), twox128("Now")].concat()
}

/// How many neurons a subnet has: a `u16`.
pub fn subnetwork_n(netuid: u16) -> Vec<u8> {
    under(item("SubnetworkN"), netuid)
}

/// The hotkey in a slot: an account of 32 bytes.
pub fn hotkey_at(netuid: u16, uid: u16) -> Vec<u8> {
    under(under(item("Keys"), netuid), uid)
}

/// The slot of a hotkey: a `u16`, absent if it is not registered.
pub fn uid_of(netuid: u16, hotkey: &Hotkey) -> Vec<u8> {
    under_account(under(item("Uids"), netuid), hotkey)
}

/// Where a hotkey serves: an `AxonInfo`, absent if it does not.
pub fn axon_of(netuid: u16, hotkey: &Hotkey) -> Vec<u8> {
    under_account(under(item("Axons"), netuid), hotkey)
}

/// The hasher `Identity`, of a number.
fn under(mut key: Vec<u8>, number: u16) -> Vec<u8> {
    key.extend(number.to_le_bytes());
    key
}

/// The hasher `Blake2_128Concat`, of an account.
fn under_account(mut key: Vec<u8>, account: &Hotkey) -> Vec<u8> {
    key.extend(Blake2b::<U16>::digest(account.0));
    key.extend(account.0);
    key
}
