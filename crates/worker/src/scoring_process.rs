//! The scoring process, kept alive by the process that leases submissions.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use sn17_app::{Previews, ScoreError, Scored, Scorer, ScoringJob, ScoringPrompt};
use sn17_core::TaskId;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex, oneshot};

use crate::child::ChildArgs;
use crate::error::{WorkerError, in_one_line};
use crate::messages::{AnswerHeader, HEADER_BYTES_MAX, JobHeader, Outcome, Ready};

/// Loading models may take so long; fetching the runtime library for the first time is part of it.
const READY_WITHIN: Duration = Duration::from_secs(300);
/// A job that takes longer, times the jobs in hand, is given up, with its process and whatever else that has in hand.
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
///
/// It takes several jobs at a time, so that the renderer need not wait for the models; how many are in hand is the
/// caller's affair. Whatever ends the process fails all of them, an attempt each.
#[derive(Debug)]
pub struct ScoringProcess {
    program: ChildProgram,
    args: ChildArgs,
    running: Mutex<Option<Running>>,
    next_id: AtomicU64,
}

/// A process that takes jobs.
#[derive(Debug)]
struct Running {
    /// Killed when dropped.
    _child: Child,
    input: ChildStdin,
    waiting: Arc<Waiting>,
}

/// A job that the process has.
struct HandedOver {
    waiting: Arc<Waiting>,
    /// The answer is given up after this time.
    within: Duration,
    answer: oneshot::Receiver<Result<Scored, WorkerError>>,
}

/// Who waits for which answer; none once the process says nothing more.
#[derive(Debug)]
struct Waiting(StdMutex<Option<Listeners>>);

/// Those who wait, by the ids of their jobs.
type Listeners = HashMap<u64, oneshot::Sender<Result<Scored, WorkerError>>>;

impl ScoringProcess {
    /// A process that [`ScoringProcess::start`] or the first job starts.
    pub fn new(program: ChildProgram, args: ChildArgs) -> Self {
        Self { program, args, running: Mutex::new(None), next_id: AtomicU64::new(0) }
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
        let ChildArgs { models, splats_max, renderer } = &self.args;
        let mut command = Command::new(&self.program.program);
        command
            .arg(self.program.subcommand)
            .arg("--models")
            .arg(models)
            .arg("--splats-max")
            .arg(splats_max.to_string())
            .arg("--renderer")
            .arg(renderer.name())
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
        let mut answers = Answers(BufReader::new(output));
        let ready = tokio::time::timeout(READY_WITHIN, answers.line::<Ready>()).await;
        let ready = ready.map_err(|_elapsed| WorkerError::NotReady)??;
        let waiting = Arc::new(Waiting(StdMutex::new(Some(HashMap::new()))));
        tokio::spawn(answers.deliver(Arc::clone(&waiting)));
        Ok((Running { _child: child, input, waiting }, ready))
    }

    async fn run(&self, job: &ScoringJob) -> Result<Scored, WorkerError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let HandedOver { waiting, within, answer } = self.hand_over(id, job).await?;
        let Ok(answer) = tokio::time::timeout(within, answer).await else {
            // It hangs, with everything else that it has in hand.
            self.end(&waiting).await;
            return Err(WorkerError::TooLong);
        };
        answer.map_err(|_dropped| WorkerError::from(ended()))?
    }

    /// Writes a job to the process, a new one if need be.
    async fn hand_over(&self, id: u64, job: &ScoringJob) -> Result<HandedOver, WorkerError> {
        let mut slot = self.running.lock().await;
        // The process leaves the slot while a job is written: whatever goes wrong, or whoever drops this future, the
        // next job finds either a sound process or none.
        let mut running = match slot.take().filter(|running| running.waiting.is_open()) {
            Some(running) => running,
            None => {
                tracing::info!("starting the scoring process");
                self.spawn().await?.0
            }
        };
        let (tell, answer) = oneshot::channel();
        let within = JOB_WITHIN * running.waiting.add(id, tell)?;
        // The process reads the next job when a stage is free for it, which may take as long as those in hand.
        let written = tokio::time::timeout(within, running.write(id, job)).await;
        written.map_err(|_elapsed| WorkerError::TooLong)??;
        let waiting = Arc::clone(&running.waiting);
        *slot = Some(running);
        Ok(HandedOver { waiting, within, answer })
    }

    /// Ends the process that these jobs were given to, unless another one runs by now.
    async fn end(&self, waiting: &Arc<Waiting>) {
        let mut slot = self.running.lock().await;
        if slot.as_ref().is_some_and(|running| Arc::ptr_eq(&running.waiting, waiting)) {
            *slot = None;
        }
    }
}

