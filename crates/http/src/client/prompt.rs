//! The prompt of an `add_task`, from JSON or a form.

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt as _;
use multer::{Constraints, Field, Multipart, SizeLimit};
use sn17_app::NewPrompt;
use sn17_core::policy::TaskRules;
use sn17_core::scoring::PromptKind;
use sn17_wire::client::{
    AddTaskJson, ClientError, FormField, check_model, check_prompt, choose_prompt, read_seed,
};

use crate::Server;
use crate::body::{self, BodyError, BodyRoom};
use crate::budget::MemoryShare;
use crate::refusal::Refusal;

/// Largest JSON body, the original gateway's limit for this route: 2 MiB.
const JSON_BYTES_MAX: u64 = 2 << 20;
/// What a form may have besides its picture: boundaries, part headers, the other fields.
const FORM_EXTRA_BYTES: u64 = 64 << 10;
/// Largest field in words. Longer than any good prompt, so that a bad one is told its length.
const TEXT_FIELD_BYTES_MAX: usize = 16 << 10;

/// A form's picture lies in the form reader's buffer and beside it for a moment.
const FORM_COPIES: u64 = 2;

/// Reads and checks the prompt of a request; the memory it lies in comes with it.
pub(super) async fn read(
    server: &Server,
    headers: &HeaderMap,
    body: Body,
) -> Result<(NewPrompt, MemoryShare), Refusal> {
    let rules = &server.app.policy().tasks;
    let encoding = headers.get(CONTENT_ENCODING).map_or("identity", |value| value.to_str().unwrap_or("?"));
    if !encoding.eq_ignore_ascii_case("identity") {
        return Err(unsupported("content-encoding is not supported"));
    }
    let content_type = headers.get(CONTENT_TYPE).ok_or(ClientError::MissingContentType)?;
    let content_type = content_type.to_str().unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        let body = body::read(headers, body, JSON_BYTES_MAX, &server.prompts).await.map_err(body_error)?;
        let fields = AddTaskJson::parse(&body.bytes)?;
        return Ok((server.check_prompt(fields.prompt, None).await?, body.share));
    }
    if media_type.eq_ignore_ascii_case("multipart/form-data") {
        let boundary = multer::parse_boundary(content_type).map_err(|_| ClientError::MissingBoundary)?;
        let bytes_max = rules.image_bytes_max as u64 + FORM_EXTRA_BYTES;
        let room = body::room(headers, bytes_max, FORM_COPIES, &server.prompts).map_err(body_error)?;
        let BodyRoom { bytes_max, share } = room;
        let (prompt, image) = read_form(boundary, body, bytes_max, rules).await?;
        return Ok((server.check_prompt(prompt, image).await?, share));
    }
    Err(unsupported("content-type must be application/json or multipart/form-data"))
}

async fn read_form(
    boundary: String,
    body: Body,
    bytes_max: u64,
    rules: &TaskRules,
) -> Result<(Option<String>, Option<Bytes>), Refusal> {
    let constraints = Constraints::new().size_limit(SizeLimit::new().whole_stream(bytes_max));
    let mut form = Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    let form_bytes = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    let (mut prompt, mut image) = (None, None);
    let (mut model, mut seed) = (None, None);
    while let Some(field) = form.next_field().await.map_err(form_error)? {
        let name = FormField::of(field.name())?;
        match name {
            FormField::Prompt => once(&mut prompt, read_text(field).await?, "prompt")?,
            FormField::Image => once(&mut image, read_image(field, form_bytes, rules).await?, "image")?,
            FormField::Model => once(&mut model, read_text(field).await?, "model")?,
            FormField::Seed => once(&mut seed, read_text(field).await?, "seed")?,
        }
    }
    if let Some(model) = model {
        check_model(&model)?;
    }
    if let Some(seed) = seed {
        // Miners are not told a seed: their protocol has no place for it.
        read_seed(&seed)?;
    }
    Ok((prompt, image))
}

impl Server {
    async fn check_prompt(&self, prompt: Option<String>, image: Option<Bytes>) -> Result<NewPrompt, Refusal> {
        match choose_prompt(prompt.as_deref(), image.as_deref())? {
            PromptKind::Text => {
                let (prompt, rules) = (prompt.unwrap_or_default(), &self.app.policy().tasks);
                check_prompt(&prompt, rules.prompt_chars_min, rules.prompt_chars_max)?;
                Ok(NewPrompt::Text(prompt))
            }
            PromptKind::Image => {
                let image = self.check_image(image.unwrap_or_default()).await?;
                Ok(NewPrompt::Image(image))
            }
        }
    }
}

async fn read_text(mut field: Field<'_>) -> Result<String, Refusal> {
    let mut text = Vec::new();
    while let Some(chunk) = field.next().await {
        let chunk = chunk.map_err(form_error)?;
        if text.len() + chunk.len() > TEXT_FIELD_BYTES_MAX {
            return Err(ClientError::Field("a field is too long".to_owned()).into());
        }
        text.extend_from_slice(&chunk);
    }
    String::from_utf8(text).map_err(|_| ClientError::Field("a field is not UTF-8".to_owned()).into())
}

async fn read_image(mut field: Field<'_>, form_bytes: usize, rules: &TaskRules) -> Result<Bytes, Refusal> {
    let bytes_max = rules.image_bytes_max;
    // No larger than the form: the picture is in its share, and a vector that grows would take up to twice as much.
    let mut image = Vec::with_capacity(bytes_max.min(form_bytes));
    while let Some(chunk) = field.next().await {
        let chunk = chunk.map_err(form_error)?;
        let bytes = image.len() + chunk.len();
        if bytes > bytes_max {
            let (bytes, bytes_max) = (bytes as u64, bytes_max as u64);
            return Err(ClientError::ImageTooLarge { bytes, bytes_max }.into());
        }
        image.extend_from_slice(&chunk);
    }
    Ok(image.into())
}

fn once<T>(place: &mut Option<T>, value: T, name: &str) -> Result<(), ClientError> {
    if place.replace(value).is_some() {
        return Err(ClientError::Field(format!("field `{name}` occurs twice")));
    }
    Ok(())
}

fn form_error(error: multer::Error) -> Refusal {
    if let multer::Error::StreamSizeExceeded { limit } = error {
        return body_error(BodyError::TooLarge { bytes_max: limit });
    }
    ClientError::Field(error.to_string()).into()
}

fn body_error(error: BodyError) -> Refusal {
    match error {
        BodyError::TooLarge { bytes_max } => ClientError::BodyTooLarge { bytes_max }.into(),
        BodyError::NoMemory | BodyError::Broken => error.into(),
    }
}

fn unsupported(message: &'static str) -> Refusal {
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", message)
}
