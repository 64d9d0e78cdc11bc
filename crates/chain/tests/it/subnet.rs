//! The rules of a subnet: what was asked for, and nothing else.

use proptest::prelude::*;
use sn17_chain::DecodeError;
use sn17_chain::subnet::{Subnet, arguments, decode};
use sn17_chain_node::scale;

#[test]
fn what_is_asked_for_is_read() {
    let subnet = decode(&scale::subnet(17, true, &[5, 12_345_678_901_234, u64::MAX]), 17).unwrap();
    let expected = Subnet {
        tempo: 360,
        min_allowed_weights: 1,
        max_weights_limit: 65_535,
        weights_version: 0,
        weights_rate_limit: 100,
        commit_reveal_weights_enabled: true,
        commit_reveal_period: 1,
        stakes_rao: vec![5, 12_345_678_901_234, u64::MAX],
    };
    assert_eq!(subnet, expected);
}

#[test]
fn the_question_names_subnet_and_values() {
    // The subnet, the number of values in compact form, and each of them, little-endian.
    assert_eq!(hex::encode(arguments(17)), "1100240000080018001900 1a001b002e002f004500".replace(' ', ""));
}

#[test]
fn every_cut_and_everything_unasked_is_refused() {
    let bytes = scale::subnet(17, false, &[1, 2]);
    // What follows the last value is a zero byte each; a runtime that has fewer of them is no other layout.
    let stakes_end = bytes.len() - 4;
    for length in 0..stakes_end {
        assert!(decode(&bytes[..length], 17).is_err(), "{length} bytes of {}", bytes.len());
    }
    assert!(decode(&bytes[..stakes_end], 17).is_ok());

    let check = |at: usize, by: u8, words: &str| {
        let mut damaged = bytes.clone();
        damaged[at] = by;
        let error = decode(&damaged, 17).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    };
    check(1, 18 << 2, "it is of subnet 18");
    check(2, 1, "value 1 is there unasked");
    check(9, 0, "value 8 is missing");
    check(bytes.len() - 1, 1, "value 73 is there unasked");
    check(bytes.len() - 1, 2, "`values` cannot be read");
    assert_eq!(decode(&[0], 17), Err(DecodeError::NoSubnet));
    assert_eq!(decode(&[0, 0], 17), Err(DecodeError::Surplus { bytes: 1 }));
    let endless = [bytes.as_slice(), &[0; 300]].concat();
    assert_eq!(decode(&endless, 17), Err(DecodeError::Surplus { bytes: 48 }));
    assert!(decode(&scale::subnet(17, true, &[0; 257]), 17).is_err());
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        let _ = decode(&bytes, 17);
    }
}
