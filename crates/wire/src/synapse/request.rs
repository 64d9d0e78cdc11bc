//! The miner's side: requests as bittensor 9.9.0's dendrite sends them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sn17_core::Hotkey;

use super::{Envelope, PullTaskReply, SubmitResultsFields, Terminal, address, encode};
use crate::consent::sign_submission;
use crate::dendrite::{EMPTY_BODY_HASH, names, signed_text};
use crate::sr25519::Keypair;

/// 9.9.0 in bittensor's numbering.
const VERSION: u32 = 9_009_000;
/// What bittensor measures for the header block of any synapse: the Python object's footprint in bytes.
const HEADER_SIZE: &str = "464";
/// The same for a whole `PullTask`; informative, no server reads it.
const PULL_TASK_SIZE: u64 = 3428;
/// The same for a `SubmitResults` without results.
const SUBMIT_RESULTS_SIZE: u64 = 3952;
/// What a Python text takes beside its characters; the empty one is shared and takes nothing.
const TEXT_SIZE: u64 = 49;
/// Seconds a miner waits for a task, from the subnet's published miner loop.
const PULL_TIMEOUT_SECS: f64 = 12.0;

/// A validator's served address, from the metagraph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axon {
    /// IPv4 address or host name.
    pub ip: String,
    /// TCP port.
    pub port: u16,
    /// Who serves there.
    pub hotkey: Hotkey,
}

/// What makes one request this one and no other, all of it from the host.
#[derive(Clone, Debug)]
pub struct Signing<'a> {
    /// The miner.
    pub keypair: &'a Keypair,
    /// The miner's public address, for information only.
    pub ip: &'a str,
    /// Nanoseconds since the epoch; never the same twice for one uuid.
    pub nonce: u64,
    /// Identity of the calling object: letters, digits and hyphens.
    pub uuid: &'a str,
    /// Fresh random bytes.
    pub randomness: [u8; 32],
}

/// A result to hand in.
#[derive(Clone, Copy, Debug)]
pub struct Submission<'a> {
    /// The task's identity, as pulled.
    pub task_id: &'a str,
    /// The task's prompt, as pulled.
    pub prompt: &'a str,
    /// The compressed splat; empty to give the task back.
    pub results: &'a [u8],
    /// Nanoseconds since the epoch.
    pub submit_time: i64,
    /// Seconds to wait for the verdict: 30 in the published loop, 300 in the subnet's miner.
    pub timeout_secs: f64,
    /// Fresh random bytes for the consent's signature.
    pub randomness: [u8; 32],
}

/// A request to send by `POST` over plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DendriteRequest {
    /// Path on the validator's address.
    pub path: &'static str,
    /// Headers in bittensor's order, without those that any HTTP client makes by itself.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Vec<u8>,
}

/// Asks `axon` for a task.
pub fn pull_task(axon: &Axon, signing: &Signing<'_>) -> DendriteRequest {
    let defaults = PullTaskReply::default();
    build("PullTask", "/PullTask", PULL_TIMEOUT_SECS, PULL_TASK_SIZE, &[], &defaults, axon, signing)
}

/// Hands `submission` in to `axon`, with the licence consent signed.
pub fn submit_results(axon: &Axon, signing: &Signing<'_>, submission: &Submission<'_>) -> DendriteRequest {
    let signature = sign_submission(
        signing.keypair,
        submission.prompt,
        submission.submit_time,
        &axon.hotkey,
        submission.randomness,
    );
    let results = STANDARD.encode(submission.results);
    let fields = SubmitResultsFields {
        task: None,
        task_id: submission.task_id,
        results: &results,
        data_format: "ply",
        data_ver: 0,
        compression: 2,
        submit_time: submission.submit_time,
        signature: &signature,
        feedback: None,
        cooldown_until: 0,
    };
    // Bittensor announces required fields by the base64 of an empty value each: `""`, 0 and `""`.
    let required = [
        ("bt_header_input_obj_results", "IiI="),
        ("bt_header_input_obj_submit_time", "MA=="),
        ("bt_header_input_obj_signature", "IiI="),
    ];
    let results_size = if results.is_empty() { 0 } else { TEXT_SIZE + results.len() as u64 };
    let size = SUBMIT_RESULTS_SIZE + results_size;
    let timeout = submission.timeout_secs;
    build("SubmitResults", "/SubmitResults", timeout, size, &required, &fields, axon, signing)
}

#[expect(clippy::too_many_arguments, reason = "the parts of one request, told apart by type")]
fn build(
    name: &'static str,
    path: &'static str,
    timeout_secs: f64,
    total_size: u64,
    required: &[(&'static str, &str)],
    fields: &impl serde::Serialize,
    axon: &Axon,
    signing: &Signing<'_>,
) -> DendriteRequest {
    let miner = signing.keypair.hotkey();
    let message = signed_text(signing.nonce, &miner, &axon.hotkey, signing.uuid);
    let signature = signing.keypair.sign(message.as_bytes(), signing.randomness);
    let signature = format!("0x{}", hex::encode(signature));
    let hotkey = address(&miner);
    let axon_hotkey = address(&axon.hotkey);

    let body = encode(&Envelope {
        name,
        timeout: timeout_secs,
        total_size,
        header_size: 0,
        dendrite: Terminal {
            ip: Some(signing.ip),
            version: Some(VERSION),
            nonce: Some(signing.nonce),
            uuid: Some(signing.uuid),
            hotkey: Some(&hotkey),
            signature: Some(&signature),
            ..Terminal::default()
        },
        axon: Terminal {
            ip: Some(&axon.ip),
            port: Some(axon.port),
            hotkey: Some(&axon_hotkey),
            ..Terminal::default()
        },
        computed_body_hash: "",
        fields,
    });

    let mut headers = vec![
        ("name", name.to_owned()),
        // Python writes a float with its fraction: `12.0`.
        (names::TIMEOUT, format!("{timeout_secs:?}")),
        (names::AXON_IP, axon.ip.clone()),
        (names::AXON_PORT, axon.port.to_string()),
        (names::AXON_HOTKEY, axon_hotkey),
        (names::DENDRITE_IP, signing.ip.to_owned()),
        (names::DENDRITE_VERSION, VERSION.to_string()),
        (names::DENDRITE_NONCE, signing.nonce.to_string()),
        (names::DENDRITE_UUID, signing.uuid.to_owned()),
        (names::DENDRITE_HOTKEY, hotkey),
        (names::DENDRITE_SIGNATURE, signature),
    ];
    headers.extend(required.iter().map(|(name, value)| (*name, (*value).to_owned())));
    headers.extend([
        ("header_size", HEADER_SIZE.to_owned()),
        ("total_size", total_size.to_string()),
        (names::BODY_HASH, EMPTY_BODY_HASH.to_owned()),
        ("content-type", "application/json".to_owned()),
    ]);
    DendriteRequest { path, headers, body }
}
