//! The synapses of the subnet: `PullTask`, `SubmitResults`, `GetVersion`.
//!
//! Answers follow the one recipe that bittensor 7 to 10 all read the same way: HTTP 200 with the status in a lower-case
//! header and in the body's `axon` object, every required field present, neither `axon` nor `dendrite` null. A client
//! reads fields only from a 200, so cooldowns travel there and never beside an error status.

mod answer;
mod request;

pub use answer::{AnswerError, parse_pull_task, parse_submit_results};
pub use request::{Axon, DendriteRequest, Signing, Submission, pull_task, submit_results};

use serde::{Deserialize, Serialize, Serializer};
use sn17_core::Hotkey;
pub use sn17_core::scoring::PromptKind;

use crate::dendrite::{HeaderError, VerifiedDendrite};
use crate::ss58;
use crate::submission::check_body_hotkey;

/// The status text of an answer that has nothing to add.
pub const SUCCESS: &str = "Success";
/// The version of the original validator whose rules these answers follow.
pub const ORIGINAL_VERSION: u32 = 45;

/// Status texts are cut here; a bittensor client refuses header lines above 8190 bytes.
const STATUS_MESSAGE_BYTES_MAX: usize = 512;

/// A task as miners see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtocolTask {
    /// Whether the prompt is words or a picture.
    #[serde(rename = "type", default = "kind_default")]
    pub kind: PromptKind,
    /// The task's identity; a hyphenated UUID, opaque to miners.
    pub id: String,
    /// The text, or the picture as padded base64.
    #[serde(default)]
    pub prompt: String,
}

/// A task that does not say what it is, is a text: the first class of the protocol's union that fits.
const fn kind_default() -> PromptKind {
    PromptKind::Text
}

/// The answer to `PullTask`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PullTaskReply {
    /// The task to work on; none while on cooldown.
    #[serde(default)]
    pub task: Option<ProtocolTask>,
    /// Lowest accepted score, in 0..=1.
    #[serde(
        default = "threshold_default",
        serialize_with = "finite",
        deserialize_with = "answer::lax_float"
    )]
    pub validation_threshold: f64,
    /// Seconds of work that shorten the cooldown.
    #[serde(default, deserialize_with = "answer::lax_int")]
    pub throttle_period: u64,
    /// Unix seconds from which the next pull is welcome; 0 without a cooldown.
    #[serde(default, deserialize_with = "answer::lax_int")]
    pub cooldown_until: u64,
    /// Pulls counted during cooldowns.
    #[serde(default, deserialize_with = "answer::lax_int")]
    pub cooldown_violations: u64,
}

impl Default for PullTaskReply {
    fn default() -> Self {
        Self {
            task: None,
            validation_threshold: threshold_default(),
            throttle_period: 0,
            cooldown_until: 0,
            cooldown_violations: 0,
        }
    }
}

/// The threshold that the protocol's class has when none is set.
const fn threshold_default() -> f64 {
    0.6
}

/// A miner's figures, told with every answer to `SubmitResults`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Feedback {
    /// The result was rejected (SB-4).
    pub validation_failed: bool,
    /// The result's score, in 0..=1.
    #[serde(serialize_with = "finite", deserialize_with = "answer::lax_float")]
    pub task_fidelity_score: f64,
    /// Moving average of the scores of accepted results.
    #[serde(serialize_with = "finite", deserialize_with = "answer::lax_float")]
    pub average_fidelity_score: f64,
    /// Results accepted in the last four hours.
    #[serde(deserialize_with = "answer::lax_int")]
    pub generations_within_the_window: u64,
    /// Glicko-2 rating from duels.
    #[serde(serialize_with = "finite", deserialize_with = "answer::lax_float")]
    pub current_duel_rating: f64,
    /// Rating times accepted results (RW-1).
    #[serde(serialize_with = "finite", deserialize_with = "answer::lax_float")]
    pub current_miner_reward: f64,
}

/// The answer to `SubmitResults`, as the validator has it to say.
#[derive(Clone, Debug, PartialEq)]
pub struct SubmitResultsReply {
    /// The submitted task's identity, repeated.
    pub task_id: String,
    /// The submission's nanoseconds, repeated: a client fails without them.
    pub submit_time: i64,
    /// The miner's figures; always present, as a miner that gets none backs off for five minutes.
    pub feedback: Feedback,
    /// Unix seconds from which the next pull is welcome.
    pub cooldown_until: u64,
}

/// The answer to `GetVersion`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GetVersionReply {
    /// Version of the rules, see [`ORIGINAL_VERSION`].
    pub version: u32,
    /// Free text about the validating software.
    pub validation_version: String,
}

/// A whole answer: status, headers and JSON body (whose content type is the first header).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SynapseResponse {
    /// HTTP status.
    pub status: u16,
    /// Lower-case names with values of visible ASCII and spaces.
    pub headers: Vec<(&'static str, String)>,
    /// One JSON object.
    pub body: Vec<u8>,
}

impl PullTaskReply {
    /// Renders the answer to the verified caller; `status_message` is [`SUCCESS`] or says why there is no task.
    pub fn render(&self, caller: &VerifiedDendrite, status_message: &str) -> SynapseResponse {
        render("PullTask", self, caller, status_message)
    }
}

impl SubmitResultsReply {
    /// Renders the answer to the verified caller; `status_message` is [`SUCCESS`], or says what became of the result.
    pub fn render(&self, caller: &VerifiedDendrite, status_message: &str) -> SynapseResponse {
        // Results and signature are required by the client's class and stripped to nothing.
        let fields = SubmitResultsFields {
            task: None,
            task_id: &self.task_id,
            results: "",
            data_format: "ply",
            data_ver: 0,
            compression: 2,
            submit_time: self.submit_time,
            signature: "",
            feedback: Some(&self.feedback),
            cooldown_until: self.cooldown_until,
        };
        render("SubmitResults", &fields, caller, status_message)
    }
}

