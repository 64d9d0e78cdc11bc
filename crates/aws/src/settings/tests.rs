use std::cell::RefCell;

use sn17_app::{KeySecret, sha256};
use sn17_wire::ss58;

use super::*;

/// The well-known development key of Substrate, `//Alice`.
const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

const API_KEY_SECRET: &str = "what API keys are hashed with, in the tests";
const ADMIN_KEY: &str = "what the operators of the tests show at the door";
const AWS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const AWS_TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLE";

fn good(name: &str) -> Option<String> {
    let value = match name {
        "SN17_TABLE" => "sn17-test",
        "SN17_BUCKET" => "sn17-blobs",
        "SN17_SCORING_QUEUE_URL" => "https://sqs.eu-central-1.amazonaws.com/123456789012/scoring",
        "SN17_SCORING_DEAD_LETTERS_URL" => "http://127.0.0.1:4570/000000000000/scoring-dead",
        "SN17_TIMERS_QUEUE_URL" => "https://sqs.eu-central-1.amazonaws.com/123456789012/timers",
        "SN17_JUDGING_QUEUE_URL" => "https://sqs.eu-central-1.amazonaws.com/123456789012/judging",
        "SN17_VALIDATOR_HOTKEY" => ALICE,
        "SN17_API_KEY_SECRET_ID" => "arn:aws:secretsmanager:eu-central-1:123456789012:secret:api-AbCdEf",
        "SN17_ADMIN_KEY_SECRET_ID" => "sn17/admin",
        "SN17_EDGE_URL" => "https://edge.example.org:4443",
        "SN17_POLICY" => r#"{"tasks":{"copies":2}}"#,
        "SN17_JUDGE_URL" => "https://judge.example.org/v1",
        "SN17_SHARDS" => "128",
        "SN17_API_KEY_SECRET" => API_KEY_SECRET,
        "SN17_ADMIN_KEY" => ADMIN_KEY,
        "AWS_REGION" => "eu-central-1",
        "AWS_ACCESS_KEY_ID" => "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY" => AWS_KEY,
        "AWS_SESSION_TOKEN" => AWS_TOKEN,
        "AWS_ENDPOINT_URL" => "http://127.0.0.1:4570",
        _ => return None,
    };
    Some(value.to_owned())
}

/// What is said of a gateway's environment in which one variable is something else.
fn check(name: &str, value: &str, fault: &str) {
    check_of(Role::Gateway, name, value, fault);
}

/// The same of an edge's, in which most of what it is told must stay unsaid.
fn check_edge(name: &str, value: &str, fault: &str) {
    let message = check_of(Role::Edge, name, value, fault);
    assert!(!message.contains(value), "{message}");
}

fn check_of(role: Role, name: &str, value: &str, fault: &str) -> String {
    let lookup = |asked: &str| if asked == name { Some(value.to_owned()) } else { good(asked) };
    let SettingsError(mut faults) = Settings::from_lookup(role, lookup).unwrap_err();
    assert_eq!(faults.len(), 1, "{faults:?}");
    let message = faults.remove(0);
    assert!(message.starts_with(name) && message.contains(fault), "{message}");
    message
}

#[test]
fn each_role_asks_for_its_variables_and_no_other() {
    for role in Role::ALL {
        let asked = RefCell::new(Vec::new());
        let settings = Settings::from_lookup(role, |name| {
            asked.borrow_mut().push(name.to_owned());
            good(name)
        });
        let settings = settings.unwrap();
        let mut asked = asked.into_inner();
        let mut expected: Vec<&str> = role.variables().iter().map(|variable| variable.name()).collect();
        asked.sort_unstable();
        expected.sort_unstable();
        assert_eq!(asked, expected, "{role:?}");
        assert_eq!(settings.network.is_none(), role == Role::Dispatch);
        assert_eq!(settings.secrets.is_some(), role == Role::Gateway);
        assert_eq!(settings.access.is_some(), role == Role::Edge);
        assert_eq!(settings.queues.timers.is_some(), matches!(role, Role::Dispatch | Role::Sweeper));
        let judges = matches!(role, Role::Dispatch | Role::Sweeper | Role::Duelist);
        assert_eq!(settings.queues.judging.is_some(), judges);
        let scores = !matches!(role, Role::Chain | Role::Duelist | Role::Edge);
        assert_eq!(!settings.queues.scoring.is_empty(), scores);
    }
}

