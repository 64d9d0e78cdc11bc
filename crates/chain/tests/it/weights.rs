//! Weights: the SDK's conversion, the commit's payload, and the chain's refusals in its order.

use proptest::prelude::*;
use sn17_chain::metagraph::WeightRules;
use sn17_chain::weights::{Obstacle, Route, Weights, WeightsError, commit_payload, preflight};
use sn17_chain::{BlockHash, Snapshot, neurons, subnet};
use sn17_chain_node::{WireNeuron, scale};
use sn17_core::{Hotkey, UnixMs};

const BLOCK: u64 = 4_000_200;
const STAKE_RAO_MIN: u64 = 1_000_000_000_000;

/// Three neurons: a validator who set weights 200 blocks ago, one who did so 50 blocks ago, and a miner.
fn snapshot(commit_reveal: bool) -> Snapshot {
    let validator = WireNeuron { validator_permit: true, last_update: BLOCK - 200, ..WireNeuron::at(0) };
    let hasty = WireNeuron { validator_permit: true, last_update: BLOCK - 50, ..WireNeuron::at(1) };
    let miner = WireNeuron { last_update: 0, ..WireNeuron::at(2) };
    let stakes = [STAKE_RAO_MIN, STAKE_RAO_MIN + 1, STAKE_RAO_MIN];
    Snapshot {
        netuid: 17,
        block: BLOCK,
        block_hash: BlockHash([5; 32]),
        made_at: UnixMs(1_790_000_000_000),
        spec_version: 425,
        neurons: neurons::decode(&scale::neurons(&[validator, hasty, miner]), 17).unwrap(),
        subnet: subnet::decode(&scale::subnet(17, commit_reveal, &stakes), 17).unwrap(),
        weight_rules: WeightRules { stake_rao_min: STAKE_RAO_MIN, commit_version: Some(4) },
    }
}

fn hotkey(uid: u16) -> Hotkey {
    Hotkey(WireNeuron::at(uid).hotkey)
}

fn weights(entries: &[(u16, u16)]) -> Weights {
    let (uids, values) = entries.iter().copied().unzip();
    Weights { uids, values }
}

#[test]
fn weights_are_converted_as_by_the_sdk() {
    // Each row from Python: `round(float(w / max(ws)) * 65535)` of those above 0.
    let check = |given: &[(u16, f64)], expected: &[(u16, u16)]| {
        assert_eq!(Weights::relative(given).unwrap(), weights(expected), "{given:?}");
    };
    check(&[], &[]);
    check(&[(3, 0.0), (4, 0.0)], &[]);
    check(&[(3, 1e-300)], &[(3, 65_535)]);
    check(&[(7, 1.0), (2, 0.5), (9, 0.0)], &[(7, 65_535), (2, 32_768)]);
    check(&[(0, 1.0), (1, 1.0 / 3.0), (2, 2.0 / 3.0)], &[(0, 65_535), (1, 21_845), (2, 43_690)]);
    // Halves go to the even side: 0.5 to 0, which is left out, 1.5 and 2.5 to 2.
    check(&[(0, 131_070.0), (1, 1.0), (2, 3.0), (3, 5.0)], &[(0, 65_535), (2, 2), (3, 2)]);
    check(&[(0, 0.008), (1, 0.0055), (2, 0.003_01)], &[(0, 65_535), (1, 45_055), (2, 24_658)]);
    for none in [-1e-9, f64::NAN, f64::INFINITY] {
        assert_eq!(Weights::relative(&[(0, 1.0), (5, none)]), Err(WeightsError { uid: 5 }));
    }
}

#[test]
fn a_commit_hides_hotkey_weights_and_version() {
    let payload = commit_payload(&Hotkey([0xAB; 32]), &weights(&[(1, 65_535), (258, 2)]), 0x0102);
    let expected = ["80", &"ab".repeat(32), "08", "0100", "0201", "08", "ffff", "0200", "0201000000000000"];
    assert_eq!(hex::encode(payload), expected.concat());
}

