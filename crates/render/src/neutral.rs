//! Pictures in which nothing can be read: the defence of a duel against text meant for the judge.
//!
//! A vision-language model follows text that it finds in a picture, whatever its instructions say, so a verdict counts
//! only if it survives pictures without text. Only the coarse outline and the coarse colours of an object are left in
//! them. What can carry text, and what is done about it, with measures for views of 518 px, in which an object is
//! about 340 px large:
//!
//! * **Colour**: paint on the surface, letters that float in front of it, plates beside it, holes before a wall of
//!   another colour. Whatever its depth and however it is made of splats, all colour is blurred within the outline
//!   ([`COLOR_BLUR`], 20 px). Strokes up to about 15 px wide vanish, so words of four letters or more on a line do,
//!   however large they are.
//! * **Cut-outs and free-standing letters** show by their outline. Gaps up to 24 px wide are filled ([`GAP`]), which
//!   makes a cut-out word of three letters or more on a line a plate, and a free-standing one of seven or more a bar.
//! * **Pale geometry on white** shows over [`MID_GRAY`]; gray geometry shows in the plain views, which are over white.
//!
//! What stays: three painted letters as large as the object can be guessed, and the outlines of a few large
//! free-standing ones read. Those are the object's shape, as far as a renderer can tell; it takes a judge's instructions
//! to say that letters are no merit.

use rayon::prelude::*;

use crate::{
    frame::Frame,
    plane::Plane,
    render::View,
    sheet::{DUEL_VIEWS, duel_grid},
};

/// Standard deviation of the blur of colours, as a share of a view's width: 20 px of 518.
pub const COLOR_BLUR: f32 = 1.0 / 26.0;

/// Half the width of the gaps that are filled, as a share of a view's width: 12 px of 518.
pub const GAP: f32 = 1.0 / 43.0;

/// Standard deviation of the blur of the outline, as a share of a view's width: 2.6 px of 518.
pub const OUTLINE_BLUR: f32 = 1.0 / 200.0;

/// The background of neutral views, in the middle between black and white.
pub const MID_GRAY: f32 = 0.5;

/// Where less than this share of the surroundings is covered, no colour is known.
const COVERAGE_MIN: f32 = 1e-4;

/// Composes the picture that a judge compares to confirm a verdict: the [`DUEL_VIEWS`], laid out as
/// [`duel_grid`] does, without anything to read.
pub fn neutral_grid(views: [&View; DUEL_VIEWS.len()]) -> Frame {
    let neutral: Vec<Frame> = views.par_iter().map(|view| neutral_view(view)).collect();
    duel_grid(std::array::from_fn(|number| &neutral[number]))
}

/// Draws a view again, with its colours blurred within its outline, narrow gaps filled, over [`MID_GRAY`].
pub fn neutral_view(view: &View) -> Frame {
    let Frame { width, height, .. } = view.frame;
    let edge = f32::from(u16::try_from(width).unwrap_or(u16::MAX));
    let plane = |values| Plane { width: width as usize, values };
    let coverage = plane(view.coverage.clone());
    let surroundings = coverage.blurred(COLOR_BLUR * edge);
    let colors = [0, 1, 2].map(|channel| plane(light(view, channel)).blurred(COLOR_BLUR * edge));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number of pixels")]
    let gap_px = (GAP * edge).round() as usize;
    let outline = coverage.closed(gap_px).blurred(OUTLINE_BLUR * edge);

    let mut frame = Frame::black(width, height);
    for (at, pixel) in frame.pixels.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let around = surroundings.values[at];
        let covered = if around > COVERAGE_MIN { outline.values[at] } else { 0.0 };
        for (value, color) in pixel.iter_mut().zip(&colors) {
            let own = color.values[at] / around.max(COVERAGE_MIN);
            *value = byte(own * covered + MID_GRAY * (1.0 - covered));
        }
    }
    frame
}

/// The light of one channel that the object itself sends, 0 to 1: what the picture shows less its background.
fn light(view: &View, channel: usize) -> Vec<f32> {
    let pixels = view.frame.pixels.as_chunks::<3>().0;
    let background = view.background[channel];
    pixels
        .iter()
        .zip(&view.coverage)
        .map(|(pixel, covered)| {
            (f32::from(pixel[channel]) / 255.0 - (1.0 - covered) * background).clamp(0.0, 1.0)
        })
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is clipped to what a byte holds"
)]
fn byte(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}
