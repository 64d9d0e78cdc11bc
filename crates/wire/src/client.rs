//! The clients' routes as the original gateway has them: `add_task`, `get_status`, `get_result`.
//!
//! Texts are the original's to the letter where it has them: add-ons show them to people, and some compare them.

use serde::{Deserialize, Serialize, Serializer};
use sn17_core::TaskId;
use sn17_core::scoring::PromptKind;
use sn17_core::state::Origin;

/// The one model that makes splats; another one's clients expect a mesh.
pub const MODEL: &str = "404-3dgs";
/// The reason given when nobody knows one.
pub const UNKNOWN_FAILURE: &str = "Unknown failure";

/// The characters of a prompt, as the error text shows them.
const PROMPT_PATTERN: &str = "^[A-Za-z0-9 .,'():;/?!+%-]+$";
/// Longest piece of a client's own text that an error repeats.
const REPEATED_CHARS_MAX: usize = 64;

/// Why a client's request is refused; `Display` is the whole body of the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// There is no `x-api-key`.
    #[error("Unauthorized request: Missing API key")]
    MissingApiKey,
    /// The key is not a hyphenated UUID.
    #[error("Bad request: Invalid API key format")]
    MalformedApiKey,
    /// Nobody has this key.
    #[error("Unauthorized request: Invalid API key")]
    UnknownApiKey,
    /// The request does not say what its body is.
    #[error("Bad request: Missing content-type")]
    MissingContentType,
    /// The form does not say how its parts are divided.
    #[error("Bad request: Missing boundary in content-type")]
    MissingBoundary,
    /// The body is not the JSON that the route takes.
    #[error("Bad request: Invalid JSON: {0}")]
    InvalidJson(String),
    /// A field that the route does not know, or a broken part of a form.
    #[error("Bad request: Field error: {0}")]
    Field(String),
    /// Two prompts.
    #[error("Bad request: Cannot provide both prompt and image. Choose one.")]
    PromptAndImage,
    /// No prompt.
    #[error("Bad request: Must provide either prompt or image")]
    NoPrompt,
    /// The prompt has too few characters.
    #[error("Bad request: Prompt is too short: minimum length is {chars_min} characters (got {chars})")]
    PromptTooShort {
        /// Fewest characters.
        chars_min: usize,
        /// Characters given.
        chars: usize,
    },
    /// The prompt has too many characters.
    #[error("Bad request: Prompt is too long: maximum length is {chars_max} characters (got {chars})")]
    PromptTooLong {
        /// Most characters.
        chars_max: usize,
        /// Characters given.
        chars: usize,
    },
    /// The prompt has characters outside the pattern.
    #[error("Bad request: Prompt contains invalid characters; allowed pattern: {PROMPT_PATTERN}")]
    PromptCharacters,
    /// The picture has too many bytes.
    #[error("Bad request: Image too large: {bytes} bytes (maximum is {bytes_max} bytes)")]
    ImageTooLarge {
        /// Bytes given, or read before we stopped.
        bytes: u64,
        /// Most bytes.
        bytes_max: u64,
    },
    /// The bytes are no known picture, or a broken one.
    #[error("Bad request: Failed to guess image format: {0}")]
    ImageUnreadable(String),
    /// The picture is of a kind that miners do not get.
    #[error("Bad request: Image format '{0}' not allowed. Allowed formats: [\"png\", \"jpg\", \"webp\"]")]
    ImageFormat(String),
    /// The picture is too wide.
    #[error("Bad request: Image too wide: {pixels} pixels (maximum is {pixels_max} pixels)")]
    ImageTooWide {
        /// Its width.
        pixels: u32,
        /// Greatest width.
        pixels_max: u32,
    },
    /// The picture is too tall.
    #[error("Bad request: Image too tall: {pixels} pixels (maximum is {pixels_max} pixels)")]
    ImageTooTall {
        /// Its height.
        pixels: u32,
        /// Greatest height.
        pixels_max: u32,
    },
    /// A model that does not make splats.
    #[error("Bad request: Unsupported model '{0}'. Supported models: [\"{MODEL}\"]")]
    Model(String),
    /// The seed is not a number of 32 bits.
    #[error("Bad request: Invalid seed value: {0}")]
    Seed(String),
    /// The query has no task id.
    #[error("Bad request: Missing task ID")]
    MissingTaskId,
    /// The task id is not a hyphenated UUID.
    #[error("Bad request: Invalid task ID format")]
    MalformedTaskId,
    /// A parameter of the query has a value that it cannot have.
    #[error("Bad request: Invalid value of `{0}`")]
    Query(&'static str),
    /// The body is larger than the route takes.
    #[error("Bad request: Payload too large: maximum is {bytes_max} bytes")]
    BodyTooLarge {
        /// Most bytes.
        bytes_max: u64,
    },
    /// There is no such task, or it is another key's.
    #[error("Task ID {0} not found")]
    TaskNotFound(TaskId),
    /// The task has no result yet.
    #[error("No results found for task ID {0}")]
    NoResults(TaskId),
    /// The task failed.
    #[error("No successful results found for task ID {id}. Failure reason: {reason}")]
    NoSuccess {
        /// The task.
        id: TaskId,
        /// Why it failed.
        reason: String,
    },
    /// The key's quota is used up.
    #[error("Too many requests: User rate limit exceeded")]
    UserRate,
    /// Too many requests from one address.
    #[error("Too many requests: Rate limit exceeded")]
    AddressRate,
    /// As many tasks are open as we take; nothing was charged.
    #[error("Service unavailable: Task queue is full")]
    QueueFull,
}

