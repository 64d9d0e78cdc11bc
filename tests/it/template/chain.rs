//! Where nodes of the chain are named, a function asks them; elsewhere there is none.

use serde_json::json;
use sn17_aws::settings::Role;
use sn17_chain::{Settings, SpecVersions};

use super::parse::Template;
use super::{CHAIN_VARIABLES, OBSERVABILITY, ROOT};

/// Nothing of it is deployed without nodes, and what operators set by default is what the program knows.
#[test]
fn the_chain_is_asked_where_nodes_are_named() {
    let template = Template::load(ROOT);
    assert_eq!(
        template.section("Conditions")["HasChain"],
        json!({ "Fn::Not": [{ "Fn::Equals": [{ "Ref": "Subtensor" }, ""] }] })
    );
    let of_chain = template.resources().filter(|(id, _)| id.starts_with("Chain"));
    for (id, resource) in of_chain {
        assert_eq!(resource["Condition"], "HasChain", "{id}");
    }
    assert_eq!(template.parameter("Subtensor")["Default"], "");
    assert_eq!(template.parameter("Netuid")["Default"], Settings::new(Vec::new()).netuid);
    assert_eq!(template.parameter("SpecVersions")["Default"], SpecVersions::KNOWN.to_string());
    let variables = &template.properties("Chain")["Environment"]["Variables"];
    let parameters = CHAIN_VARIABLES.map(|name| variables[name]["Ref"].as_str().unwrap());
    assert_eq!(parameters, ["Netuid", "SpecVersions", "Subtensor"]);
    assert!(!Role::Chain.variables().iter().any(|variable| CHAIN_VARIABLES.contains(&variable.name())));
}

#[test]
fn it_is_asked_every_ten_minutes_and_silence_is_told() {
    let template = Template::load(ROOT);
    let chain = template.properties("Chain");
    let schedule = &chain["Events"]["EveryTenMinutes"]["Properties"];
    assert_eq!(schedule["ScheduleExpression"], "rate(10 minutes)");
    // A turn and its retries are over before the next but one.
    let tries = 1 + chain["EventInvokeConfig"]["MaximumRetryAttempts"].as_u64().unwrap();
    let settings = Settings::new(Vec::new());
    let nodes = 3;
    let asked_secs = 2 * nodes * settings.answer_within.as_secs() + settings.retry_after.as_secs();
    let timeout_secs = chain["Timeout"].as_u64().unwrap();
    assert!(timeout_secs > asked_secs + 30, "{timeout_secs} s for {asked_secs} s of silence from every node");
    assert!(tries * timeout_secs + 180 < 2 * 600, "{tries} tries of {timeout_secs} s");

    let observability = Template::load(OBSERVABILITY);
    let alarm = observability.properties("MetagraphStale");
    assert_eq!(alarm["TreatMissingData"], "breaching");
    assert_eq!(alarm["ComparisonOperator"], "LessThanThreshold");
    assert_eq!((&alarm["MetricName"], &alarm["Statistic"]), (&json!("RosterMiners"), &json!("SampleCount")));
    // Three turns and their retries.
    assert_eq!(alarm["Period"], 1800);
}
