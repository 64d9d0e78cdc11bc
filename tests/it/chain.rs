//! `serve --subtensor`: who is registered, as a node of the chain says, whatever else that node says.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use sn17_chain_node::{Chain, FakeNode, WireNeuron, scale, status};

use crate::miner::Miner;
use crate::server::{Server, Setup};

/// A block of the chain reaches a network that asks every second within this, on a machine that has much else to do.
const KNOWN_WITHIN: Duration = Duration::from_secs(60);
const POLL_EVERY: Duration = Duration::from_millis(50);
/// The first question of each time that a node is asked for the metagraph.
const FIRST_QUESTION: &str = "chain_getFinalizedHead";

/// A network that asks this node every second, and has nothing else to know its miners by.
async fn following(endpoint: &str) -> Server {
    let arguments = ["--simulate", "--subtensor", endpoint, "--subtensor-every", "1"];
    let arguments = arguments.map(str::to_owned).to_vec();
    Server::start(Setup { policy: json!({}), arguments, ..Setup::default() }).await
}

/// The chain with these miners, the first at uid 0.
fn chain_of(miners: &[&Miner]) -> Chain {
    let neuron =
        |(uid, miner): (u16, &&Miner)| WireNeuron { hotkey: miner.keypair.hotkey().0, ..WireNeuron::at(uid) };
    Chain::of_now(&(0..).zip(miners).map(neuron).collect::<Vec<_>>())
}

