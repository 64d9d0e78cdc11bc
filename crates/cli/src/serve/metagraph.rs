//! The registered miners as a JSON file, read again whenever it changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use sn17_app::App;
use sn17_core::state::Neuron;

/// The file is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Reads and checks the file; none if there is no such file, which says nothing about who is registered.
fn read(file: &Path) -> anyhow::Result<Option<Vec<Neuron>>> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let neurons = sn17_wire::metagraph::Metagraph::read(&text);
    neurons.map(Some).with_context(|| format!("{} is not a metagraph", file.display()))
}

/// The metagraph file and how far it has been applied.
#[derive(Debug)]
pub(crate) struct Metagraph {
    file: PathBuf,
    applied: Option<Version>,
}

/// By which a change of the file is noticed: its time and its length.
type Version = (SystemTime, u64);

impl Metagraph {
    /// A file of which nothing has been applied.
    pub(crate) const fn new(file: PathBuf) -> Self {
        Self { file, applied: None }
    }

    /// Applies the file if it has changed since it was last applied: the number of miners then. Whatever goes wrong
    /// leaves the last good roster in place, and the next call tries again.
    pub(crate) async fn apply(&mut self, app: &App) -> anyhow::Result<Option<usize>> {
        // Before the file is read: a change in between is a change since.
        let version = version(&self.file)?;
        if version == self.applied {
            return Ok(None);
        }
        let neurons = read(&self.file)?.with_context(|| format!("{} is gone", self.file.display()))?;
        let miners = neurons.len();
        app.apply_roster(neurons).await?;
        self.applied = version;
        Ok(Some(miners))
    }

    /// Applies the file again each time it changes.
    pub(crate) async fn follow(mut self, app: Arc<App>) {
        let mut last_trouble = String::new();
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let trouble = match self.apply(&app).await {
                Ok(None) => String::new(),
                Ok(Some(miners)) => {
                    tracing::info!(miners, "metagraph applied");
                    String::new()
                }
                Err(error) => format!("{error:#}"),
            };
            // The same trouble is there a second later; once in the log is enough.
            if !trouble.is_empty() && trouble != last_trouble {
                tracing::error!("metagraph not applied, the last good one stays: {trouble}");
            }
            last_trouble = trouble;
        }
    }
}

/// None if there is no such file.
fn version(file: &Path) -> anyhow::Result<Option<Version>> {
    match std::fs::metadata(file).and_then(|metadata| Ok((metadata.modified()?, metadata.len()))) {
        Ok(version) => Ok(Some(version)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot look at {}", file.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::{app_over, data::DataFolder};

    const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

    #[tokio::test]
    async fn a_file_is_applied_once_and_tried_until_it_is() {
        let root = tempfile::tempdir().unwrap();
        let folder = DataFolder::open(root.path()).unwrap();
        let app = app_over(&folder).unwrap();
        let mut metagraph = Metagraph::new(folder.metagraph());
        let write = |text: &str| std::fs::write(folder.metagraph(), text).unwrap();

        assert_eq!(metagraph.apply(&app).await.unwrap(), None, "no file, no roster");
        write("half a fi");
        for _ in 0..2 {
            assert!(metagraph.apply(&app).await.is_err(), "what failed is not taken for applied");
        }
        write(&format!(r#"{{"neurons": [{{"uid": 3, "hotkey": "{ALICE}"}}]}}"#));
        assert_eq!(metagraph.apply(&app).await.unwrap(), Some(1));
        assert_eq!(metagraph.apply(&app).await.unwrap(), None, "it has not changed");
        std::fs::remove_file(folder.metagraph()).unwrap();
        assert!(metagraph.apply(&app).await.unwrap_err().to_string().contains("is gone"));
        assert_eq!(app.roster().await.unwrap().len(), 1, "the last good roster stays");
        write(r#"{"neurons": []}"#);
        assert_eq!(metagraph.apply(&app).await.unwrap(), Some(0));
    }
}