#[test]
fn the_chain_refuses_in_its_order() {
    let snapshot = snapshot(false);
    let check = |uid: u16, entries: &[(u16, u16)], expected: Obstacle| {
        assert_eq!(preflight(&snapshot, &hotkey(uid), weights(entries), 0), Err(expected));
    };
    let good = [(2, 65_535)];
    check(0, &[], Obstacle::Nothing);
    let uneven = Weights { uids: vec![1, 2], values: vec![1] };
    assert_eq!(preflight(&snapshot, &hotkey(0), uneven, 0), Err(Obstacle::Lengths { uids: 2, values: 1 }));
    check(9, &[(0, 1), (1, 1), (2, 1), (2, 1)], Obstacle::TooMany { weights: 4, neurons: 3 });
    check(9, &good, Obstacle::NotRegistered);
    check(1, &good, Obstacle::TooFast { last_update: BLOCK - 50, next: BLOCK + 50 });
    check(2, &good[..0], Obstacle::Nothing);
    check(2, &[(0, 65_535)], Obstacle::NoPermit { uid: 2 });
    check(0, &[(2, 1), (2, 1)], Obstacle::Duplicate { uid: 2 });
    check(0, &[(2, 1), (3, 1)], Obstacle::NoSuchUid { uid: 3 });

    let with = |change: fn(&mut Snapshot)| {
        let mut changed = snapshot.clone();
        change(&mut changed);
        changed
    };
    let poor = with(|snapshot| snapshot.subnet.stakes_rao[0] -= 1);
    let obstacle = Obstacle::Stake { stake_rao: STAKE_RAO_MIN - 1, least_rao: STAKE_RAO_MIN };
    assert_eq!(preflight(&poor, &hotkey(0), weights(&good), 0), Err(obstacle));
    let newer = with(|snapshot| snapshot.subnet.weights_version = 9);
    let obstacle = Obstacle::VersionKey { version_key: 8, least: 9 };
    assert_eq!(preflight(&newer, &hotkey(0), weights(&good), 8), Err(obstacle));
    assert!(preflight(&newer, &hotkey(0), weights(&good), 9).is_ok());
    let strict = with(|snapshot| snapshot.subnet.min_allowed_weights = 8);
    let obstacle = Obstacle::TooFew { weights: 1, least: 3 };
    assert_eq!(preflight(&strict, &hotkey(0), weights(&good), 0), Err(obstacle));
    assert!(preflight(&strict, &hotkey(0), weights(&[(0, 65_535)]), 0).is_ok(), "of itself");
    let even = with(|snapshot| snapshot.subnet.max_weights_limit = 32_768);
    let obstacle = Obstacle::TooGreat { uid: 2, limit: 32_768 };
    assert_eq!(preflight(&even, &hotkey(0), weights(&[(1, 1), (2, 2)]), 0), Err(obstacle));
    assert!(preflight(&even, &hotkey(0), weights(&[(1, 2), (2, 2)]), 0).is_ok());
    assert!(preflight(&even, &hotkey(0), weights(&[(0, 1)]), 0).is_ok(), "of itself");
}

#[test]
fn the_rate_limit_ends_with_the_block_that_may_take_the_call() {
    let mut snapshot = snapshot(false);
    let allowed = |snapshot: &Snapshot| preflight(snapshot, &hotkey(1), weights(&[(2, 1)]), 0).is_ok();
    snapshot.block = BLOCK + 48;
    assert!(!allowed(&snapshot), "the next block is the 99th since");
    snapshot.block = BLOCK + 49;
    assert!(allowed(&snapshot), "the next block is the 100th since");
    snapshot.block = 0;
    snapshot.neurons[1].last_update = 0;
    assert!(allowed(&snapshot), "never set");
}

#[test]
fn what_would_be_sent_is_told() {
    let given = || weights(&[(1, 32_768), (2, 65_535)]);
    let plan = preflight(&snapshot(false), &hotkey(0), given(), 7).unwrap();
    assert_eq!((plan.uid, &plan.route), (0, &Route::Set));
    let lines = [
        "as uid 0 of subnet 17, at block 4000200:",
        "set_weights (call 0): netuid 17, version_key 7",
        "  uid   1  32768",
        "  uid   2  65535",
        "",
    ];
    assert_eq!(plan.to_string(), lines.join("\n"));

    let plan = preflight(&snapshot(true), &hotkey(0), given(), 7).unwrap();
    let payload = commit_payload(&hotkey(0), &given(), 7);
    assert!(
        plan.to_string()
            .contains("commit_timelocked_weights (call 113): netuid 17, commit_reveal_version 4,")
    );
    assert!(plan.to_string().contains(&format!("payload of {} bytes", payload.len())));
    assert_eq!(plan.route, Route::CommitTimelocked { payload, commit_version: 4, reveal_period: 1 });
}

proptest! {
    #[test]
    fn the_greatest_is_whole_and_the_order_is_kept(given in prop::collection::vec(0.0_f64..1e6, 1..40)) {
        let given: Vec<(u16, f64)> = (0..).zip(given).collect();
        let weights = Weights::relative(&given).unwrap();
        prop_assert_eq!(weights.uids.len(), weights.values.len());
        prop_assert!(weights.uids.is_sorted());
        prop_assert!(!weights.values.contains(&0));
        if given.iter().any(|(_, weight)| *weight > 0.0) {
            prop_assert_eq!(weights.values.iter().max(), Some(&u16::MAX));
        }
    }
}
