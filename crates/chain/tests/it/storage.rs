//! Storage keys against the recorded ones, and against one that every Substrate chain shares.

use sn17_chain::storage;

use crate::fixtures;

#[test]
fn the_prefixes_are_the_recorded_ones() {
    let Some(recording) = fixtures::chain() else { return };
    let prefixes = recording["storage_prefix"].as_object().unwrap();
    assert!(prefixes.len() >= 12);
    for (name, prefix) in prefixes {
        assert_eq!(storage::item(name), fixtures::bytes(prefix), "{name}");
    }
}

#[test]
fn the_keys_are_the_recorded_ones() {
    let Some(recording) = fixtures::chain() else { return };
    let keys = &recording["keys_netuid17"];
    let recorded = |name: &str| fixtures::bytes(&keys[name]);
    assert_eq!(storage::hotkey_at(17, 0), recorded("Keys(17,0)"));
    assert!(storage::hotkey_at(17, 255).starts_with(&recorded("Keys(17,*) prefix")));
    assert_eq!(storage::uid_of(17, &fixtures::miner()), recorded("Uids(17,miner_hotkey)"));
    assert_eq!(storage::axon_of(17, &fixtures::validator()), recorded("Axons(17,validator_hotkey)"));
    let prefix = fixtures::bytes(&recording["storage_prefix"]["SubnetworkN"]);
    assert_eq!(storage::subnetwork_n(17), [prefix.as_slice(), &[17, 0]].concat());
}

#[test]
fn names_hash_as_in_substrate() {
    // `System`, the first half of the keys of every Substrate chain's accounts.
    assert_eq!(hex::encode(storage::twox128("System")), "26aa394eea5630e07c48ae0c9558cef7");
    assert_eq!(hex::encode(storage::twox128("Account")), "b99d880ec681799c0cf30e8886371da9");
    let timestamp = "f0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb";
    assert_eq!(hex::encode(storage::timestamp()), timestamp);
}