impl ClientError {
    /// The HTTP status of the answer.
    pub const fn status(&self) -> u16 {
        match self {
            Self::MalformedApiKey
            | Self::MissingContentType
            | Self::MissingBoundary
            | Self::InvalidJson(_)
            | Self::Field(_)
            | Self::PromptAndImage
            | Self::NoPrompt
            | Self::PromptTooShort { .. }
            | Self::PromptTooLong { .. }
            | Self::PromptCharacters
            | Self::ImageTooLarge { .. }
            | Self::ImageUnreadable(_)
            | Self::ImageFormat(_)
            | Self::ImageTooWide { .. }
            | Self::ImageTooTall { .. }
            | Self::Model(_)
            | Self::Seed(_)
            | Self::MissingTaskId
            | Self::MalformedTaskId
            | Self::Query(_) => 400,
            Self::MissingApiKey | Self::UnknownApiKey => 401,
            Self::TaskNotFound(_) | Self::NoResults(_) | Self::NoSuccess { .. } => 404,
            Self::BodyTooLarge { .. } => 413,
            Self::UserRate | Self::AddressRate => 429,
            Self::QueueFull => 503,
        }
    }
}

/// Checks the form of an `x-api-key` and gives its text; whether it is anyone's is for the ledger to say.
///
/// # Errors
/// [`ClientError`] when it is absent or not a hyphenated UUID.
pub fn read_api_key(header: Option<&[u8]>) -> Result<&str, ClientError> {
    let header = header.ok_or(ClientError::MissingApiKey)?;
    let key = str::from_utf8(header).map_err(|_| ClientError::MalformedApiKey)?;
    // A task's id has the same form.
    let _: TaskId = key.parse().map_err(|_| ClientError::MalformedApiKey)?;
    Ok(key)
}

/// Reads the `id` of a query.
///
/// # Errors
/// [`ClientError`] when it is absent or not a hyphenated UUID.
pub fn read_task_id(id: Option<&str>) -> Result<TaskId, ClientError> {
    id.ok_or(ClientError::MissingTaskId)?.parse().map_err(|_| ClientError::MalformedTaskId)
}

/// Reads `x-client-origin`; absent and unknown ones count as direct use of the API.
pub fn read_origin(header: Option<&[u8]>) -> Origin {
    match header {
        Some(b"blender") => Origin::Blender,
        Some(b"unity") => Origin::Unity,
        Some(b"discord") => Origin::Discord,
        Some(b"gen.404.xyz") => Origin::Web,
        Some(_) | None => Origin::Api,
    }
}

