//! Metagraphs from nodes that answer truthfully, falsely, late, too much or not at all.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use sn17_chain::metagraph::{FetchError, WeightRules};
use sn17_chain::{CallReason, Endpoint, Metagraph, Settings, Snapshot, SpecVersions, Unavailable, storage};
use sn17_chain_node::{Chain, FakeNode, MADE_AT_MS, WireNeuron, hex, never, scale, status};
use sn17_core::state::Block;
use sn17_core::{Hotkey, UnixMs};

const NOW: UnixMs = UnixMs(MADE_AT_MS + 30_000);

fn neurons(count: u16) -> Vec<WireNeuron> {
    (0..count).map(WireNeuron::at).collect()
}

fn settings(endpoints: &[&Endpoint]) -> Settings {
    let endpoints = endpoints.iter().map(|&endpoint| endpoint.clone()).collect();
    Settings { retry_after: Duration::from_millis(1), ..Settings::new(endpoints) }
}

async fn fetch(nodes: &[&FakeNode]) -> Result<Snapshot, Unavailable> {
    let endpoints: Vec<&Endpoint> = nodes.iter().map(|node| &node.endpoint).collect();
    Metagraph::new(settings(&endpoints)).unwrap().fetch(NOW, None).await
}

/// The one error of a node that is asked alone.
async fn refused(node: &FakeNode) -> FetchError {
    let mut attempts = fetch(&[node]).await.unwrap_err().attempts;
    assert_eq!(attempts.len(), 1);
    attempts.remove(0).error
}

/// A node of this chain is not believed, for this reason.
async fn check_refused(chain: Chain, words: &str) {
    let node = FakeNode::truthful(chain).await;
    let error = refused(&node).await.to_string();
    assert!(error.contains(words), "{error}");
}

