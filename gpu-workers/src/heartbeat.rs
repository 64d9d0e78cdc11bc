//! A sign of life for whoever looks after the container: a file that is touched while every loop lives.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// A loop that has been silent for so long hangs. Loops beat every ten seconds or so; a queue that does not answer may
/// hold one up for the time that its client tries again.
pub const SILENCE_MAX: Duration = Duration::from_secs(60);

/// The file, and when each loop was last heard of.
#[derive(Debug)]
pub struct Heartbeat {
    file: PathBuf,
    heard: Mutex<Vec<Instant>>,
}

/// Why a worker counts as dead.
#[derive(Debug, thiserror::Error)]
pub enum HeartbeatError {
    /// There is no such file: the worker has not begun, or writes another one.
    #[error("cannot see the heartbeat {}", file.display())]
    Unseen {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A loop hangs, or the worker is gone.
    #[error("the last heartbeat is {} s old", .0.as_secs())]
    Silent(Duration),
}

impl Heartbeat {
    /// A heartbeat of so many loops, all of which live at this moment.
    pub fn new(file: PathBuf, loops: usize) -> Self {
        Self { file, heard: Mutex::new(vec![Instant::now(); loops]) }
    }

    /// Notes that the loop of this number lives, and touches the file unless another one has been silent for
    /// [`SILENCE_MAX`].
    pub fn beat(&self, number: usize) {
        self.beat_at(number, Instant::now());
    }

    fn beat_at(&self, number: usize, now: Instant) {
        let all_live = {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard[number] = now;
            heard.iter().all(|last| now.saturating_duration_since(*last) < SILENCE_MAX)
        };
        if all_live && let Err(error) = touch(&self.file) {
            tracing::error!(file = %self.file.display(), %error, "the heartbeat cannot be written");
        }
    }
}

/// Whether the worker that writes `file` lives.
///
/// # Errors
/// Says why it counts as dead.
pub fn check(file: &Path, now: SystemTime) -> Result<(), HeartbeatError> {
    let touched = file.metadata().and_then(|metadata| metadata.modified());
    let touched = touched.map_err(|source| HeartbeatError::Unseen { file: file.to_owned(), source })?;
    // A clock that was set back makes a file of the future, which is as good as a new one.
    let age = now.duration_since(touched).unwrap_or_default();
    if age < SILENCE_MAX { Ok(()) } else { Err(HeartbeatError::Silent(age)) }
}

fn touch(file: &Path) -> io::Result<()> {
    let file = File::options().create(true).append(true).open(file)?;
    file.set_modified(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_touched_while_every_loop_lives() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("heartbeat");
        let heartbeat = Heartbeat::new(file.clone(), 2);
        let begun = Instant::now();
        let touched = |number: usize, secs: u64| {
            let _ = std::fs::remove_file(&file);
            heartbeat.beat_at(number, begun + Duration::from_secs(secs));
            file.exists()
        };
        assert!(touched(0, 10), "loop 1 lived 10 s ago");
        assert!(touched(0, 50));
        assert!(!touched(0, 70), "loop 1 has been silent for too long");
        assert!(touched(1, 75), "it was only slow");
        assert!(touched(0, 80));
    }

    #[test]
    fn a_worker_is_dead_once_its_file_is_old() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("heartbeat");
        let now = SystemTime::now();
        let unseen = check(&file, now).unwrap_err().to_string();
        assert!(unseen.starts_with("cannot see the heartbeat"), "{unseen}");
        Heartbeat::new(file.clone(), 1).beat(0);
        assert!(check(&file, now).is_ok());
        let later = check(&file, now + SILENCE_MAX + Duration::from_secs(30)).unwrap_err();
        assert!(matches!(later, HeartbeatError::Silent(age) if age > SILENCE_MAX), "{later}");
    }
}
