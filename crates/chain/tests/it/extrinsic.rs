//! Extrinsics against those that subxt 0.51 makes from the metadata of the main chain's runtime 365.

use std::net::Ipv4Addr;

use sn17_chain::extrinsic::{Binding, COMMIT_BYTES_MAX, Call, CommitTooLong, assemble, sign, to_sign};
use sn17_chain::weights::Weights;
use sn17_chain::{Axon, BlockHash};
use sn17_wire::sr25519::{Keypair, verify};

fn binding() -> Binding {
    Binding {
        spec_version: 425,
        transaction_version: 1,
        genesis_hash: BlockHash([0x11; 32]),
        block: 4_000_123,
        block_hash: BlockHash([0x22; 32]),
        nonce: 5,
    }
}

fn set_weights() -> Call {
    Call::set_weights(17, &Weights { uids: vec![1, 2], values: vec![65_535, 3] }, 7)
}

/// What is signed, and the extrinsic of the account ab… with the signature cd….
fn check(call: &Call, signed: &str, extrinsic: &str) {
    let bytes = |text: &str| {
        let text = text
            .replace("{account}", &"ab".repeat(32))
            .replace("{signature}", &"cd".repeat(64))
            .replace("{genesis}", &"11".repeat(32))
            .replace("{block}", &"22".repeat(32))
            .replace("{commit}", &"09".repeat(300))
            .replace(' ', "");
        hex::decode(text).unwrap()
    };
    assert_eq!(to_sign(call, &binding()), bytes(signed));
    assert_eq!(assemble(call, &binding(), [0xAB; 32], [0xCD; 64]), bytes(extrinsic));
}

#[test]
fn the_bytes_are_those_of_subxt() {
    check(
        &set_weights(),
        "0700 1100 0801000200 08ffff0300 0700000000000000 b503140000 a9010000 01000000 {genesis} {block} 00",
        "f901 84 00{account} 01{signature} b503140000 0700 1100 0801000200 08ffff0300 0700000000000000",
    );
    let axon = Axon { ip: Ipv4Addr::new(203, 0, 113, 10).into(), port: 8091, protocol: 4 };
    check(
        &Call::serve_axon(17, &axon, 1),
        "0704 1100 01000000 0a7100cb000000000000000000000000 9b1f 04 04 0000 \
         b503140000 a9010000 01000000 {genesis} {block} 00",
        "1902 84 00{account} 01{signature} b503140000 \
         0704 1100 01000000 0a7100cb000000000000000000000000 9b1f 04 04 0000",
    );
    // What is longer than 256 bytes is signed by its hash.
    check(
        &Call::commit_timelocked_weights(17, &[9; 300], 34_216_474, 4).unwrap(),
        "694a2a28f2ae97518613884fd5c4c3a52fd20361a0e8ef801c009e2f45cfc614",
        "9106 84 00{account} 01{signature} b503140000 0771 1100 b104{commit} 1a1a0a0200000000 0400",
    );
}

#[test]
fn a_commit_has_its_bound() {
    let commit = |bytes: usize| Call::commit_timelocked_weights(17, &vec![0; bytes], 1, 4);
    assert!(commit(COMMIT_BYTES_MAX).is_ok());
    assert_eq!(commit(COMMIT_BYTES_MAX + 1), Err(CommitTooLong { bytes: 5_001 }));
}

#[test]
fn a_signature_is_of_its_signer_and_its_binding() {
    let keypair = Keypair::from_mini_secret(&[3; 32]);
    let extrinsic = sign(&set_weights(), &binding(), &keypair, [4; 32]);
    // Behind the length, the version, the address and the kind of signature.
    let signature: [u8; 64] = extrinsic[37..101].try_into().unwrap();
    let signed = |binding: &Binding| verify(&keypair.hotkey(), &to_sign(&set_weights(), binding), &signature);
    assert_eq!(extrinsic, assemble(&set_weights(), &binding(), keypair.hotkey().0, signature));
    assert!(signed(&binding()));
    for other in [
        Binding { spec_version: 426, ..binding() },
        Binding { transaction_version: 2, ..binding() },
        Binding { genesis_hash: BlockHash([0; 32]), ..binding() },
        Binding { block: 4_000_124, ..binding() },
        Binding { block_hash: BlockHash([0; 32]), ..binding() },
        Binding { nonce: 6, ..binding() },
    ] {
        assert!(!signed(&other), "{other:?}");
    }
}
