//! What a model is asked: messages of text and pictures, and the form of the answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;

use crate::endpoint::Endpoint;

/// What a picture is taken to cost in tokens before its cost is known: 1,041 pixels squared in squares of 28 pixels, one
/// token each, rounded up (Qwen2-VL, arXiv 2409.12191, section 2.1; GLM-4.1V has the same squares).
const PICTURE_TOKENS: u64 = 38 * 38;
/// What a message is taken to cost beside its parts, for the marks around it.
const MESSAGE_TOKENS: u64 = 8;
/// Fewest bytes of text that are taken for a token. English has about four; other scripts fewer.
const BYTES_PER_TOKEN: u64 = 2;

/// A request for one chat completion. [`Request::new`] leaves everything but the messages to the endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// The form that the answer must have; any text if none.
    pub schema: Option<Schema>,
    /// Makes sampling repeatable where the endpoint can. Sent modulo 2^63, the range of the API.
    pub seed: Option<u64>,
    /// Another model than the endpoint's.
    pub model: Option<String>,
    /// Another temperature than the endpoint's.
    pub temperature: Option<f32>,
    /// Another maximum of tokens of the answer than the endpoint's.
    pub max_tokens: Option<u32>,
    /// The share of the likeliest words that are drawn from, 0 to 1; the server's default if none.
    pub top_p: Option<f32>,
    /// What words that are there already lose, -2 to 2; the server's default if none.
    pub presence_penalty: Option<f32>,
    /// What words lose each time they come, -2 to 2; the server's default if none.
    pub frequency_penalty: Option<f32>,
    /// Whether an answer that ends at its maximum of tokens is one: a list is of use without its end, JSON is not.
    pub may_be_cut: bool,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: Content,
}

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Whoever runs the model.
    System,
    /// Whoever asks it.
    User,
    /// The model, in an earlier turn.
    Assistant,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Content {
    /// Words alone, which every server understands.
    Text(String),
    /// Words and pictures, in this order.
    Parts(Vec<Part>),
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Part {
    /// Words.
    Text {
        /// The words.
        text: String,
    },
    /// A picture; see [`Part::picture`].
    ImageUrl {
        /// Where it is.
        image_url: PictureUrl,
    },
}

/// A picture as a URL that holds all of it (RFC 2397).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PictureUrl {
    url: String,
}

/// The form of an answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Schema {
    /// What the form is called, in letters, digits, `_` and `-`.
    pub name: &'static str,
    /// Whether the model must keep to it, which servers enforce while they sample.
    pub strict: bool,
    /// The JSON schema.
    pub schema: Value,
}

/// Bytes that are no picture of a kind that models take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are neither PNG nor JPEG nor WebP")]
pub struct NotAPicture;

/// The body of a request, in the API's names.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: &'a [Message],
    temperature: f32,
    // Its newer name is `max_completion_tokens`, which OpenAI alone insists on, and for its reasoning models alone.
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ResponseFormat<'a> {
    JsonSchema { json_schema: &'a Schema },
}

impl Request {
    /// A request with the endpoint's settings and no demands on the form of the answer.
    pub fn new(messages: Vec<Message>) -> Self {
        Self {
            messages,
            schema: None,
            seed: None,
            model: None,
            temperature: None,
            max_tokens: None,
            top_p: None,
            presence_penalty: None,
            frequency_penalty: None,
            may_be_cut: false,
        }
    }

    /// The model that this request goes to.
    pub(crate) fn model<'a>(&'a self, endpoint: &'a Endpoint) -> &'a str {
        self.model.as_deref().unwrap_or(&endpoint.model)
    }

    /// The request as JSON.
    pub(crate) fn to_json(&self, endpoint: &Endpoint) -> Vec<u8> {
        let body = Body {
            model: self.model(endpoint),
            messages: &self.messages,
            temperature: self.temperature.unwrap_or(endpoint.temperature),
            max_tokens: self.max_tokens.unwrap_or(endpoint.max_tokens),
            seed: self.seed.map(|seed| seed & (u64::MAX >> 1)),
            top_p: self.top_p,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            response_format: self
                .schema
                .as_ref()
                .map(|json_schema| ResponseFormat::JsonSchema { json_schema }),
        };
        serde_json::to_vec(&body).expect("texts, numbers and JSON values are always JSON")
    }

