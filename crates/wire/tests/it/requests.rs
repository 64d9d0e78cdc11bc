//! Requests of five bittensor versions, and what attackers made of them.

use serde_json::Value;
use sn17_core::UnixMs;
use sn17_wire::consent::{submit_message, verify_submission};
use sn17_wire::dendrite::{DendriteHeaders, HeaderError, NonceWindow, VerifiedDendrite};
use sn17_wire::{sr25519, ss58};

use crate::fixtures::{Headers, bytes, keypair, load, miner, validator};

const VERSIONS: [&str; 5] = ["7.4.0", "8.5.2", "9.9.0", "9.12.2", "10.5.0"];

/// Verifies headers `age_ms` after their nonce.
fn verify(headers: &Headers, age_ms: i64) -> Result<VerifiedDendrite, HeaderError> {
    let nonce_ms = headers
        .get("bt_header_dendrite_nonce")
        .and_then(|nonce| str::from_utf8(nonce).unwrap().parse::<u64>().ok())
        .unwrap_or_default()
        / 1_000_000;
    let now = UnixMs(nonce_ms.checked_add_signed(age_ms).unwrap_or_default());
    DendriteHeaders::parse(|name| headers.get(name))?.verify(&validator(), now, &NonceWindow::default())
}

#[test]
fn every_recorded_request_verifies() {
    for version in VERSIONS {
        for kind in ["pull", "submit-request-text", "submit-request-empty", "submit-request-image"] {
            let name = if kind == "pull" { "pull-request" } else { kind };
            let Some(recording) = load(&format!("{name}-bt{version}.json")) else {
                return;
            };
            let headers = Headers::from_pairs(&recording["headers"]);
            let verified = verify(&headers, 1).unwrap_or_else(|error| panic!("{name} {version}: {error}"));
            assert_eq!(verified.hotkey(), miner());
            assert_eq!(verified.uuid(), headers.text("bt_header_dendrite_uuid"));
            assert_eq!(verified.nonce().to_string(), headers.text("bt_header_dendrite_nonce"));
            let timeout = if kind == "pull" { 12.0 } else { 30.0 };
            assert!((verified.timeout_secs() - timeout).abs() < f64::EPSILON);

            if kind != "pull" {
                check_consent(&recording);
            }
        }
    }
}

fn check_consent(recording: &Value) {
    let body: Value = serde_json::from_str(recording["body"].as_str().unwrap()).unwrap();
    let prompt = recording["prompt"].as_str().unwrap();
    let time = body["submit_time"].as_i64().unwrap();
    let signature = body["signature"].as_str().unwrap();
    let message = submit_message(time, prompt, &validator(), &miner());
    assert_eq!(str::from_utf8(&message).unwrap(), recording["expected"]["submit_message"].as_str().unwrap());
    assert!(verify_submission(prompt, time, signature, &validator(), &miner()));
    assert!(!verify_submission("another prompt", time, signature, &validator(), &miner()));
    assert!(!verify_submission(prompt, time + 1, signature, &validator(), &miner()));
    assert!(!verify_submission(prompt, time, signature, &miner(), &miner()));
}

