//! The loop that leases submissions, has them scored and settles them.

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sn17_app::ports::{Delivery, PortError, PortErrorKind, PortResult};
use sn17_app::{App, Attempt, Examined, Scorer};
use sn17_core::ledger::{Effect, QueueName};
use tokio::sync::watch;
use tracing::Instrument as _;

/// The loop asks again after waiting so long for messages.
const WAIT_SECS: u32 = 5;
/// The same for a queue elsewhere, where each request costs money; SQS waits for at most 20.
const REMOTE_WAIT_SECS: u32 = 10;
/// A loop with a submission in hand says that it lives this often.
const BEAT_EVERY: Duration = Duration::from_secs(10);
/// Seconds until a failed submission is tried again the first time; the square of the attempt multiplies it.
const RETRY_SECS: u32 = 3;
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
    ScoringLoop { app, scorer, stop, remote: None }.run().await;
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
    ScoringLoop { app, scorer, stop, remote: Some(remote) }.run().await;
}

/// What a loop over a remote queue minds besides its work.
pub struct Remote {
    /// Turns true when the submission in hand shall be given back to the queue, for others to score at once.
    pub give_back: watch::Receiver<bool>,
    /// Called while the loop lives: at least every ten seconds, but for the time that the queue itself needs.
    pub beat: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Remote").field("give_back", &self.give_back).finish_non_exhaustive()
    }
}

struct ScoringLoop {
    app: Arc<App>,
    scorer: Arc<dyn Scorer>,
    stop: watch::Receiver<bool>,
    remote: Option<Remote>,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Attempted(Attempt),
    GivenBack,
}

impl ScoringLoop {
    async fn run(self) {
        while !*self.stop.borrow() {
            self.beat();
            let received = tokio::select! {
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
                Err(error) => pause("scoring queue", &error).await,
            }
        }
    }

    async fn receive(&self) -> PortResult<Vec<Delivery>> {
        let wait_secs = if self.remote.is_some() { REMOTE_WAIT_SECS } else { WAIT_SECS };
        let visibility_secs = self.app.policy().submissions.visibility_secs;
        self.app.ports().queue.receive(QueueName::Scoring, 1, visibility_secs, wait_secs).await
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
        match delivery.effect {
            Effect::Score { task, hotkey } if self.remote.is_some() => {
                let receive_count = delivery.receive_count;
                tracing::info_span!("submission", task.id = %task, miner.hotkey = ?hotkey, receive_count)
            }
            Effect::Score { .. } | Effect::Timer { .. } => tracing::Span::none(),
        }
    }

    async fn handle(&self, delivery: &Delivery) {
        let begun = Instant::now();
        match self.attempt_and_answer(delivery).await {
            Ok(outcome) if self.remote.is_some() => {
                let duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(?outcome, duration_ms, "a submission left this worker");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "a submission could not be settled, it will be delivered again");
            }
        }
    }

    async fn attempt_and_answer(&self, delivery: &Delivery) -> PortResult<Outcome> {
        let queue = &self.app.ports().queue;
        let outcome = tokio::select! {
            attempt = self.persistently(delivery) => Outcome::Attempted(attempt?),
            // Whatever the attempt has settled stays settled: the next worker finds it so (SB-1).
            () = self.given_back() => Outcome::GivenBack,
            never = self.keep_lease(delivery) => match never {},
            never = self.keep_beating() => match never {},
        };
        let answered = match outcome {
            Outcome::Attempted(Attempt::Done) => queue.ack(&delivery.receipt).await,
            Outcome::Attempted(Attempt::Retry) => {
                queue.extend(&delivery.receipt, RETRY_SECS * delivery.receive_count.pow(2)).await
            }
            // The queue has handed it out as often as it does: it goes to the dead letters.
            Outcome::Attempted(Attempt::GivenUp) | Outcome::GivenBack => {
                queue.extend(&delivery.receipt, 0).await
            }
        };
        match answered {
            // Somebody else has the lease by now; the verdict stands all the same.
            Err(error) if error.kind == PortErrorKind::NotFound => Ok(outcome),
            answered => answered.map(|()| outcome),
        }
    }

    async fn keep_lease(&self, delivery: &Delivery) -> Infallible {
        let visibility_secs = self.app.policy().submissions.visibility_secs;
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

    /// Attempts a delivery until the ports play their part: their failures are no fault of the submission's, and must
    /// not use up its deliveries. What has been scored is not scored again.
    async fn persistently(&self, delivery: &Delivery) -> PortResult<Attempt> {
        match until_it_succeeds(|| self.app.examine(delivery, &*self.scorer)).await? {
            Examined::Over(attempt) => Ok(attempt),
            Examined::Concluded(conclusion) => until_it_succeeds(|| self.app.conclude(&conclusion)).await,
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
                tracing::warn!(%error, tries, "a submission could not be settled, trying again");
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

async fn pause(what: &str, error: &PortError) {
    tracing::error!(%error, "the {what} does not answer");
    tokio::time::sleep(PAUSE).await;
}
