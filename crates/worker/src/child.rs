//! The scoring process: takes jobs on standard input, answers on standard output, ends when its input does.
//!
//! It runs apart from the process that serves, so that a splat that brings it down, or a model that eats the
//! memory, costs one attempt and nothing else.
//!
//! Jobs go through three stages, each of which works on one of them at a time, so that the renderer and the models are
//! busy at the same time: unpacking (decode, check, normalise), rendering (views, pictures) and the models. A stage
//! that is ahead waits; the parent says how many jobs are in hand.

use std::io::{self, BufReader, BufWriter, Stdout, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bytes::Bytes;
use clap::{Args, ValueEnum};
use sn17_app::ScoringPrompt;
use sn17_render::{Adapters, CpuRenderer, NoDevice, Renderer, WgpuRenderer};
use sn17_score::{Scorer, ScorerOptions};
use sn17_splat::{Container, Format};

use crate::error::WorkerError;
use crate::measure::{Drawn, Measured, Unpacked};
use crate::messages::{JobHeader, Ready, read_exactly, read_line, write_answer, write_line};
use crate::utilisation::{Stage, Utilisation};

/// What the child is told when it is started.
#[derive(Args, Clone, Debug)]
pub struct ChildArgs {
    /// Folder of the model files.
    #[arg(long)]
    pub models: PathBuf,
    /// Most splats that are scored.
    #[arg(long, default_value_t = 2_000_000)]
    pub splats_max: usize,
    /// What renders.
    #[arg(long, value_enum, default_value_t)]
    pub renderer: RendererChoice,
}

/// What renders in the scoring process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum RendererChoice {
    /// A graphics device where there is one, else the processor.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// A graphics device, or a driver that stands for one on the processor; nothing else.
    Wgpu,
}

impl RendererChoice {
    /// The word that chooses it on a command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cpu => "cpu",
            Self::Wgpu => "wgpu",
        }
    }

    fn renderer(self) -> Result<Box<dyn Renderer>, WorkerError> {
        match self {
            Self::Cpu => Ok(Box::new(CpuRenderer)),
            Self::Wgpu => Ok(Box::new(WgpuRenderer::new(Adapters::Any)?)),
            Self::Auto => match WgpuRenderer::new(Adapters::Hardware) {
                Ok(renderer) => Ok(Box::new(renderer)),
                Err(NoDevice::NotFound) => Ok(Box::new(CpuRenderer)),
                Err(error) => {
                    tracing::warn!(%error, "rendering on the processor instead");
                    Ok(Box::new(CpuRenderer))
                }
            },
        }
    }
}

/// A job as it came.
struct Job {
    id: u64,
    splat: Vec<u8>,
    prompt: ScoringPrompt,
    sketch_salt: Option<u64>,
}

/// A job on its way through the stages, with what the stages before have made of it.
struct Step<T> {
    id: u64,
    prompt: ScoringPrompt,
    sketch_salt: Option<u64>,
    made: T,
}

/// Where answers go: one at a time, whichever stage ends a job.
#[derive(Clone)]
struct Answers(Arc<Mutex<BufWriter<Stdout>>>);

/// Answers jobs until standard input ends.
///
/// # Errors
/// Fails if the models cannot be loaded, or if the parent writes something else than jobs or reads no more.
pub fn run(args: &ChildArgs) -> Result<(), WorkerError> {
    let mut scorer = Scorer::load(&args.models, &ScorerOptions::default())
        .map_err(|source| WorkerError::Models { folder: args.models.clone(), source })?;
    let mut renderer = args.renderer.renderer()?;
    tracing::info!(renderer.device = renderer.device(), "rendering");
    let answers = Answers(Arc::new(Mutex::new(BufWriter::new(io::stdout()))));
    let ready = Ready { synthetic: scorer.is_synthetic(), model_version: scorer.version().to_owned() };
    answers.write(|output| write_line(output, &ready))?;

    let utilisation = Utilisation::default();
    thread::scope(|scope| {
        // A stage hands over to one that waits for it, so that what is in memory does not pile up between them.
        let (unpack, to_unpack) = sync_channel::<Job>(0);
        let (draw, to_draw) = sync_channel::<Step<Unpacked>>(0);
        let (judge, to_judge) = sync_channel::<Step<Drawn>>(0);
        let stages = [
            scope.spawn(|| unpack_all(to_unpack, draw, args.splats_max, &utilisation, &answers)),
            scope.spawn(|| draw_all(to_draw, judge, &mut *renderer, &utilisation, &answers)),
            scope.spawn(|| measure_all(to_judge, &mut scorer, &utilisation, &answers)),
        ];
        let read = read_jobs(unpack);
        for stage in stages {
            stage.join().map_err(|_panic| WorkerError::Stage)??;
        }
        read
    })
}

