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

use super::image::check_image;
use crate::body::{self, BodyError};
use crate::refusal::Refusal;

/// Largest JSON body, the original gateway's limit for this route: 2 MiB.
const JSON_BYTES_MAX: u64 = 2 << 20;
/// What a form may have besides its picture: boundaries, part headers, the other fields.
const FORM_EXTRA_BYTES: u64 = 64 << 10;
/// Largest field in words. Longer than any good prompt, so that a bad one is told its length.
const TEXT_FIELD_BYTES_MAX: usize = 16 << 10;

/// Reads and checks the prompt of a request.
pub(super) async fn read(headers: &HeaderMap, body: Body, rules: &TaskRules) -> Result<NewPrompt, Refusal> {
    let encoding = headers.get(CONTENT_ENCODING).map_or("identity", |value| value.to_str().unwrap_or("?"));
    if !encoding.eq_ignore_ascii_case("identity") {
        return Err(unsupported("content-encoding is not supported"));
    }
    let content_type = headers.get(CONTENT_TYPE).ok_or(ClientError::MissingContentType)?;
    let content_type = content_type.to_str().unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        let body = body::read(headers, body, JSON_BYTES_MAX).await.map_err(too_large)?;
        let fields = AddTaskJson::parse(&body)?;
        return check(fields.prompt, None, rules);
    }
    if media_type.eq_ignore_ascii_case("multipart/form-data") {
        return read_form(headers, content_type, body, rules).await;
    }
    Err(unsupported("content-type must be application/json or multipart/form-data"))
}

async fn read_form(
    headers: &HeaderMap,
    content_type: &str,
    body: Body,
    rules: &TaskRules,
) -> Result<NewPrompt, Refusal> {
    let boundary = multer::parse_boundary(content_type).map_err(|_| ClientError::MissingBoundary)?;
    let bytes_max = rules.image_bytes_max as u64 + FORM_EXTRA_BYTES;
    body::check_announced(headers, bytes_max).map_err(too_large)?;
    let constraints = Constraints::new().size_limit(SizeLimit::new().whole_stream(bytes_max));
    let mut form = Multipart::with_constraints(body.into_data_stream(), boundary, constraints);
    let (mut prompt, mut image) = (None, None);
    let (mut model, mut seed) = (None, None);
    while let Some(field) = form.next_field().await.map_err(form_error)? {
        let name = FormField::of(field.name())?;
        match name {
            FormField::Prompt => once(&mut prompt, read_text(field).await?, "prompt")?,
            FormField::Image => once(&mut image, read_image(field, rules).await?, "image")?,
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
    check(prompt, image, rules)
}

fn check(prompt: Option<String>, image: Option<Bytes>, rules: &TaskRules) -> Result<NewPrompt, Refusal> {
    match choose_prompt(prompt.as_deref(), image.as_deref())? {
        PromptKind::Text => {
            let prompt = prompt.unwrap_or_default();
            check_prompt(&prompt, rules.prompt_chars_min, rules.prompt_chars_max)?;
            Ok(NewPrompt::Text(prompt))
        }
        PromptKind::Image => {
            let image = image.unwrap_or_default();
            check_image(&image, rules)?;
            Ok(NewPrompt::Image(image))
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

async fn read_image(mut field: Field<'_>, rules: &TaskRules) -> Result<Bytes, Refusal> {
    let bytes_max = rules.image_bytes_max;
    let mut image = Vec::new();
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
        return too_large(BodyError::TooLarge { bytes_max: limit });
    }
    ClientError::Field(error.to_string()).into()
}

fn too_large(error: BodyError) -> Refusal {
    match error {
        BodyError::TooLarge { bytes_max } => ClientError::BodyTooLarge { bytes_max }.into(),
        BodyError::Broken => error.into(),
    }
}

fn unsupported(message: &'static str) -> Refusal {
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", message)
}