    /// What a call costs at most, by estimate for the question and by its limit for the answer.
    pub(crate) fn tokens_max(&self, endpoint: &Endpoint) -> u64 {
        let asked: u64 = self.messages.iter().map(Message::tokens).sum();
        asked + u64::from(self.max_tokens.unwrap_or(endpoint.max_tokens))
    }
}

impl Message {
    /// A message of whoever runs the model.
    pub fn system(text: impl Into<String>) -> Self {
        Self { role: Role::System, content: Content::Text(text.into()) }
    }

    /// A message of words.
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: Role::User, content: Content::Text(text.into()) }
    }

    /// A message of words and pictures.
    pub const fn user_parts(parts: Vec<Part>) -> Self {
        Self { role: Role::User, content: Content::Parts(parts) }
    }

    fn tokens(&self) -> u64 {
        let content = match &self.content {
            Content::Text(text) => text_tokens(text),
            Content::Parts(parts) => parts.iter().map(Part::tokens).sum(),
        };
        MESSAGE_TOKENS + content
    }
}

impl Part {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text { text: text.into() }
    }

    /// A PNG, JPEG or WebP picture. Only its first bytes are looked at.
    ///
    /// # Errors
    /// [`NotAPicture`] for anything else.
    pub fn picture(bytes: &[u8]) -> Result<Self, NotAPicture> {
        let url = format!("data:{};base64,{}", media_type(bytes)?, STANDARD.encode(bytes));
        Ok(Self::ImageUrl { image_url: PictureUrl { url } })
    }

    fn tokens(&self) -> u64 {
        match self {
            Self::Text { text } => text_tokens(text),
            Self::ImageUrl { .. } => PICTURE_TOKENS,
        }
    }
}

fn text_tokens(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX).div_ceil(BYTES_PER_TOKEN)
}

/// By the signatures of the WHATWG's MIME Sniffing Standard, section 6.1.
fn media_type(bytes: &[u8]) -> Result<&'static str, NotAPicture> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok("image/png"),
        [0xff, 0xd8, 0xff, ..] => Ok("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', b'V', b'P', ..] => Ok("image/webp"),
        _ => Err(NotAPicture),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

    #[test]
    fn a_request_has_the_names_of_the_api() {
        let mut request = Request::new(vec![
            Message::system("be brief"),
            Message::user_parts(vec![Part::text("what is it?"), Part::picture(PNG).expect("a PNG")]),
        ]);
        request.seed = Some(u64::MAX);
        request.schema = Some(Schema { name: "answer", strict: true, schema: json!({"type": "object"}) });
        let body: Value = serde_json::from_slice(&request.to_json(&Endpoint::new("", "m"))).expect("JSON");
        let expected = json!({
            "model": "m",
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "content": [
                    {"type": "text", "text": "what is it?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgpyZXN0"}},
                ]},
            ],
            "temperature": body["temperature"],
            "max_tokens": 1024,
            "seed": i64::MAX,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": true, "schema": {"type": "object"}},
            },
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn what_is_not_asked_for_is_not_sent() {
        let request = Request {
            model: Some("other".to_owned()),
            temperature: Some(0.5),
            max_tokens: Some(7),
            ..Request::new(vec![Message::user("hello")])
        };
        let body: Value = serde_json::from_slice(&request.to_json(&Endpoint::new("", "m"))).expect("JSON");
        let messages = json!([{"role": "user", "content": "hello"}]);
        assert_eq!(
            body,
            json!({"model": "other", "messages": messages, "temperature": 0.5, "max_tokens": 7})
        );
    }

    #[test]
    fn pictures_are_told_by_their_first_bytes() {
        assert_eq!(media_type(PNG), Ok("image/png"));
        assert_eq!(media_type(b"\xff\xd8\xff\xe0"), Ok("image/jpeg"));
        assert_eq!(media_type(b"RIFF\0\0\0\0WEBPVP8 "), Ok("image/webp"));
        for other in [&b""[..], b"GIF89a", b"\x89PNG", b"RIFF\0\0\0\0WAVEfmt ", b"<svg"] {
            assert_eq!(media_type(other), Err(NotAPicture), "{other:?}");
        }
    }

    #[test]
    fn the_estimate_counts_words_pictures_and_the_answer() {
        let picture = Part::picture(PNG).expect("a PNG");
        let request = Request::new(vec![Message::user_parts(vec![Part::text("four"), picture])]);
        assert_eq!(request.tokens_max(&Endpoint::new("", "m")), 8 + 2 + 1_444 + 1_024);
    }
}
