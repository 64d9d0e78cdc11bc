//! The loop that leases submissions, has them scored and settles them.

use std::sync::Arc;
use std::time::Duration;

use sn17_app::ports::{Delivery, PortError, PortErrorKind};
use sn17_app::{App, Attempt, Scorer};
use sn17_core::ledger::QueueName;
use tokio::sync::watch;

/// The loop asks again after waiting so long for messages.
const WAIT_SECS: u32 = 5;
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
pub async fn score(app: Arc<App>, scorer: Arc<dyn Scorer>, mut stop: watch::Receiver<bool>) {
    let visibility_secs = app.policy().submissions.visibility_secs;
    loop {
        let received = tokio::select! {
            received = app.ports().queue.receive(QueueName::Scoring, 1, visibility_secs, WAIT_SECS) => received,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        match received {
            Ok(deliveries) => {
                for delivery in deliveries {
                    if let Err(error) = handle(&app, &*scorer, &delivery, visibility_secs).await {
                        tracing::error!(%error, "a submission could not be settled, it will be delivered again");
                    }
                }
            }
            Err(error) => pause("scoring queue", &error).await,
        }
    }
}

async fn handle(
    app: &App,
    scorer: &dyn Scorer,
    delivery: &Delivery,
    visibility_secs: u32,
) -> Result<(), PortError> {
    let queue = &app.ports().queue;
    let heartbeat = async {
        let mut beat = tokio::time::interval(Duration::from_secs(u64::from(visibility_secs)) / 3);
        beat.tick().await;
        loop {
            beat.tick().await;
            if let Err(error) = queue.extend(&delivery.receipt, visibility_secs).await {
                tracing::warn!(%error, "a lease could not be kept");
            }
        }
    };
    let attempt = tokio::select! {
        attempt = persistently(app, delivery, scorer) => attempt?,
        () = heartbeat => return Ok(()),
    };
    let answered = match attempt {
        Attempt::Done => queue.ack(&delivery.receipt).await,
        Attempt::Retry => queue.extend(&delivery.receipt, RETRY_SECS * delivery.receive_count.pow(2)).await,
        // It goes to the dead letters: the queue has handed it out as often as it does.
        Attempt::GivenUp => queue.extend(&delivery.receipt, 0).await,
    };
    match answered {
        // Somebody else has the lease by now; the verdict stands all the same.
        Err(error) if error.kind == PortErrorKind::NotFound => Ok(()),
        answered => answered,
    }
}

/// Attempts a delivery until the ports play their part: their failures are no fault of the submission's, and must
/// not use up its deliveries.
async fn persistently(app: &App, delivery: &Delivery, scorer: &dyn Scorer) -> Result<Attempt, PortError> {
    let mut tries = 1;
    loop {
        match app.attempt(delivery, scorer).await {
            Err(error) if tries < PORT_TRIES_MAX => {
                tracing::warn!(%error, tries, "a submission could not be settled, trying again");
                tries += 1;
                tokio::time::sleep(PORT_PAUSE).await;
            }
            attempt => return attempt,
        }
    }
}

async fn pause(what: &str, error: &PortError) {
    tracing::error!(%error, "the {what} does not answer");
    tokio::time::sleep(PAUSE).await;
}
