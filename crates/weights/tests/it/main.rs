//! The program against a node: what it prints, and that it sends nothing unless it is told to.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use parity_scale_codec::{Decode as _, Encode as _};
use serde_json::{Value, json};
use sn17_chain_node::{Chain, FakeNode, WireNeuron, scale};
use sn17_core::Hotkey;
use sn17_wire::sr25519::Keypair;
use sn17_wire::ss58;

/// A validator at uid 0 with two miners, on a subnet that takes weights as they are, or asks for commits.
fn chain(keypair: &Keypair, commit_reveal: bool) -> Chain {
    let hotkey = keypair.hotkey().0;
    let validator = WireNeuron { hotkey, validator_permit: true, last_update: 1, ..WireNeuron::at(0) };
    let mut chain = Chain::of_now(&[validator, WireNeuron::at(1), WireNeuron::at(2)]);
    chain.subnet = scale::subnet(17, commit_reveal, &[1_000_000_000_000, 0, 0]);
    chain
}

/// A leaderboard of `taken` with these rows: hotkey, uid, reward and weight.
fn leaderboard(taken: f64, synthetic: bool, rows: &[([u8; 32], u16, f64, f64)]) -> Value {
    let row = |(rank, (hotkey, uid, reward, weight)): (usize, &([u8; 32], u16, f64, f64))| {
        json!({
            "rank": rank, "hotkey": ss58::encode(&Hotkey(*hotkey)), "uid": uid, "rating": 1500.0,
            "deviation": 100.0, "accepted": 1, "reward": reward, "weight": weight, "duels": 0, "wins": 0,
            "draws": 0, "win_rate": null,
        })
    };
    let rows: Vec<Value> = (1..).zip(rows).map(row).collect();
    json!({ "taken": taken, "synthetic": synthetic, "rows": rows })
}

fn now_secs() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// The two miners of [`chain`], one that has left, and one that has earned nothing.
fn usual_leaderboard(taken: f64, synthetic: bool) -> Value {
    let [first, second] = [1, 2].map(|uid| WireNeuron::at(uid).hotkey);
    let rows = [
        ([9; 32], 0, 6000.0, 0.25),
        (second, 2, 12_000.0, 0.5),
        (first, 1, 6000.0, 0.25),
        ([8; 32], 7, 0.0, 0.0),
    ];
    leaderboard(taken, synthetic, &rows)
}

/// A network that knows nothing but its leaderboard: its URL.
async fn network(leaderboard: Value) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = move || std::future::ready(leaderboard.to_string());
    let router = axum::Router::new().route("/leaderboard", axum::routing::get(answer));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

/// The signer and the call of an extrinsic, as the runtime reads them: version 4, signed with sr25519, mortal, the nonce
/// of the test's node, no tip, no hash of the metadata.
fn signer_and_call(extrinsic: &[u8]) -> ([u8; 32], Vec<u8>) {
    let bytes = Vec::<u8>::decode(&mut &*extrinsic).unwrap();
    let (head, rest) = bytes.split_at(2 + 32 + 1 + 64);
    assert_eq!((&head[..2], head[34]), (&[0x84, 0][..], 1));
    assert_eq!(rest[2..5], [5 << 2, 0, 0]);
    (head[2..34].try_into().unwrap(), rest[5..].to_vec())
}

