//! What runs beside the HTTP surface and scoring: timers and sweeps.

use std::sync::Arc;
use std::time::Duration;

use sn17_app::App;
use sn17_app::ports::PortError;
use sn17_core::ledger::QueueName;
use sn17_core::{Hotkey, TaskId};
use sn17_store::{Embedded, FolderBlobs};

use crate::host::Clock;

/// The timer loop asks again after waiting so long for messages.
const WAIT_SECS: u32 = 5;
/// A timer that could not be handled is tried again after this.
const TIMER_VISIBILITY_SECS: u32 = 10;
/// Timers handled at once.
const TIMERS_AT_ONCE: usize = 64;
/// Overdue items are looked for this often.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Old files and expired rows are looked for this often.
const CLEAN_EVERY: Duration = Duration::from_secs(5);
/// Duels are made this often, as many as the policy allows.
const DUELS_EVERY: Duration = Duration::from_secs(5);
/// The standings are computed this often.
const LEADERBOARD_EVERY: Duration = Duration::from_secs(60);
/// It is looked this often whether a new batch of prompts is due.
const PROMPTS_EVERY: Duration = Duration::from_secs(5);
/// Dead letters looked at when there are new ones.
const DEAD_LETTERS_MAX: usize = 1_000;
/// After a failing store a loop waits this long.
const PAUSE: Duration = Duration::from_millis(500);

/// Handles timers as they come due.
pub(crate) async fn timers(app: Arc<App>) {
    let queue = Arc::clone(&app.ports().queue);
    loop {
        let received =
            queue.receive(QueueName::Timers, TIMERS_AT_ONCE, TIMER_VISIBILITY_SECS, WAIT_SECS).await;
        match received {
            Ok(deliveries) => {
                for delivery in deliveries {
                    let handled = match app.timer(delivery.effect).await {
                        Ok(()) => queue.ack(&delivery.receipt).await,
                        Err(error) => Err(error),
                    };
                    if let Err(error) = handled {
                        tracing::warn!(%error, "a timer could not be handled, it will be delivered again");
                    }
                }
            }
            Err(error) => pause("timer queue", &error).await,
        }
    }
}

/// Looks after overdue tasks and submissions, expired rows and old files.
pub(crate) async fn sweeps(app: Arc<App>, store: Embedded, blobs: Arc<FolderBlobs>) {
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    let mut clean = tokio::time::interval(CLEAN_EVERY);
    let mut buried = Vec::new();
    loop {
        tokio::select! {
            _ = sweep.tick() => {
                match app.sweep().await {
                    Ok(done) if done == sn17_app::Upkeep::default() => {}
                    Ok(done) => tracing::debug!(?done, "looked after overdue items"),
                    Err(error) => pause("ledger", &error).await,
                }
                match settle_buried(&app, &buried).await {
                    Ok(letters) => buried = letters,
                    Err(error) => pause("scoring queue", &error).await,
                }
            }
            _ = clean.tick() => {
                // Files bear the system's time, whatever a simulation makes of the network's.
                for cleaned in [store.sweep(app.now()).await, blobs.sweep(Clock::default().now()).await] {
                    if let Err(error) = cleaned {
                        tracing::warn!(%error, "expired things could not be removed");
                    }
                }
            }
        }
    }
}

/// Makes duels, and keeps the standings fresh.
pub(crate) async fn competition(app: Arc<App>) {
    let mut duels = tokio::time::interval(DUELS_EVERY);
    let mut leaderboard = tokio::time::interval(LEADERBOARD_EVERY);
    loop {
        tokio::select! {
            _ = duels.tick() => match app.make_duels().await {
                Ok(0) => {}
                Ok(made) => tracing::debug!(made, "made duels"),
                Err(error) => pause("ledger", &error).await,
            },
            _ = leaderboard.tick() => {
                if let Err(error) = app.note_leaderboard().await {
                    pause("ledger", &error).await;
                }
            }
        }
    }
}

/// Makes batches of what generators hand in; apart from the rest, as a large one takes seconds.
pub(crate) async fn prompts(app: Arc<App>) {
    let mut batches = tokio::time::interval(PROMPTS_EVERY);
    loop {
        batches.tick().await;
        if let Err(error) = app.refresh_prompts().await {
            pause("prompts' store", &error).await;
        }
    }
}

/// Settles submissions that went to the dead letters unseen, as when this process was killed each time it held
/// them; answers the dead letters as they are now. Nothing is done while they stay as they were.
async fn settle_buried(app: &App, before: &[(TaskId, Hotkey)]) -> Result<Vec<(TaskId, Hotkey)>, PortError> {
    let letters = app.dead_letters(DEAD_LETTERS_MAX).await?;
    if letters != before {
        app.settle_dead_letters(&letters).await?;
    }
    Ok(letters)
}

async fn pause(what: &str, error: &PortError) {
    tracing::error!(%error, "the {what} does not answer");
    tokio::time::sleep(PAUSE).await;
}
