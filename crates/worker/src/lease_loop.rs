//! The loop that leases work from a queue and does it: submissions to score, results to compare.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sn17_app::ports::{Delivery, PortError, PortErrorKind, PortResult};
use sn17_app::{App, Attempt, Examined, Judge, Judged, Scorer, Weighed};
use sn17_core::ledger::{Contest, Effect, QueueName};
use tokio::sync::watch;
use tracing::Instrument as _;

/// The loop asks again after waiting so long for messages.
const WAIT_SECS: u32 = 5;
/// The same for a queue elsewhere, where each request costs money; SQS waits for at most 20.
const REMOTE_WAIT_SECS: u32 = 10;
/// A loop with work in hand says that it lives this often.
const BEAT_EVERY: Duration = Duration::from_secs(10);
/// Seconds until a failed attempt is repeated the first time; the square of the attempt multiplies it.
const RETRY_SECS: u32 = 3;
/// Seconds that a delivery is put off at most: SQS holds no message back for longer. Whoever gets it then puts it off
/// again, should it still be too early.
const PUT_OFF_SECS_MAX: u64 = 900;
/// How often an attempt is repeated when a port fails, with the lease in hand.
const PORT_TRIES_MAX: u32 = 30;
/// Between two of these.
const PORT_PAUSE: Duration = Duration::from_secs(2);
/// After a failing queue the loop waits this long.
const PAUSE: Duration = Duration::from_millis(500);

/// Leases submissions one by one, has them scored, and settles them; a heartbeat keeps the lease while the scorer
/// works. Ends after the job in hand when `stop` turns true.
///
/// The queue is one of this process, so that a request for messages can be dropped at any point.
pub async fn score(app: Arc<App>, scorer: Arc<dyn Scorer>, stop: watch::Receiver<bool>) {
    LeaseLoop { app, work: Work::Scoring(scorer), stop, remote: None }.run().await;
}

/// The same for results that a judge compares.
pub async fn judge(app: Arc<App>, judge: Arc<dyn Judge>, stop: watch::Receiver<bool>) {
    LeaseLoop { app, work: Work::Judging(judge), stop, remote: None }.run().await;
}

/// The same as [`score`] for a queue that others share, on a machine that may be taken away.
///
/// What a request for messages that is under way at the stop still brings counts as in hand: a remote queue hides
/// messages whether or not anybody listens to its answer. Each submission is logged, within a span that bears its
/// names.
pub async fn score_remotely(
    app: Arc<App>,
    scorer: Arc<dyn Scorer>,
    stop: watch::Receiver<bool>,
    remote: Remote,
) {
    LeaseLoop { app, work: Work::Scoring(scorer), stop, remote: Some(remote) }.run().await;
}

/// The same as [`judge`] for a queue that others share, as [`score_remotely`] is to [`score`].
pub async fn judge_remotely(
    app: Arc<App>,
    judge: Arc<dyn Judge>,
    stop: watch::Receiver<bool>,
    remote: Remote,
) {
    LeaseLoop { app, work: Work::Judging(judge), stop, remote: Some(remote) }.run().await;
}

/// What a loop over a remote queue minds besides its work.
pub struct Remote {
    /// Turns true when the work in hand shall be given back to the queue, for others to do at once.
    pub give_back: watch::Receiver<bool>,
    /// Called while the loop lives: at least every ten seconds, but for the time that the queue itself needs.
    pub beat: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Remote").field("give_back", &self.give_back).finish_non_exhaustive()
    }
}

struct LeaseLoop {
    app: Arc<App>,
    work: Work,
    stop: watch::Receiver<bool>,
    remote: Option<Remote>,
}

/// What a loop does.
enum Work {
    Scoring(Arc<dyn Scorer>),
    Judging(Arc<dyn Judge>),
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// Done, now or before.
    Done,
    /// Failed this time: others may try.
    Failed,
    /// Failed for good.
    GivenUp,
    /// It could not be tried, and shall be in so many seconds, as if for the first time.
    PutOff(u64),
    /// The loop ends with it in hand.
    GivenBack,
}

impl Work {
    const fn queue(&self) -> QueueName {
        match self {
            Self::Scoring(_) => QueueName::Scoring,
            Self::Judging(_) => QueueName::Judging,
        }
    }

    const fn visibility_secs(&self, app: &App) -> u32 {
        match self {
            Self::Scoring(_) => app.policy().submissions.visibility_secs,
            Self::Judging(_) => app.policy().judge.visibility_secs,
        }
    }

    /// Attempts a delivery until the ports play their part: their failures are no fault of the delivery's, and must
    /// not use up its tries. What has been scored or judged is not scored or judged again.
    async fn attempt(&self, app: &App, delivery: &Delivery) -> PortResult<Outcome> {
        match self {
            Self::Scoring(scorer) => {
                let attempt = match until_it_succeeds(|| app.examine(delivery, &**scorer)).await? {
                    Examined::Over(attempt) => attempt,
                    Examined::Concluded(conclusion) => {
                        until_it_succeeds(|| app.conclude(&conclusion)).await?
                    }
                };
                Ok(match attempt {
                    Attempt::Done => Outcome::Done,
                    Attempt::Retry => Outcome::Failed,
                    Attempt::GivenUp => Outcome::GivenUp,
                })
            }
            Self::Judging(judge) => {
                let judged = match until_it_succeeds(|| app.weigh(delivery, &**judge)).await? {
                    Weighed::Over(judged) => judged,
                    Weighed::Found(judgement) => {
                        until_it_succeeds(|| app.pronounce(&judgement)).await?;
                        Judged::Done
                    }
                };
                Ok(match judged {
                    Judged::Done => Outcome::Done,
                    Judged::Retry => Outcome::Failed,
                    Judged::PutOff(secs) => Outcome::PutOff(secs),
                })
            }
        }
    }
}