/// What we answer to one of the hand-made requests.
#[derive(Debug)]
enum Expected {
    /// The headers verify; path, method, body or memory of nonces decide the rest elsewhere.
    Accepted,
    /// The headers are refused with this status and message.
    Refused(u16, &'static str),
}
use Expected::{Accepted, Refused};

/// All hand-made requests of the recordings: name, age in milliseconds at which the original saw them, our answer.
const HAND_MADE: [(&str, i64, Expected); 38] = [
    ("raw_ok", 10, Accepted),
    ("raw_ok_minimal_headers", 10, Accepted),
    ("raw_uppercase_headers", 10, Accepted),
    ("raw_nonce_first", 10, Accepted),
    ("raw_nonce_15.5s_old_timeout12", 15_500, Accepted),
    // Refused by the ledger, which remembers (hotkey, uuid, nonce); the headers alone are in order.
    ("raw_nonce_replay_same", 10, Accepted),
    // An older nonce of a known uuid: the original wants them rising, we want each of them once, as one dendrite may
    // have many calls under way.
    ("raw_nonce_older", 10, Accepted),
    // Refused by the router: path and method.
    ("raw_unknown_synapse", 10, Accepted),
    ("raw_get_method", 10, Accepted),
    ("raw_put_method", 10, Accepted),
    ("raw_ping_Synapse", 10, Accepted),
    ("raw_trailing_path", 10, Accepted),
    // Refused by whoever reads the body.
    ("raw_body_not_json", 10, Accepted),
    ("raw_body_tampered_hotkey", 10, Accepted),
    ("raw_body_minimal_empty_object", 10, Accepted),
    ("raw_submit_body_missing_required", 10, Accepted),
    // The original fails without the empty announcements of required fields, which carry nothing.
    ("raw_submit_header_input_obj_missing", 10, Accepted),
    ("raw_bad_signature", 10, Refused(401, "Signature mismatch")),
    ("raw_wrong_receiver_signed", 10, Refused(401, "Signature mismatch")),
    ("raw_sig_not_hex", 10, Refused(401, "Invalid signature format. Expected hex string.")),
    // The original up to 9.12 lets the next two pass.
    ("raw_sig_empty_string", 10, Refused(401, "Missing Signature")),
    ("raw_sig_missing", 10, Refused(401, "Missing Signature")),
    (
        "raw_other_axon_hotkey_header_but_signed_ours",
        10,
        Refused(401, "Request is addressed to another axon hotkey"),
    ),
    (
        "raw_nonce_older_2min_but_other_uuid",
        120_450,
        Refused(
            401,
            "Nonce is too old: acceptable delta is 16.00 seconds but request was 120.45 seconds old",
        ),
    ),
    (
        "raw_nonce_16.5s_old_timeout12",
        16_500,
        Refused(401, "Nonce is too old: acceptable delta is 16.00 seconds but request was 16.50 seconds old"),
    ),
    // The original lets the next four pass.
    (
        "raw_nonce_1h_old_timeout_1e6_header",
        3_600_000,
        Refused(
            401,
            "Nonce is too old: acceptable delta is 304.00 seconds but request was 3600.00 seconds old",
        ),
    ),
    (
        "raw_nonce_1day_future",
        -86_400_000,
        Refused(
            401,
            "Nonce is too far ahead: acceptable delta is 60.00 seconds but request was 86400.00 seconds ahead",
        ),
    ),
    (
        "raw_old_version_header_nonce_1year_old",
        31_536_000_000,
        Refused(
            401,
            "Nonce is too old: acceptable delta is 16.00 seconds but request was 31536000.00 seconds old",
        ),
    ),
    (
        "raw_version_missing_nonce_1year_old",
        31_536_000_000,
        Refused(
            401,
            "Nonce is too old: acceptable delta is 16.00 seconds but request was 31536000.00 seconds old",
        ),
    ),
    ("raw_nonce_missing", 0, Refused(401, "Missing Nonce")),
    ("raw_nonce_not_int", 0, Refused(400, "Nonce is not a number of nanoseconds")),
    // The original lets it pass, as its signer wrote Python's `None` for the uuid as the server does.
    ("raw_uuid_missing_signed_None", 10, Refused(401, "Missing UUID")),
    ("raw_hotkey_missing", 10, Refused(401, "No SS58 formatted address or public key provided.")),
    ("raw_hotkey_garbage", 10, Refused(401, "Invalid SS58 address: not the base58 text of 35 bytes")),
    ("raw_get_root", 0, Refused(401, "No SS58 formatted address or public key provided.")),
    ("raw_hyphen_headers", 10, Refused(401, "No SS58 formatted address or public key provided.")),
    ("raw_body_hash_header_wrong_but_signed", 10, Refused(401, "Body hash mismatch")),
    ("raw_body_hash_header_missing", 10, Refused(401, "Body hash mismatch")),
];

#[test]
fn au_1_au_2_every_hand_made_request_gets_its_answer() {
    for version in ["9.9.0", "10.5.0"] {
        let Some(recording) = load(&format!("axon-reference-bt{version}.json")) else {
            return;
        };
        let cases = recording["cases"].as_object().unwrap();
        let mut walked = 0;
        for (name, case) in cases.iter().filter(|(name, _)| name.starts_with("raw_")) {
            let (_, age_ms, expected) =
                HAND_MADE.iter().find(|row| row.0 == name).unwrap_or_else(|| panic!("{name} has no row"));
            let headers = Headers::from_head(case["request_head"].as_str().unwrap());
            let answer = verify(&headers, *age_ms);
            match (expected, answer) {
                (Accepted, Ok(verified)) => assert_eq!(verified.hotkey(), miner(), "{name}"),
                (Refused(status, message), Err(error)) => {
                    assert_eq!(error.status(), *status, "{name}");
                    assert_eq!(error.to_string(), format!("Not Verified with error: {message}"), "{name}");
                }
                (expected, answer) => panic!("{version} {name}: expected {expected:?}, got {answer:?}"),
            }
            walked += 1;
        }
        assert_eq!(walked, HAND_MADE.len(), "{version}");
    }
}

#[test]
fn every_recorded_exchange_verifies() {
    for version in ["9.9.0", "10.5.0"] {
        let Some(recording) = load(&format!("axon-reference-bt{version}.json")) else {
            return;
        };
        let mut walked = 0;
        for (name, case) in recording["cases"].as_object().unwrap() {
            let Some(request) = case["exchange"]["request"].as_object() else {
                continue;
            };
            let headers = Headers::from_pairs(&request["headers"]);
            assert!(verify(&headers, 10).is_ok(), "{version} {name}");
            walked += 1;
        }
        assert_eq!(walked, 8);
    }
}

#[test]
fn sr25519_vectors_verify() {
    let Some(vectors) = load("sr25519-vectors.json") else {
        return;
    };
    let signer = ss58::decode(vectors["signer"].as_str().unwrap()).unwrap();
    for vector in vectors["vectors"].as_array().unwrap() {
        let text = vector["message_utf8_or_hex"].as_str().unwrap();
        // The library that made the vectors reads `0x…` as hexadecimal.
        let message = match text.strip_prefix("0x") {
            Some(digits) => hex::decode(digits).unwrap(),
            None => text.as_bytes().to_vec(),
        };
        for field in ["signature_hex", "signature2_hex"] {
            let Some(signature) = vector[field].as_str() else {
                continue;
            };
            assert!(sr25519::verify(&signer, &message, &bytes(signature)), "{text} {field}");
            assert!(!sr25519::verify(&validator(), &message, &bytes(signature)), "{text} {field}");
        }
    }
}

#[test]
fn mini_secrets_expand_to_the_wallets_keys() {
    let Some(keys) = load("test-keys.json") else {
        return;
    };
    for (name, key) in keys["keys"].as_object().unwrap() {
        let pair = keypair(name).unwrap();
        let address = key["ss58"].as_str().unwrap();
        assert_eq!(pair.hotkey().0, bytes(key["public_key_hex"].as_str().unwrap()), "{name}");
        assert_eq!(ss58::encode(&pair.hotkey()), address);
        assert_eq!(ss58::decode(address), Ok(pair.hotkey()));
    }
}
