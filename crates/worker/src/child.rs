//! The scoring process: takes jobs on standard input, answers on standard output, ends when its input does.
//!
//! It runs apart from the process that serves, so that a splat that brings it down, or a model that eats the
//! memory, costs one attempt and nothing else. A message in either direction is one line of JSON and then the
//! payloads whose lengths it gives.

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;

use bytes::Bytes;
use clap::Args;
use serde::{Deserialize, Serialize};
use sn17_app::ScoringPrompt;
use sn17_core::judging::Likeness;
use sn17_core::scoring::RawViews;
use sn17_render::CpuRenderer;
use sn17_score::{Scorer, ScorerOptions};
use sn17_splat::{Container, Format};

use crate::error::{WorkerError, in_one_line};
use crate::exhibit::Exhibit;
use crate::measure::{self, Measured};

/// A header line is at most this long.
pub(crate) const HEADER_BYTES_MAX: u64 = 64 << 10;

/// What the child is told when it is started.
#[derive(Args, Clone, Debug)]
pub struct ChildArgs {
    /// Folder of the model files.
    #[arg(long)]
    pub models: PathBuf,
    /// Most splats that are scored.
    #[arg(long, default_value_t = 2_000_000)]
    pub splats_max: usize,
}

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
    /// Length of the splat in bytes.
    pub(crate) splat_bytes: u64,
    /// Length of the prompt in bytes.
    pub(crate) prompt_bytes: u64,
    /// Whether the prompt is a picture.
    pub(crate) is_image: bool,
    /// Salt of the likeness's sketch, if pictures and likeness are asked for.
    pub(crate) sketch_salt: Option<u64>,
}

/// The header of an answer; for `Measured` the pictures follow as PNG, if any: the front view, the duel's grid and the
/// neutral one.
#[expect(clippy::large_enum_variant, reason = "almost every answer is a measurement")]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum AnswerHeader {
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
    /// What makes the object recognisable.
    pub(crate) likeness: Likeness,
}

/// Answers jobs until standard input ends.
///
/// # Errors
/// Fails if the models cannot be loaded, or if the parent writes something else than jobs.
pub fn run(args: &ChildArgs) -> Result<(), WorkerError> {
    let mut scorer = Scorer::load(&args.models, &ScorerOptions::default())
        .map_err(|source| WorkerError::Models { folder: args.models.clone(), source })?;
    let mut input = BufReader::new(io::stdin().lock());
    let mut output = BufWriter::new(io::stdout().lock());
    let ready = Ready { synthetic: scorer.is_synthetic(), model_version: scorer.version().to_owned() };
    write_line(&mut output, &ready)?;
    while let Some(header) = read_line::<JobHeader>(&mut input)? {
        let splat = read_exactly(&mut input, header.splat_bytes)?;
        let prompt = read_exactly(&mut input, header.prompt_bytes)?;
        let prompt = if header.is_image {
            ScoringPrompt::Image(Bytes::from(prompt))
        } else {
            ScoringPrompt::Text(String::from_utf8(prompt).map_err(io::Error::other)?)
        };
        let measured = match check_container(&splat) {
            Ok(()) => measure::measure(
                &splat,
                &prompt,
                &mut CpuRenderer,
                &mut scorer,
                args.splats_max,
                header.sketch_salt,
            ),
            Err(reason) => Ok(Measured::Invalid(reason)),
        };
        answer(&mut output, measured.map(Answer::new))?;
    }
    Ok(())
}

/// Only the network's own container is a result: clients are served it as it came.
fn check_container(splat: &[u8]) -> Result<(), String> {
    let info = sn17_splat::inspect(splat).map_err(|error| error.to_string())?;
    if info.format == Format::Spz(Container::Network) {
        return Ok(());
    }
    Err("it is not SPZ in one zstd frame (compression 2)".to_owned())
}

/// An answer with its payload.
enum Answer {
    Measured { views: RawViews, synthetic: bool, exhibit: Option<Box<Exhibit>> },
    Invalid(String),
}

impl Answer {
    fn new(measured: Measured) -> Self {
        match measured {
            Measured::Views { raw, exhibit } => {
                Self::Measured { views: sendable(raw.to_views()), synthetic: raw.synthetic, exhibit }
            }
            Measured::Invalid(reason) => Self::Invalid(reason),
        }
    }
}

