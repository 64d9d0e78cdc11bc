//! Neurons: the recorded sample, generated ones there and back, and everything that is none.

use proptest::prelude::*;
use sn17_chain::DecodeError;
use sn17_chain::neurons::decode;
use sn17_chain_node::{WireNeuron, scale};
use sn17_core::Hotkey;
use sn17_wire::ss58;

use crate::fixtures;

#[test]
fn the_recorded_sample_decodes_as_by_another_implementation() {
    let Some(recording) = fixtures::chain() else { return };
    let neurons = decode(&fixtures::bytes(&recording["neurons_lite_vec_scale_hex"]), 17).unwrap();
    let expected = recording["neurons_lite_expected"].as_array().unwrap();
    assert_eq!(neurons.len(), expected.len());
    for (neuron, expected) in neurons.iter().zip(expected) {
        assert_eq!(u64::from(neuron.uid), expected["uid"].as_u64().unwrap());
        assert_eq!(ss58::encode(&neuron.hotkey), expected["hotkey"].as_str().unwrap());
        assert_eq!(neuron.alpha_rao, expected["stake_rao"].as_u64().unwrap());
        assert_eq!(neuron.validator_permit, expected["validator_permit"].as_bool().unwrap());
        let axon = neuron
            .axon
            .map_or("0.0.0.0:0 (not serving)".to_owned(), |axon| format!("{}:{}", axon.ip, axon.port));
        assert_eq!(axon, expected["axon"].as_str().unwrap());
    }
    assert!((neurons[1].alpha() - 12_345.678_901_234).abs() < 1e-9);
}

#[test]
fn every_cut_and_every_surplus_is_refused() {
    let bytes = scale::neurons(&[WireNeuron::at(0), WireNeuron::at(1)]);
    assert_eq!(decode(&bytes, 17).unwrap().len(), 2);
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length], 17).is_err(), "{length} bytes of {}", bytes.len());
    }
    for surplus in [1, 32, 200] {
        let longer = [bytes.as_slice(), &vec![0; surplus]].concat();
        assert_eq!(decode(&longer, 17), Err(DecodeError::Surplus { bytes: surplus }));
    }
}

#[test]
fn what_the_runtime_never_writes_is_refused() {
    let check = |neurons: &[WireNeuron], words: &str| {
        let error = decode(&scale::neurons(neurons), 17).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    };
    let with = |change: fn(&mut WireNeuron)| {
        let mut neuron = WireNeuron::at(1);
        change(&mut neuron);
        [WireNeuron::at(0), neuron]
    };
    check(&with(|neuron| neuron.uid = 0), "uid 0 in place of uid 1");
    check(&with(|neuron| neuron.uid = 2), "uid 2 in place of uid 1");
    check(&with(|neuron| neuron.hotkey = WireNeuron::at(0).hotkey), "uid 1 has the hotkey of another");
    check(&with(|neuron| neuron.netuid = 18), "it is of subnet 18");
    check(
        &with(|neuron| neuron.stakes = vec![([0; 32], u64::MAX), ([1; 32], 1)]),
        "the stakes of uid 1 exceed every supply",
    );

    let full: Vec<WireNeuron> = (0..=256).map(WireNeuron::at).collect();
    assert_eq!(decode(&scale::neurons(&full[..256]), 17).unwrap().len(), 256);
    check(&full, "257 entries of `neurons`, more than a subnet has");
}

#[test]
fn numbers_out_of_their_range_are_refused() {
    let bytes = scale::neurons(&[WireNeuron::at(0)]);
    let patched = |at: usize, replaced: usize, by: &[u8]| {
        let patched = [&bytes[..at], by, &bytes[at + replaced..]].concat();
        decode(&patched, 17).unwrap_err().to_string()
    };
    // Behind the length and two keys: uid, netuid, then `active`.
    assert!(patched(65, 1, &[0x03, 0, 0, 1, 0]).starts_with("`uid` cannot be read"), "65,536");
    assert!(patched(65, 1, &[0x01, 0]).starts_with("`uid` cannot be read"), "0 in two bytes");
    assert!(patched(67, 1, &[2]).starts_with("`active` cannot be read"), "neither true nor false");
    assert!(patched(0, 1, &[0x03, 255, 255, 255, 255]).starts_with("4294967295 entries of `neurons`"));
    // Behind axon (34 bytes) and Prometheus (31): the number of stakes.
    assert!(patched(68 + 34 + 31, 1, &[0x02, 0, 1, 0]).starts_with("16384 entries of `stake`"));
}