impl GetVersionReply {
    /// Renders the answer to the verified caller.
    pub fn render(&self, caller: &VerifiedDendrite) -> SynapseResponse {
        render("GetVersion", self, caller, SUCCESS)
    }
}

/// Why the body of a synapse without fields of its own cannot stand beside its headers.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum BodyError {
    /// The body is not a JSON object.
    #[error("malformed JSON: {0}")]
    Malformed(String),
    /// The body names another caller.
    #[error(transparent)]
    Hotkey(#[from] HeaderError),
}

impl BodyError {
    /// The HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::Hotkey(error) => error.status(),
        }
    }
}

#[derive(Deserialize)]
struct CallerBody {
    dendrite: Option<CallerTerminal>,
}

#[derive(Deserialize)]
struct CallerTerminal {
    hotkey: Option<String>,
}

/// Checks the body of a `PullTask` or `GetVersion`: a JSON object, of which nothing is taken, that names nobody else
/// than the signed headers (AU-1).
///
/// # Errors
/// [`BodyError`] when it is no object or names another hotkey.
pub fn check_body(body: &[u8], caller: &VerifiedDendrite) -> Result<(), BodyError> {
    let body: CallerBody =
        serde_json::from_slice(body).map_err(|error| BodyError::Malformed(error.to_string()))?;
    let hotkey = body.dendrite.and_then(|dendrite| dendrite.hotkey);
    Ok(check_body_hotkey(hotkey.as_deref(), caller)?)
}

/// Renders a refusal: a status from 400 and a `message`, which is all a client reads of it.
pub fn refuse(status: u16, message: &str) -> SynapseResponse {
    let message = header_text(message);
    let body = encode(&Refusal { message: &message });
    SynapseResponse { status, headers: status_headers(status, message), body }
}

#[derive(Serialize)]
struct Refusal<'a> {
    message: &'a str,
}

fn render(
    name: &'static str,
    fields: &impl Serialize,
    caller: &VerifiedDendrite,
    status_message: &str,
) -> SynapseResponse {
    let status_message = header_text(status_message);
    let hotkey = ss58::encode(&caller.hotkey());
    let validator = ss58::encode(&caller.validator());
    let body = encode(&Envelope {
        name,
        timeout: caller.timeout_secs(),
        total_size: 0,
        header_size: 0,
        // The signature is not repeated: who reads an answer in transit shall not learn it.
        dendrite: Terminal {
            ip: caller.echo.dendrite_ip.as_deref(),
            version: caller.echo.dendrite_version,
            nonce: Some(caller.nonce()),
            uuid: Some(caller.uuid()),
            hotkey: Some(&hotkey),
            ..Terminal::default()
        },
        axon: Terminal {
            status_code: Some(200),
            status_message: Some(&status_message),
            ip: caller.echo.axon_ip.as_deref(),
            port: caller.echo.axon_port,
            hotkey: Some(&validator),
            ..Terminal::default()
        },
        computed_body_hash: "",
        fields,
    });
    SynapseResponse { status: 200, headers: status_headers(200, status_message), body }
}

fn status_headers(status: u16, message: String) -> Vec<(&'static str, String)> {
    vec![
        ("content-type", "application/json".to_owned()),
        (answer::STATUS_CODE, status.to_string()),
        (answer::STATUS_MESSAGE, message),
    ]
}

/// Makes a text fit for a header value: visible ASCII and spaces, at most 512 bytes.
fn header_text(text: &str) -> String {
    let visible = |character: char| {
        if character.is_ascii_graphic() { character } else { ' ' }
    };
    text.chars().take(STATUS_MESSAGE_BYTES_MAX).map(visible).collect()
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("string keys and infallible fields always serialise")
}

/// The JSON of any synapse: bittensor's own fields around the class's.
#[derive(Serialize)]
struct Envelope<'a, Fields> {
    name: &'static str,
    timeout: f64,
    total_size: u64,
    header_size: u64,
    dendrite: Terminal<'a>,
    axon: Terminal<'a>,
    computed_body_hash: &'static str,
    #[serde(flatten)]
    fields: Fields,
}

/// One end of a call, as bittensor's `TerminalInfo`.
#[derive(Default, Serialize)]
struct Terminal<'a> {
    status_code: Option<u16>,
    status_message: Option<&'a str>,
    process_time: Option<f64>,
    ip: Option<&'a str>,
    port: Option<u16>,
    version: Option<u32>,
    nonce: Option<u64>,
    uuid: Option<&'a str>,
    hotkey: Option<&'a str>,
    signature: Option<&'a str>,
}

/// The fields of `SubmitResults` in both directions.
#[derive(Serialize)]
struct SubmitResultsFields<'a> {
    task: Option<&'a ProtocolTask>,
    task_id: &'a str,
    results: &'a str,
    data_format: &'static str,
    data_ver: u32,
    compression: u32,
    submit_time: i64,
    signature: &'a str,
    feedback: Option<&'a Feedback>,
    cooldown_until: u64,
}

/// Writes a figure that a client can read: JSON has no NaN, and null in its place would fail the whole answer.
fn finite<S: Serializer>(figure: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(if figure.is_finite() { *figure } else { 0.0 })
}

/// Spells a hotkey in a message or a header.
fn address(hotkey: &Hotkey) -> String {
    ss58::encode(hotkey)
}
