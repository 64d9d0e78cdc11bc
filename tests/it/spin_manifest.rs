//! Spin's manifest, held against what the component reads and how it is built.
//!
//! Spin itself is not here: the manifest is read as text.

use std::collections::BTreeSet;
use std::fs;

use sn17_aws::settings::{Role, Settings};
use toml::{Table, Value};

const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../edge/spin/spin.toml");
/// What must not be shown.
const SECRETS: [&str; 4] =
    ["aws_secret_access_key", "aws_session_token", "sn17_admin_key", "sn17_api_key_secret"];

fn manifest() -> Table {
    fs::read_to_string(MANIFEST).unwrap().parse().unwrap()
}

/// Spin's name of a variable.
fn name(variable: &str) -> String {
    variable.to_ascii_lowercase()
}

fn names(table: &Value) -> BTreeSet<String> {
    table.as_table().unwrap().keys().cloned().collect()
}

#[test]
fn every_variable_of_the_edge_is_declared_and_passed_on() {
    let manifest = manifest();
    let (declared, passed) = (&manifest["variables"], &manifest["component"]["sn17"]["variables"]);
    let read: BTreeSet<String> =
        Role::Edge.variables().iter().map(|variable| name(variable.name())).collect();
    assert_eq!(names(declared), read);
    assert_eq!(names(passed), read);
    for name in &read {
        assert_eq!(passed[name].as_str().unwrap(), format!("{{{{ {name} }}}}"));
    }
}

#[test]
fn what_is_required_has_no_default_and_secrets_are_marked() {
    let manifest = manifest();
    let faults = Settings::from_lookup(Role::Edge, |_| None).unwrap_err().0;
    for (variable, declared) in manifest["variables"].as_table().unwrap() {
        let is_required = faults.iter().any(|fault| fault.contains(&variable.to_ascii_uppercase()));
        let flag = |name| declared.get(name).and_then(Value::as_bool).unwrap_or_default();
        assert_eq!(flag("required"), is_required, "{variable}");
        assert_eq!(declared.get("default").is_none(), is_required, "{variable}");
        assert_eq!(flag("secret"), SECRETS.contains(&variable.as_str()), "{variable}");
    }
}

#[test]
fn the_component_is_what_its_build_leaves() {
    let manifest = manifest();
    let component = &manifest["component"]["sn17"];
    let (source, build) = (component["source"].as_str().unwrap(), &component["build"]);
    assert_eq!(source, "../../target/wasm32-wasip2/component/sn17_edge_spin.wasm");
    let command = build["command"].as_str().unwrap();
    for part in ["--package sn17-edge-spin", "--target wasm32-wasip2", "--profile component"] {
        assert!(command.contains(part), "{part}");
    }
    assert_eq!(build["workdir"].as_str().unwrap(), "../..");
    assert_eq!(manifest["trigger"]["http"][0]["route"].as_str().unwrap(), "/...");
    assert_eq!(manifest["trigger"]["http"][0]["component"].as_str().unwrap(), "sn17");
}

/// A key that Spin's published schema (schemas.spinframework.dev, manifest-v2) does not have makes Spin refuse the whole.
#[test]
fn the_manifest_has_no_key_but_those_of_its_schema() {
    let manifest = manifest();
    let has_only = |table: &Value, known: &[&str]| {
        let known = known.iter().map(|name| (*name).to_owned()).collect();
        let unknown: Vec<_> = names(table).difference(&known).cloned().collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    };
    assert_eq!(manifest["spin_manifest_version"].as_integer(), Some(2));
    let parts = ["spin_manifest_version", "application", "variables", "trigger", "component"];
    has_only(&Value::Table(manifest.clone()), &parts);
    has_only(&manifest["application"], &["name", "version", "description", "authors"]);
    has_only(&manifest["trigger"], &["http"]);
    has_only(&manifest["trigger"]["http"][0], &["route", "component"]);
    for variable in manifest["variables"].as_table().unwrap().values() {
        has_only(variable, &["default", "description", "required", "secret"]);
    }
    let component = &manifest["component"]["sn17"];
    has_only(component, &["description", "source", "allowed_outbound_hosts", "variables", "build"]);
    has_only(&component["build"], &["command", "workdir", "watch"]);
}

/// DynamoDB and S3, encrypted; no queue, and nothing of Spin's own.
#[test]
fn the_component_reaches_the_table_and_the_bucket_alone() {
    let manifest = manifest();
    let component = &manifest["component"]["sn17"];
    let hosts: Vec<&str> = component["allowed_outbound_hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|host| host.as_str().unwrap())
        .collect();
    assert_eq!(
        hosts,
        [
            "https://dynamodb.{{ aws_region }}.amazonaws.com",
            "https://{{ sn17_bucket }}.s3.{{ aws_region }}.amazonaws.com"
        ]
    );
    for absent in ["key_value_stores", "sqlite_databases", "ai_models", "files", "environment"] {
        assert!(component.get(absent).is_none(), "{absent}");
    }
}
