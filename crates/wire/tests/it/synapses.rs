//! Answers and requests against recordings of the real client and server.

use serde_json::{Value, json};
use sn17_core::UnixMs;
use sn17_wire::dendrite::{DendriteHeaders, HeaderError, NonceWindow, VerifiedDendrite};
use sn17_wire::sr25519::Keypair;
use sn17_wire::synapse::{
    self, AnswerError, Axon, BodyError, Feedback, GetVersionReply, PromptKind, ProtocolTask, PullTaskReply,
    SUCCESS, Signing, Submission, SubmitResultsReply, SynapseResponse,
};

use crate::fixtures::{Headers, keypair, load, validator};

const NONCE: u64 = 1_800_000_000_000_000_000;

fn axon(miner: &Keypair) -> Axon {
    Axon { ip: "192.0.2.1".into(), port: 4443, hotkey: miner.hotkey() }
}

fn signing(keypair: &Keypair) -> Signing<'_> {
    Signing { keypair, ip: "203.0.113.7", nonce: NONCE, uuid: "a-uuid", randomness: [3; 32] }
}

/// A request of our own miner, verified.
fn caller() -> VerifiedDendrite {
    let (miner, validator) = (Keypair::from_mini_secret(&[1; 32]), Keypair::from_mini_secret(&[2; 32]));
    let request = synapse::pull_task(&axon(&validator), &signing(&miner));
    let find =
        |name: &str| request.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_bytes());
    let headers = DendriteHeaders::parse(find).unwrap();
    headers.verify(&validator.hotkey(), UnixMs(NONCE / 1_000_000), &NonceWindow::default()).unwrap()
}

fn body_of(response: &SynapseResponse) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

fn find<'a>(response: &'a SynapseResponse) -> impl Fn(&str) -> Option<&'a [u8]> {
    |name| response.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_bytes())
}

fn robot() -> ProtocolTask {
    ProtocolTask {
        kind: PromptKind::Text,
        id: "11111111-1111-4111-8111-111111111111".into(),
        prompt: "naïve 🤖".into(),
    }
}

#[test]
fn an_answer_has_all_that_any_client_version_needs() {
    let reply = PullTaskReply { task: Some(robot()), throttle_period: 30, ..PullTaskReply::default() };
    let response = reply.render(&caller(), SUCCESS);
    assert_eq!(response.status, 200);
    let headers = [
        ("content-type", "application/json"),
        ("bt_header_axon_status_code", "200"),
        ("bt_header_axon_status_message", "Success"),
    ];
    assert_eq!(response.headers, headers.map(|(name, value)| (name, value.to_owned())));
    let caller = caller();
    let expected = json!({
        "name": "PullTask", "timeout": 12.0, "total_size": 0, "header_size": 0,
        "dendrite": {
            "status_code": null, "status_message": null, "process_time": null, "ip": "203.0.113.7", "port": null,
            "version": 9_009_000, "nonce": NONCE, "uuid": "a-uuid",
            "hotkey": sn17_wire::ss58::encode(&caller.hotkey()), "signature": null,
        },
        "axon": {
            "status_code": 200, "status_message": "Success", "process_time": null, "ip": "192.0.2.1", "port": 4443,
            "version": null, "nonce": null, "uuid": null,
            "hotkey": sn17_wire::ss58::encode(&caller.validator()), "signature": null,
        },
        "computed_body_hash": "",
        "task": {"type": "text", "id": "11111111-1111-4111-8111-111111111111", "prompt": "naïve 🤖"},
        "validation_threshold": 0.6, "throttle_period": 30, "cooldown_until": 0, "cooldown_violations": 0,
    });
    assert_eq!(body_of(&response), expected);
}

#[test]
fn a_submission_answer_strips_what_was_submitted_and_has_no_null_feedback() {
    let feedback =
        Feedback { task_fidelity_score: f64::NAN, current_duel_rating: 1500.0, ..Feedback::default() };
    let reply =
        SubmitResultsReply { task_id: "id".into(), submit_time: 17, feedback, cooldown_until: 1_900_000_000 };
    let body = body_of(&reply.render(&caller(), "Success; verdict pending"));
    assert_eq!(
        (&body["results"], &body["submit_time"], &body["signature"]),
        (&json!(""), &json!(17), &json!(""))
    );
    assert_eq!(body["axon"]["status_message"], "Success; verdict pending");
    let figures = json!({
        "validation_failed": false, "task_fidelity_score": 0.0, "average_fidelity_score": 0.0,
        "generations_within_the_window": 0, "current_duel_rating": 1500.0, "current_miner_reward": 0.0,
    });
    assert_eq!(body["feedback"], figures);
}

