//! The pictures of a request, and a judge that looks at them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, RgbImage};
use serde_json::json;

use crate::request::Asked;

/// Differences below this share of the greener picture's green are none.
const TIE: f64 = 0.01;

/// A picture that has been decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// What its data URL calls it.
    pub media_type: String,
    /// Its pixels.
    pub pixels: RgbImage,
}

impl Picture {
    /// Decodes a data URL; its media type must be what the bytes are.
    pub(crate) fn from_data_url(url: &str) -> Result<Self, String> {
        let data = url.strip_prefix("data:").ok_or("a picture is not in a data URL")?;
        let (media_type, base64) = data.split_once(";base64,").ok_or("a picture is not in base64")?;
        let format = match media_type {
            "image/png" => ImageFormat::Png,
            "image/jpeg" => ImageFormat::Jpeg,
            "image/webp" => ImageFormat::WebP,
            other => return Err(format!("{other:?} is no picture")),
        };
        let bytes =
            STANDARD.decode(base64).map_err(|error| format!("a picture is not in base64: {error}"))?;
        let picture = image::load_from_memory_with_format(&bytes, format)
            .map_err(|error| format!("a picture is not {media_type}: {error}"))?;
        Ok(Self { media_type: media_type.to_owned(), pixels: picture.into_rgb8() })
    }

    /// How much green there is that is not in white and grey, summed over all pixels.
    pub fn green(&self) -> u64 {
        self.pixels.pixels().map(|pixel| u64::from(pixel[1].saturating_sub(pixel[0].max(pixel[2])))).sum()
    }
}

/// A judge by which of the last two pictures is greener: the other one is worse.
///
/// # Errors
/// When a request has no two pictures or asks for an answer without a schema.
pub fn greener(asked: &Asked) -> Result<String, String> {
    let [.., first, second] = asked.pictures.as_slice() else {
        return Err("there are no two pictures".to_owned());
    };
    if asked.response_format.is_none() {
        return Err("there is no schema".to_owned());
    }
    let (first, second) = (first.green(), second.green());
    #[expect(clippy::cast_precision_loss, reason = "a rough bound")]
    let tie = TIE * first.max(second) as f64;
    #[expect(clippy::cast_precision_loss, reason = "compared with a rough bound")]
    let is_tie = first.abs_diff(second) as f64 <= tie;
    let worst = if is_tie { 0 } else { 1 + u8::from(second < first) };
    Ok(json!({ "issues": format!("green {first} vs green {second}"), "worst": worst }).to_string())
}