/// Runs the program with the key `03…`, in a folder with these files: whether it succeeded, and all that it printed.
async fn run(node: &FakeNode, arguments: &[&str]) -> (bool, String) {
    let folder = tempfile::tempdir().unwrap();
    let keypair = Keypair::from_mini_secret(&[3; 32]);
    let seed = "03".repeat(32);
    let hotkey =
        format!(r#"{{"secretSeed": "0x{seed}", "ss58Address": "{}"}}"#, ss58::encode(&keypair.hotkey()));
    let weights = r#"[{"uid": 1, "weight": 0.25}, {"uid": 2, "weight": 0.5}]"#;
    for (name, content) in [("hotkey", hotkey.as_str()), ("weights.json", weights)] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_sn17-weights"));
    command.current_dir(folder.path()).args(["--hotkey", "hotkey", "--endpoint", &node.endpoint.to_string()]);
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8(printed).unwrap();
    assert!(!printed.contains(&seed), "the key is never printed");
    (output.status.success(), printed)
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_are_shown_and_sent_when_told() {
    let keypair = Keypair::from_mini_secret(&[3; 32]);
    let node = FakeNode::truthful(chain(&keypair, false)).await;
    let (succeeded, printed) = run(&node, &["set", "weights.json"]).await;
    assert!(succeeded, "{printed}");
    for words in [
        "set_weights (call 0): netuid 17, version_key 0",
        "uid   1  32768",
        "uid   2  65535",
        "nonce 5, runtime says: valid for 64 blocks",
        "dry run, nothing was sent",
    ] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    assert_eq!(node.asked_for("author_submitExtrinsic"), 0);

    let (succeeded, printed) = run(&node, &["--send", "set", "weights.json"]).await;
    assert!(succeeded && printed.contains("sent as 0x"), "{printed}");
    let (succeeded, printed) =
        run(&node, &["--send", "serve-axon", "--ip", "203.0.113.10", "--port", "8091"]).await;
    assert!(succeeded && printed.contains("serve_axon: netuid 17, 203.0.113.10 port 8091"), "{printed}");
    assert_eq!(node.asked_for("author_submitExtrinsic"), 2);

    let (succeeded, printed) = run(&node, &["--send", "set", "weights.json", "--reveal-round", "9"]).await;
    assert!(!succeeded && printed.contains("takes weights as they are"), "{printed}");
    assert_eq!(node.asked_for("author_submitExtrinsic"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaderboard_becomes_weights_on_the_chain() {
    let keypair = Keypair::from_mini_secret(&[3; 32]);
    let node = FakeNode::truthful(chain(&keypair, false)).await;
    let url = network(usual_leaderboard(now_secs() - 30.0, false)).await;
    let (succeeded, printed) = run(&node, &["set", "--leaderboard", &url]).await;
    assert!(succeeded, "{printed}");
    for words in [
        "leaderboard of 4 miners, 3",
        "reward      12000.0  weight 0.500000",
        "  uid   2  65535\n  uid   1  32768\nnonce",
        "dry run, nothing was sent",
    ] {
        assert!(printed.contains(words), "{words}: {printed}");
    }
    assert!(node.submitted().is_empty());

    let (succeeded, printed) =
        run(&node, &["--send", "set", "--leaderboard", &url, "--version-key", "1120"]).await;
    assert!(succeeded && printed.contains("sent as 0x"), "{printed}");
    let by_rank = ["--send", "set", "--leaderboard", &url, "--scheme", "rank-curve"];
    let (succeeded, printed) = run(&node, &by_rank).await;
    assert!(succeeded, "{printed}");
    let calls = node.submitted();
    let calls = calls.iter().map(|extrinsic| {
        let (signer, call) = signer_and_call(extrinsic);
        assert_eq!(signer, keypair.hotkey().0);
        <(u8, u8, u16, Vec<u16>, Vec<u16>, u64)>::decode(&mut &*call).unwrap()
    });
    let calls: Vec<_> = calls.collect();
    assert_eq!(calls[0], (7, 0, 17, vec![2, 1], vec![65_535, 32_768], 1120));
    // Of three paid rewards the largest is rank 2: 0.003 + 0.005 / (1 + exp(-0.06 * 0.5)), and the others lie below.
    assert_eq!((&calls[1].3, calls[1].4[0]), (&vec![2, 1], 65_535));
    assert!((63_000..65_000).contains(&calls[1].4[1]), "{calls:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn standings_that_nobody_should_be_paid_by_are_not_sent() {
    let keypair = Keypair::from_mini_secret(&[3; 32]);
    let node = FakeNode::truthful(chain(&keypair, false)).await;
    let check = async |send: bool, leaderboard: Value, words: &str| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("leaderboard.json");
        std::fs::write(&file, leaderboard.to_string()).unwrap();
        let arguments = ["set", "--leaderboard", file.to_str().unwrap()];
        let arguments = if send { [&["--send"], &arguments[..]].concat() } else { arguments.to_vec() };
        let (succeeded, printed) = run(&node, &arguments).await;
        assert!(printed.contains(words), "{printed}");
        succeeded
    };
    let now = now_secs();
    let synthetic = "made with synthetic model weights";
    assert!(check(false, usual_leaderboard(now, true), synthetic).await, "they may be looked at");
    assert!(!check(true, usual_leaderboard(now, true), "not sent: the standings come from synthetic").await);
    assert!(!check(true, usual_leaderboard(now - 4000.0, false), "s old, and may be 3600").await);
    assert!(!check(true, json!({ "taken": null, "synthetic": false, "rows": [] }), "no standings yet").await);
    assert!(!check(true, json!([]), "that is no leaderboard").await);
    let poor = leaderboard(now, false, &[(WireNeuron::at(1).hotkey, 1, 0.0, 0.0)]);
    assert!(!check(true, poor, "nobody on the leaderboard has earned anything").await);
    let moved = leaderboard(now, false, &[(WireNeuron::at(1).hotkey, 2, 1500.0, 1.0)]);
    assert!(!check(true, moved, "nobody on the leaderboard has earned anything").await);
    let negative = leaderboard(now, false, &[(WireNeuron::at(1).hotkey, 1, 1500.0, -1.0)]);
    assert!(!check(true, negative, "the weight of uid 1 is negative or no number").await);
    for (from, words) in [("http://example.com", "https://"), ("no/such.json", "cannot read")] {
        let (succeeded, printed) = run(&node, &["--send", "set", "--leaderboard", from]).await;
        assert!(!succeeded && printed.contains(words), "{printed}");
    }
    assert!(node.submitted().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_encrypted_to_a_round_to_come() {
    let keypair = Keypair::from_mini_secret(&[3; 32]);
    let node = FakeNode::truthful(chain(&keypair, true)).await;
    let (succeeded, printed) = run(&node, &["--send", "set", "weights.json"]).await;
    assert!(!succeeded && printed.contains("not sent: the subnet asks for timelocked commits"), "{printed}");
    let (succeeded, printed) = run(&node, &["set", "weights.json"]).await;
    assert!(succeeded && printed.contains("payload to be timelocked: 0x80"), "{printed}");
    assert_eq!(node.asked_for("author_submitExtrinsic"), 0);
    let (succeeded, printed) = run(&node, &["--send", "set", "weights.json", "--reveal-round", "9"]).await;
    assert!(!succeeded && printed.contains("round 9 hides nothing"), "{printed}");
    assert_eq!(node.asked_for("author_submitExtrinsic"), 0);

    let round: u64 = 1_000_000_000;
    let arguments = ["--send", "set", "weights.json", "--reveal-round", &round.to_string()];
    let (succeeded, printed) = run(&node, &arguments).await;
    assert!(succeeded, "{printed}");
    let start = "commit, revealed at round 1000000000: 0x";
    let commit = printed.lines().find_map(|line| line.strip_prefix(start)).expect("the commit is shown");
    let sent = node.submitted();
    let [extrinsic] = sent.as_slice() else { panic!("one extrinsic is sent") };
    let commit = hex::decode(commit).unwrap();
    let arguments = (17_u16, commit, round, 4_u16).encode();
    assert!(extrinsic.ends_with(&arguments), "{extrinsic:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_chain_would_refuse_is_not_sent() {
    let stranger = Keypair::from_mini_secret(&[4; 32]);
    let node = FakeNode::truthful(chain(&stranger, false)).await;
    let (succeeded, printed) = run(&node, &["--send", "set", "weights.json"]).await;
    assert!(!succeeded && printed.contains("the hotkey is not registered on the subnet"), "{printed}");

    let keypair = Keypair::from_mini_secret(&[3; 32]);
    let node = FakeNode::truthful(Chain { verdict: vec![1, 0, 3], ..chain(&keypair, false) }).await;
    let (succeeded, printed) = run(&node, &["--send", "set", "weights.json"]).await;
    assert!(!succeeded && printed.contains("not sent: invalid: the nonce has been used"), "{printed}");
    assert_eq!(node.asked_for("author_submitExtrinsic"), 0);
}
