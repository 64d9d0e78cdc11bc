//! The published record of a duel against the original validator's, field by field.

use serde_json::{Value, json};
use sn17_core::duel::pair;
use sn17_core::glicko::{self, Outcome};
use sn17_core::policy::Policy;
use sn17_core::state::{Duel, DuelNonce, DuelState, Entry, Prompt, RatingChange, Record, Side};
use sn17_core::{Hotkey, TaskId, UnixMs};
use sn17_wire::duels::DuelRecord;
use sn17_wire::ss58;

/// The well-known addresses of Substrate's development keys, as ss58 and as bytes.
const ALICE: (&str, &str) = (
    "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY",
    "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d",
);
const BOB: (&str, &str) = (
    "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty",
    "8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48",
);
const CHARLIE: (&str, &str) = (
    "5FLSigC9HGRKVhB9FiEo4Y3koPsNmBmLJbpXg2mp1hXcS59Y",
    "90b5ab205c6974c9ea841be688864633dc9ca8a357843eeacf2314649965fe22",
);
/// A nonce and a prompt for which the original draws the uids 248 and 251 of its 256 slots.
const NONCE: DuelNonce = DuelNonce(1_735_691_400);
const PROMPT: &str = "Monkey";

fn hotkey((_, bytes): (&str, &str)) -> Hotkey {
    Hotkey(hex::decode(bytes).unwrap().try_into().unwrap())
}

/// The left one of two newcomers wins, by the original's rules.
fn duel() -> Duel {
    let policy = Policy::upstream();
    let fresh = Record::fresh(&policy).rating;
    let (left, right) = glicko::duel(fresh, fresh, Outcome::Left, &policy.glicko);
    let (left_uid, right_uid) = pair(NONCE, PROMPT, 256);
    let now = UnixMs::from_secs(NONCE.0);
    let side = |of, coldkey: Option<_>, uid, score| Side {
        hotkey: hotkey(of),
        coldkey: coldkey.map(hotkey),
        uid,
        pulled: Some(now),
        entry: Entry::Delivered { score, sha256: [uid.to_be_bytes()[1]; 32], synthetic: false },
    };
    Duel {
        task: TaskId(7),
        prompt: Prompt::Text(PROMPT.to_owned()),
        slots: 256,
        created: now,
        pull_until: now.plus_secs(1800),
        closes: now.plus_secs(3600),
        left: side(ALICE, Some(CHARLIE), left_uid, 0.9),
        right: side(BOB, None, right_uid, 0.8),
        state: DuelState::Judged {
            ended: now.plus_ms(90_500),
            outcome: Outcome::Left,
            explanation: "clean <1> vs noisy <2>".to_owned(),
            left: RatingChange { before: fresh, after: left },
            right: RatingChange { before: fresh, after: right },
        },
    }
}

fn record() -> Value {
    let record = DuelRecord::of(NONCE, &duel(), &hotkey(CHARLIE)).unwrap();
    serde_json::from_slice(&record.to_json()).unwrap()
}

/// The names of an object's fields, in the order of the alphabet.
fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn every_field_of_the_original_is_there_and_means_the_same() {
    let record = record();
    // The original's, in its order; `signature` is not there, since only the command that sets weights holds a key.
    let expected = [
        ("validator_hotkey", json!(CHARLIE.0)),
        ("finish_time", json!(1_735_691_490.5)),
        ("timestamp_nonce", json!(1_735_691_400)),
        ("prompt", json!("Monkey")),
        ("task_type", json!("text")),
        ("winner", json!(1)),
        ("explanation", json!("clean <1> vs noisy <2>")),
    ];
    for (name, value) in expected {
        assert_eq!(record[name], value, "{name}");
    }
    // The figures are those of the original for this game.
    let sides = [
        ("left", ALICE, json!(CHARLIE.0), 1_668.951_231_595_19),
        ("right", BOB, json!(null), 1_331.048_768_404_81),
    ];
    for (name, (address, _), coldkey, after) in sides {
        let side = &record[name];
        assert_eq!((&side["hotkey"], &side["coldkey"]), (&json!(address), &coldkey), "{name}");
        let figures = [
            ("glicko_before", 1500.0),
            ("glicko_after", after),
            ("glicko_rd", 296.198_088_296_895_04),
            ("glicko_vol", 0.2),
        ];
        for (field, expected) in figures {
            let figure = side[field].as_f64().unwrap();
            assert!((figure - expected).abs() < 1e-9, "{name}.{field} is {figure}");
        }
    }
}

#[test]
fn what_is_ours_stands_beside_it() {
    let record = record();
    let of_both =
        ["explanation", "finish_time", "left", "prompt", "right", "slots", "task_type", "timestamp_nonce"];
    assert_eq!(names(&record), [&of_both[..], &["validator_hotkey", "winner"]].concat());
    let of_a_side = ["coldkey", "glicko_after", "glicko_before", "glicko_rd", "glicko_vol", "hotkey"];
    for (side, uid, score) in [("left", 248, 0.9), ("right", 251, 0.8)] {
        let side = &record[side];
        assert_eq!(names(side), [&of_a_side[..], &["score", "synthetic", "uid"]].concat());
        assert_eq!(
            (&side["uid"], &side["score"], &side["synthetic"]),
            (&json!(uid), &json!(score), &json!(false))
        );
    }
    assert_eq!(record["slots"], 256);
}

#[test]
fn winners_are_numbered_as_in_the_original() {
    for (winner, number) in [(Outcome::Left, 1), (Outcome::Right, 2), (Outcome::Draw, 0)] {
        let mut duel = duel();
        let DuelState::Judged { outcome, .. } = &mut duel.state else { panic!("it is judged") };
        *outcome = winner;
        assert_eq!(DuelRecord::of(NONCE, &duel, &hotkey(CHARLIE)).unwrap().winner, number);
    }
}

#[test]
fn a_picture_is_named_by_its_hash_and_a_missing_result_has_no_score() {
    let mut duel = duel();
    duel.prompt = Prompt::Image { blob: "prompts/x".to_owned(), sha256: [0xab; 32] };
    duel.right.entry = Entry::Missing { reason: "an empty result".to_owned() };
    let record = DuelRecord::of(NONCE, &duel, &hotkey(CHARLIE)).unwrap();
    assert_eq!((record.task_type.as_str(), record.prompt), ("image", "ab".repeat(32)));
    assert_eq!((record.left.score, record.right.score), (Some(0.9), None));
}

#[test]
fn there_is_no_record_before_the_verdict_and_none_without_one() {
    for state in [
        DuelState::Open,
        DuelState::Awaiting { resends: 0, resend_at: UnixMs(0) },
        DuelState::Void { ended: UnixMs(0), reason: "a side was missing".to_owned() },
    ] {
        let duel = Duel { state, ..duel() };
        assert_eq!(DuelRecord::of(NONCE, &duel, &hotkey(CHARLIE)), None);
    }
}

#[test]
fn the_addresses_are_those_that_are_known() {
    for address in [ALICE, BOB, CHARLIE] {
        assert_eq!(ss58::encode(&hotkey(address)), address.0);
    }
}
