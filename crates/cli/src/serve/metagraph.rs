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
pub(crate) fn read(file: &Path) -> anyhow::Result<Option<Vec<Neuron>>> {
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

/// Applies the file again each time it changes. A file that cannot be read leaves the last good roster in place.
pub(crate) async fn follow(file: PathBuf, app: Arc<App>) {
    let mut seen = modified(&file);
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let changed = modified(&file);
        if changed == seen {
            continue;
        }
        seen = changed;
        let applied = match read(&file) {
            Ok(Some(neurons)) => {
                let count = neurons.len();
                app.apply_roster(neurons).await.map(|()| count).map_err(anyhow::Error::from)
            }
            Ok(None) => Err(anyhow::anyhow!("{} is gone", file.display())),
            Err(error) => Err(error),
        };
        match applied {
            Ok(count) => tracing::info!(miners = count, "metagraph applied"),
            Err(error) => tracing::error!("metagraph not applied, the last good one stays: {error:#}"),
        }
    }
}

fn modified(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_metagraph_is_refused_with_its_reason() {
        let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        let good = format!(r#"{{"neurons": [{{"uid": 3, "hotkey": "{alice}", "stake": 1.5}}]}}"#);
        assert_eq!(parse(&good).unwrap()[0].uid, 3);
        let twice = format!(
            r#"{{"neurons": [{{"uid": 3, "hotkey": "{alice}"}}, {{"uid": 4, "hotkey": "{alice}"}}]}}"#
        );
        assert!(parse(&twice).unwrap_err().to_string().contains("twice"));
        for text in ["", "[]", r#"{"neurons": [{"uid": 1, "hotkey": "5Grw"}]}"#, r#"{"miners": []}"#] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
