//! What the scoring process and its parent say to each other over a pipe.
//!
//! A message in either direction is one line of JSON and then the payloads whose lengths it gives.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};
use sn17_core::judging::Likeness;
use sn17_core::scoring::RawViews;
use sn17_score::RawMetrics;

use crate::error::{WorkerError, in_one_line};
use crate::exhibit::Exhibit;
use crate::measure::Measured;

/// A header line is at most this long.
pub(crate) const HEADER_BYTES_MAX: u64 = 64 << 10;

/// What the scoring process says once, when its models are loaded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ready {
    /// Whether the weights are synthetic.
    pub synthetic: bool,
    /// Version of the models.
    pub model_version: String,
}

/// The header of a job; the splat follows, then the prompt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct JobHeader {
    /// Names the job in its answer.
    pub(crate) id: u64,
    /// Length of the splat in bytes.
    pub(crate) splat_bytes: u64,
    /// Length of the prompt in bytes.
    pub(crate) prompt_bytes: u64,
    /// Whether the prompt is a picture.
    pub(crate) is_image: bool,
    /// Salt of the likeness's sketch, if pictures and likeness are asked for.
    pub(crate) sketch_salt: Option<u64>,
}

/// The header of an answer: which job it answers, and with what. Answers come in any order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AnswerHeader {
    /// The job's.
    pub(crate) id: u64,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

/// What came of a job; behind `Measured` the pictures follow, if any: the front view, the duel's grid and the neutral
/// one as PNG, the turntable as WebP.
#[expect(clippy::large_enum_variant, reason = "almost every answer is a measurement")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The figures.
    Measured {
        /// Raw figures of all views.
        views: RawViews,
        /// Whether synthetic weights made them.
        synthetic: bool,
        /// The pictures that follow and the likeness, if they were asked for.
        exhibit: Option<ExhibitHeader>,
    },
    /// The splat cannot be scored.
    Invalid {
        /// Why.
        reason: String,
    },
    /// Something of ours went wrong.
    Failed {
        /// What.
        reason: String,
    },
}

/// What is said of pictures before they follow.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ExhibitHeader {
    /// Length of the front view's PNG.
    pub(crate) front_bytes: u64,
    /// Length of the grid's PNG.
    pub(crate) grid_bytes: u64,
    /// Length of the neutral grid's PNG.
    pub(crate) neutral_bytes: u64,
    /// Length of the turntable's WebP.
    pub(crate) turntable_bytes: u64,
    /// What makes the object recognisable.
    pub(crate) likeness: Likeness,
}

/// Writes what came of a job, with its pictures.
pub(crate) fn write_answer(
    output: &mut impl Write,
    id: u64,
    measured: Result<Measured, WorkerError>,
) -> Result<(), WorkerError> {
    let mut pictures = Vec::new();
    let outcome = match measured {
        Ok(Measured::Views { raw, exhibit }) => {
            let RawMetrics { synthetic, .. } = *raw;
            let exhibit = exhibit.map(|exhibit| {
                let Exhibit { front, grid, neutral, turntable, likeness } = *exhibit;
                let header = ExhibitHeader {
                    front_bytes: front.len() as u64,
                    grid_bytes: grid.len() as u64,
                    neutral_bytes: neutral.len() as u64,
                    turntable_bytes: turntable.len() as u64,
                    likeness,
                };
                pictures.extend([front, grid, neutral, turntable]);
                header
            });
            Outcome::Measured { views: sendable(raw.to_views()), synthetic, exhibit }
        }
        Ok(Measured::Invalid(reason)) => Outcome::Invalid { reason },
        Err(error) => Outcome::Failed { reason: in_one_line(&error) },
    };
    write_line(output, &AnswerHeader { id, outcome })?;
    for picture in pictures {
        output.write_all(&picture)?;
    }
    Ok(output.flush()?)
}

/// Figures that survive JSON, which has no NaN and no infinity. Where the models gave one of those, all lists are sent
/// empty: by the rules either tells of a broken model run and scores 0.
fn sendable(views: RawViews) -> RawViews {
    let lists = [&views.cosines, &views.iqa, &views.lpips, &views.ssim];
    if lists.into_iter().flatten().all(|value| value.is_finite()) {
        return views;
    }
    tracing::error!("the models gave figures that are no finite numbers");
    RawViews::default()
}

