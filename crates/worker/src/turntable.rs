//! An object that turns: the scored views one after the other, as an animated WebP.

use sn17_render::{Frame, Views};
use webp_animation::{Encoder, EncoderOptions, EncodingConfig, EncodingType, LossyEncodingConfig};

use crate::error::WorkerError;

/// A turn takes 15 views of this many milliseconds each: 1.8 s.
const VIEW_MS: i32 = 120;
/// `libwebp`'s lossy quality, 0 to 100.
const QUALITY: f32 = 75.0;

/// Encodes the views of one turn at half their size. The last scored view is the first one again, and left out.
///
/// # Errors
/// [`WorkerError::Turntable`] if the encoder fails.
pub(crate) fn turntable(views: &Views) -> Result<Vec<u8>, WorkerError> {
    let half = views.size_px / 2;
    let options = EncoderOptions {
        encoding_config: Some(EncodingConfig {
            encoding_type: EncodingType::Lossy(LossyEncodingConfig::default()),
            quality: QUALITY,
            method: 2,
        }),
        ..EncoderOptions::default()
    };
    let encode = || -> Result<Vec<u8>, webp_animation::Error> {
        let mut encoder = Encoder::new_with_options((half, half), options)?;
        let mut at_ms = 0;
        for number in 0..views.len().saturating_sub(1).max(1) {
            encoder.add_frame(&half_size(&views.frame(number)), at_ms)?;
            at_ms += VIEW_MS;
        }
        Ok(encoder.finalize(at_ms)?.to_vec())
    };
    encode().map_err(|error| WorkerError::Turntable(format!("{error:?}")))
}

/// The means of two by two pixels, as opaque RGBA.
fn half_size(frame: &Frame) -> Vec<u8> {
    let (width, half) = (frame.width as usize, frame.width as usize / 2);
    let at = |x: usize, y: usize, channel: usize| u16::from(frame.pixels[(y * width + x) * 3 + channel]);
    let mut rgba = Vec::with_capacity(half * half * 4);
    for y in (0..half).map(|y| 2 * y) {
        for x in (0..half).map(|x| 2 * x) {
            for channel in 0..3 {
                let sum = at(x, y, channel)
                    + at(x + 1, y, channel)
                    + at(x, y + 1, channel)
                    + at(x + 1, y + 1, channel);
                rgba.push(u8::try_from((sum + 2) / 4).expect("a mean of bytes is a byte"));
            }
            rgba.push(u8::MAX);
        }
    }
    rgba
}

#[cfg(test)]
mod tests {
    use sn17_render::{BBOX_DEFAULT, Camera, CpuRenderer, RenderBudget, Renderer as _, WHITE};
    use sn17_splat::procedural::{Quality, object};

    use super::*;

    #[test]
    fn one_turn_is_every_view_but_the_last() {
        let splats = object("a red robot", Quality::Intact, 1);
        let scene = sn17_render::normalise(&splats, BBOX_DEFAULT).unwrap();
        let cameras = [0.0, 120.0, 240.0, 360.0].map(|azimuth| Camera::orbit(azimuth, -15.0, 2.5, 64));
        let views = CpuRenderer.views(&scene, &cameras, WHITE, &RenderBudget::default()).unwrap();
        let webp = turntable(&views).unwrap();
        let decoder = webp_animation::Decoder::new(&webp).unwrap();
        let frames: Vec<_> = decoder.into_iter().collect();
        assert_eq!(frames.len(), 3);
        for (number, frame) in frames.iter().enumerate() {
            assert_eq!(frame.dimensions(), (32, 32));
            let drawn = half_size(&views.frame(number));
            let off = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b));
            let mean_off = frame.data().iter().zip(&drawn).map(off).sum::<u64>() / drawn.len() as u64;
            assert!(mean_off < 12, "view {number} is off by {mean_off} on average");
        }
    }
}
