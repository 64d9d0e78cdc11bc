//! The Worker's manifest, held against what the Worker reads.

use std::collections::BTreeSet;
use std::fs;

use sn17_aws::settings::{Role, Settings};
use toml::{Table, Value};

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../edge/worker/wrangler.toml");
/// The environments that are deployed.
const ENVIRONMENTS: [&str; 2] = ["staging", "production"];
/// What must not be shown.
const SECRETS: [&str; 4] =
    ["SN17_API_KEY_SECRET", "SN17_ADMIN_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
/// Optional variables that every environment names, since they must agree with the stack's.
const NAMED: [&str; 3] = ["SN17_SHARDS", "SN17_POLICY", "SN17_STAGE"];

fn manifest() -> Table {
    fs::read_to_string(MANIFEST).unwrap().parse().unwrap()
}

/// A variable that no environment has would leave all of production at 500.
#[test]
fn every_environment_has_the_variables_of_the_edge() {
    let manifest = manifest();
    let faults = Settings::from_lookup(Role::Edge, |_| None).unwrap_err().0;
    let names = Role::Edge.variables().iter().map(|variable| variable.name());
    let required = names.filter(|name| faults.iter().any(|fault| fault.starts_with(*name)));
    let expected: BTreeSet<&str> = required.chain(NAMED).collect();
    for environment in ENVIRONMENTS {
        let environment = &manifest["env"][environment];
        let variables = environment["vars"].as_table().unwrap().keys().map(String::as_str);
        let secrets = environment["secrets"]["required"].as_array().unwrap();
        let secrets: Vec<&str> = secrets.iter().filter_map(Value::as_str).collect();
        assert_eq!(secrets, SECRETS);
        assert_eq!(variables.chain(secrets).collect::<BTreeSet<&str>>(), expected);
    }
}

/// Every environment repairs what was lost, and the build is the one that is measured.
#[test]
fn every_environment_sweeps_and_is_built_for_size() {
    let manifest = manifest();
    for environment in ENVIRONMENTS {
        assert_eq!(manifest["env"][environment]["triggers"]["crons"][0].as_str(), Some("* * * * *"));
    }
    assert_eq!(manifest["build"]["command"].as_str(), Some("worker-build --profile edge"));
    assert_eq!(manifest["observability"]["enabled"].as_bool(), Some(true));
}
