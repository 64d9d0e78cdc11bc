//! The scoring process, kept alive by the process that leases submissions.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use sn17_app::{Previews, ScoreError, Scored, Scorer, ScoringJob, ScoringPrompt};
use sn17_core::TaskId;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

use crate::child::{AnswerHeader, ChildArgs, HEADER_BYTES_MAX, JobHeader, Ready};
use crate::error::{WorkerError, in_one_line};

/// Loading models may take so long; fetching the runtime library for the first time is part of it.
const READY_WITHIN: Duration = Duration::from_secs(300);
/// A job that takes longer is given up, with its process.
const JOB_WITHIN: Duration = Duration::from_secs(180);
/// A preview picture is at most this large.
const PREVIEW_BYTES_MAX: u64 = 16 << 20;

/// The program and its first argument, behind which it is the child: [`run_child`](crate::run_child) with the
/// [`ChildArgs`] that follow.
#[derive(Clone, Debug)]
pub struct ChildProgram {
    /// The program's file.
    pub program: PathBuf,
    /// The name of the subcommand.
    pub subcommand: &'static str,
}

/// A [`Scorer`] in a process of its own, started again whenever it has ended.
#[derive(Debug)]
pub struct ScoringProcess {
    program: ChildProgram,
    args: ChildArgs,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    /// Killed when dropped.
    _child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl ScoringProcess {
    /// A process that [`ScoringProcess::start`] or the first job starts.
    pub fn new(program: ChildProgram, args: ChildArgs) -> Self {
        Self { program, args, running: Mutex::new(None) }
    }

    /// Starts the process and waits until its models are loaded.
    ///
    /// # Errors
    /// Fails if the program cannot be started, or does not load its models in five minutes.
    pub async fn start(&self) -> Result<Ready, WorkerError> {
        let (running, ready) = self.spawn().await?;
        *self.running.lock().await = Some(running);
        Ok(ready)
    }

    async fn spawn(&self) -> Result<(Running, Ready), WorkerError> {
        let ChildArgs { models, splats_max } = &self.args;
        let mut command = Command::new(&self.program.program);
        command
            .arg(self.program.subcommand)
            .arg("--models")
            .arg(models)
            .arg("--splats-max")
            .arg(splats_max.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        // It reads what strangers made, and needs no credentials for that. This keeps them from what would print or
        // leak its environment; a process of the same user that is taken over can still read its parent's.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        // Ctrl-C goes to the terminal's whole process group; the job in hand is to finish all the same. If the parent
        // is killed outright, the end of its input ends this process.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.spawn().map_err(WorkerError::Start)?;
        let input = child.stdin.take().expect("its input is piped");
        let output = child.stdout.take().expect("its output is piped");
        let mut running = Running { _child: child, input, output: BufReader::new(output) };
        let ready = tokio::time::timeout(READY_WITHIN, running.line::<Ready>()).await;
        let ready = ready.map_err(|_elapsed| WorkerError::NotReady)??;
        Ok((running, ready))
    }

    async fn run(&self, job: &ScoringJob) -> Result<Scored, WorkerError> {
        let mut slot = self.running.lock().await;
        // The process leaves the slot while it works: whatever goes wrong, or whoever drops this future, the next
        // job finds either a sound process or none.
        let mut running = match slot.take() {
            Some(running) => running,
            None => {
                tracing::info!("starting the scoring process");
                self.spawn().await?.0
            }
        };
        let answer = tokio::time::timeout(JOB_WITHIN, running.job(job)).await;
        let scored = answer.map_err(|_elapsed| WorkerError::TooLong)??;
        *slot = Some(running);
        Ok(scored)
    }
}

#[async_trait]
impl Scorer for ScoringProcess {
    async fn score(&self, job: ScoringJob) -> Result<Scored, ScoreError> {
        self.run(&job).await.map_err(|error| ScoreError(in_one_line(&error)))
    }
}

impl Running {
    async fn job(&mut self, job: &ScoringJob) -> Result<Scored, WorkerError> {
        let (prompt, is_image): (&[u8], bool) = match &job.prompt {
            ScoringPrompt::Text(text) => (text.as_bytes(), false),
            ScoringPrompt::Image(bytes) => (bytes, true),
        };
        let header = JobHeader {
            splat_bytes: job.splat.len() as u64,
            prompt_bytes: prompt.len() as u64,
            is_image,
            sketch_salt: job.wants_pictures.then_some(sketch_salt(job.task)),
        };
        let mut line = serde_json::to_vec(&header)?;
        line.push(b'\n');
        for part in [&line, job.splat.as_ref(), prompt] {
            self.input.write_all(part).await?;
        }
        self.input.flush().await?;
        match self.line::<AnswerHeader>().await? {
            AnswerHeader::Measured { views, synthetic, exhibit: None } => {
                Ok(Scored::Measured { views, synthetic, previews: None, likeness: None })
            }
            AnswerHeader::Measured { views, synthetic, exhibit: Some(exhibit) } => {
                let front = self.payload(exhibit.front_bytes).await?;
                let grid = self.payload(exhibit.grid_bytes).await?;
                let neutral = Some(self.payload(exhibit.neutral_bytes).await?);
                let previews = Some(Previews { front, grid, neutral });
                Ok(Scored::Measured { views, synthetic, previews, likeness: Some(exhibit.likeness) })
            }
            AnswerHeader::Invalid { reason } => Ok(Scored::Invalid { reason }),
            AnswerHeader::Failed { reason } => Err(WorkerError::Reported(reason)),
        }
    }

    async fn line<T: for<'de> serde::Deserialize<'de>>(&mut self) -> Result<T, WorkerError> {
        let mut line = Vec::new();
        let read = (&mut self.output).take(HEADER_BYTES_MAX).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Err(ended().into());
        }
        Ok(serde_json::from_slice(&line)?)
    }

    async fn payload(&mut self, bytes: u64) -> Result<Bytes, WorkerError> {
        if bytes > PREVIEW_BYTES_MAX {
            return Err(WorkerError::PreviewSize(bytes));
        }
        let mut payload = Vec::new();
        let read = (&mut self.output).take(bytes).read_to_end(&mut payload).await?;
        if read as u64 == bytes { Ok(Bytes::from(payload)) } else { Err(ended().into()) }
    }
}

/// The same for all results of a task, another for the next: the half of its id that is random.
#[expect(clippy::cast_possible_truncation, reason = "the upper half is the time")]
const fn sketch_salt(task: TaskId) -> u64 {
    task.0 as u64
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the scoring process ended")
}
