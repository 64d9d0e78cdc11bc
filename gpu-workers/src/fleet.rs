//! Several loops over one queue, and their end.

use std::sync::Arc;
use std::time::Duration;

use sn17_app::{App, Judge, Scorer};
use sn17_worker::{Remote, judge_remotely, score_remotely};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use crate::heartbeat::Heartbeat;

/// Most loops of one worker.
pub const PROCESSES_MAX: u16 = 64;
/// Seconds that work in hand gets at the end: ECS waits 120 s at most (`stopTimeout`). On EC2 Spot those begin with
/// a notice that comes earlier than the signal; the template gives less there.
pub const DRAIN_SECS_DEFAULT: u64 = 110;
/// Giving everything back must not take longer.
const GIVE_BACK_WITHIN: Duration = Duration::from_secs(5);

/// What does the work of one loop.
#[derive(Clone)]
pub enum Hand {
    /// Scores submissions.
    Scorer(Arc<dyn Scorer>),
    /// Compares results.
    Judge(Arc<dyn Judge>),
}

impl std::fmt::Debug for Hand {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Scorer(_) => "Scorer",
            Self::Judge(_) => "Judge",
        })
    }
}

/// Loops that work on what one queue hands out, each with a hand of its own.
pub struct Fleet {
    /// The use cases.
    pub app: Arc<App>,
    /// One for each loop.
    pub hands: Vec<Hand>,
    /// Where the loops say that they live; it counts as many as there are hands.
    pub heartbeat: Option<Arc<Heartbeat>>,
    /// What work in hand gets at the end.
    pub drain: Duration,
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Fleet").field("loops", &self.hands.len()).finish_non_exhaustive()
    }
}

/// Why a fleet ended otherwise than it was told to.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// A loop ended by itself, which is a fault of this program.
    #[error("a loop ended by itself")]
    LoopEnded(#[source] Option<JoinError>),
    /// The queue did not take everything back in time; it is delivered again when its leases end.
    #[error("the queue did not take back what was in hand")]
    NotGivenBack,
}

impl Fleet {
    /// Works until `told` brings a word, then asks for no more work and lets what is in hand finish; what is not finished
    /// after [`Fleet::drain`], or at a second word, is given back to the queue for others to do at once.
    ///
    /// # Errors
    /// When a loop fails, or the queue does not take work back.
    pub async fn run(self, mut told: mpsc::Receiver<()>) -> Result<(), FleetError> {
        let (stop, stopped) = watch::channel(false);
        let (give_back, given_back) = watch::channel(false);
        let mut loops = self.start(&stopped, &given_back);
        tokio::select! {
            _ = told.recv() => {}
            ended = loops.join_next() => return Err(FleetError::LoopEnded(ended.and_then(Result::err))),
        }
        tracing::info!(drain_secs = self.drain.as_secs(), "stopping: what is in hand may finish");
        stop.send_replace(true);
        tokio::select! {
            ended = all_ended(&mut loops) => return ended,
            () = tokio::time::sleep(self.drain) => {}
            _ = told.recv() => {}
        }
        tracing::warn!(loops.busy = loops.len(), "stopping: giving back what is in hand");
        give_back.send_replace(true);
        let ended = tokio::time::timeout(GIVE_BACK_WITHIN, all_ended(&mut loops)).await;
        ended.map_err(|_elapsed| FleetError::NotGivenBack)?
    }

    fn start(&self, stopped: &watch::Receiver<bool>, given_back: &watch::Receiver<bool>) -> JoinSet<()> {
        let mut loops = JoinSet::new();
        for (number, hand) in self.hands.iter().enumerate() {
            let heartbeat = self.heartbeat.clone();
            let beat = Box::new(move || {
                if let Some(heartbeat) = &heartbeat {
                    heartbeat.beat(number);
                }
            });
            let remote = Remote { give_back: given_back.clone(), beat };
            let (app, stopped) = (Arc::clone(&self.app), stopped.clone());
            match hand.clone() {
                Hand::Scorer(scorer) => loops.spawn(score_remotely(app, scorer, stopped, remote)),
                Hand::Judge(judge) => loops.spawn(judge_remotely(app, judge, stopped, remote)),
            };
        }
        loops
    }
}

async fn all_ended(loops: &mut JoinSet<()>) -> Result<(), FleetError> {
    while let Some(ended) = loops.join_next().await {
        ended.map_err(|error| FleetError::LoopEnded(Some(error)))?;
    }
    Ok(())
}