/// A node that makes this of its answers to this method is not believed, for this reason.
async fn check_fault<F>(method: &'static str, fault: F, words: &str)
where
    F: Fn(&str) -> Response + Send + Sync + 'static,
{
    let step_in = move |asked: &str, _: usize, answer: &str| (asked == method).then(|| fault(answer));
    let node = FakeNode::start(Chain::of(&neurons(3)), step_in).await;
    let error = refused(&node).await.to_string();
    assert!(error.contains(words), "{error}");
}

#[tokio::test]
async fn a_truthful_node_gives_the_metagraph() {
    let chain = Chain::of(&neurons(256));
    let node = FakeNode::truthful(chain.clone()).await;
    let snapshot = fetch(&[&node]).await.unwrap();
    assert_eq!((snapshot.netuid, snapshot.block, snapshot.spec_version), (17, 4_000_123, 425));
    assert_eq!(snapshot.block_hash.to_string(), chain.head());
    assert_eq!(snapshot.made_at, UnixMs(MADE_AT_MS));
    assert_eq!(snapshot.neurons.len(), 256);
    assert!(snapshot.subnet.commit_reveal_weights_enabled);
    let rules = WeightRules { stake_rao_min: 1_000_000_000_000, commit_version: Some(4) };
    assert_eq!(snapshot.weight_rules, rules);

    let noted = snapshot.roster();
    assert_eq!(noted.block, Some(Block { made_at: UnixMs(MADE_AT_MS), number: 4_000_123 }));
    let roster = noted.neurons;
    assert_eq!(roster.len(), 256);
    assert_eq!(roster[255].uid, 255);
    assert_eq!(roster[255].hotkey, Hotkey(WireNeuron::at(255).hotkey));
    assert_eq!(roster[255].coldkey, Some(Hotkey(WireNeuron::at(255).coldkey)));
    let stake_error = (roster[255].stake - 1_255.0).abs();
    assert!(stake_error < 1e-9, "as consensus counts it, not the subnet's token alone");
    assert!((roster[255].incentive - 25_500.0 / 65_535.0).abs() < 1e-12);
    assert_eq!(snapshot.neuron(&roster[255].hotkey).unwrap().uid, 255);
    assert_eq!(snapshot.neuron(&Hotkey([0; 32])), None);
}

#[tokio::test]
async fn a_chain_that_is_not_understood_is_refused() {
    let chain = || Chain::of(&neurons(3));
    let other = Chain { spec_name: "polkadot".to_owned(), ..chain() };
    check_refused(other, "it runs `polkadot`, not `node-subtensor`").await;
    for spec_version in [424, 500] {
        let words = format!("the runtime's spec version {spec_version} is not among 425-499");
        check_refused(Chain { spec_version, ..chain() }, &words).await;
    }

    let node = FakeNode::truthful(Chain { spec_version: 500, ..chain() }).await;
    let told = Settings { spec_versions: SpecVersions::Any, ..settings(&[&node.endpoint]) };
    assert_eq!(Metagraph::new(told).unwrap().fetch(NOW, None).await.unwrap().spec_version, 500);
}

#[tokio::test]
async fn a_node_that_has_fallen_behind_is_refused() {
    let node = FakeNode::truthful(Chain::of(&neurons(3))).await;
    let metagraph = Metagraph::new(settings(&[&node.endpoint])).unwrap();
    let check = async |now_secs: i64, known: Option<Block>, words: &str| {
        let now = UnixMs((i64::try_from(MADE_AT_MS).unwrap() + now_secs * 1000).try_into().unwrap());
        match metagraph.fetch(now, known).await {
            Ok(_) => assert_eq!(words, ""),
            Err(error) => assert!(!words.is_empty() && error.to_string().contains(words), "{error}"),
        }
    };
    check(600, None, "").await;
    check(601, None, "its finalized block is 601 s old").await;
    check(-600, None, "").await;
    check(-601, None, "its finalized block is -601 s old").await;
    let known = |later_ms: u64, number| Some(Block { made_at: UnixMs(MADE_AT_MS + later_ms), number });
    check(0, known(0, 4_000_123), "").await;
    check(0, known(0, 4_000_124), "its finalized block 4000123 is older than 4000124, which is known").await;
    check(0, known(1, 4_000_122), "its finalized block 4000123 is older than 4000122, which is known").await;
    let before = Some(Block { made_at: UnixMs(MADE_AT_MS - 1), number: u64::MAX });
    check(0, before, "").await;

    let mut chain = Chain::of(&neurons(3));
    chain.storage.remove(&hex(&storage::timestamp()));
    check_refused(chain, "its finalized block is").await;
}

#[tokio::test]
async fn answers_that_contradict_each_other_are_refused() {
    let of = |change: fn(&mut Chain)| {
        let mut chain = Chain::of(&neurons(3));
        change(&mut chain);
        chain
    };
    check_refused(
        of(|chain| chain.store(storage::subnetwork_n(17), &[4, 0])),
        "the number of neurons is 3 by the runtime's list, 4 by the storage",
    )
    .await;
    check_refused(
        of(|chain| chain.subnet = scale::subnet(17, false, &[1, 2])),
        "the number of neurons is 3 by the runtime's list, 2 by the stakes",
    )
    .await;
    check_refused(of(|chain| chain.storage.clear()), "its finalized block is").await;
    check_refused(
        of(|chain| (0..3).for_each(|uid| chain.store(storage::hotkey_at(17, uid), &[9; 32]))),
        "has another hotkey in the storage",
    )
    .await;
    check_refused(
        of(|chain| (0..3).for_each(|uid| chain.store(storage::hotkey_at(17, uid), &[9; 33]))),
        "Keys: 1 bytes too many",
    )
    .await;
    check_refused(of(|chain| chain.neurons = vec![0]), "the subnet has no neurons").await;
    check_refused(of(|chain| chain.subnet = vec![0]), "there is no such subnet").await;
}

#[tokio::test]
async fn every_slot_is_sampled_in_its_turn() {
    // A lie about one slot of two is found in most blocks, as the hash tells which slots are looked at.
    let mut found = 0;
    for number in 1..=40 {
        let mut chain = Chain { number, ..Chain::of(&neurons(2)) };
        chain.store(storage::hotkey_at(17, 1), &[9; 32]);
        let node = FakeNode::truthful(chain).await;
        found += usize::from(fetch(&[&node]).await.is_err());
    }
    assert!((28..40).contains(&found), "7 of 8 are to be expected: {found} of 40");
}

#[tokio::test]
async fn bytes_that_are_no_metagraph_are_refused() {
    let of = |change: fn(&mut Vec<u8>)| {
        let mut chain = Chain::of(&neurons(3));
        change(&mut chain.neurons);
        chain
    };
    let function = "NeuronInfoRuntimeApi_get_neurons_lite: ";
    check_refused(of(|bytes| bytes.truncate(300)), function).await;
    check_refused(of(|bytes| bytes.push(0)), "get_neurons_lite: 1 bytes too many").await;
    check_refused(of(Vec::clear), "`neurons` cannot be read").await;

    let with_result = |result: Value| move |_: &str| answer(&result).into_response();
    let call = "state_call";
    check_fault(call, with_result(json!("0x0")), "Odd number of digits").await;
    check_fault(call, with_result(json!("0xzz")), "Invalid character").await;
    check_fault(call, with_result(json!("00")), "bytes without their 0x").await;
    check_fault(call, with_result(Value::Null), "state_call: Parse error").await;
    check_fault(call, with_result(json!({"a": 1})), "state_call: Parse error").await;
    let head = "chain_getFinalizedHead";
    check_fault(head, with_result(json!("0x00")), "a hash of other than 32 bytes").await;
}

/// An answer with the id of the first question; what is wrong with its result is found before its id is looked at.
fn answer(result: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 0, "result": result}).to_string()
}

