//! What can go wrong on the way to a verdict.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use sn17_render::{NoDevice, PngError, RenderError};
use sn17_score::synthetic::WriteError;
use sn17_score::{RuntimeError, ScoreError};

/// Why a splat cannot be measured, through no fault of its maker.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The environment does not say where caches live, and no models folder is given.
    #[error(transparent)]
    NoModelsFolder(RuntimeError),
    /// The folder for synthetic models cannot be written.
    #[error("cannot write the synthetic models")]
    SyntheticModels(#[from] WriteError),
    /// A folder of real models lacks some, or they are not what its manifest says.
    #[error("the models in {} are damaged; `sn17 models verify` says how", .0.display())]
    DamagedModels(PathBuf),
    /// The models of a folder cannot be loaded.
    #[error("cannot load the models in {}", folder.display())]
    Models {
        /// The folder.
        folder: PathBuf,
        /// What the scorer says.
        source: ScoreError,
    },
    /// A model failed while it ran.
    #[error(transparent)]
    Metrics(#[from] ScoreError),
    /// The picture that a splat was made from is none.
    #[error("cannot decode the prompt picture")]
    PromptPicture(#[from] image::ImageError),
    /// The splat is too costly to render.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A view cannot be written as PNG.
    #[error(transparent)]
    Png(#[from] PngError),
    /// There is no device to render on.
    #[error(transparent)]
    NoDevice(#[from] NoDevice),
    /// The turntable cannot be written.
    #[error("cannot write the turntable: {0}")]
    Turntable(String),
    /// A stage of the scoring process panicked.
    #[error("a stage of the scoring process panicked")]
    Stage,
    /// The scoring process cannot be started.
    #[error("cannot start the scoring process")]
    Start(#[source] io::Error),
    /// The scoring process did not load its models in time.
    #[error("the scoring process did not load its models in time")]
    NotReady,
    /// The scoring process took too long for a job.
    #[error("scoring took too long")]
    TooLong,
    /// The scoring process, or the process that it works for, has ended.
    #[error("the pipe of the scoring process broke")]
    Pipe(#[from] io::Error),
    /// One side of the pipe said something that the other does not understand.
    #[error("the scoring process and its parent do not understand each other")]
    Message(#[from] serde_json::Error),
    /// The scoring process announced a picture beyond its bound.
    #[error("a preview of {0} bytes is too large")]
    PreviewSize(u64),
    /// What the scoring process says went wrong.
    #[error("{0}")]
    Reported(String),
}

/// An error with its causes, in one line.
pub(crate) fn in_one_line(error: &WorkerError) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