/// What the network plays by.
async fn roster(server: &Server) -> Value {
    let answer = server.operate(Method::GET, "/admin/metagraph", &Value::Null).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The addresses in a roster, by uid.
fn hotkeys(roster: &Value) -> Vec<&str> {
    let neurons = roster["neurons"].as_array().unwrap();
    neurons.iter().map(|neuron| neuron["hotkey"].as_str().unwrap()).collect()
}

async fn until_block(server: &Server, block: u64) -> Value {
    let started = Instant::now();
    loop {
        let roster = roster(server).await;
        if roster["block"] == block {
            return roster;
        }
        assert!(started.elapsed() < KNOWN_WITHIN, "block {block} is not applied: {roster}");
        tokio::time::sleep(POLL_EVERY).await;
    }
}

/// Waits until the node has been asked anew, and once more: what it said the first time has had its effect by then.
async fn until_asked(node: &FakeNode) {
    let (started, before) = (Instant::now(), node.asked_for(FIRST_QUESTION));
    while node.asked_for(FIRST_QUESTION) < before + 3 {
        assert!(started.elapsed() < KNOWN_WITHIN, "the node is not asked");
        tokio::time::sleep(POLL_EVERY).await;
    }
}

#[tokio::test]
async fn who_is_on_the_chain_is_served_and_nobody_else() {
    let miners = [0, 1, 2, 3].map(Miner::new);
    let node = FakeNode::truthful(chain_of(&[&miners[0], &miners[1]])).await;
    let server = following(&node.endpoint.to_string()).await;
    let known = until_block(&server, 4_000_123).await;
    assert_eq!(hotkeys(&known), [miners[0].address(), miners[1].address()]);
    assert_eq!(known["neurons"][1]["stake"], 1_001.0, "as consensus counts it, in tokens");

    let task = miners[1].task(&server).await;
    assert_eq!(miners[2].pull(&server).await.task(), None, "a stranger");
    assert_eq!(miners[2].submit(&server, &task, b"a splat").await.status, 403);
    let put = server.operate(Method::PUT, "/admin/metagraph", &json!({ "neurons": [] })).await;
    assert_eq!(put.status, 409, "{}", put.text());

    // The second place gets a new owner, and there is a third.
    let next = Chain { number: 4_000_124, ..chain_of(&[&miners[0], &miners[3], &miners[2]]) };
    node.change(|chain| *chain = next);
    let known = until_block(&server, 4_000_124).await;
    assert_eq!(hotkeys(&known), [miners[0].address(), miners[3].address(), miners[2].address()]);
    assert_eq!(miners[1].pull(&server).await.task(), None, "it is a stranger by now");
    assert!(miners[2].pull(&server).await.task().is_some());
}

/// What a node may say that is not so: in words, and done to a later block with another miner in it.
type Lie = (&'static str, fn(&mut Chain));

const LIES: [Lie; 8] = [
    ("an older block", |chain| {
        chain.number = 4_000_122;
        chain.make_ago(300);
    }),
    ("an answer that is cut off", |chain| chain.neurons.truncate(100)),
    ("a value that was not asked for", |chain| chain.subnet.push(1)),
    ("neurons of another subnet", |chain| {
        chain.neurons = scale::neurons(&[WireNeuron { netuid: 18, ..WireNeuron::at(0) }]);
    }),
    ("another subnet's rules", |chain| chain.subnet = scale::subnet(18, true, &[1])),
    ("no neurons", |chain| chain.neurons = scale::neurons(&[])),
    ("neurons that its own storage does not know", |chain| {
        chain.neurons = scale::neurons(&[WireNeuron { hotkey: [9; 32], ..WireNeuron::at(0) }]);
    }),
    ("another chain", |chain| "polkadot".clone_into(&mut chain.spec_name)),
];

#[tokio::test]
async fn a_node_that_lies_leaves_the_last_good_roster() {
    let (miner, other) = (Miner::new(0), Miner::new(1));
    let node = FakeNode::truthful(chain_of(&[&miner])).await;
    let server = following(&node.endpoint.to_string()).await;
    let good = until_block(&server, 4_000_123).await;
    assert_eq!(hotkeys(&good), [miner.address()]);

    let later = Chain { number: 4_000_124, ..chain_of(&[&other]) };
    for (words, lie) in LIES {
        let mut lying = later.clone();
        lie(&mut lying);
        node.change(|chain| *chain = lying);
        until_asked(&node).await;
        assert_eq!(roster(&server).await, good, "{words}");
    }
    node.answer_with(|_, _, _| Some(status(503)));
    until_asked(&node).await;
    assert_eq!(roster(&server).await, good, "no answer at all");
    assert!(miner.pull(&server).await.task().is_some());

    node.change(|chain| *chain = later);
    node.answer_with(|_, _, _| None);
    assert_eq!(hotkeys(&until_block(&server, 4_000_124).await), [other.address()]);
}

#[tokio::test]
async fn a_start_believes_no_more_than_any_time_later() {
    let (miner, other) = (Miner::new(0), Miner::new(1));
    let node = FakeNode::truthful(chain_of(&[&miner])).await;
    let mut server = following(&node.endpoint.to_string()).await;
    let good = until_block(&server, 4_000_123).await;

    server.kill();
    let mut older = Chain { number: 4_000_122, ..chain_of(&[&other]) };
    older.make_ago(300);
    node.change(|chain| *chain = older);
    server.restart().await;
    until_asked(&node).await;
    assert_eq!(roster(&server).await, good, "the block outlives the process");

    // A network that has never known anybody stays so.
    let lying = Chain { neurons: vec![4], ..chain_of(&[&miner]) };
    let node = FakeNode::truthful(lying).await;
    let server = following(&node.endpoint.to_string()).await;
    until_asked(&node).await;
    assert_eq!(hotkeys(&roster(&server).await), [""; 0]);
    assert_eq!(miner.pull(&server).await.task(), None);
}

#[tokio::test]
async fn a_node_may_be_down_at_the_start() {
    let miner = Miner::new(0);
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let address = tokio::net::TcpListener::bind(any_port).await.unwrap().local_addr().unwrap();
    let server = following(&format!("http://{address}")).await;
    assert_eq!(hotkeys(&roster(&server).await), [""; 0]);
    let _node = FakeNode::listen(address, chain_of(&[&miner])).await.unwrap();
    until_block(&server, 4_000_123).await;
    assert!(miner.pull(&server).await.task().is_some());
}

#[tokio::test]
async fn the_recorded_metagraph_is_applied() {
    let Some(folder) = std::env::var_os("SN17_FIXTURES") else {
        eprintln!("skipped: SN17_FIXTURES is not set");
        return;
    };
    let path = std::path::Path::new(&folder).join("bittensor/chain.json");
    let recording: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let bytes = |text: &Value| {
        let digits = text.as_str().unwrap().trim_start_matches("0x");
        let pairs = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16));
        pairs.collect::<Result<Vec<u8>, _>>().unwrap()
    };
    let expected: Vec<&str> = recording["neurons_lite_expected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|neuron| neuron["hotkey"].as_str().unwrap())
        .collect();
    let neuron = |(uid, address): (u16, &&str)| WireNeuron {
        hotkey: sn17_wire::ss58::decode(address).unwrap().0,
        ..WireNeuron::at(uid)
    };
    let mut chain = Chain::of_now(&(0..).zip(&expected).map(neuron).collect::<Vec<_>>());
    chain.neurons = bytes(&recording["neurons_lite_vec_scale_hex"]);
    let node = FakeNode::truthful(chain).await;
    let server = following(&node.endpoint.to_string()).await;
    assert_eq!(hotkeys(&until_block(&server, 4_000_123).await), expected);
}