impl LeaseLoop {
    async fn run(self) {
        while !*self.stop.borrow() {
            self.beat();
            let received = tokio::select! {
                // What has come is in hand, even if the request might be dropped by now: it would stay hidden.
                biased;
                received = self.receive() => received,
                () = self.dropped() => return,
            };
            match received {
                Ok(deliveries) => {
                    for delivery in deliveries {
                        let span = self.span(&delivery);
                        self.handle(&delivery).instrument(span).await;
                    }
                }
                Err(error) => pause(self.work.queue(), &error).await,
            }
        }
    }

    async fn receive(&self) -> PortResult<Vec<Delivery>> {
        let wait_secs = if self.remote.is_some() { REMOTE_WAIT_SECS } else { WAIT_SECS };
        let visibility_secs = self.work.visibility_secs(&self.app);
        self.app.ports().queue.receive(self.work.queue(), 1, visibility_secs, wait_secs).await
    }

    /// Waits until a request for messages may be dropped.
    async fn dropped(&self) {
        match &self.remote {
            None => turned(&self.stop).await,
            Some(remote) => turned(&remote.give_back).await,
        }
    }

    async fn given_back(&self) {
        match &self.remote {
            None => pending().await,
            Some(remote) => turned(&remote.give_back).await,
        }
    }

    fn beat(&self) {
        if let Some(remote) = &self.remote {
            (remote.beat)();
        }
    }

    fn span(&self, delivery: &Delivery) -> tracing::Span {
        let receive_count = delivery.receive_count;
        match delivery.effect {
            _ if self.remote.is_none() => tracing::Span::none(),
            Effect::Score { task, hotkey } => {
                tracing::info_span!("submission", task.id = %task, miner.hotkey = ?hotkey, receive_count)
            }
            Effect::Judge(Contest::Duel(nonce)) => {
                tracing::info_span!("duel", duel = %nonce, receive_count)
            }
            Effect::Judge(Contest::Task(task)) => {
                tracing::info_span!("comparison", task.id = %task, receive_count)
            }
            Effect::Timer { .. } => tracing::Span::none(),
        }
    }

    async fn handle(&self, delivery: &Delivery) {
        let begun = Instant::now();
        match self.attempt_and_answer(delivery).await {
            Ok(outcome) if self.remote.is_some() => {
                let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(?outcome, duration_ms, "a delivery left this worker");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "a delivery could not be handled, it will come again");
            }
        }
    }

    async fn attempt_and_answer(&self, delivery: &Delivery) -> PortResult<Outcome> {
        let outcome = tokio::select! {
            outcome = self.work.attempt(&self.app, delivery) => outcome?,
            // Whatever the attempt has settled stays settled: the next worker finds it so (SB-1, DU-1).
            () = self.given_back() => Outcome::GivenBack,
            never = self.keep_lease(delivery) => match never {},
            never = self.keep_beating() => match never {},
        };
        match self.answer(delivery, outcome).await {
            // Somebody else has the lease by now; the verdict stands all the same.
            Err(error) if error.kind == PortErrorKind::NotFound => Ok(outcome),
            answered => answered.map(|()| outcome),
        }
    }

    async fn answer(&self, delivery: &Delivery, outcome: Outcome) -> PortResult<()> {
        let queue = &self.app.ports().queue;
        match outcome {
            Outcome::Done => queue.ack(&delivery.receipt).await,
            Outcome::Failed => {
                let retry_secs = RETRY_SECS.saturating_mul(delivery.receive_count.saturating_pow(2));
                queue.extend(&delivery.receipt, retry_secs).await
            }
            Outcome::PutOff(secs) => {
                let not_before = self.app.now().plus_secs(secs.min(PUT_OFF_SECS_MAX));
                queue.send(delivery.effect, Some(not_before)).await?;
                queue.ack(&delivery.receipt).await
            }
            // The queue has handed it out as often as it does: it goes to the dead letters.
            Outcome::GivenUp | Outcome::GivenBack => queue.extend(&delivery.receipt, 0).await,
        }
    }

    async fn keep_lease(&self, delivery: &Delivery) -> Infallible {
        let visibility_secs = self.work.visibility_secs(&self.app);
        let mut beat = tokio::time::interval(Duration::from_secs(u64::from(visibility_secs)) / 3);
        beat.tick().await;
        loop {
            beat.tick().await;
            if let Err(error) = self.app.ports().queue.extend(&delivery.receipt, visibility_secs).await {
                tracing::warn!(%error, "a lease could not be kept");
            }
        }
    }

    async fn keep_beating(&self) -> Infallible {
        let mut beat = tokio::time::interval(BEAT_EVERY);
        loop {
            beat.tick().await;
            self.beat();
        }
    }
}

/// Repeats a step while a port fails, a bounded number of times.
async fn until_it_succeeds<T, F>(mut step: impl FnMut() -> F) -> PortResult<T>
where
    F: Future<Output = PortResult<T>>,
{
    let mut tries = 1;
    loop {
        match step().await {
            Err(error) if tries < PORT_TRIES_MAX => {
                tracing::warn!(%error, tries, "a port failed, trying again");
                tries += 1;
                tokio::time::sleep(PORT_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

/// Waits until a flag is true, or nobody is left to set it.
async fn turned(flag: &watch::Receiver<bool>) {
    // An error means the latter.
    let _ = flag.clone().wait_for(|is_set| *is_set).await;
}

async fn pause(queue: QueueName, error: &PortError) {
    tracing::error!(?queue, %error, "a queue does not answer");
    tokio::time::sleep(PAUSE).await;
}