#[async_trait]
impl Scorer for ScoringProcess {
    async fn score(&self, job: ScoringJob) -> Result<Scored, ScoreError> {
        self.run(&job).await.map_err(|error| ScoreError(in_one_line(&error)))
    }
}

impl Running {
    async fn write(&mut self, id: u64, job: &ScoringJob) -> Result<(), WorkerError> {
        let (prompt, is_image): (&[u8], bool) = match &job.prompt {
            ScoringPrompt::Text(text) => (text.as_bytes(), false),
            ScoringPrompt::Image(bytes) => (bytes, true),
        };
        let header = JobHeader {
            id,
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
        Ok(self.input.flush().await?)
    }
}

impl Waiting {
    fn is_open(&self) -> bool {
        self.lock().is_some()
    }

    /// Adds a job and returns how many are in hand with it.
    fn add(&self, id: u64, tell: oneshot::Sender<Result<Scored, WorkerError>>) -> Result<u32, WorkerError> {
        let mut waiting = self.lock();
        let waiting = waiting.as_mut().ok_or_else(ended)?;
        waiting.insert(id, tell);
        Ok(u32::try_from(waiting.len()).unwrap_or(u32::MAX))
    }

    fn tell(&self, id: u64, scored: Result<Scored, WorkerError>) {
        let tell = self.lock().as_mut().and_then(|waiting| waiting.remove(&id));
        if let Some(tell) = tell {
            // Nobody listens once a job is given back to the queue.
            let _ = tell.send(scored);
        }
    }

    /// Lets everybody who still waits know that no answer will come.
    fn close(&self) {
        self.lock().take();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Listeners>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the process says.
struct Answers(BufReader<ChildStdout>);

impl Answers {
    /// Hands answers to those who wait for them until the process ends or talks nonsense.
    async fn deliver(mut self, waiting: Arc<Waiting>) {
        loop {
            match self.answer().await {
                Ok((id, scored)) => waiting.tell(id, scored),
                Err(error) => {
                    tracing::warn!(error = in_one_line(&error), "the scoring process answers no more");
                    waiting.close();
                    return;
                }
            }
        }
    }

    async fn answer(&mut self) -> Result<(u64, Result<Scored, WorkerError>), WorkerError> {
        let AnswerHeader { id, outcome } = self.line().await?;
        let scored = match outcome {
            Outcome::Measured { views, synthetic, exhibit: None } => {
                Ok(Scored::Measured { views, synthetic, previews: None, likeness: None })
            }
            Outcome::Measured { views, synthetic, exhibit: Some(exhibit) } => {
                let front = self.payload(exhibit.front_bytes).await?;
                let grid = self.payload(exhibit.grid_bytes).await?;
                let neutral = Some(self.payload(exhibit.neutral_bytes).await?);
                let turntable = Some(self.payload(exhibit.turntable_bytes).await?);
                let previews = Some(Previews { front, grid, neutral, turntable });
                Ok(Scored::Measured { views, synthetic, previews, likeness: Some(exhibit.likeness) })
            }
            Outcome::Invalid { reason } => Ok(Scored::Invalid { reason }),
            Outcome::Failed { reason } => Err(WorkerError::Reported(reason)),
        };
        Ok((id, scored))
    }

    async fn line<T: for<'de> serde::Deserialize<'de>>(&mut self) -> Result<T, WorkerError> {
        let mut line = Vec::new();
        let read = (&mut self.0).take(HEADER_BYTES_MAX).read_until(b'\n', &mut line).await?;
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
        let read = (&mut self.0).take(bytes).read_to_end(&mut payload).await?;
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