fn answer(output: &mut impl Write, answer: Result<Answer, WorkerError>) -> Result<(), WorkerError> {
    match answer {
        Ok(Answer::Measured { views, synthetic, exhibit }) => {
            let header = exhibit.as_ref().map(|exhibit| ExhibitHeader {
                front_bytes: exhibit.front.len() as u64,
                grid_bytes: exhibit.grid.len() as u64,
                neutral_bytes: exhibit.neutral.len() as u64,
                likeness: exhibit.likeness,
            });
            write_line(output, &AnswerHeader::Measured { views, synthetic, exhibit: header })?;
            if let Some(exhibit) = exhibit {
                for picture in [exhibit.front, exhibit.grid, exhibit.neutral] {
                    output.write_all(&picture)?;
                }
            }
        }
        Ok(Answer::Invalid(reason)) => write_line(output, &AnswerHeader::Invalid { reason })?,
        Err(error) => write_line(output, &AnswerHeader::Failed { reason: in_one_line(&error) })?,
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

fn write_line(output: &mut impl Write, message: &impl Serialize) -> Result<(), WorkerError> {
    serde_json::to_writer(&mut *output, message)?;
    output.write_all(b"\n")?;
    Ok(output.flush()?)
}

fn read_line<T: for<'de> Deserialize<'de>>(input: &mut impl BufRead) -> Result<Option<T>, WorkerError> {
    let mut line = Vec::new();
    let read = input.by_ref().take(HEADER_BYTES_MAX).read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

fn read_exactly(input: &mut impl Read, bytes: u64) -> Result<Vec<u8>, WorkerError> {
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

    #[test]
    fn pictures_follow_their_header_if_there_are_any() {
        let likeness = Likeness { geometry: [1; 32], sketch: Sketch([2; 64]), picture: 3, sides: 0.5 };
        let pictures = Exhibit { front: vec![1; 10], grid: vec![2; 20], neutral: vec![3; 30], likeness };
        for exhibit in [Some(Box::new(pictures)), None] {
            let is_shown = exhibit.is_some();
            let mut output = Vec::new();
            let measured = Answer::Measured { views: RawViews::default(), synthetic: true, exhibit };
            answer(&mut output, Ok(measured)).unwrap();
            let mut input = output.as_slice();
            let header = read_line::<AnswerHeader>(&mut input).unwrap().unwrap();
            let AnswerHeader::Measured { exhibit, .. } = header else { panic!("{header:?}") };
            assert_eq!(exhibit.is_some(), is_shown);
            if let Some(exhibit) = exhibit {
                assert_eq!(exhibit.likeness, likeness);
                for (length, byte) in
                    [(exhibit.front_bytes, 1), (exhibit.grid_bytes, 2), (exhibit.neutral_bytes, 3)]
                {
                    assert!(read_exactly(&mut input, length).unwrap().iter().all(|found| *found == byte));
                }
            }
            assert!(input.is_empty(), "{} bytes too many", input.len());
        }
    }

    #[test]
    fn figures_that_are_no_numbers_arrive_and_score_0() {
        let rules = MetricRules::default();
        let good = RawViews {
            cosines: vec![0.3; 16],
            iqa: vec![0.9; 16],
            lpips: vec![0.1; 16],
            ssim: vec![0.9; 16],
        };
        let bad = RawViews { iqa: vec![f64::NAN; 16], ..good.clone() };
        let worse = RawViews { lpips: vec![f64::INFINITY; 16], ..good.clone() };
        let arrived = |views: RawViews| -> RawViews {
            let header = AnswerHeader::Measured { views: sendable(views), synthetic: true, exhibit: None };
            match serde_json::from_slice(&serde_json::to_vec(&header).unwrap()).unwrap() {
                AnswerHeader::Measured { views, .. } => views,
                AnswerHeader::Invalid { reason } | AnswerHeader::Failed { reason } => panic!("{reason}"),
            }
        };
        let scored =
            |views: RawViews| score(&Metrics::from_views(&arrived(views), PromptKind::Text, &rules), &rules);
        assert!(scored(bad).abs() < f64::EPSILON);
        assert!(scored(worse).abs() < f64::EPSILON);
        assert_eq!(arrived(good.clone()), good);
    }
}