#[tokio::test]
async fn answers_that_are_not_json_rpc_are_refused() {
    let head = "chain_getFinalizedHead";
    check_fault(head, |_| "<html>".into_response(), "chain_getFinalizedHead: Malformed").await;
    check_fault(head, |_| "".into_response(), "chain_getFinalizedHead: Malformed").await;
    check_fault(head, |_| "[]".into_response(), "chain_getFinalizedHead: Parse error").await;
    check_fault(head, |answer| format!("{answer}{answer}").into_response(), "Parse error").await;
    check_fault(head, |answer| format!("[{answer}]").into_response(), "Parse error").await;
    check_fault(head, |answer| answer.replace("2.0", "1.0").into_response(), "Parse error").await;
    let wrong_id = |answer: &str| {
        let mut answer: Value = serde_json::from_str(answer).unwrap();
        answer["id"] = json!(77);
        answer.to_string().into_response()
    };
    check_fault(head, wrong_id, "77").await;
    let no_id = |_: &str| {
        json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32700, "message": "Parse error"}})
            .to_string()
            .into_response()
    };
    check_fault(head, no_id, "refused with code -32700: Parse error").await;
}

#[tokio::test]
async fn an_error_is_told_in_short() {
    let node = FakeNode::start(Chain::of(&neurons(3)), |_, _, answer| {
        let id = serde_json::from_str::<Value>(answer).unwrap()["id"].clone();
        let message = format!("no\n\u{1b}[31m{}", "x".repeat(10_000));
        let error = json!({"code": 4003, "message": message});
        Some(json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string().into_response())
    })
    .await;
    let FetchError::Call(error) = refused(&node).await else { panic!("another error") };
    let CallReason::Refused { code: 4003, message } = error.reason else { panic!("{error}") };
    assert_eq!(message.len(), 200);
    assert!(message.starts_with("no[31mxxx"), "{message}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let text = |bytes: usize| json!({"jsonrpc": "2.0", "id": 0, "result": "0".repeat(bytes)}).to_string();
    let head = "chain_getFinalizedHead";
    check_fault(head, move |_| text(10 << 20).into_response(), "too big").await;
    let endless = |_: &str| {
        let chunks = futures_util::stream::repeat(Ok::<_, Infallible>(Bytes::from(vec![b'['; 1 << 16])));
        Body::from_stream(chunks).into_response()
    };
    check_fault(head, endless, "length limit exceeded").await;
    check_fault(head, move |_| text(7 << 20).into_response(), "Parse error").await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up() {
    let node = FakeNode::start(Chain::of(&neurons(3)), |_, _, _| Some(never())).await;
    let impatient = Settings { answer_within: Duration::from_millis(50), ..settings(&[&node.endpoint]) };
    let error = Metagraph::new(impatient).unwrap().fetch(NOW, None).await.unwrap_err();
    assert!(error.to_string().ends_with("chain_getFinalizedHead: no answer in time"), "{error}");
    assert_eq!(node.asked(), 2, "once, and once again");
}

#[tokio::test]
async fn a_busy_node_is_asked_once_more() {
    for code in [429, 503] {
        let fault = move |method: &str, before: usize, _: &str| {
            (method == "state_call" && before == 0).then(|| status(code))
        };
        let node = FakeNode::start(Chain::of(&neurons(3)), fault).await;
        assert_eq!(fetch(&[&node]).await.unwrap().neurons.len(), 3);

        let node = FakeNode::start(Chain::of(&neurons(3)), move |_, _, _| Some(status(code))).await;
        let error = refused(&node).await.to_string();
        assert!(error.contains(&code.to_string()), "{error}");
        assert_eq!(node.asked(), 2);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = FakeNode::truthful(Chain::of(&neurons(3))).await;
    let location = format!("{}/", target.endpoint);
    let redirect = move |_: &str, _: usize, _: &str| {
        let headers = [("location", location.clone())];
        Some((axum::http::StatusCode::TEMPORARY_REDIRECT, headers).into_response())
    };
    let node = FakeNode::start(Chain::of(&neurons(3)), redirect).await;
    assert!(refused(&node).await.to_string().contains("307"));
    assert_eq!(target.asked(), 0);
}

#[tokio::test]
async fn the_next_node_is_asked_when_one_is_not_believed() {
    let dead = FakeNode::truthful(Chain::of(&neurons(3))).await;
    let gone = dead.endpoint.clone();
    drop(dead);
    let lying = FakeNode::truthful(Chain { neurons: vec![0], ..Chain::of(&neurons(3)) }).await;
    let truthful = FakeNode::truthful(Chain::of(&neurons(3))).await;
    let unused = FakeNode::truthful(Chain::of(&neurons(3))).await;

    let endpoints = [&gone, &lying.endpoint, &truthful.endpoint, &unused.endpoint];
    let metagraph = Metagraph::new(settings(&endpoints)).unwrap();
    assert_eq!(metagraph.fetch(NOW, None).await.unwrap().neurons.len(), 3);
    assert_eq!(unused.asked(), 0);

    let metagraph = Metagraph::new(settings(&endpoints[..2])).unwrap();
    let asked_before = lying.asked();
    let error = metagraph.fetch(NOW, None).await.unwrap_err();
    assert_eq!(error.attempts.len(), 2, "{error}");
    assert!(error.to_string().contains("the subnet has no neurons"), "{error}");
    assert_eq!(
        lying.asked() - asked_before,
        asked_before,
        "one that lies is not asked again in the same fetch"
    );

    let none = Metagraph::new(settings(&[])).unwrap().fetch(NOW, None).await.unwrap_err();
    assert_eq!(none.to_string(), "there is no node to ask");
}

#[tokio::test]
async fn nodes_behind_one_name_that_differ_are_not_mixed() {
    // A balancer hands every other question to a node that has another block for its head.
    let other = Chain { number: 4_000_124, ..Chain::of(&neurons(2)) };
    let head = other.head();
    let fault = move |method: &str, before: usize, answer: &str| {
        let mut answer: Value = serde_json::from_str(answer).unwrap();
        (method == "chain_getFinalizedHead" && before == 0).then(|| {
            answer["result"] = json!(head);
            answer.to_string().into_response()
        })
    };
    let node = FakeNode::start(Chain::of(&neurons(3)), fault).await;
    let snapshot = fetch(&[&node]).await.unwrap();
    assert_eq!((snapshot.block, snapshot.neurons.len()), (4_000_123, 3), "asked again from the start");

    let header_of_another = |answer: &str| {
        let mut answer: Value = serde_json::from_str(answer).unwrap();
        answer["result"]["number"] = json!("0x3d0900");
        answer.to_string().into_response()
    };
    let words = "the header is not that of the finalized block";
    check_fault("chain_getHeader", header_of_another, words).await;
}

/// The node of these tests keeps to JSON-RPC 2.0 itself.
#[test]
fn the_node_of_these_tests_speaks_the_protocol() {
    let chain = Chain::of(&neurons(1));
    let respond = |body: &str| chain.respond_to_body(body.as_bytes());
    let head = r#"{"jsonrpc":"2.0","id":5,"method":"chain_getFinalizedHead"}"#;
    assert_eq!(respond(head), json!({"jsonrpc": "2.0", "id": 5, "result": chain.head()}).to_string());
    assert_eq!(respond(&head.replace(r#""id":5,"#, "")), "", "a notification has no answer");
    let batch: Value = serde_json::from_str(&respond(&format!("[{head},{head},1]"))).unwrap();
    assert_eq!(batch.as_array().unwrap().len(), 3);
    assert_eq!(batch[2]["error"]["code"], -32600);
    for (body, code) in [("{", -32700), ("[]", -32600), ("{}", -32600)] {
        let answer: Value = serde_json::from_str(&respond(body)).unwrap();
        assert_eq!(answer["error"]["code"], code, "{body}");
    }
    let unknown: Value =
        serde_json::from_str(&respond(&head.replace("chain_getFinalizedHead", "x"))).unwrap();
    assert_eq!(unknown["error"]["code"], -32601);
}