#[test]
fn what_is_set_is_read_and_what_is_not_has_its_default() {
    let settings = Settings::from_lookup(Role::Gateway, good).unwrap();
    let network = settings.network().unwrap();
    assert_eq!((network.shards, network.policy.tasks.copies), (128, 2));
    let most = |name: &str| if name == "SN17_SHARDS" { Some("1024".to_owned()) } else { good(name) };
    assert_eq!(Settings::from_lookup(Role::Miner, most).unwrap().network().unwrap().shards, 1024);
    assert_eq!(ss58::encode(&network.validator), ALICE);
    assert_eq!(settings.secrets().unwrap().admin_key, "sn17/admin");
    assert_eq!(settings.edge_url.as_deref(), Some("https://edge.example.org:4443"));

    let optional = ["SN17_SHARDS", "SN17_POLICY", "SN17_JUDGE_URL", "SN17_EDGE_URL"];
    let without = |name: &str| good(name).filter(|_| !optional.contains(&name));
    let settings = Settings::from_lookup(Role::Miner, without).unwrap();
    let network = settings.network().unwrap();
    assert_eq!((network.shards, network.policy), (4, Policy::default()));
    assert_eq!(settings.edge_url, None);
}

#[test]
fn a_judge_that_is_named_is_one_for_every_program() {
    for role in Role::ALL {
        let enabled = |lookup: &dyn Fn(&str) -> Option<String>| {
            let settings = Settings::from_lookup(role, lookup).unwrap();
            settings.network.map(|network| network.policy.judge.enabled)
        };
        let reads_it = role.variables().contains(&Variable::JudgeUrl);
        assert_eq!(reads_it, !matches!(role, Role::Dispatch | Role::Edge), "{role:?}");
        let runs_use_cases = role != Role::Dispatch;
        assert_eq!(enabled(&good), runs_use_cases.then_some(reads_it), "{role:?}");
        let without = |name: &str| good(name).filter(|_| name != "SN17_JUDGE_URL");
        assert_eq!(enabled(&without), runs_use_cases.then_some(false), "{role:?}");
        let by_policy = |name: &str| match name {
            "SN17_POLICY" => Some(r#"{"judge":{"enabled":true}}"#.to_owned()),
            _ => without(name),
        };
        assert_eq!(enabled(&by_policy), runs_use_cases.then_some(true), "{role:?}");
    }
}

#[test]
fn every_fault_is_said_at_once() {
    let SettingsError(faults) = Settings::from_lookup(Role::Gateway, |_| None).unwrap_err();
    let required = [
        "SN17_TABLE",
        "SN17_SCORING_QUEUE_URL",
        "SN17_SCORING_DEAD_LETTERS_URL",
        "SN17_BUCKET",
        "SN17_VALIDATOR_HOTKEY",
        "SN17_API_KEY_SECRET_ID",
        "SN17_ADMIN_KEY_SECRET_ID",
    ];
    assert_eq!(faults, required.map(|name| format!("{name} is not set")));
    let empty = Settings::from_lookup(Role::Gateway, |_| Some(String::new())).unwrap_err();
    assert_eq!(empty, SettingsError(faults));

    let SettingsError(faults) = Settings::from_lookup(Role::Edge, |_| None).unwrap_err();
    let required = [
        "SN17_TABLE",
        "SN17_BUCKET",
        "SN17_VALIDATOR_HOTKEY",
        "SN17_API_KEY_SECRET",
        "SN17_ADMIN_KEY",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ];
    assert_eq!(faults, required.map(|name| format!("{name} is not set")));
}

#[test]
fn faulty_values_are_refused() {
    check("SN17_TABLE", "a/b", "name of a table");
    check("SN17_BUCKET", "Upper", "name of a bucket");
    check("SN17_BUCKET", "-ab", "name of a bucket");
    check("SN17_SCORING_QUEUE_URL", "sqs.amazonaws.com/1/q", "URL of a host");
    check("SN17_SCORING_QUEUE_URL", "https://sqs.amazonaws.com/", "lacks the queue's name");
    check("SN17_SCORING_DEAD_LETTERS_URL", "https://user@host/1/q", "URL of a host");
    check("SN17_EDGE_URL", "https://", "URL of a host");
    check("SN17_EDGE_URL", "https://a b", "URL of a host");
    check("SN17_JUDGE_URL", "judge.example.org", "URL of a host");
    check("SN17_SHARDS", "0", "1 to 1024");
    check("SN17_SHARDS", "1025", "1 to 1024");
    check("SN17_SHARDS", "four", "1 to 1024");
    check("SN17_POLICY", "{", "no policy");
    check("SN17_POLICY", r#"{"unknown":1}"#, "no policy");
    check("SN17_POLICY", r#"{"tasks":{"copies":0}}"#, "tasks.copies");
    check("SN17_VALIDATOR_HOTKEY", &ALICE[1..], "no hotkey");
    check("SN17_API_KEY_SECRET_ID", "a b", "name of a secret");
}

#[test]
fn an_edge_has_its_secrets_and_shows_them_to_nobody() {
    let settings = Settings::from_lookup(Role::Edge, good).unwrap();
    let access = settings.access().unwrap();
    assert_eq!(access.key_secret, KeySecret(sha256(API_KEY_SECRET.as_bytes())), "as on the functions");
    assert_eq!(access.admin_key.reveal(), ADMIN_KEY);
    assert_eq!(access.credentials.secret_access_key(), AWS_KEY);
    assert_eq!(access.credentials.session_token(), Some(AWS_TOKEN));
    assert_eq!((access.region.as_str(), settings.queues.clone()), ("eu-central-1", QueueUrls::default()));
    let shown = format!("{settings:?}");
    for secret in [API_KEY_SECRET, ADMIN_KEY, AWS_KEY, AWS_TOKEN] {
        assert!(!shown.contains(secret), "{shown}");
    }

    let optional = ["AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"];
    let without = |name: &str| good(name).filter(|_| !optional.contains(&name));
    let settings = Settings::from_lookup(Role::Edge, without).unwrap();
    let access = settings.access().unwrap();
    assert_eq!((access.credentials.session_token(), access.endpoint.as_deref()), (None, None));
    assert!(Settings::from_lookup(Role::Gateway, good).unwrap().access().is_err());
}

#[test]
fn faulty_values_of_an_edge_are_refused() {
    check_edge("SN17_API_KEY_SECRET", &"k".repeat(31), "at least 32 characters");
    for (name, secret) in [("SN17_API_KEY_SECRET", API_KEY_SECRET), ("SN17_ADMIN_KEY", ADMIN_KEY)] {
        for spaced in [format!("{secret}\n"), format!(" {secret}"), format!("{secret}\r\n")] {
            let message = check_of(Role::Edge, name, &spaced, "white space");
            assert!(!message.contains(secret), "{message}");
        }
    }
    check_edge("SN17_ADMIN_KEY", &ADMIN_KEY[..31], "at least 32 characters");
    check_edge("SN17_SHARDS", "129", "is more than 128");
    check_edge("SN17_SHARDS", "1025", "1 to 1024");
    check_edge("AWS_REGION", "eu central", "name of a region");
    check_edge("AWS_REGION", &"a".repeat(33), "name of a region");
    check_edge("AWS_ACCESS_KEY_ID", "AKID\n", "AWS credentials");
    check_edge("AWS_SECRET_ACCESS_KEY", "with a space", "AWS credentials");
    check_edge("AWS_SESSION_TOKEN", &"t".repeat(8193), "AWS credentials");
    check_edge("AWS_ENDPOINT_URL", "127.0.0.1:4570", "URL of a host");
}
