//! A request, read as strictly as the API describes it.

use serde::Deserialize;
use serde_json::Value;

use crate::picture::Picture;

/// A request for a chat completion that has been found good.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The model asked for.
    pub model: String,
    /// The conversation.
    pub messages: Vec<AskedMessage>,
    /// From 0 to 2.
    pub temperature: f32,
    /// Most tokens of the answer.
    pub max_tokens: u32,
    /// For repeatable sampling.
    #[serde(default)]
    pub seed: Option<i64>,
    /// The share of the likeliest words, 0 to 1.
    #[serde(default)]
    pub top_p: Option<f32>,
    /// From -2 to 2.
    #[serde(default)]
    pub presence_penalty: Option<f32>,
    /// From -2 to 2.
    #[serde(default)]
    pub frequency_penalty: Option<f32>,
    /// The form of the answer.
    #[serde(default)]
    pub response_format: Option<AskedFormat>,
    /// All pictures of all messages, in their order.
    #[serde(skip)]
    pub pictures: Vec<Picture>,
}

/// A message.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedMessage {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What is said.
    pub content: AskedContent,
}

/// What a message says.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum AskedContent {
    /// Words alone.
    Text(String),
    /// Words and pictures.
    Parts(Vec<AskedPart>),
}

/// A part of a message.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum AskedPart {
    /// Words.
    Text {
        /// The words.
        text: String,
    },
    /// A picture.
    ImageUrl {
        /// Where it is.
        image_url: AskedUrl,
    },
}

/// Where a picture is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedUrl {
    /// A data URL.
    pub url: String,
}

/// The form of the answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum AskedFormat {
    /// JSON of a schema.
    JsonSchema {
        /// The schema with its name.
        json_schema: AskedSchema,
    },
}

/// A schema with its name.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedSchema {
    /// At most 64 letters, digits, `_` and `-`.
    pub name: String,
    /// Whether the model must keep to it.
    pub strict: bool,
    /// The schema.
    pub schema: Value,
}

impl Asked {
    /// Reads a body and decodes its pictures; what is wrong with it is said in words.
    pub(crate) fn from_json(body: &[u8]) -> Result<Self, String> {
        let mut asked: Self = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if asked.messages.is_empty() {
            return Err("there are no messages".to_owned());
        }
        if !(0.0..=2.0).contains(&asked.temperature) || asked.max_tokens == 0 {
            return Err("temperature or max_tokens is out of range".to_owned());
        }
        let penalties = [asked.presence_penalty, asked.frequency_penalty];
        if asked.top_p.is_some_and(|share| !(0.0..=1.0).contains(&share))
            || penalties.into_iter().flatten().any(|penalty| !(-2.0..=2.0).contains(&penalty))
        {
            return Err("top_p or a penalty is out of range".to_owned());
        }
        if let Some(AskedFormat::JsonSchema { json_schema }) = &asked.response_format {
            check_schema(json_schema)?;
        }
        for message in &asked.messages {
            let AskedContent::Parts(parts) = &message.content else {
                continue;
            };
            if message.role != "user" {
                return Err(format!("a message of `{}` may not have parts", message.role));
            }
            for part in parts {
                if let AskedPart::ImageUrl { image_url } = part {
                    asked.pictures.push(Picture::from_data_url(&image_url.url)?);
                }
            }
        }
        Ok(asked)
    }

    /// The parts of the only message of the user.
    ///
    /// # Errors
    /// When there are more messages, or it has words alone.
    pub fn parts(&self) -> Result<&[AskedPart], String> {
        let mut messages = self.messages.iter().filter(|message| message.role == "user");
        match (messages.next().map(|message| &message.content), messages.next()) {
            (Some(AskedContent::Parts(parts)), None) => Ok(parts),
            _ => Err("there is not one message of the user with parts".to_owned()),
        }
    }
}

/// What the API asks of a strict schema: every field required, and no others.
fn check_schema(AskedSchema { name, strict, schema }: &AskedSchema) -> Result<(), String> {
    let is_name = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if !is_name {
        return Err(format!("{name:?} is no name of a schema"));
    }
    let properties = schema["properties"].as_object().ok_or("the schema has no properties")?;
    let required = schema["required"].as_array().ok_or("the schema requires nothing")?;
    let all_required = properties.keys().all(|name| required.iter().any(|other| other == name));
    if *strict && !(all_required && schema["additionalProperties"] == false) {
        return Err("a strict schema requires all fields and forbids others".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A transparent pixel.
    const PNG: &str =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    fn request(part: &Value) -> Value {
        json!({
            "model": "m",
            "messages": [{ "role": "user", "content": [part] }],
            "temperature": 0.1,
            "max_tokens": 10,
        })
    }

    fn picture(url: &str) -> Value {
        json!({ "type": "image_url", "image_url": { "url": url } })
    }

    fn refusal(request: &Value) -> String {
        Asked::from_json(request.to_string().as_bytes()).expect_err("it is a bad request")
    }

    #[test]
    fn a_good_request_is_read_with_its_pictures() {
        let good = request(&picture(&format!("data:image/png;base64,{PNG}"))).to_string();
        let asked = Asked::from_json(good.as_bytes()).expect("it is a good request");
        assert_eq!(asked.pictures.len(), 1);
        assert_eq!(asked.pictures[0].pixels.dimensions(), (1, 1));
    }

    #[test]
    fn what_the_api_does_not_describe_is_refused() {
        let good = request(&json!({ "type": "text", "text": "hello" }));
        assert!(Asked::from_json(good.to_string().as_bytes()).is_ok());
        let changes = [
            ("hotkey", json!("5F")),
            ("messages", json!([])),
            ("messages", json!([{ "role": "system", "content": [{ "type": "text", "text": "hello" }] }])),
            ("messages", json!([{ "role": "user", "content": "hello", "name": "5F" }])),
            ("temperature", json!(3)),
            ("max_tokens", json!(0)),
            ("seed", json!(u64::MAX)),
            ("response_format", json!({ "type": "json" })),
            ("response_format", format_with(json!({ "type": "object", "properties": {} }))),
            ("response_format", format_with(json!({ "properties": { "worst": {} }, "required": ["worst"] }))),
            (
                "response_format",
                format_with(
                    json!({ "properties": { "worst": {} }, "required": [], "additionalProperties": false }),
                ),
            ),
        ];
        for (name, value) in changes {
            let mut changed = good.clone();
            changed[name] = value;
            let _reason = refusal(&changed);
        }
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for url in [
            "https://example.com/hat.png".to_owned(),
            format!("data:image/jpeg;base64,{PNG}"),
            format!("data:image/gif;base64,{PNG}"),
            format!("data:image/png,{PNG}"),
            "data:image/png;base64,iVBORw0KGgo=".to_owned(),
            "data:image/png;base64,***".to_owned(),
        ] {
            let _reason = refusal(&request(&picture(&url)));
        }
    }

    fn format_with(schema: Value) -> Value {
        json!({ "type": "json_schema", "json_schema": { "name": "verdict", "strict": true, "schema": schema } })
    }
}
