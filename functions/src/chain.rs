//! What the chain function does: it asks the chain who is registered, and makes the network agree.

use std::str::FromStr;
use std::sync::Arc;

use lambda_runtime::Error;
use serde_json::{Value, json};
use sn17_app::{App, Refreshed};
use sn17_aws::settings::SettingsError;
use sn17_chain::{CallError, Endpoint, Metagraph, Settings};

use crate::embedded_metrics::roster_metrics;

/// Nodes of the chain, the preferred one first, separated by commas.
const SUBTENSOR: &str = "SN17_SUBTENSOR";
/// The subnet; 17 unless set.
const NETUID: &str = "SN17_NETUID";
/// Versions of the chain's runtime that are understood; those known here unless set.
const SPEC_VERSIONS: &str = "SN17_SPEC_VERSIONS";

/// How `lookup` says that the chain is asked: the variables of `sn17 serve`'s options of the same names. An empty one
/// counts as unset.
///
/// # Errors
/// Everything that is wrong with them, at once. No message repeats a URL, which may carry a provider's key.
pub fn chain_settings(lookup: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
    let text = |name: &str| lookup(name).filter(|text| !text.is_empty());
    let mut faults = Vec::new();
    let mut endpoints = Vec::new();
    for url in text(SUBTENSOR).unwrap_or_default().split(',').filter(|url| !url.is_empty()) {
        endpoints.extend(parsed::<Endpoint>(SUBTENSOR, url.trim(), &mut faults));
    }
    if endpoints.is_empty() && faults.is_empty() {
        faults.push(format!("{SUBTENSOR} is not set"));
    }
    let mut settings = Settings::new(endpoints);
    if let Some(netuid) = text(NETUID).and_then(|text| parsed(NETUID, &text, &mut faults)) {
        settings.netuid = netuid;
    }
    if let Some(versions) = text(SPEC_VERSIONS).and_then(|text| parsed(SPEC_VERSIONS, &text, &mut faults)) {
        settings.spec_versions = versions;
    }
    if faults.is_empty() { Ok(settings) } else { Err(SettingsError(faults)) }
}

fn parsed<T>(name: &str, text: &str, faults: &mut Vec<String>) -> Option<T>
where
    T: FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(|error| faults.push(format!("{name} is wrong: {error}"))).ok()
}

/// The function's state between events. What has been seen of the chain is not among it: that lies in the ledger, so a
/// new instance believes no older block than the one before it.
#[derive(Debug)]
pub struct Chain {
    app: Arc<App>,
    metagraph: Metagraph,
    stage: String,
}

impl Chain {
    /// Over the function's ports, for a deployment that metrics call `stage`; nothing is asked yet.
    ///
    /// # Errors
    /// If a client cannot be made for a node.
    pub fn new(app: Arc<App>, settings: Settings, stage: &str) -> Result<Self, CallError> {
        Ok(Self { app, metagraph: Metagraph::new(settings)?, stage: stage.to_owned() })
    }

    /// Handles the schedule's event, which says nothing; answers how many are registered, and at which block.
    ///
    /// # Errors
    /// When no node is believed, nobody is registered, or the ledger fails: the last good roster stays.
    pub async fn handle(&self) -> Result<Value, Error> {
        let mut made_at = None;
        let fetch = async |now, known| {
            let snapshot = self.metagraph.fetch(now, known).await?;
            made_at = Some(snapshot.made_at);
            Ok::<_, sn17_chain::Unavailable>(snapshot.roster())
        };
        let Refreshed { miners, block } = self.app.refresh_roster(fetch).await?;
        let block = block.map(|block| block.number);
        let now = self.app.now();
        let age_secs = made_at.map_or(0, |made_at| now.secs().saturating_sub(made_at.secs()));
        roster_metrics(&self.stage, now.0, miners, age_secs);
        tracing::info!(miners, block, "metagraph applied");
        Ok(json!({ "miners": miners, "block": block }))
    }
}

#[cfg(test)]
mod tests {
    use sn17_chain::SpecVersions;

    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        chain_settings(|name| value(name).map(str::to_owned)).map_err(|SettingsError(faults)| faults)
    }

    #[test]
    fn what_is_set_is_read_and_what_is_not_has_its_default() {
        let nodes = (SUBTENSOR, "https://one.example.org,https://two.example.org:443");
        let read = settings(&[nodes, (NETUID, ""), (SPEC_VERSIONS, "")]).unwrap();
        let named: Vec<String> = read.endpoints.iter().map(Endpoint::to_string).collect();
        assert_eq!(named, ["https://one.example.org", "https://two.example.org"]);
        assert_eq!((read.netuid, read.spec_versions), (17, SpecVersions::KNOWN));
        let read = settings(&[nodes, (NETUID, "89"), (SPEC_VERSIONS, "any")]).unwrap();
        assert_eq!((read.netuid, read.spec_versions), (89, SpecVersions::Any));
    }

    #[test]
    fn every_fault_is_said_at_once_and_no_url_is_repeated() {
        assert_eq!(settings(&[]).unwrap_err(), ["SN17_SUBTENSOR is not set"]);
        assert_eq!(settings(&[(SUBTENSOR, ",")]).unwrap_err(), ["SN17_SUBTENSOR is not set"]);
        let nodes = "https://good.example.org,http://plain.example.org/secret,ws://127.0.0.1/secret";
        let faults = settings(&[(SUBTENSOR, nodes), (NETUID, "65536"), (SPEC_VERSIONS, "all")]).unwrap_err();
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert!(faults.iter().all(|fault| !fault.contains("secret")), "{faults:?}");
    }
}