/// A stage that panics takes the process with it: whoever waits for its answer is to know at once.
struct EndsTheProcess;

impl Drop for EndsTheProcess {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}

/// Hands over jobs until the input ends, or nobody takes them any more.
fn read_jobs(next: SyncSender<Job>) -> Result<(), WorkerError> {
    let mut input = BufReader::new(io::stdin().lock());
    while let Some(header) = read_line::<JobHeader>(&mut input)? {
        let splat = read_exactly(&mut input, header.splat_bytes)?;
        let prompt = read_exactly(&mut input, header.prompt_bytes)?;
        let prompt = if header.is_image {
            ScoringPrompt::Image(Bytes::from(prompt))
        } else {
            ScoringPrompt::Text(String::from_utf8(prompt).map_err(io::Error::other)?)
        };
        let job = Job { id: header.id, splat, prompt, sketch_salt: header.sketch_salt };
        if next.send(job).is_err() {
            break;
        }
    }
    Ok(())
}

fn unpack_all(
    jobs: Receiver<Job>,
    next: SyncSender<Step<Unpacked>>,
    splats_max: usize,
    utilisation: &Utilisation,
    answers: &Answers,
) -> Result<(), WorkerError> {
    let _guard = EndsTheProcess;
    for Job { id, splat, prompt, sketch_salt } in jobs {
        let unpacked = utilisation.during(Stage::Unpack, || {
            check_container(&splat).and_then(|()| Unpacked::new(&splat, splats_max))
        });
        match unpacked {
            Ok(made) => {
                if next.send(Step { id, prompt, sketch_salt, made }).is_err() {
                    break;
                }
            }
            Err(reason) => answers.answer(id, Ok(Measured::Invalid(reason)))?,
        }
    }
    Ok(())
}

fn draw_all(
    steps: Receiver<Step<Unpacked>>,
    next: SyncSender<Step<Drawn>>,
    renderer: &mut dyn Renderer,
    utilisation: &Utilisation,
    answers: &Answers,
) -> Result<(), WorkerError> {
    let _guard = EndsTheProcess;
    for Step { id, prompt, sketch_salt, made } in steps {
        match utilisation.during(Stage::Render, || made.draw(renderer, sketch_salt)) {
            Ok(Ok(made)) => {
                if next.send(Step { id, prompt, sketch_salt, made }).is_err() {
                    break;
                }
            }
            Ok(Err(reason)) => answers.answer(id, Ok(Measured::Invalid(reason)))?,
            Err(error) => answers.answer(id, Err(error))?,
        }
    }
    Ok(())
}

fn measure_all(
    steps: Receiver<Step<Drawn>>,
    scorer: &mut Scorer,
    utilisation: &Utilisation,
    answers: &Answers,
) -> Result<(), WorkerError> {
    let _guard = EndsTheProcess;
    for Step { id, prompt, made, .. } in steps {
        let measured = utilisation.during(Stage::Models, || made.measure(&prompt, scorer));
        answers.answer(id, measured)?;
        utilisation.log_minute();
    }
    Ok(())
}

impl Answers {
    fn answer(&self, id: u64, measured: Result<Measured, WorkerError>) -> Result<(), WorkerError> {
        self.write(|output| write_answer(output, id, measured))
    }

    fn write(
        &self,
        write: impl FnOnce(&mut BufWriter<Stdout>) -> Result<(), WorkerError>,
    ) -> Result<(), WorkerError> {
        let mut output = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        write(&mut output)?;
        Ok(output.flush()?)
    }
}

/// Only the network's own container is a result: clients are served it as it came.
fn check_container(splat: &[u8]) -> Result<(), String> {
    let info = sn17_splat::inspect(splat).map_err(|error| error.to_string())?;
    if info.format == Format::Spz(Container::Network) {
        return Ok(());
    }
    Err("it is not SPZ in one zstd frame (compression 2)".to_owned())
}
