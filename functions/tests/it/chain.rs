//! The chain's schedule, against a node that speaks JSON-RPC and a table that answers from a script.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sn17_app::{App, Host, PromptBook};
use sn17_aws::native;
use sn17_aws::settings::{Role, Settings};
use sn17_chain_node::{FakeNode, MADE_AT_MS, WireNeuron, status};
use sn17_core::UnixMs;
use sn17_functions::Chain;

use crate::service::{Answer, Asked, Service};

/// Alice, the well-known account of Substrate's development chains.
const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
/// The number of the node's block.
const BLOCK: u64 = 4_000_123;
/// Where the roster lies.
const ROSTER: &str = "X#roster";

/// A table that keeps the roster and takes every other row for absent.
fn table() -> impl Fn(&Asked) -> Answer {
    let roster: Mutex<Option<Value>> = Mutex::default();
    move |asked| {
        let body: Value = serde_json::from_str(&asked.body).unwrap();
        let answer = match asked.operation.as_str() {
            "GetItem" if body["Key"]["pk"]["S"] == ROSTER => {
                roster.lock().unwrap().as_ref().map_or(json!({}), |item| json!({ "Item": item }))
            }
            "PutItem" => {
                if body["Item"]["pk"]["S"] == ROSTER {
                    *roster.lock().unwrap() = Some(body["Item"].clone());
                }
                json!({})
            }
            "BatchGetItem" => json!({ "Responses": { "sn17": [] }, "UnprocessedKeys": {} }),
            _ => json!({}),
        };
        (200, answer.to_string())
    }
}

/// A function as it starts: what it knows of the chain lies in the table alone.
fn function(service: &Service, nodes: &[&FakeNode]) -> Chain {
    let lookup = |name: &str| {
        let text = match name {
            "SN17_TABLE" => "sn17",
            "SN17_BUCKET" => "sn17-blobs",
            "SN17_VALIDATOR_HOTKEY" => ALICE,
            _ => return None,
        };
        Some(text.to_owned())
    };
    let settings = Settings::from_lookup(Role::Chain, lookup).unwrap();
    let host = Host { now: Arc::new(|| UnixMs(MADE_AT_MS + 24_000)), ..native::host() };
    let network = settings.network().unwrap().clone();
    let app = App::new(
        native::ports(&settings, &service.clients(), &host).unwrap(),
        host,
        network.policy,
        network.validator,
        native::random_key_secret(),
        PromptBook::default(),
    );
    let mut chain = sn17_chain::Settings::new(nodes.iter().map(|node| node.endpoint.clone()).collect());
    chain.retry_after = std::time::Duration::ZERO;
    Chain::new(Arc::new(app), chain, "test").unwrap()
}

fn neurons() -> Vec<WireNeuron> {
    (0..3).map(WireNeuron::at).collect()
}

async fn node() -> FakeNode {
    FakeNode::truthful(sn17_chain_node::Chain::of(&neurons())).await
}

/// The roster that was written last.
fn roster(service: &Service) -> Option<Value> {
    let puts = service.asked("PutItem").into_iter();
    let mut puts = puts.map(|asked| serde_json::from_str::<Value>(&asked.body).unwrap());
    let last = puts.rfind(|put| put["Item"]["pk"]["S"] == ROSTER)?;
    let value: Value = serde_json::from_str(last["Item"]["v"]["S"].as_str().unwrap()).unwrap();
    Some(value["Roster"].clone())
}

#[tokio::test]
async fn who_is_registered_on_the_chain_is_registered_in_the_table() {
    let (service, node) = (Service::new(table()), node().await);
    let answer = function(&service, &[&node]).handle().await.unwrap();
    assert_eq!(answer, json!({ "miners": 3, "block": BLOCK }));
    let roster = roster(&service).unwrap();
    assert_eq!(roster["block"]["number"], BLOCK);
    assert_eq!(roster["neurons"].as_array().unwrap().len(), 3);
    assert_eq!(service.asked("TransactWriteItems").len(), 3, "a session and a record for each");
}

#[tokio::test]
async fn another_node_answers_where_the_first_does_not() {
    let (service, good) = (Service::new(table()), node().await);
    let bad = FakeNode::start(sn17_chain_node::Chain::of(&neurons()), |_, _, _| Some(status(503))).await;
    function(&service, &[&bad, &good]).handle().await.unwrap();
    assert!(bad.asked() > 0);
    assert_eq!(roster(&service).unwrap()["block"]["number"], BLOCK);
}

/// Whatever goes wrong, the invocation fails, which the alarm sees, and the last good roster stays.
#[tokio::test]
async fn a_chain_that_is_not_believed_changes_nothing_and_fails_the_invocation() {
    let (service, node) = (Service::new(table()), node().await);
    function(&service, &[&node]).handle().await.unwrap();
    let writes =
        |service: &Service| ["PutItem", "TransactWriteItems"].map(|operation| service.asked(operation).len());
    let before = writes(&service);
    type Change = fn(&mut sn17_chain_node::Chain);
    let changes: [(Change, &str); 4] = [
        (|chain| chain.neurons.truncate(9), "get_neurons_lite"),
        (|chain| chain.spec_version = 424, "spec version"),
        (|chain| chain.spec_name = "other".to_owned(), "`other`"),
        (|chain| *chain = sn17_chain_node::Chain::of(&[]), "neurons"),
    ];
    for (change, said) in changes {
        let bad = FakeNode::truthful({
            let mut chain = sn17_chain_node::Chain::of(&neurons());
            change(&mut chain);
            chain
        });
        let error = function(&service, &[&bad.await]).handle().await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert_eq!(writes(&service), before, "{said}");
    }
}

/// A new instance has no memory, but the table has.
#[tokio::test]
async fn a_cold_start_is_not_led_back_to_an_older_block() {
    let (service, node) = (Service::new(table()), node().await);
    function(&service, &[&node]).handle().await.unwrap();
    let late = FakeNode::truthful({
        let mut chain = sn17_chain_node::Chain::of(&[WireNeuron::at(0)]);
        chain.number = BLOCK - 1;
        chain
    })
    .await;
    let error = function(&service, &[&late]).handle().await.unwrap_err().to_string();
    assert!(error.contains("4000122") && error.contains("4000123"), "{error}");
    assert_eq!(roster(&service).unwrap()["neurons"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_table_that_refuses_fails_the_invocation() {
    let node = node().await;
    let refused =
        r#"{"__type":"com.amazonaws.dynamodb.v20120810#ValidationException","message":"as scripted"}"#;
    let service = Service::new(move |_| (400, refused.to_owned()));
    assert!(function(&service, &[&node]).handle().await.is_err());
    assert_eq!(node.asked(), 0, "without the last block known no answer can be judged");
}
