//! How busy the stages of scoring are: the figure that says what would make a worker faster.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A line is logged this often, if there is work.
const EVERY: Duration = Duration::from_secs(60);

/// A part of scoring that works on one job at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Decode, check and normalise.
    Unpack,
    /// Views and pictures.
    Render,
    /// The models.
    Models,
}

/// The time that each stage has worked since the last line of the log.
#[derive(Debug)]
pub(crate) struct Utilisation(Mutex<Busy>);

#[derive(Debug)]
struct Busy {
    since: Instant,
    stages: [Duration; 3],
    jobs: u64,
}

impl Default for Utilisation {
    fn default() -> Self {
        Self(Mutex::new(Busy { since: Instant::now(), stages: [Duration::ZERO; 3], jobs: 0 }))
    }
}

impl Utilisation {
    /// Does a stage's work and counts its time.
    pub(crate) fn during<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        let mut busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        busy.stages[stage as usize] += begun.elapsed();
        busy.jobs += u64::from(stage == Stage::Models);
        done
    }

    /// Logs once a minute what share of the time each stage was busy, in percent, and how many jobs that were.
    ///
    /// The names have no dots, since the selectors of CloudWatch's metric filters take those for nested objects.
    pub(crate) fn log_minute(&self) {
        let mut busy = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = busy.since.elapsed();
        if elapsed < EVERY {
            return;
        }
        let [unpack, render, models] = busy.stages.map(|stage| percent(stage, elapsed));
        tracing::info!(
            unpack_percent = unpack,
            render_percent = render,
            models_percent = models,
            jobs = busy.jobs,
            seconds = elapsed.as_secs(),
            "utilisation of the scoring process"
        );
        *busy = Busy { since: Instant::now(), stages: [Duration::ZERO; 3], jobs: 0 };
    }
}

fn percent(part: Duration, whole: Duration) -> u64 {
    let percent = part.as_millis().saturating_mul(100).checked_div(whole.as_millis()).unwrap_or_default();
    u64::try_from(percent).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percent_of_the_time() {
        let secs = Duration::from_secs;
        assert_eq!(percent(secs(15), secs(60)), 25);
        assert_eq!(percent(secs(60), secs(60)), 100);
        assert_eq!(percent(secs(1), Duration::ZERO), 0);
    }
}
