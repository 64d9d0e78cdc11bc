//! A network in memory with a scorer that does what the test says.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use sn17_app::ports::{BlobKey, Delivery};
use sn17_app::{App, ScoreError, Scored, Scorer, ScoringJob};
use sn17_core::TaskId;
use sn17_core::ledger::{QueueName, Write};
use sn17_core::policy::Policy;
use sn17_core::state::{Item, Key, Submission, SubmissionState, TaskKind};
use sn17_gpu_workers::{Fleet, FleetError, Hand, Heartbeat};
use sn17_store::conformance::{ManualClock, samples};
use sn17_store::{Embedded, Options};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// Longer than any test.
pub(crate) const FOREVER: Duration = Duration::from_secs(3600);

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) app: Arc<App>,
    /// A job may be answered for each permit.
    pub(crate) answers: Arc<Semaphore>,
    begun: mpsc::UnboundedReceiver<TaskId>,
    scorer: Arc<Script>,
}

/// A fleet at work.
pub(crate) struct Running {
    told: mpsc::Sender<()>,
    fleet: JoinHandle<Result<(), FleetError>>,
}

struct Script {
    begun: mpsc::UnboundedSender<TaskId>,
    answers: Arc<Semaphore>,
}

#[async_trait]
impl Scorer for Script {
    async fn score(&self, job: ScoringJob) -> Result<Scored, ScoreError> {
        self.begun.send(job.task).unwrap();
        self.answers.acquire().await.expect("the test says that scorers panic").forget();
        Ok(Scored::Invalid { reason: "the script says so".to_owned() })
    }
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::default();
        let store =
            Embedded::memory(clock.clock(), Options { max_receives: 3, ..Options::default() }).unwrap();
        let app = samples::process(&store, &clock, Policy::default());
        let (begin, begun) = mpsc::unbounded_channel();
        let answers = Arc::new(Semaphore::new(0));
        let scorer = Arc::new(Script { begun: begin, answers: Arc::clone(&answers) });
        Self { clock, app: Arc::new(app), answers, begun, scorer }
    }

    /// Hands in a submission that waits to be scored.
    pub(crate) async fn submit(&self, number: u8) {
        let now = self.clock.now();
        let blob = BlobKey(format!("submissions/{number}"));
        let blobs = &self.app.ports().blobs;
        let upload = blobs.begin(&blob).await.unwrap();
        blobs.part(&upload, Bytes::from_static(b"a splat")).await.unwrap();
        blobs.finish(&upload).await.unwrap();
        let submission = Submission {
            kind: TaskKind::Synthetic,
            blob: Some(blob.0),
            ..samples::submission(now, now.plus_secs(900))
        };
        let (task, hotkey) = (TaskId(1), samples::hotkey(number));
        let write = Write::create(Key::Submission(task, hotkey), Item::Submission(submission), None);
        let write = write.causing(samples::score_effect(number));
        samples::commit(&*self.app.ports().ledger, now, vec![write]).await.unwrap();
    }

    /// Whether a submission has its verdict.
    pub(crate) async fn is_settled(&self, number: u8) -> bool {
        let key = Key::Submission(TaskId(1), samples::hotkey(number));
        let stored = samples::read(&*self.app.ports().ledger, self.clock.now(), key).await.unwrap();
        let Item::Submission(submission) = stored.item else { panic!("{key:?} is something else") };
        !matches!(submission.state, SubmissionState::Submitted { .. })
    }

    /// Starts so many loops.
    pub(crate) fn start(&self, loops: usize, drain: Duration) -> Running {
        self.start_with(loops, drain, None)
    }

    pub(crate) fn start_with(
        &self,
        loops: usize,
        drain: Duration,
        heartbeat: Option<Arc<Heartbeat>>,
    ) -> Running {
        let hands = vec![Hand::Scorer(Arc::clone(&self.scorer) as Arc<dyn Scorer>); loops];
        let fleet = Fleet { app: Arc::clone(&self.app), hands, heartbeat, drain };
        // One word fits, so that there is room for another only when the first has been heard.
        let (told, hears) = mpsc::channel(1);
        Running { told, fleet: tokio::spawn(fleet.run(hears)) }
    }

    /// Waits until a scorer has a job in hand.
    pub(crate) async fn begun(&mut self) {
        in_time(self.begun.recv()).await.unwrap();
    }

    /// What another worker gets from the queue at this moment.
    pub(crate) async fn receive(&self) -> Vec<Delivery> {
        self.app.ports().queue.receive(QueueName::Scoring, 10, 60, 0).await.unwrap()
    }

    /// Messages that nobody has acknowledged.
    pub(crate) async fn backlog(&self) -> u64 {
        self.app.ports().queue.backlog(QueueName::Scoring).await.unwrap()
    }
}

impl Running {
    /// Says what SIGTERM says, and waits until it has been heard.
    pub(crate) async fn tell(&self) {
        self.told.send(()).await.unwrap();
        let _ = self.told.reserve().await;
    }

    /// Waits for the end.
    pub(crate) async fn ended(self) -> Result<(), FleetError> {
        in_time(self.fleet).await.unwrap()
    }
}

/// What a future answers, which must not take as long as a fault would make it.
pub(crate) async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it does not come")
}