/// The fields that a form may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormField {
    /// A prompt in words.
    Prompt,
    /// A picture.
    Image,
    /// The model, see [`check_model`].
    Model,
    /// The seed, see [`read_seed`].
    Seed,
}

impl FormField {
    /// The field of a part's name.
    ///
    /// # Errors
    /// [`ClientError::Field`] for a part without a name or with any other one.
    pub fn of(name: Option<&str>) -> Result<Self, ClientError> {
        match name {
            Some("prompt") => Ok(Self::Prompt),
            Some("image") => Ok(Self::Image),
            Some("model") => Ok(Self::Model),
            Some("seed") => Ok(Self::Seed),
            Some(name) => Err(ClientError::Field(format!("unknown field `{}`", repeated(name)))),
            None => Err(ClientError::Field("a part has no name".to_owned())),
        }
    }
}

/// The JSON body of `add_task`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddTaskJson {
    /// The prompt, unchecked.
    pub prompt: Option<String>,
    /// The seed; negative ones and those above 2^31 are the same 32 bits.
    pub seed: Option<i32>,
}

/// The types of [`AddTaskJson`]'s members before they are checked.
#[derive(Deserialize)]
struct AddTaskMembers {
    prompt: Option<String>,
    model: Option<String>,
    seed: Option<serde_json::Number>,
}

impl AddTaskJson {
    /// Reads the body; the caller has bounded its size.
    ///
    /// # Errors
    /// [`ClientError`] for what is not a JSON object of `prompt`, `model` and `seed`, or names another model.
    pub fn parse(body: &[u8]) -> Result<Self, ClientError> {
        let invalid = |error: serde_json::Error| ClientError::InvalidJson(error.to_string());
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(body).map_err(invalid)?;
        if let Some(name) = object.keys().find(|name| !matches!(name.as_str(), "prompt" | "model" | "seed")) {
            return Err(ClientError::Field(format!("unknown field `{}`", repeated(name))));
        }
        let members: AddTaskMembers = serde_json::from_value(object.into()).map_err(invalid)?;
        if let Some(model) = members.model {
            check_model(&model)?;
        }
        let seed = members.seed.map(|number| read_seed(&number.to_string())).transpose()?;
        Ok(Self { prompt: members.prompt, seed })
    }
}

/// Checks that a request names the model there is.
///
/// # Errors
/// [`ClientError::Model`] for any other.
pub fn check_model(model: &str) -> Result<(), ClientError> {
    if model == MODEL { Ok(()) } else { Err(ClientError::Model(repeated(model))) }
}

/// Reads a seed: a signed number of 32 bits, or an unsigned one, which is taken as the signed one of the same bits.
///
/// # Errors
/// [`ClientError::Seed`] for any other text.
pub fn read_seed(text: &str) -> Result<i32, ClientError> {
    let text = text.trim();
    if let Ok(seed) = text.parse::<i32>() {
        return Ok(seed);
    }
    text.parse::<u32>().map(u32::cast_signed).map_err(|error| ClientError::Seed(error.to_string()))
}

/// Decides which kind of prompt a request brings; empty ones count as absent.
///
/// # Errors
/// [`ClientError`] when it brings both or neither.
pub fn choose_prompt(prompt: Option<&str>, image: Option<&[u8]>) -> Result<PromptKind, ClientError> {
    let has_prompt = prompt.is_some_and(|prompt| !prompt.is_empty());
    let has_image = image.is_some_and(|image| !image.is_empty());
    match (has_prompt, has_image) {
        (true, false) => Ok(PromptKind::Text),
        (false, true) => Ok(PromptKind::Image),
        (true, true) => Err(ClientError::PromptAndImage),
        (false, false) => Err(ClientError::NoPrompt),
    }
}