#[test]
fn an_address_that_is_none_is_no_axon() {
    let axon = |ip, ip_type| {
        let neuron = WireNeuron { axon_ip: ip, axon_ip_type: ip_type, axon_port: 8091, ..WireNeuron::at(0) };
        decode(&scale::neurons(&[neuron]), 17).unwrap()[0].axon.map(|axon| axon.ip.to_string())
    };
    assert_eq!(axon(0xCB00_710A, 4).unwrap(), "203.0.113.10");
    assert_eq!(axon(0x2001_0db8 << 96 | 1, 6).unwrap(), "2001:db8::1");
    assert_eq!(axon(0, 4), None);
    assert_eq!(axon(0, 0), None);
    assert_eq!(axon(1 << 32, 4), None, "too long for its type");
    assert_eq!(axon(0xCB00_710A, 5), None, "no such type");
}

prop_compose! {
    fn neuron()(
        hotkey: [u8; 32],
        coldkey: [u8; 32],
        active: bool,
        axon: (u128, u16, u8),
        stakes in prop::collection::vec((any::<[u8; 32]>(), 0..u64::MAX / 4), 0..4),
        shares: [u16; 6],
        emission: u64,
        last_update: u64,
        validator_permit: bool,
    ) -> WireNeuron {
        let [rank, incentive, consensus, trust, validator_trust, dividends] = shares;
        WireNeuron {
            hotkey, coldkey, uid: 0, netuid: 17, active, axon_ip: axon.0, axon_port: axon.1, axon_ip_type: axon.2,
            stakes, rank, emission, incentive, consensus, trust, validator_trust, dividends, last_update,
            validator_permit,
        }
    }
}

proptest! {
    #[test]
    fn what_is_encoded_decodes(mut wire in prop::collection::vec(neuron(), 0..8)) {
        for (uid, neuron) in (0_u8..).zip(&mut wire) {
            neuron.uid = uid.into();
            neuron.hotkey[0] = uid;
        }
        let neurons = decode(&scale::neurons(&wire), 17).unwrap();
        prop_assert_eq!(neurons.len(), wire.len());
        for (neuron, wire) in neurons.iter().zip(&wire) {
            prop_assert_eq!(neuron.uid, wire.uid);
            prop_assert_eq!(neuron.hotkey, Hotkey(wire.hotkey));
            prop_assert_eq!(neuron.coldkey, Hotkey(wire.coldkey));
            prop_assert_eq!(neuron.alpha_rao, wire.stakes.iter().map(|stake| stake.1).sum::<u64>());
            prop_assert_eq!(neuron.emission_rao, wire.emission);
            prop_assert_eq!(neuron.last_update, wire.last_update);
            prop_assert_eq!((neuron.active, neuron.validator_permit), (wire.active, wire.validator_permit));
            for (share, wire) in [
                (neuron.rank, wire.rank),
                (neuron.incentive, wire.incentive),
                (neuron.consensus, wire.consensus),
                (neuron.trust, wire.trust),
                (neuron.validator_trust, wire.validator_trust),
                (neuron.dividends, wire.dividends),
            ] {
                prop_assert!((0.0..=1.0).contains(&share));
                prop_assert!((share * 65_535.0 - f64::from(wire)).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = decode(&bytes, 17);
    }

    #[test]
    fn no_damage_panics(at in 0_usize..400, by: u8) {
        let mut bytes = scale::neurons(&[WireNeuron::at(0), WireNeuron::at(1)]);
        let at = at % bytes.len();
        bytes[at] ^= by;
        if let Ok(neurons) = decode(&bytes, 17) {
            prop_assert_eq!(neurons.len(), 2);
        }
    }
}
