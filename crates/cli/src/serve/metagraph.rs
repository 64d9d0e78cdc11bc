//! The registered miners as a JSON file, read again whenever it changes.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sn17_app::App;
use sn17_core::state::Neuron;
use sn17_wire::ss58;

/// The file is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Slots of a subnet, at most.
const NEURONS_MAX: usize = 256;

/// The metagraph as a file: `{"neurons": [{"uid": 0, "hotkey": "5…", "stake": 1000.0, "incentive": 0.1}]}`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetagraphFile {
    /// One entry per registered neuron.
    pub(crate) neurons: Vec<NeuronEntry>,
}

/// One neuron in the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NeuronEntry {
    /// Its slot.
    pub(crate) uid: u16,
    /// Its ss58 address.
    pub(crate) hotkey: String,
    /// Total stake in tokens.
    #[serde(default)]
    pub(crate) stake: f64,
    /// Incentive in 0 to 1.
    #[serde(default)]
    pub(crate) incentive: f64,
}

/// Reads and checks the file; none if there is no such file, which says nothing about who is registered.
fn read(file: &Path) -> anyhow::Result<Option<Vec<Neuron>>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    parse(&text).map(Some).with_context(|| format!("{} is not a metagraph", file.display()))
}

fn parse(text: &str) -> anyhow::Result<Vec<Neuron>> {
    let file: MetagraphFile = serde_json::from_str(text)?;
    anyhow::ensure!(file.neurons.len() <= NEURONS_MAX, "more than {NEURONS_MAX} neurons");
    let mut neurons: Vec<Neuron> = Vec::with_capacity(file.neurons.len());
    for entry in file.neurons {
        let hotkey =
            ss58::decode(&entry.hotkey).with_context(|| format!("uid {}: {}", entry.uid, entry.hotkey))?;
        let is_taken = neurons.iter().any(|other| other.uid == entry.uid || other.hotkey == hotkey);
        anyhow::ensure!(!is_taken, "uid {} or its hotkey stands there twice", entry.uid);
        let is_sane = entry.stake.is_finite() && entry.incentive.is_finite();
        anyhow::ensure!(is_sane, "uid {}: stake and incentive must be finite", entry.uid);
        neurons.push(Neuron { uid: entry.uid, hotkey, stake: entry.stake, incentive: entry.incentive });
    }
    neurons.sort_unstable_by_key(|neuron| neuron.uid);
    Ok(neurons)
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

    #[test]
    fn what_is_no_metagraph_is_refused_with_its_reason() {
        let good = format!(r#"{{"neurons": [{{"uid": 3, "hotkey": "{ALICE}", "stake": 1.5}}]}}"#);
        assert_eq!(parse(&good).unwrap()[0].uid, 3);
        let twice = format!(
            r#"{{"neurons": [{{"uid": 3, "hotkey": "{ALICE}"}}, {{"uid": 4, "hotkey": "{ALICE}"}}]}}"#
        );
        assert!(parse(&twice).unwrap_err().to_string().contains("twice"));
        for text in ["", "[]", r#"{"neurons": [{"uid": 1, "hotkey": "5Grw"}]}"#, r#"{"miners": []}"#] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

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