/// Checks a prompt in words: its length in characters, 3 to 384 by the default policy, and its characters.
///
/// # Errors
/// [`ClientError`] for the first rule that it breaks.
pub fn check_prompt(prompt: &str, chars_min: usize, chars_max: usize) -> Result<(), ClientError> {
    let chars = prompt.chars().count();
    if chars < chars_min {
        return Err(ClientError::PromptTooShort { chars_min, chars });
    }
    if chars > chars_max {
        return Err(ClientError::PromptTooLong { chars_max, chars });
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b" .,'():;/?!+%-".contains(&byte);
    if prompt.bytes().all(allowed) { Ok(()) } else { Err(ClientError::PromptCharacters) }
}

/// The body of a successful `add_task`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AddTaskReply {
    /// The task's identity.
    #[serde(serialize_with = "as_text")]
    pub id: TaskId,
}

/// What `get_status` says in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacyStatus {
    /// Unknown, or nothing yet.
    NoResult,
    /// So many of several expected results are there. Two of the clients in use fail on it.
    PartialResult(u32),
    /// A result can be fetched.
    Success,
    /// It ended without one.
    Failure,
}

impl core::fmt::Display for LegacyStatus {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoResult => formatter.write_str("NoResult"),
            Self::PartialResult(count) => write!(formatter, "PartialResult({count})"),
            Self::Success => formatter.write_str("Success"),
            Self::Failure => formatter.write_str("Failure"),
        }
    }
}

/// The body of `get_status`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatusBody {
    /// The state of the task.
    #[serde(serialize_with = "as_text")]
    pub status: LegacyStatus,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who made the best result: an SS58 address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miner_hotkey: Option<String>,
    /// The miner's number in the subnet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miner_uid: Option<u16>,
    /// The miner's rating when the result was scored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub miner_rating: Option<f64>,
}

impl StatusBody {
    /// A status without more to say.
    pub const fn bare(status: LegacyStatus) -> Self {
        Self { status, reason: None, miner_hotkey: None, miner_uid: None, miner_rating: None }
    }
}

/// The file that `get_result` gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResultFormat {
    /// Compressed, in the network's own dialect.
    #[default]
    Spz,
    /// Decompressed.
    Ply,
}

impl ResultFormat {
    /// Reads the parameters `format` (`spz` or `ply`) and `compress` (`0`, `false`, `no` and `off` ask for a PLY), of
    /// which the latter is the newer and wins.
    ///
    /// # Errors
    /// [`ClientError::Query`] for any other value.
    pub fn of_query(format: Option<&str>, compress: Option<&str>) -> Result<Self, ClientError> {
        let format = match format {
            None | Some("spz") => Self::Spz,
            Some("ply") => Self::Ply,
            Some(_) => return Err(ClientError::Query("format")),
        };
        Ok(match read_switch("compress", compress)? {
            None => format,
            Some(true) => Self::Spz,
            Some(false) => Self::Ply,
        })
    }

    /// What the file is saved as.
    pub const fn filename(self) -> &'static str {
        match self {
            Self::Spz => "result.spz",
            Self::Ply => "result.ply",
        }
    }

    /// The `Content-Disposition` without which the Blender add-on refuses a result.
    pub const fn content_disposition(self) -> &'static str {
        match self {
            Self::Spz => "attachment; filename=\"result.spz\"",
            Self::Ply => "attachment; filename=\"result.ply\"",
        }
    }
}

/// Reads the parameter `direct` of `get_result`: whether the answer must have the bytes themselves, for a client that
/// does not follow redirects. Absent is no.
///
/// # Errors
/// [`ClientError::Query`] for what is neither yes nor no.
pub fn read_direct(direct: Option<&str>) -> Result<bool, ClientError> {
    Ok(read_switch("direct", direct)?.unwrap_or(false))
}

fn read_switch(name: &'static str, value: Option<&str>) -> Result<Option<bool>, ClientError> {
    match value {
        None => Ok(None),
        Some("1" | "true" | "yes" | "on") => Ok(Some(true)),
        Some("0" | "false" | "no" | "off") => Ok(Some(false)),
        Some(_) => Err(ClientError::Query(name)),
    }
}

fn as_text<S: Serializer>(value: &impl core::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// A client's own text as an error may repeat it: short, on one line.
fn repeated(text: &str) -> String {
    let visible = |character: char| if character.is_control() { ' ' } else { character };
    text.chars().take(REPEATED_CHARS_MAX).map(visible).collect()
}