#[test]
fn our_bodies_have_the_keys_of_the_originals_in_their_order() {
    let Some(recording) = load("axon-reference-bt9.9.0.json") else {
        return;
    };
    let keys = |body: &str| -> Vec<String> {
        let body: Value = serde_json::from_str(body).unwrap();
        body.as_object().unwrap().keys().cloned().collect()
    };
    let original =
        |case: &str| recording["cases"][case]["exchange"]["response"]["body"].as_str().unwrap().to_owned();
    let pull = PullTaskReply::default().render(&caller(), SUCCESS);
    assert_eq!(keys(str::from_utf8(&pull.body).unwrap()), keys(&original("pull_cooldown")));
    let reply = SubmitResultsReply {
        task_id: String::new(),
        submit_time: 0,
        feedback: Feedback::default(),
        cooldown_until: 0,
    };
    let submit = reply.render(&caller(), SUCCESS);
    assert_eq!(keys(str::from_utf8(&submit.body).unwrap()), keys(&original("submit_ok")));
    let version = GetVersionReply { version: synapse::ORIGINAL_VERSION, validation_version: "v".into() };
    assert_eq!(body_of(&version.render(&caller()))["version"], 45);
}

#[test]
fn au_1_a_body_names_nobody_else_than_its_headers() {
    let caller = caller();
    let named = |hotkey: &str| format!(r#"{{"dendrite":{{"hotkey":"{hotkey}","x":1}},"y":2}}"#);
    let own = sn17_wire::ss58::encode(&caller.hotkey());
    for body in ["{}", r#"{"dendrite":{}}"#, r#"{"dendrite":{"hotkey":null}}"#, &named(&own)] {
        assert_eq!(synapse::check_body(body.as_bytes(), &caller), Ok(()), "{body}");
    }
    for hotkey in [sn17_wire::ss58::encode(&caller.validator()).as_str(), "", "x"] {
        let refused = synapse::check_body(named(hotkey).as_bytes(), &caller).unwrap_err();
        assert_eq!((refused.status(), &refused), (401, &BodyError::Hotkey(HeaderError::ForeignBodyHotkey)));
    }
    for body in ["", "not json", "1", r#"{"dendrite":1}"#, r#"{"a":NaN}"#, r#"{"a":1"#] {
        assert_eq!(synapse::check_body(body.as_bytes(), &caller).unwrap_err().status(), 400, "{body}");
    }
}

#[test]
fn a_refusal_is_an_object_with_a_message_and_a_short_plain_header() {
    let refused = synapse::refuse(429, &format!("too\r\nmany é{}", "x".repeat(10_000)));
    assert_eq!(refused.status, 429);
    let message = body_of(&refused)["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("too  many  xxx") && message.len() == 512, "{message}");
    assert_eq!(find(&refused)("bt_header_axon_status_message"), Some(message.as_bytes()));
    let parsed = synapse::parse_pull_task(429, find(&refused), &refused.body);
    assert_eq!(parsed, Err(AnswerError::Refused { status: 429, message }));
}

#[test]
fn our_miner_reads_our_answers() {
    let reply = PullTaskReply {
        task: Some(robot()),
        cooldown_until: 7,
        cooldown_violations: 2,
        ..Default::default()
    };
    let response = reply.render(&caller(), "on cooldown");
    let (read, message) = synapse::parse_pull_task(200, find(&response), &response.body).unwrap();
    assert_eq!((read, message.as_str()), (reply, "on cooldown"));

    let feedback = Feedback {
        validation_failed: true,
        task_fidelity_score: 0.5,
        average_fidelity_score: 0.9,
        generations_within_the_window: 47,
        current_duel_rating: 1512.25,
        current_miner_reward: 71_075.75,
    };
    let reply =
        SubmitResultsReply { task_id: "id".into(), submit_time: 17, feedback, cooldown_until: 1_900_000_000 };
    let response = reply.render(&caller(), SUCCESS);
    let read = synapse::parse_submit_results(200, find(&response), &response.body);
    assert_eq!(read, Ok((Some(feedback), 1_900_000_000, SUCCESS.to_owned())));
}

/// Cases that our miner judges otherwise than bittensor's client, each with the reason.
const EXCEPTIONS: [&str; 7] = [
    // Header names have no case in HTTP; our look-up finds them however they are written.
    "Title-Case header names",
    "UPPER header names",
    // NaN is no JSON.
    "S reward NaN",
    // An id of its own making would not be the validator's.
    "type: task {}",
    "type: task missing id",
    // Our miner has no use for an unasked `timeout` header and does not parse it.
    "header timeout not float",
    // An answer that is no 200 has no fields; bittensor calls it a success and leaves them at their defaults.
    "201 with fields",
];

/// Cases about transfer encodings and header sizes, which are the HTTP client's business.
const TRANSPORT: [&str; 7] = [
    "chunked",
    "gzip",
    "short body then close",
    "status_message header 8200 chars",
    "100 small headers",
    "130 small headers",
    "total headers 40KB",
];

#[test]
fn our_miner_takes_as_success_what_the_real_client_takes() {
    for version in ["9.9.0", "10.5.0"] {
        let Some(recording) = load(&format!("dendrite-response-matrix-bt{version}.json")) else {
            return;
        };
        let mut walked = 0;
        for (name, case) in recording["cases"].as_object().unwrap() {
            let response = case["response"].as_str().unwrap_or_default();
            let Some((head, body)) = response.split_once("\r\n\r\n") else {
                continue;
            };
            let Some(status) = head.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()) else {
                continue;
            };
            if name.starts_with("redirect") || TRANSPORT.contains(&name.as_str()) {
                continue;
            }
            if EXCEPTIONS.contains(&name.as_str()) {
                continue;
            }
            let headers = Headers::from_head(head);
            let find = |name: &str| headers.get(name);
            let success = case["is_success"].as_bool().unwrap();
            let code = case["dendrite_status_code"].as_u64();
            let outcome = if name.starts_with("S ") {
                synapse::parse_submit_results(status, find, body.as_bytes()).map(|_| ())
            } else {
                synapse::parse_pull_task(status, find, body.as_bytes()).map(|_| ())
            };
            match outcome {
                Ok(()) => assert!(success, "{version} {name}: taken"),
                Err(AnswerError::Malformed(reason)) => {
                    assert!(!success && matches!(code, None | Some(422)), "{version} {name}: {reason}");
                }
                Err(AnswerError::Refused { status, .. }) => {
                    assert!(!success && code == Some(status.into()), "{version} {name}: {status}");
                }
            }
            walked += 1;
        }
        assert!(walked >= 60, "{version}: {walked}");
    }
}

#[test]
fn our_requests_are_those_of_the_real_client() {
    let Some(miner) = keypair("miner_hotkey") else {
        return;
    };
    for (name, results) in
        [("pull-request", None), ("submit-request-text", Some(())), ("submit-request-empty", Some(()))]
    {
        let Some(recording) = load(&format!("{name}-bt9.9.0.json")) else {
            return;
        };
        let recorded = Headers::from_pairs(&recording["headers"]);
        let recorded_body: Value = serde_json::from_str(recording["body"].as_str().unwrap()).unwrap();
        let axon = Axon { ip: "127.0.0.1".into(), port: 18091, hotkey: validator() };
        let signing = Signing {
            keypair: &miner,
            ip: "203.0.113.7",
            nonce: recorded.text("bt_header_dendrite_nonce").parse().unwrap(),
            uuid: recorded.text("bt_header_dendrite_uuid"),
            randomness: [9; 32],
        };
        let ours = match results {
            None => synapse::pull_task(&axon, &signing),
            Some(()) => {
                use base64::Engine as _;
                let text = recorded_body["results"].as_str().unwrap();
                let submission = Submission {
                    task_id: recorded_body["task_id"].as_str().unwrap(),
                    prompt: recording["prompt"].as_str().unwrap(),
                    results: &base64::engine::general_purpose::STANDARD.decode(text).unwrap(),
                    submit_time: recorded_body["submit_time"].as_i64().unwrap(),
                    timeout_secs: 30.0,
                    randomness: [8; 32],
                };
                synapse::submit_results(&axon, &signing, &submission)
            }
        };
        assert_eq!(ours.path, recording["path"].as_str().unwrap());

        // Signatures are randomised, so ours takes the place of the recorded ones; and the HTTP client adds its own.
        let signature =
            ours.headers.iter().find(|header| header.0 == "bt_header_dendrite_signature").unwrap().1.clone();
        let by_client = ["host", "accept", "accept-encoding", "user-agent", "content-length"];
        let expected: Vec<(String, String)> = recorded
            .0
            .iter()
            .filter(|header| !by_client.contains(&header.0.as_str()))
            .map(|(name, value)| {
                let signed = name == "bt_header_dendrite_signature";
                (name.clone(), if signed { signature.clone() } else { value.clone() })
            })
            .collect();
        let sent: Vec<(String, String)> =
            ours.headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        assert_eq!(sent, expected, "{name}");

        let body: Value = serde_json::from_slice(&ours.body).unwrap();
        assert_eq!(body["dendrite"]["signature"], signature.as_str());
        let mut expected = recorded_body;
        if results.is_some() {
            expected["signature"] = body["signature"].clone();
        }
        expected["dendrite"]["signature"] = signature.into();
        assert_eq!(body, expected, "{name}");
    }
}
