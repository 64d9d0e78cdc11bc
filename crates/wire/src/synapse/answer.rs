//! The miner's side: reading a validator's answer as bittensor's dendrite does.

use serde::de::{Error as _, Unexpected};
use serde::{Deserialize, Deserializer};

use super::{Feedback, PullTaskReply};

/// Header with the status of the answer as the validator sees it.
pub(super) const STATUS_CODE: &str = "bt_header_axon_status_code";
/// Header with the words to [`STATUS_CODE`].
pub(super) const STATUS_MESSAGE: &str = "bt_header_axon_status_message";

/// A validator's answer that brings nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// The validator refused the request.
    #[error("refused with status {status}: {message}")]
    Refused {
        /// The status, from the header or the body of the answer, else that of HTTP.
        status: u16,
        /// The validator's words, empty when it has none.
        message: String,
    },
    /// The answer is not what the protocol asks for.
    #[error("cannot parse the answer: {0}")]
    Malformed(String),
}

/// Reads the answer to a `PullTask`: the reply and the status message.
///
/// # Errors
/// [`AnswerError`] when bittensor's client would not count the answer as a success.
pub fn parse_pull_task<'a>(
    status: u16,
    lookup: impl Fn(&str) -> Option<&'a [u8]>,
    body: &[u8],
) -> Result<(PullTaskReply, String), AnswerError> {
    let answer = Answer::read(status, &lookup, body)?;
    Ok((answer.fields, answer.message))
}

/// What a miner learns from the answer to its `SubmitResults`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct SubmitResultsAnswer {
    #[serde(rename = "results")]
    _results: String,
    #[serde(rename = "signature")]
    _signature: String,
    #[serde(rename = "submit_time", deserialize_with = "lax_int")]
    _submit_time: u64,
    #[serde(default)]
    feedback: Option<Feedback>,
    #[serde(default, deserialize_with = "lax_int")]
    cooldown_until: u64,
}

/// Reads the answer to a `SubmitResults`: feedback (a foreign validator may leave it out), Unix seconds of the next
/// pull, and the status message.
///
/// # Errors
/// [`AnswerError`] when bittensor's client would not count the answer as a success.
pub fn parse_submit_results<'a>(
    status: u16,
    lookup: impl Fn(&str) -> Option<&'a [u8]>,
    body: &[u8],
) -> Result<(Option<Feedback>, u64, String), AnswerError> {
    let answer: Answer<SubmitResultsAnswer> = Answer::read(status, &lookup, body)?;
    Ok((answer.fields.feedback, answer.fields.cooldown_until, answer.message))
}

struct Answer<Fields> {
    fields: Fields,
    message: String,
}

#[derive(Deserialize)]
struct AnswerBody<Fields> {
    #[serde(default)]
    axon: AnswerAxon,
    #[serde(flatten)]
    fields: Fields,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AnswerAxon {
    status_code: Option<u16>,
    status_message: Option<String>,
}

#[derive(Deserialize)]
struct RefusalBody {
    #[serde(default)]
    message: String,
}

impl<Fields: for<'de> Deserialize<'de>> Answer<Fields> {
    fn read<'a>(
        status: u16,
        lookup: &impl Fn(&str) -> Option<&'a [u8]>,
        body: &[u8],
    ) -> Result<Self, AnswerError> {
        let text = |name: &str| lookup(name).map(|value| String::from_utf8_lossy(value).into_owned());
        let malformed = |error: &dyn core::fmt::Display| AnswerError::Malformed(error.to_string());
        let content_type = text("content-type").unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type != "application/json" && !media_type.ends_with("+json") {
            return Err(AnswerError::Malformed(format!("unexpected content type {media_type:?}")));
        }
        let header_status = match text(STATUS_CODE) {
            None => None,
            Some(code) => Some(code.trim().parse::<u16>().map_err(|error| malformed(&error))?),
        };
        let header_message = text(STATUS_MESSAGE);
        if status != 200 {
            let refusal: RefusalBody = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
            return Err(AnswerError::Refused {
                status: header_status.unwrap_or(status),
                message: header_message.unwrap_or(refusal.message),
            });
        }
        let body: AnswerBody<Fields> = serde_json::from_slice(body).map_err(|error| malformed(&error))?;
        let code = header_status.or(body.axon.status_code);
        let message = header_message.or(body.axon.status_message).unwrap_or_default();
        match code {
            Some(200) => Ok(Self { fields: body.fields, message }),
            Some(status) => Err(AnswerError::Refused { status, message }),
            None => Err(AnswerError::Malformed("the answer has no status code".to_owned())),
        }
    }
}

/// A number as pydantic reads one: JSON number, or its text.
#[derive(Deserialize)]
#[serde(untagged)]
enum LaxNumber {
    Int(u64),
    Float(f64),
    Text(String),
}

/// Reads a whole number from an integer, a float without fraction or the text of either.
pub(super) fn lax_int<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    /// Above it a float no longer tells neighbouring integers apart.
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let float = match LaxNumber::deserialize(deserializer)? {
        LaxNumber::Int(int) => return Ok(int),
        LaxNumber::Float(float) => float,
        LaxNumber::Text(text) => {
            return text
                .trim()
                .parse()
                .map_err(|_| D::Error::invalid_value(Unexpected::Str(&text), &"a whole number"));
        }
    };
    if !(0.0..=EXACT_MAX).contains(&float) || float.fract() > 0.0 {
        return Err(D::Error::invalid_value(Unexpected::Float(float), &"a whole number"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and in range, just checked"
    )]
    Ok(float as u64)
}

/// Reads a float from any number or its text.
pub(super) fn lax_float<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    match LaxNumber::deserialize(deserializer)? {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people; Python does the same")]
        LaxNumber::Int(int) => Ok(int as f64),
        LaxNumber::Float(float) => Ok(float),
        LaxNumber::Text(text) => {
            text.trim().parse().map_err(|_| D::Error::invalid_value(Unexpected::Str(&text), &"a number"))
        }
    }
}