/// Writes a header.
pub(crate) fn write_line(output: &mut impl Write, message: &impl Serialize) -> Result<(), WorkerError> {
    serde_json::to_writer(&mut *output, message)?;
    output.write_all(b"\n")?;
    Ok(output.flush()?)
}

/// Reads a header; none at the end of the input.
pub(crate) fn read_line<T: for<'de> Deserialize<'de>>(
    input: &mut impl BufRead,
) -> Result<Option<T>, WorkerError> {
    let mut line = Vec::new();
    let read = input.by_ref().take(HEADER_BYTES_MAX).read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

/// Reads a payload.
pub(crate) fn read_exactly(input: &mut impl Read, bytes: u64) -> Result<Vec<u8>, WorkerError> {
    let mut payload = Vec::new();
    if input.by_ref().take(bytes).read_to_end(&mut payload)? as u64 == bytes {
        return Ok(payload);
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a job broke off").into())
}

#[cfg(test)]
mod tests {
    use sn17_core::judging::Sketch;
    use sn17_core::scoring::{MetricRules, Metrics, PromptKind, score};

    use super::*;

    fn raw() -> RawMetrics {
        RawMetrics {
            cosines: [0.3; 16],
            iqa: [0.9; 16],
            lpips: [0.1; 16],
            ssim: [0.9; 16],
            synthetic: true,
            model_version: "test".to_owned(),
        }
    }

    fn sent(raw: RawMetrics, exhibit: Option<Box<Exhibit>>) -> Vec<u8> {
        let mut output = Vec::new();
        write_answer(&mut output, 7, Ok(Measured::Views { raw: Box::new(raw), exhibit })).unwrap();
        output
    }

    #[test]
    fn pictures_follow_their_header_if_there_are_any() {
        let likeness = Likeness { geometry: [1; 32], sketch: Sketch([2; 64]), picture: 3, sides: 0.5 };
        let pictures = || Exhibit {
            front: vec![1; 10],
            grid: vec![2; 20],
            neutral: vec![3; 30],
            turntable: vec![4; 40],
            likeness,
        };
        for exhibit in [Some(Box::new(pictures())), None] {
            let is_shown = exhibit.is_some();
            let output = sent(raw(), exhibit);
            let mut input = output.as_slice();
            let header = read_line::<AnswerHeader>(&mut input).unwrap().unwrap();
            assert_eq!(header.id, 7);
            let Outcome::Measured { exhibit, .. } = header.outcome else { panic!("{header:?}") };
            assert_eq!(exhibit.is_some(), is_shown);
            if let Some(exhibit) = exhibit {
                assert_eq!(exhibit.likeness, likeness);
                for (length, byte) in [
                    (exhibit.front_bytes, 1),
                    (exhibit.grid_bytes, 2),
                    (exhibit.neutral_bytes, 3),
                    (exhibit.turntable_bytes, 4),
                ] {
                    assert!(read_exactly(&mut input, length).unwrap().iter().all(|found| *found == byte));
                }
            }
            assert!(input.is_empty(), "{} bytes too many", input.len());
        }
    }

    #[test]
    fn figures_that_are_no_numbers_arrive_and_score_0() {
        let rules = MetricRules::default();
        let arrived = |raw: RawMetrics| -> RawViews {
            let header = read_line::<AnswerHeader>(&mut sent(raw, None).as_slice()).unwrap().unwrap();
            let Outcome::Measured { views, .. } = header.outcome else { panic!("{header:?}") };
            views
        };
        let scored =
            |raw: RawMetrics| score(&Metrics::from_views(&arrived(raw), PromptKind::Text, &rules), &rules);
        assert!(scored(RawMetrics { iqa: [f32::NAN; 16], ..raw() }).abs() < f64::EPSILON);
        assert!(scored(RawMetrics { lpips: [f32::INFINITY; 16], ..raw() }).abs() < f64::EPSILON);
        assert_eq!(arrived(raw()), raw().to_views());
    }
}
